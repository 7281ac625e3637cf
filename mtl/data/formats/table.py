"""A table in memory: a frame, and where each of its rows stands in the file that it came from."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mtl.config.table_file import TableFile
from mtl.data.formats.records import Lines
from mtl.data.formats.text_file import TextFile


@dataclass(frozen=True)
class Table:
    """A frame whose index counts from 0, and where each row stood in the file.

    Args:
        path: of the file, for messages.
        frame: labels and time stamps are text, other columns numbers where all cells are.
        lines: of each row.
        unit: that `lines` counts: "line" of a file of text or ARFF, "row" of another file (both from 1).
        options: how the file was read.
        units: column → unit, from a row of units.
        notes: what was done to read it that the options do not ask for.
        text: the delimited text that it was read from; None for other formats.
        later: path of each further file whose rows follow, and the row at which they begin, in their order.
    """

    path: str
    frame: pd.DataFrame
    lines: Lines
    unit: str
    options: TableFile
    units: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    text: TextFile | None = None
    later: tuple[tuple[str, int], ...] = ()

    def at(self, row: int | np.integer, column: str | None = None) -> str:
        """Place of a cell in words: "data/raw/x.csv, line 17, column `OT`"."""
        place = self.lines.rows[row]
        path = next((path for path, begin in reversed(self.later) if place >= begin), self.path)
        return f"{path}, {self.unit} {self.lines[row]}" + (f", column `{column}`" if column is not None else "")

    def take(self, rows: np.ndarray, columns: list[str] | None = None) -> "Table":
        """The same table with only these rows, in this order, and some of its columns; None: all."""
        frame = self.frame if columns is None else self.frame[columns]
        frame, lines = frame.iloc[rows].reset_index(drop=True), self.lines.take(rows)
        return replace(self, frame=frame, lines=lines)

    @property
    def typed(self) -> bool:
        """True for a file that tells numbers from names itself, as ARFF does."""
        return self.text is None and self.unit == "line"

    @property
    def number_columns(self) -> list[str]:
        """Columns that are read as numbers: those of `values` and `targets`, without `values` all that stay no text."""
        roles, text = self.options.roles, {*self.options.text_columns, *self.options.joined}
        values = roles.get("values") or [name for name in self.frame.columns if name not in text]
        return list(dict.fromkeys([*values, *roles.get("targets", [])]))
