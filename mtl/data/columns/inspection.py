"""A table that nobody has described yet: read under the options that its own messages name, each of which is told.

Only looking at a file may try options; a source is read as it is configured, or refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from mtl.config.table_file import MISSING_TEXTS
from mtl.config.table_source import TableSource
from mtl.data.columns.cells import texts_of, written_cells
from mtl.data.columns.facts import ColumnFacts
from mtl.data.columns.infer import column_facts
from mtl.data.formats.table import Table
from mtl.data.formats.tables import read_table
from mtl.errors import ConfigError, DataError, LayoutError, OptionValue

MOST_TRIES = 8
"""Messages that are followed one after the other."""


@dataclass(frozen=True)
class Inspection:
    """A file, read.

    Args:
        table: its rows.
        facts: on each column, in the order of the file.
        options: of the reader that differ from the defaults: those that were given, and those that were needed.
        notes: what was set, and why; and what the reader did.
        given: options that were given.
    """

    table: Table
    facts: list[ColumnFacts]
    options: dict[str, OptionValue]
    notes: list[str] = field(default_factory=list)
    given: frozenset[str] = frozenset()


def inspect_file(path: Path, given: Mapping[str, OptionValue]) -> Inspection:
    """Reads a file, wherever it lies, with the options that it needs beside those that are given.

    Raises:
        ConfigError: an option that there is not, or a value that it cannot have.
        DataError: the file cannot be read, and no option that is known for sure reads it.
    """
    options, notes = dict(given), []
    for _ in range(MOST_TRIES):
        try:
            table = read_table(described(path, options), Path())
            break
        except LayoutError as error:
            needed = {name: value for name, value in error.options.items() if name in TableSource.model_fields}
            if not needed or needed.keys() & given.keys() or needed.items() <= options.items():
                raise
            notes.append(_told(needed, str(error)))
            options |= needed
    else:
        table = read_table(described(path, options), Path())
    facts = column_facts(table)
    for marks in (True, False):
        # Which texts stand for a missing value is seen once the numbers around them can be read.
        needed = _marks(facts, given) if marks else _missing(table, facts, options)
        if not needed:
            continue
        tried = options | needed
        try:
            again = read_table(described(path, tried), Path())
            after = column_facts(again)
        except DataError:
            continue
        if _read(after) <= _read(facts):
            continue
        problems = (fact.problem for fact in facts if fact.problem is not None and needed.keys() & fact.options.keys())
        notes.append(_told(needed, next(problems, "")))
        table, facts, options = again, after, tried
    return Inspection(table, facts, options, [*notes, *table.notes], frozenset(given))


def described(path: Path, options: Mapping[str, object]) -> TableSource:
    """The section of a file of these options.

    Raises:
        ConfigError: an option that there is not, or a value that it cannot have.
    """
    from mtl.config.messages import message_of

    raw = {"kind": "table", "path": str(path), **options}
    try:
        return TableSource.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(message_of(error, raw, "--option")) from None


def _told(options: Mapping[str, OptionValue], why: str) -> str:
    import json

    settings = ", ".join(f"`{name}: {json.dumps(value, ensure_ascii=False)}`" for name, value in options.items())
    return f"Read with {settings}, since without it: {why}"


def _read(facts: list[ColumnFacts]) -> tuple[int, int]:
    """How well options read a file: columns of numbers that can be read, then the fewest that cannot be read at all."""
    good = sum(fact.kind == "number" and fact.problem is None for fact in facts)
    return good, -sum(fact.problem is not None for fact in facts)


def _marks(facts: list[ColumnFacts], given: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    """Decimal and thousands marks that the columns which need some agree on."""
    wanted = [dict(fact.options) for fact in facts if fact.options and "missing" not in fact.options]
    if not wanted or any(marks != wanted[0] for marks in wanted) or wanted[0].keys() & given.keys():
        return {}
    marks: dict[str, OptionValue] = {**wanted[0]}
    return marks


def _missing(table: Table, facts: list[ColumnFacts], options: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    """Texts among numbers that may stand for missing values, with those that do in the categories of the file already:
    `missing` takes the place of the usual ones there."""
    named = table.options.missing or []
    wanted = [text for fact in facts for text in fact.options.get("missing", []) if text not in named]
    if not wanted:
        return {}
    categories = [fact.name for fact in facts if fact.kind == "category"]
    usual = MISSING_TEXTS if table.options.missing is None else ()
    used = {text for cells in written_cells(table, categories).values() for text in texts_of(cells).names}
    kept = [text for text in usual if text in used and text]
    return {"missing": list(dict.fromkeys([*named, *wanted, *kept]))}
