"""Columns of a long text that are read some rows at a time: numbers at their places, texts as codes of different ones.

R rows.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from mtl.data.formats.records import Form, whole_records
from mtl.data.formats.windowed import WINDOW, Windowed
from mtl.data.inputs import scratch

TRUTHS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
"""Cells that pandas reads as truth values, where all of a column are."""
MOST_TIMES = 4
"""Times that a file is begun anew, since a column of numbers holds a text further down."""
LONGEST = 8 * WINDOW
"""Bytes of one row: more are a quoted cell without an end."""


class IrregularError(Exception):
    """Only a reader that sees the whole file at once tells what its cells are."""


class Numbers:
    """A column of numbers, which stay whole where all of them are.

    Args:
        cells: int64 room for R at most.
    """

    def __init__(self, cells: np.ndarray) -> None:
        self._cells = cells

    def add(self, begin: int, cells: pd.Series) -> None:
        """Takes the cells of the rows from `begin` on."""
        if cells.dtype == np.float64 and self._cells.dtype == np.int64:
            whole, self._cells = self._cells, self._cells.view(np.float64)
            for rows in scratch.blocks(begin):
                self._cells[rows] = whole[rows].astype(np.float64)
        self._cells[begin : begin + len(cells)] = cells.to_numpy()

    def column(self, rows: int) -> np.ndarray:
        """The cells of the first rows."""
        return self._cells[:rows]


class Texts:
    """A column of texts, each as its place among the different ones.

    Args:
        most: R at most.
    """

    def __init__(self, most: int) -> None:
        self._codes = scratch.empty(most, np.int32)
        self._places: dict[str, int] = {}

    def add(self, begin: int, cells: pd.Series) -> None:
        """Takes the cells of the rows from `begin` on."""
        codes, different = pd.factorize(cells)
        places = [self._places.setdefault(text, len(self._places)) for text in different.tolist()]
        self._codes[begin : begin + len(cells)] = np.array(places, dtype=np.int32)[codes]

    def written(self, rows: int) -> pd.Series:
        """All texts of the first rows."""
        return _categories(self._codes[:rows], np.arange(len(self._places)), list(self._places))

    def column(self, rows: int, missing: Collection[str]) -> pd.Series:
        """The texts of the first rows, some of which hold nothing; truth values where all others are."""
        kept = [text for text in self._places if text not in missing]
        places = {text: place for place, text in enumerate(kept)}
        table = np.array([places.get(text, -1) for text in self._places], dtype=np.int32)
        if not kept or not TRUTHS.keys() >= {*kept}:
            return _categories(self._codes[:rows], table, kept)
        truths, codes = np.array([TRUTHS[text] for text in kept]), scratch.mapped(self._codes[:rows], table)
        if codes.min() >= 0:
            return pd.Series(scratch.mapped(codes, truths), copy=False)
        return pd.Series(np.array([*truths.tolist(), np.nan], dtype=object)[codes])


def _categories(codes: np.ndarray, table: np.ndarray, names: Sequence[str]) -> pd.Series:
    """Categories [R], in the narrowest codes, which pandas takes as they are.

    Args:
        codes: of each row.
        table: code → place in the names, or -1.
        names: of the categories.
    """
    narrow = next(kind for kind in (np.int8, np.int16, np.int32) if len(names) < np.iinfo(kind).max)
    made = pd.Categorical.from_codes(scratch.mapped(codes, table.astype(narrow)), pd.Index(list(names)))
    return pd.Series(made, copy=False)


Parse = Callable[[bytes, Collection[str]], pd.DataFrame]
"""(rows of the text, columns whose cells are to stay as they are written) → a frame."""


def frame_by_windows(
    data: Windowed, form: Form, body: int, names: Sequence[str], missing: dict[str, list[str]], parse: Parse
) -> tuple[pd.DataFrame, dict[str, pd.Series], np.ndarray, np.ndarray]:
    """Rows of a long text, as they would be read at once.

    Args:
        data: the file.
        form: how its records are parted into cells.
        body: byte at which the rows begin.
        names: of the columns.
        missing: column → texts that hold nothing.
        parse: of some rows.

    Returns:
        The frame, whose texts are categories in the order of the rows; the texts of these columns as they are written;
        rows that hold nothing; rows that hold nothing but perhaps blanks in their first cell.

    Raises:
        IrregularError: what is read of a part of the rows does not tell what is read of all.
    """
    texts: set[str] = set()
    for _ in range(MOST_TIMES):
        read = _read(data, form, body, names, missing, parse, texts)
        if read is not None:
            return read
    raise IrregularError


def _read(
    data: Windowed,
    form: Form,
    body: int,
    names: Sequence[str],
    missing: dict[str, list[str]],
    parse: Parse,
    texts: set[str],
) -> tuple[pd.DataFrame, dict[str, pd.Series], np.ndarray, np.ndarray] | None:
    """The same, or None where a column that is not among `texts` holds some, which are then."""
    most = data.count(b"\n", body) + 1
    columns: dict[str, Numbers | Texts] = {}
    rows, empty, hollow = 0, [], []
    for block in _blocks(data, form, body):
        part = parse(block, texts)
        if any(part[name].dtype.kind == "u" for name in names):
            raise IrregularError
        more_texts = {name for name in names if name not in texts and part[name].dtype.kind not in "if"}
        texts |= more_texts
        if more_texts and rows:
            return None
        part = parse(block, texts) if more_texts else part
        if not rows:
            numbers = iter(scratch.empty((len(names) - len(texts), most), np.int64))
            columns = {name: Texts(most) if name in texts else Numbers(next(numbers)) for name in names}
        if rows + len(part) > most:
            raise IrregularError
        nothing = np.ones(len(part), dtype=bool)
        for name in names[::-1]:
            if name == names[0]:
                blank = part[name].isna() | (part[name].astype(str).str.strip() == "") if nothing.any() else nothing
                hollow.append(rows + np.flatnonzero(nothing & blank))
            nothing &= (part[name].isin(missing[name]) if name in texts else part[name].isna()).to_numpy()
            columns[name].add(rows, part[name])
        empty.append(rows + np.flatnonzero(nothing))
        rows += len(part)
    if not rows:
        raise IrregularError
    written, cells = {}, {}
    for name in names:
        column = columns.pop(name)
        if isinstance(column, Texts):
            written[name], cells[name] = column.written(rows), column.column(rows, missing[name])
        else:
            cells[name] = pd.Series(column.column(rows), copy=False)
    return pd.DataFrame(cells, copy=False), written, np.concatenate(empty), np.concatenate(hollow)


def _blocks(data: Windowed, form: Form, body: int) -> Iterator[bytes]:
    """The rows of a text, in pieces of whole records."""
    rest = b""
    for begin in range(body, len(data), WINDOW):
        block = rest + data[begin : begin + WINDOW]
        end = whole_records(block, form, 0) if begin + WINDOW < len(data) else len(block)
        rest = block[end:]
        if len(rest) > LONGEST:
            raise IrregularError
        if end:
            yield block[:end]
