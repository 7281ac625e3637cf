"""Records of delimited text, and the line at which each begins: quoted cells may hold line breaks and separators.

Quotes count as the C parser of pandas and the module csv count them: one at the beginning of a cell opens it, two
inside stand for one, and what follows the closing one up to the separator belongs to the cell.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from mtl.config.table_file import WHITESPACE
from mtl.data.formats.windowed import WINDOW, Windowed

QUOTE = b'"'
BREAKS = b"\r\n"
UNUSED = b"\x1f\x1e\x1d\x1c\x02\x03\x04\x05\x06"
"""Control characters that may stand for a separator of several characters: text has none of them."""


class Lines:
    """Number of the line, from 1, at which each row of a table stands in its file; counted when first asked for.

    Args:
        count: gives the numbers of all rows of the file.
        rows: which of these are meant, in this order.
    """

    def __init__(self, count: Callable[[], np.ndarray], rows: np.ndarray) -> None:
        self._count, self._rows = cache(count), rows

    def __getitem__(self, row: int | np.integer) -> int:
        return int(self._count()[self._rows[row]])

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> np.ndarray:
        """Row of the file, from 0, of each row of the table."""
        return self._rows

    def take(self, rows: np.ndarray) -> "Lines":
        """Lines of some of these rows, in the order of `rows`."""
        return Lines(self._count, self._rows[rows])


@dataclass(frozen=True)
class Form:
    """How records are parted into cells.

    Args:
        separator: characters between two cells, or `whitespace`.
        comment: character from which on a line is no data, or None.
    """

    separator: str
    comment: str | None = None

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """Pattern of the end of an unquoted cell inside a line."""
        parted = rb"[ \t]+" if self.separator == WHITESPACE else re.escape(self.separator.encode())
        return re.compile(parted if self.comment is None else parted + b"|" + re.escape(self.comment.encode()))

    @property
    def plain(self) -> bool:
        """True when pandas' fast parser reads such text as it is."""
        return self.comment is None and (self.separator == WHITESPACE or len(self.separator) == 1)


@dataclass(frozen=True)
class Record:
    """A logical line.

    Args:
        data: its bytes without the line end.
        line: number of its first line.
        end: byte of the file after it.
    """

    data: bytes
    line: int
    end: int


def lines_of(data: bytes | Windowed, start: int = 0) -> Iterator[bytes]:
    """Physical lines with their ends, \\n, \\r\\n or \\r."""
    if isinstance(data, Windowed):
        rest = b""
        for begin in range(start, len(data), WINDOW):
            lines = lines_of(rest + data[begin : begin + WINDOW])
            rest = next(lines)
            for line in lines:  # The last one may go on in the next window.
                yield rest
                rest = line
        if rest:
            yield rest
        return
    at = start
    for ending in re.finditer(rb"\r\n|\r|\n", memoryview(data)[start:]):
        end = start + ending.end()
        yield data[at:end]
        at = end
    if at < len(data):
        yield data[at:]


def records(data: bytes | Windowed, form: Form, start: int = 0, line: int = 1) -> Iterator[Record]:
    """Records from byte `start`, which begins line `line`; comments are cut off, lines of nothing else left out.

    Raises:
        ValueError: a quoted cell is never closed; its argument is the line at which the record begins.
    """
    pattern, comment = form.pattern, None if form.comment is None else form.comment.encode()
    held, first, inside, end = b"", line, False, start
    for number, physical in enumerate(lines_of(data, start), line):
        end += len(physical)
        if not inside:
            held, first = b"", number
            if comment is not None and physical.lstrip(b" \t").startswith(comment):
                continue
        if inside or QUOTE in physical:
            kept, inside = _scan(physical, inside, pattern, comment)
            held += kept
        else:
            held = physical if comment is None else physical.partition(comment)[0]
        if not inside:
            yield Record(held.rstrip(BREAKS), first, end)
    if inside:
        raise ValueError(first)


def last_line(block: bytes) -> int:
    """Byte behind the last line that ends in the block."""
    return block.rfind(b"\n" if b"\n" in block else b"\r") + 1


def whole_records(block: bytes, form: Form, start: int) -> int:
    """Byte behind the last record that ends in the block."""
    if block.find(QUOTE, start) < 0:
        return last_line(block)
    end = start
    try:
        for record in records(block, form, start):
            if record.end < len(block) or block.endswith((b"\n", b"\r")):
                end = record.end
    except ValueError:  # the last one goes on in the next block
        pass
    return end


def _scan(line: bytes, inside: bool, pattern: re.Pattern[bytes], comment: bytes | None) -> tuple[bytes, bool]:
    """The line up to a comment, and whether it ends inside quotes."""
    at, begins = 0, not inside
    while True:
        if inside:
            quote = line.find(QUOTE, at)
            if quote < 0:
                return line, True
            if line[quote + 1 : quote + 2] == QUOTE:
                at = quote + 2
                continue
            at, inside, begins = quote + 1, False, False
        elif begins and line[at : at + 1] == QUOTE:
            at, inside = at + 1, True
            continue
        end = pattern.search(line, at)
        if end is None:
            return line, False
        if end.group() == comment:
            return line[: end.start()], False
        at, begins = end.end(), True


def starts(data: bytes | Windowed, form: Form, start: int, line: int) -> np.ndarray:
    """Line of each record [R]; one pass over the lines where there are quotes, none where there are not."""
    if data.find(QUOTE, start) < 0 and form.comment is None:
        return np.arange(line, line + data.count(b"\n", start) + data.count(b"\r", start) + 1)
    return np.fromiter((record.line for record in records(data, form, start, line)), dtype=np.int64)


def cells(record: bytes, form: Form) -> list[str]:
    """The cells of one record, unquoted.

    Raises:
        csv.Error: they cannot be told apart.
    """
    text = record.decode("utf-8", errors="replace")
    if form.separator == WHITESPACE:
        reader = csv.reader(io.StringIO(text.replace("\t", " ").strip(" "), newline=""), delimiter=" ",
                            skipinitialspace=True)  # fmt: skip
        return next(reader, [])
    delimiter = form.separator
    if len(delimiter) > 1:
        delimiter = chr(stand_in(record))
        text = replaced(record, form, delimiter.encode()).decode("utf-8", errors="replace")
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])


def stand_in(data: bytes) -> int:
    """A control character that the data do not hold, to stand for a separator of several characters."""
    return next((code for code in UNUSED if code not in data), UNUSED[0])


def replaced(record: bytes, form: Form, separator: bytes) -> bytes:
    """The record with `separator` in the place of each separator outside quotes."""
    if QUOTE not in record:
        return record.replace(form.separator.encode(), separator)
    pattern, at, inside, begins = form.pattern, 0, False, True
    parts: list[bytes] = []
    while True:
        if inside:
            quote = record.find(QUOTE, at)
            if quote < 0:
                return b"".join([*parts, record[at:]])
            doubled = record[quote + 1 : quote + 2] == QUOTE
            end = quote + (2 if doubled else 1)
            parts.append(record[at:end])
            at, inside, begins = end, doubled, False
            continue
        if begins and record[at : at + 1] == QUOTE:
            parts.append(QUOTE)
            at, inside = at + 1, True
            continue
        parting = pattern.search(record, at)
        if parting is None:
            return b"".join([*parts, record[at:]])
        parts += [record[at : parting.start()], separator]
        at, begins = parting.end(), True
