"""`kind: arrays`: windows, labels and numeric targets of one .npz file.

Arrays: `x_train`, `x_test` [N, L, C] numbers; for a label with stem `y`: `y_train`, `y_test` [N] of whole numbers or of
class names, and `y_classes` [k], names in the order of the numbers, if wanted; for a target with stem
`t`: `t_train`, `t_test` [N] numbers (NaN: no target); `columns` [C], names of the channels, if wanted; for groups with
stem `subject`: `subject_train` [N], and `subject_test` if it is known. With `x_val` the file brings the validation part
of every seed, and needs a `y_val` for each label and target as well.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from mtl.config.sources import ArraysSource
from mtl.data.formats.archives import Archive
from mtl.data.formats.labels import class_numbers
from mtl.data.formats.reading import MAX_VALUES
from mtl.data.sources.folds import group_folds, stratified_folds
from mtl.errors import DataError, SettingError, shown
from mtl.types import NO_LABEL, Prepared

TRAIN, VAL, TEST = "train", "val", "test"
MAX_CLASSES = 10_000


def read(config: ArraysSource, name: str, root: Path) -> Prepared:
    """Training windows, then those of a validation part of its own, then test windows, in the order of the arrays.

    Raises:
        SettingError: the file brings a validation part, and `folds` asks for others.
        DataError: the file or an array is missing, has the wrong type or shape, or holds Python objects.
    """
    arrays = load_arrays(root / config.path, config.path)
    where = config.path
    splits = [TRAIN, VAL, TEST] if f"x_{VAL}" in arrays else [TRAIN, TEST]
    if VAL in splits and config.folds != 1:
        message = f"should be 1: {where} brings a validation part of its own (`x_val`), found {config.folds}."
        raise SettingError(f"prepare.sources.{name}.folds", message)
    x = {split: _windows(arrays, f"x_{split}", where) for split in splits}
    for split, part in x.items():
        if part.shape[1:] != x[TRAIN].shape[1:]:
            expected = f"windows of {_size(x[TRAIN])} as `x_train` has"
            raise DataError(f"{where}: `x_{split}` should have {expected}, found {_size(part)}.")
    counts = {split: len(part) for split, part in x.items()}
    notes: list[str] = []
    labels, classes = {}, {}
    for label in config.label_stems:
        labels[label], classes[label] = _label(arrays, label, config, counts, notes)
    numbers = {
        target: torch.from_numpy(_target(arrays, stem, counts, where)) for target, stem in config.targets.items()
    }
    groups = None if config.groups is None else _groups(arrays, config.groups, counts, where)
    fold = np.full(sum(counts.values()), -1, dtype=np.int64)
    trained = counts[TRAIN]
    if VAL in splits:
        fold[:trained] = 1
        fold[trained : trained + counts[VAL]] = 0
    else:
        fold[:trained] = _dealt(config, trained, groups, labels, classes)
    channels = x[TRAIN].shape[2]
    columns = _names(arrays, "columns", where) or [f"channel_{n + 1}" for n in range(channels)]
    return Prepared(
        name=name,
        values=torch.from_numpy(np.concatenate([*x.values()]).reshape(-1, channels)),
        columns=columns,
        window=x[TRAIN].shape[1],
        borders=None,
        fold=torch.from_numpy(fold),
        folds=config.folds,
        labels={label: torch.from_numpy(values) for label, values in labels.items()},
        classes=classes,
        groups=None if groups is None else torch.from_numpy(groups),
        notes=notes,
        numbers=numbers,
    )


def _dealt(
    config: ArraysSource,
    count: int,
    groups: np.ndarray | None,
    labels: Mapping[str, np.ndarray],
    classes: Mapping[str, list[str]],
) -> np.ndarray:
    """Fold of each of the `count` training windows, which are the first."""
    if groups is not None:
        return group_folds(groups[:count], config.folds, config.split_seed, config.path)
    if labels:
        first = next(iter(labels))
        return stratified_folds(labels[first][:count], classes[first], config.folds, config.split_seed, config.path)
    # No classes to spread: every window is a group of its own.
    return group_folds(np.arange(count), config.folds, config.split_seed, config.path)


def load_arrays(path: Path, where: str) -> Mapping[str, np.ndarray]:
    """Every array; Python objects are refused, for reading them would run code from the file."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(6) == np.lib.format.MAGIC_PREFIX:
                raise DataError(f"{where}: should be an .npz of several arrays, found a single array.")
    archive = Archive(path, where, MAX_VALUES * 8)
    return {name.removesuffix(".npy"): _array(archive.read(name), f"{where}: {name}") for name in archive.names}


