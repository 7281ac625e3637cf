"""Two lines of names above the rows: groups of columns, and below them the columns of each group.

C columns.
"""

import json
from collections.abc import Sequence
from itertools import accumulate

from mtl.config.table_file import MISSING_TEXTS, TableFile
from mtl.data.formats.marks import COUNT_CELL, DATA_CELL
from mtl.errors import LayoutError

FEW = 0.5
"""Share of different names from which on the upper line names columns, the lower one their units or the like."""


def needs_second_line(upper: Sequence[str]) -> bool:
    """True where names come again, or a column other than the first has none.

    Args:
        upper: cells of the header [C].
    """
    names = [cell.strip() for cell in upper]
    filled = [name for name in names if name]
    return len(set(filled)) < len(filled) or not all(names[1:])


def check_second_line(
    upper: Sequence[str], below: Sequence[Sequence[str]], lines: tuple[int, int], config: TableFile
) -> None:
    """Raises a LayoutError where the line below a header names the columns as well: words over numbers, in each column.

    Args:
        upper: cells of the header [C].
        below: cells of the two lines below it [2, C]; fewer where there are none.
        lines: first and last line of the header.
        config: options of the file.

    Raises:
        LayoutError: with the options that read the names.
    """
    if len(below) < 2 or len(below[0]) != len(upper) or not _are_names(below[0], below[1]):
        return
    line, last = lines
    names = [name.strip() for name in below[0]]
    groups: list[str] = list(accumulate((name.strip() for name in upper), _last_filled))
    joined = _apart([f"{group} {name}".strip() for group, name in zip(groups, names, strict=True)])
    both = f"`skip_rows: {last + 1}` and names from both, `columns: {json.dumps(joined, ensure_ascii=False)}`"
    what = _what(upper)
    grouped = len(set(groups)) <= FEW * len(groups) and len(set(names)) == len(names)
    if grouped:
        message = f"{what}, and the line below it names the columns: set `skip_rows: {last}`, or {both}."
        raise LayoutError(f"{config.path}, line {line}: {message}", {"skip_rows": last})
    message = f"{what}, and there are words below it, over numbers: set {both}."
    raise LayoutError(f"{config.path}, line {line}: {message}", {"skip_rows": last + 1, "columns": joined})


def _are_names(cells: Sequence[str], first: Sequence[str]) -> bool:
    """True for words of which at least one stands over a number of the first row."""
    words = [cell.strip() for cell in cells]
    if any(DATA_CELL.fullmatch(word) or COUNT_CELL.fullmatch(word) or word in MISSING_TEXTS for word in words):
        return False
    texts = [cell.strip() for cell in first]
    return any(text and (DATA_CELL.fullmatch(text) or COUNT_CELL.fullmatch(text)) for text in texts)


def _last_filled(before: str, name: str) -> str:
    return name or before


def _apart(names: list[str]) -> list[str]:
    """The names, a number behind those that were there before."""
    return [name + f"_{names[:at].count(name) + 1}" * (name in names[:at]) for at, name in enumerate(names)]


def _what(upper: Sequence[str]) -> str:
    """A clause on the name that the upper line has twice, or not at all."""
    names = [name.strip() for name in upper]
    twice = next((name for at, name in enumerate(names) if name and name in names[:at]), None)
    if twice is not None:
        return f"column `{twice}` is there more than once"
    return f"column {names.index('', 1) + 1} has no name"
