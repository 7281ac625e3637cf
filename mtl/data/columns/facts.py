"""Facts on a column of a table: its type and why, what is missing, its range, and what to look at."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mtl.config.table_source import ColumnType

MOSTLY_MISSING = 0.5
"""Share of the rows from which on empty cells are told of."""
NEARLY_CONSTANT = 0.99
"""Share of the known cells that hold one value from which on it is told of."""
Option = str | list[str]
"""Value of an option of the reader, as params.yaml holds it."""


@dataclass(frozen=True)
class ColumnFacts:
    """Type, range and doubts of one column, counted over all rows.

    Args:
        name: of the column.
        kind: its type, inferred or declared.
        why: reason for the type, a clause: "whole numbers", "every row holds 5".
        missing: cells that hold nothing.
        distinct: values that differ, missing ones apart.
        low: least number or date; None for other types.
        high: greatest number or date.
        example: a cell as it is written.
        warnings: sentences on what may be another thing than it seems.
        doubts: those of the warnings on cells that seem to be something else than they are read as.
        problem: message on why the column cannot be read as its type under the options as they are, or None.
        options: option of the reader → value under which it can.
        group: the column names persons, sites or the like, whose rows belong together.
    """

    name: str
    kind: ColumnType
    why: str
    missing: int
    distinct: int
    low: float | str | None = None
    high: float | str | None = None
    example: str = ""
    warnings: tuple[str, ...] = ()
    problem: str | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    group: bool = False
    doubts: tuple[str, ...] = ()


def group_warning(column: str, distinct: int, rows: int) -> str:
    """A sentence on a column that names persons, sites or the like."""
    name = column if re.fullmatch(r"[\w.-]+", column) else f"'{column}'"
    return (
        f"it seems to name what rows belong to ({distinct:,} different in {rows:,} rows): `split: {{kind: group, "
        f"column: {column!r}}}` keeps the rows of each together, as `mtl init --group {name}` does"
    )


def share_warnings(rows: int, missing: int, most: int, value: str) -> list[str]:
    """Sentences on a column that is mostly empty, or that holds nearly always the same.

    Args:
        rows: of the table.
        missing: rows without a value.
        most: rows that hold the most frequent value.
        value: that one, as it is written.
    """
    told = []
    if missing and missing >= MOSTLY_MISSING * rows:
        told.append(f"{missing:,} of the {rows:,} cells are empty")
    known = rows - missing
    if known >= 1 / (1 - NEARLY_CONSTANT) and most >= NEARLY_CONSTANT * known:
        told.append(f"nearly constant: {most:,} of the {known:,} known cells hold {value}")
    return told