def _array(data: bytes, where: str) -> np.ndarray:
    try:
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    # The header is text that may lead NumPy to almost any failure, among them one for want of memory.
    except Exception as error:
        raise DataError(f"{where} is not an array that can be read without running code in it: {error}") from None
    if array.size > len(data):  # Values of no bytes each: a header of 128 bytes can promise any number of them.
        raise DataError(f"{where} should hold {array.size:,} values, found {len(data):,} bytes.")
    return array


def _get(arrays: Mapping[str, np.ndarray], key: str, where: str) -> np.ndarray:
    if key not in arrays:
        raise DataError(f"{where}: there is no array `{key}`; found: {', '.join(sorted(arrays)) or 'none'}.")
    return arrays[key]


def _windows(arrays: Mapping[str, np.ndarray], key: str, where: str) -> np.ndarray:
    x = _get(arrays, key, where)
    if x.ndim != 3 or 0 in x.shape or x.dtype.kind not in "fiu":
        actual = f"{x.dtype} {list(x.shape)}"
        raise DataError(f"{where}: `{key}` should be numbers [windows, rows, channels], found {actual}.")
    values = np.ascontiguousarray(x, dtype=np.float64)
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        window, row, channel = (int(n) for n in wrong[0])
        place = f"{where}: `{key}`[{window}, {row}, {channel}]"
        raise DataError(f"{place} should be a finite number, found {values[window, row, channel]}.")
    return values


def _size(x: np.ndarray) -> str:
    return f"{x.shape[1]} rows × {x.shape[2]} channels"


def _stacked(arrays: Mapping[str, np.ndarray], stem: str, counts: Mapping[str, int], where: str) -> np.ndarray:
    """`stem_train` to `stem_test` end to end: whole numbers or text [W]."""
    parts = [_get(arrays, f"{stem}_{split}", where) for split in counts]
    for split, part in zip(counts, parts, strict=True):
        count = counts[split]
        if part.shape != (count,) or part.dtype.kind not in "iuUb":
            actual = f"{part.dtype} {list(part.shape)}"
            numbers = part.shape == (count,) and part.dtype.kind == "f"
            remedy = f" Numbers to predict are named in `targets`: {{NAME: {stem}}}." if numbers else ""
            raise DataError(
                f"{where}: `{stem}_{split}` should be {count} whole numbers or names, found {actual}.{remedy}"
            )
        if part.dtype.kind == "u" and part.max() > np.iinfo(np.int64).max:
            raise DataError(f"{where}: `{stem}_{split}` should hold numbers below 2^63, found {part.max()}.")
    if len({part.dtype.kind == "U" for part in parts}) > 1:
        named = " and ".join(f"`{stem}_{split}`" for split in counts)
        raise DataError(f"{where}: {named} should {'both' if len(parts) == 2 else 'all'} be numbers or "
                        f"{'both' if len(parts) == 2 else 'all'} names.")  # fmt: skip
    return np.concatenate([part if part.dtype.kind == "U" else part.astype(np.int64) for part in parts])


def _whole_numbers(
    arrays: Mapping[str, np.ndarray], stem: str, counts: Mapping[str, int]
) -> tuple[Mapping[str, np.ndarray], np.ndarray]:
    """The arrays with floats of a label that are whole numbers as such, and a mask [W] of its NaN, which are no label;
    other floats stay, and are refused later."""
    told, holes = dict(arrays), np.zeros(sum(counts.values()), dtype=bool)
    begin = 0
    for split, count in counts.items():
        part = arrays.get(f"{stem}_{split}")
        if part is not None and part.shape == (count,) and part.dtype.kind == "f":
            empty = np.isnan(part)
            whole = np.where(empty, 0, part)
            if bool(((np.abs(whole) < 2**53) & (whole == np.floor(whole))).all()):
                told[f"{stem}_{split}"] = whole.astype(np.int64)
                holes[begin : begin + count] = empty
        begin += count
    return told, holes


