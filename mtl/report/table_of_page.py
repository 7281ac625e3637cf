"""A table of the report, as the page and the terminal are given it; what needs no figure loads no matplotlib."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of the report; the first column names the row."""

    caption: str
    head: list[str]
    rows: list[list[str]]
    prose: bool = False
    """Cells are sentences, which wrap, and not numbers."""
    worded: bool = True
    """The last column holds words."""
    folds: bool = False
    """Many rows are shown when asked for."""
