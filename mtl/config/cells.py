"""Cells of a column that a task may learn, as far as the kinds of tasks are told apart by them."""

from dataclasses import dataclass

from mtl.config.table_source import ColumnType

MOST_CLASSES = 100
"""Different whole numbers of a column up to which they may be classes, and names up to which they are taken for them
unless a user says so."""


@dataclass(frozen=True)
class Cells:
    """Cells of a column, or what a rule makes of them.

    Args:
        type: of the column.
        distinct: values that differ, missing ones apart.
        whole: all are whole numbers.
        in_time: the rows are steps of time, so that values follow each other.
    """

    type: ColumnType
    distinct: int
    whole: bool = False
    in_time: bool = False

    @property
    def sorted_out(self) -> bool:
        """True where the values are names, or whole numbers that may be."""
        return self.type in ("category", "boolean") or (self.whole and self.distinct <= MOST_CLASSES)

    @property
    def no_classes(self) -> str | None:
        """A clause on why they cannot be classes; None where they can."""
        if self.distinct < 2:
            return "it needs two classes at least, and all cells that are not empty hold the same"
        if self.sorted_out:
            return None
        needs = f"it needs names, or at most {MOST_CLASSES} different whole numbers"
        return f"{needs}, and the cells are taken for {self.type}" if self.type != "number" else needs


RULE = Cells("boolean", 2)
"""Cells for which a rule holds or does not."""