def _label(
    arrays: Mapping[str, np.ndarray], label: str, config: ArraysSource, counts: Mapping[str, int], notes: list[str]
) -> tuple[np.ndarray, list[str]]:
    """Class numbers [W] and class names."""
    stem, where = config.label_stems[label], config.path
    told, missing = _whole_numbers(arrays, stem, counts)
    cells = _stacked(told, stem, counts, where)
    given = _names(arrays, f"{stem}_classes", where)
    if cells.dtype.kind == "U":
        return _named(cells, given, label, config, counts, notes)
    if isinstance(config.missing_label, int):
        missing = missing | (cells == config.missing_label)
    numbers = np.where(missing, NO_LABEL, cells)
    distinct = np.unique(numbers[~missing])
    if given:
        wrong = np.flatnonzero(~missing & ((numbers < 0) | (numbers >= len(given))))
        if len(wrong):
            code = int(numbers[wrong[0]])
            remedy = f" If it marks windows without a label: `missing_label: {code}`." if code < 0 else ""
            raise DataError(
                f"{where}: {_place(stem, wrong[0], counts)} should be a class from 0 to {len(given) - 1}, the "
                f"places in `{stem}_classes`, found {code}.{remedy}"
            )
        return numbers, given
    if len(distinct) > MAX_CLASSES:
        raise DataError(
            f"{where}: label `{label}` should have at most {MAX_CLASSES:,} classes, found {len(distinct):,} different "
            f"numbers: those to predict are named in `targets`: {{NAME: {stem}}}."
        )
    if len(distinct) and distinct[0] == -1:
        notes.append(
            f"{label}: -1 is a class, of {int((numbers[~missing] == -1).sum())} windows; `missing_label: -1` says that "
            "it stands for no label."
        )
    classes = np.where(missing, NO_LABEL, np.searchsorted(distinct, numbers))
    return classes, [str(number) for number in distinct]


def _named(
    cells: np.ndarray,
    given: list[str] | None,
    label: str,
    config: ArraysSource,
    counts: Mapping[str, int],
    notes: list[str],
) -> tuple[np.ndarray, list[str]]:
    """Class numbers [W] and class names of a label that is spelt out; `given` names keep their order."""
    texts: list[str | None] = [None if text == config.missing_label else text for text in cells.tolist()]
    exact = label in config.exact_labels
    if given is None:
        return class_numbers(texts, label, notes, exact)
    numbers, names = class_numbers([*given, *texts], label, notes, exact)
    order, numbers = numbers[: len(given)], numbers[len(given) :]
    unknown = np.flatnonzero((numbers != NO_LABEL) & ~np.isin(numbers, order))
    if len(unknown):
        stem = config.label_stems[label]
        place = f"{config.path}: {_place(stem, unknown[0], counts)}"
        raise DataError(f"{place} should be one of {shown(given)}, found {shown(str(cells[unknown[0]]))}.")
    place_of = np.full(len(names) + 1, NO_LABEL, dtype=np.int64)  # The last one stands for NO_LABEL.
    place_of[order] = np.arange(len(given))
    return place_of[numbers], given


def _target(arrays: Mapping[str, np.ndarray], stem: str, counts: Mapping[str, int], where: str) -> np.ndarray:
    """Numbers [W], float64, NaN where a window has no target."""
    parts = [_get(arrays, f"{stem}_{split}", where) for split in counts]
    for (split, count), part in zip(counts.items(), parts, strict=True):
        if part.shape != (count,) or part.dtype.kind not in "fiu":
            actual = f"{part.dtype} {list(part.shape)}"
            names = part.shape == (count,) and part.dtype.kind in "Ub"
            remedy = f" Classes to predict are named in `labels`: {{NAME: {stem}}}." if names else ""
            raise DataError(f"{where}: `{stem}_{split}` should be {count} numbers, found {actual}.{remedy}")
    values = np.concatenate([part.astype(np.float64) for part in parts])
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        place = f"{where}: {_place(stem, infinite[0], counts)}"
        raise DataError(f"{place} should be a finite number, or NaN for no target, found {values[infinite[0]]}.")
    return values


def _names(arrays: Mapping[str, np.ndarray], key: str, where: str) -> list[str] | None:
    """The texts or numbers of an array [k]; None if there is no such array."""
    if key not in arrays:
        return None
    array = arrays[key]
    if array.ndim != 1 or not 0 < len(array) <= MAX_CLASSES or array.dtype.kind not in "iufUb":
        actual = f"{array.dtype} {list(array.shape)}"
        raise DataError(f"{where}: `{key}` should be 1 to {MAX_CLASSES:,} names, found {actual}.")
    return [str(name) for name in array]


def _place(stem: str, window: np.intp, counts: Mapping[str, int]) -> str:
    """The element of the arrays that a window's value comes from."""
    places = [f"`{stem}_{split}`[{number}]" for split, count in counts.items() for number in range(count)]
    return places[window]


def _groups(arrays: Mapping[str, np.ndarray], stem: str, counts: Mapping[str, int], where: str) -> np.ndarray:
    """Group numbers [W]; those of a part that the file does not tell, other than the training part, are -1."""
    train = _get(arrays, f"{stem}_{TRAIN}", where)
    unknown = "" if train.dtype.kind == "U" else -1
    told = {f"{stem}_{split}": np.full(count, unknown) for split, count in counts.items()} | dict(arrays)
    values = _stacked(told, stem, counts, where)
    if values.dtype.kind == "U":
        names, values = np.unique(values, return_inverse=True)
        values = np.where(names[values] == "", -1, values)
    return values.astype(np.int64)
