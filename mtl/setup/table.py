"""The file that a project is made for: its columns with their types, and whether its rows are steps of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtl.config.cells import Cells
from mtl.config.table_source import TableSource
from mtl.data.columns.dates import date_times
from mtl.data.columns.facts import ColumnFacts
from mtl.data.columns.infer import column_facts
from mtl.data.columns.inspection import described, inspect_file
from mtl.data.columns.section import is_input
from mtl.data.formats.numbers import number_column
from mtl.data.formats.table import Table
from mtl.errors import DataError, OptionValue
from mtl.setup.tags import holds_sentences, of_sentences

LEAST_STEPS = 20
"""Rows from which on their dates may tell that they are steps of time."""
DAY = 86_400e6
"""Microseconds."""
DATE_FORMAT = "date_format"
EVEN = 0.5
"""Share of the steps that are equally long, from which on rows are steps of time."""


@dataclass(frozen=True)
class Own:
    """A user's table.

    Args:
        file: where it lies.
        table: its rows.
        facts: on each column, in the order of the file.
        options: settings of its source that differ from the defaults: given, or needed to read it.
        notes: what was set, and why; and what the reader did.
        dates: column with the time of each row, where the rows are steps of time; None: they are not.
        step: days from one to the next.
    """

    file: Path
    table: Table
    facts: list[ColumnFacts]
    options: dict[str, OptionValue]
    notes: list[str]
    dates: str | None
    step: float

    @property
    def rows(self) -> int:
        return len(self.table.frame)

    @property
    def columns(self) -> list[str]:
        return [fact.name for fact in self.facts]

    def fact(self, column: str) -> ColumnFacts:
        """Facts on a column that there is."""
        return next(fact for fact in self.facts if fact.name == column)

    @property
    def sentences(self) -> bool:
        """The file holds sentences, whose words stand in the first column, and tags of them in the others."""
        return holds_sentences(self.file.name)

    def tagged(self, column: str) -> bool:
        """Says whether a column is known to hold a tag for each word."""
        tags = self.options.get("tags")
        return self.sentences or (isinstance(tags, Mapping) and column in tags)

    @property
    def candidates(self) -> list[str]:
        """Columns that may be targets."""
        if self.sentences:
            return self.columns[1:]
        return [fact.name for fact in self.facts if is_input(fact) and fact.kind != "date"]

    def cells(self, column: str) -> Cells:
        """Cells of a column that can be read, as tasks see them."""
        fact = self.fact(column)
        whole = False
        if fact.kind == "number":
            values = number_column(self.table, column)
            known = values[~np.isnan(values)]
            whole = bool((known == np.floor(known)).all())
        return Cells(fact.kind, fact.distinct, whole, self.dates is not None)


def read_own(file: Path, given: Mapping[str, OptionValue]) -> Own:
    """The table in a file, with the options that it needs beside those that are given.

    Raises:
        ConfigError: an option that there is not, or a value that it cannot have.
        DataError: the file cannot be read.
    """
    of_tables = {name: value for name, value in given.items() if name in TableSource.model_fields}
    form = of_tables.get(DATE_FORMAT)
    if isinstance(form, str):  # as a series has it: the form of its time stamps, which stand in the first column
        del of_tables[DATE_FORMAT]
    seen = inspect_file(file, of_tables)
    if isinstance(form, str):
        given = {**given, DATE_FORMAT: {seen.facts[0].name: form}}
        seen = inspect_file(file, {**seen.options, DATE_FORMAT: given[DATE_FORMAT]})
    source = described(file, seen.options)
    facts = seen.facts
    if source.declared:
        facts = column_facts(seen.table, source.declared, source.date_format, source.exact_labels)
    if holds_sentences(file.name):
        return Own(file, seen.table, of_sentences(facts), {**given, **seen.options}, seen.notes, None, 0.0)
    dates, step = _dates(seen.table, facts, source)
    return Own(file, seen.table, facts, {**given, **seen.options}, seen.notes, dates, step)


def _dates(table: Table, facts: list[ColumnFacts], source: TableSource) -> tuple[str | None, float]:
    """The first column, where it holds dates that rise from row to row in steps of which most are equally long, and
    the days that these take."""
    first = facts[0]
    if first.kind != "date" or first.problem is not None or first.missing or first.distinct < LEAST_STEPS:
        return None, 0.0
    try:
        when = date_times(table, first.name, source.date_format.get(first.name), [])
    except DataError:
        return None, 0.0
    steps, counts = np.unique(np.diff(when).astype(np.int64), return_counts=True)
    if steps[0] <= 0 or counts.max() < EVEN * counts.sum():
        return None, 0.0
    return first.name, float(steps[counts.argmax()]) / DAY
