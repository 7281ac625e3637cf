"""Targets and groups of new rows of a table, read beside the inputs of a model.

R rows of a piece.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl.config.inputs import SourceBase
from mtl.config.table_source import TableSource
from mtl.data.formats.table import Table
from mtl.data.sources.table_tags import tags_beside
from mtl.serving.new_data.options import NewRows
from mtl.serving.new_data.targets import Target, there

GROUP = "\x00group"
"""Name of the column of groups beside the targets of a piece."""


class Beside:
    """Targets of the tasks and groups of the split, as the pieces of a table hold them.

    Args:
        targets: of the tasks that are asked.
        options: of the table.
        section: by which the source was read in training; None where it is not known.
        notes: takes sentences on targets that the table lacks.
    """

    def __init__(
        self, targets: Sequence[Target], options: NewRows, section: SourceBase | None, notes: list[str]
    ) -> None:
        self.targets, self.options, self.notes, self.section = list(targets), options, notes, section
        self.group = section.group_column if isinstance(section, TableSource) else None
        """Column that names whose a row is, where training kept rows of one together."""
        self.held: list[Target] = []
        """Targets that the table holds, known once a piece was read."""
        self.groups: dict[str, int] = {}
        """Group → its number."""

    def __call__(self, table: Table) -> pd.DataFrame:
        """[R] targets by task, and the number of the group of each row."""
        names = [str(name) for name in table.frame.columns]
        if not self.held:
            self.held.extend(there(self.targets, names, self.options.path, self.notes))
        exact = self.options.exact_labels
        read = {
            t.spec.name: self._of_words(t, table) if t.spec.at_positions else
            t.of_table(table, t.column in exact, self.options)
            for t in self.held
        }  # fmt: skip
        if self.group is not None and self.group in names:
            cells = table.frame[self.group].astype(object).where(table.frame[self.group].notna(), "").astype(str)
            numbers = [self.groups.setdefault(name, len(self.groups)) for name in cells]
            read[GROUP] = np.array(numbers, dtype=np.float64)
        return pd.DataFrame(read)

    def _of_words(self, target: Target, table: Table) -> np.ndarray:
        """[R] classes of the words of each text, an array each."""
        scheme = self.section.tags.get(target.column) if isinstance(self.section, TableSource) else None
        rows = tags_beside(table, target.spec.columns[0], target.column, scheme or "plain", self.notes)
        return target.of_words(rows)
