"""Data of a caller as a file that the readers of tables take: a frame, arrays, tensors, or a file that is there.

n rows, F columns of an array of inputs, K targets.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mtl.errors import DataError, UserError, shown

FILE = "table.parquet"
"""Name of the file that a frame is written to."""
INPUTS = "x"
"""Beginning of the names of columns that an array without names has."""
TIME = "time"
"""Name of the column that an index of time stamps without a name becomes."""
TASK = "task"
"""Beginning of the names of tasks that an array holds."""
FORMS = (
    "a pandas frame, a file of a table, an array [n, F], a pair (inputs [n, F], targets [n, K]), or a mapping of names "
    "to arrays [n] or [n, F]"
)


def file_of(data: object, folder: Path, targets: Sequence[str] = ()) -> Path:
    """The file that holds the data; that of a frame is written into `folder`.

    Args:
        data: a frame of pandas (or something with `to_pandas`), a path, or arrays of numpy or torch: [n, F], a pair of
            inputs and targets, or a mapping of names to arrays. Columns of an array [n, F] are x0, x1, …
        folder: of files that are written.
        targets: names of the K columns of the second of a pair.

    Raises:
        UserError: it is none of these, or cannot be a table.
    """
    if isinstance(data, str | Path):
        file = Path(data)
        if not file.is_file():
            raise DataError(f"`data` names a file that is not there: {file}.")
        return file
    file = folder / FILE
    _write(frame_of(data, targets), file)
    return file


def frame_of(data: object, targets: Sequence[str] = ()) -> pd.DataFrame:
    """[n] rows of the data as a frame; arguments and errors as in `file_of`."""
    if not isinstance(data, pd.DataFrame) and hasattr(data, "to_pandas"):
        data = data.to_pandas()
    if isinstance(data, pd.DataFrame):
        return _named(data)
    if isinstance(data, Mapping):
        return _of_arrays({str(name): array_of(values, f"data[{name!r}]") for name, values in data.items()})
    if isinstance(data, tuple) and len(data) == 2:
        return _of_pair(data[0], data[1], targets)
    if hasattr(data, "__array__"):
        return _of_arrays({INPUTS: _matrix(data, "data")})
    raise UserError(f"`data` should be {FORMS}, found {type(data).__name__}.")


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy whose columns have names that are texts; an index with a name, or of time stamps, is its first column."""
    if frame.columns.nlevels > 1:
        raise DataError(
            "`data`: columns should have a name each, found several levels of names: join them, as with "
            "`frame.columns = ['_'.join(names) for names in frame.columns]`."
        )
    made = frame.set_axis([str(name) for name in frame.columns], axis=1)
    twice = made.columns[made.columns.duplicated()]
    if len(twice):
        raise DataError(f"`data`: each column should have a name of its own, found {twice[0]!r} twice: rename one.")
    for level, name in reversed(list(enumerate(frame.index.names))):
        cells = frame.index.get_level_values(level)
        if name is None and not isinstance(cells, pd.DatetimeIndex):
            continue  # row numbers, or names of rows that nobody has named
        called = TIME if name is None else str(name)
        if called in made.columns:
            raise DataError(
                f"`data`: its index is named {called!r} as one of its columns is: `frame.reset_index(drop=True)` "
                "leaves the index out."
            )
        made.insert(0, called, cells)
    return made.reset_index(drop=True)


def _of_pair(inputs: object, targets: object, names: Sequence[str]) -> pd.DataFrame:
    columns: dict[str, np.ndarray] = {}
    if isinstance(targets, Mapping):
        columns = {str(name): array_of(values, f"data[1][{name!r}]") for name, values in targets.items()}
    else:
        several = isinstance(targets, list | tuple)
        parts = [array_of(part, "data[1]") for part in targets] if isinstance(targets, list | tuple) else []
        array = np.stack(parts, axis=1) if several and _alike(parts) else array_of(targets, "data[1]")
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or array.shape[1] != len(names):
            raise DataError(
                f"`data[1]` should hold a column for each of the {len(names)} targets ({', '.join(names)}), found the "
                f"shape {list(array.shape)}; a mapping of names to arrays [n] says which is which."
            )
        columns = {name: array[:, place] for place, name in enumerate(names)}
    if isinstance(inputs, pd.DataFrame):
        frame = _named(inputs)
        clash = [name for name in columns if name in frame.columns]
        if clash:
            raise DataError(f"`data`: {clash[0]!r} is among the inputs and the targets: take it out of one of them.")
        _check_lengths({"inputs": len(frame), **{name: len(values) for name, values in columns.items()}})
        return frame.assign(**columns)
    return _of_arrays({INPUTS: _matrix(inputs, "data[0]"), **columns})


def _alike(parts: Sequence[np.ndarray]) -> bool:
    _check_lengths({f"data[1][{place}]": len(part) for place, part in enumerate(parts)})
    return bool(parts) and all(part.ndim == 1 for part in parts)


def _matrix(values: object, where: str) -> np.ndarray:
    """[n, F] numbers."""
    array = array_of(values, where)
    if array.ndim != 2:
        raise _wrong_shape(where, "[n, F], rows and columns", array)
    return array


def _of_arrays(arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A column for each array [n], F of them for one [n, F]."""
    columns: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if array.ndim not in (1, 2):
            raise _wrong_shape(f"data[{name!r}]", "[n] or [n, F]", array)
        made = {name: array} if array.ndim == 1 else {f"{name}{place}": part for place, part in enumerate(array.T)}
        clash = [column for column in made if column in columns]
        if clash:
            raise DataError(f"`data`: two arrays would make a column {clash[0]!r}: rename one.")
        columns |= made
    _check_lengths({name: len(array) for name, array in arrays.items()})
    return pd.DataFrame(columns)


def array_of(values: object, where: str) -> np.ndarray:
    """An array of numpy, without copying where it is one."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    if isinstance(values, str | bytes) or not (hasattr(values, "__array__") or isinstance(values, list)):
        raise DataError(f"`{where}` should be an array of numpy or torch, found {type(values).__name__}.")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"`{where}` cannot be made an array of numpy: {error}.") from None
    if array.dtype.kind == "c":
        raise DataError(f"`{where}` should hold real numbers or names, found {array.dtype}.")
    return array


def numbers_of(values: object, where: str, missing: bool = False) -> NDArray[np.float64]:
    """An array of real numbers; yes and no count as 1 and 0.

    Args:
        values: an array of numpy or torch, a series or a frame of pandas, or a list.
        where: name of the argument.
        missing: NaN is let through.

    Raises:
        DataError: it is none of these, or holds something else than numbers.
    """
    array = array_of(values, where)
    if array.dtype == object:  # a frame of several types, such as whole numbers beside others
        with suppress(TypeError, ValueError):
            array = np.asarray(array, dtype=np.float64)
    if array.dtype.kind not in "fiub":
        raise DataError(f"`{where}` should hold numbers, found {array.dtype}.")
    made = array.astype(np.float64)
    wrong = np.isinf(made) if missing else ~np.isfinite(made)
    if wrong.any():
        at = [int(place) for place in np.argwhere(wrong)[0]]
        raise DataError(f"`{where}` should hold finite numbers, found {made[tuple(at)]} at {at}.")
    return made


def names_for(count: int) -> list[str]:
    """Names of tasks that nobody has named: task0, task1, …"""
    return [f"{TASK}{place}" for place in range(count)]


def _wrong_shape(where: str, form: str, array: np.ndarray) -> DataError:
    more = ""
    if array.ndim > 2:
        more = "; windows and images are read by a project: `kind: arrays` in its params.yaml"
    return DataError(f"`{where}` should have the shape {form}, found {list(array.shape)}{more}.")


def _check_lengths(lengths: Mapping[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {count:,}" for name, count in lengths.items())
        raise DataError(f"`data`: all arrays should have as many rows, found {told}.")


def _write(frame: pd.DataFrame, file: Path) -> None:
    """Writes a frame as Parquet.

    Raises:
        DataError: it holds no cells, or a column that cannot be written.
    """
    if frame.empty:
        raise DataError(f"`data` should hold rows and columns, found {len(frame):,} rows of {frame.shape[1]} columns.")
    try:
        frame.to_parquet(file, index=False)
    except (TypeError, ValueError, NotImplementedError) as error:  # pyarrow's own errors are kinds of these
        raise DataError(f"`data`: {_problem(frame, file)}") from error


def _problem(frame: pd.DataFrame, file: Path) -> str:
    """A sentence on the first column that cannot be written."""
    for name in frame.columns:
        try:
            frame[[name]].to_parquet(file, index=False)
        except (TypeError, ValueError, NotImplementedError):
            kinds: list[Any] = sorted({type(cell).__name__ for cell in frame[name].dropna()})
            told = f"{frame[name].dtype} with {', '.join(kinds[:5])}" if kinds else str(frame[name].dtype)
            return (
                f"column {shown(name)} should hold cells of one type, found {told}: convert it, as with `astype(str)`."
            )
    return "the frame cannot be written as Parquet."
