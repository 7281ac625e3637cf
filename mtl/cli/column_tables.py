"""Columns of a file, printed: a table that stays readable at 80 columns, and what is behind each type below it."""

from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from mtl.data.columns.facts import ColumnFacts
from mtl.data.columns.section import is_input
from mtl.errors import OptionValue

INDENT = (0, 0, 0, 2)
SHORTEST_NAME, LONGEST_CELL = 12, 14
"""Letters of a name that the table shows at least, and of an example at most."""


def as_json(facts: list[ColumnFacts], rows: int, options: dict[str, OptionValue], notes: list[str]) -> dict[str, Any]:
    """The same as a value of JSON: `rows`, `options`, `notes`, and a list of `columns`."""
    columns = [
        {
            "name": fact.name, "type": fact.kind, "why": fact.why, "missing": fact.missing, "distinct": fact.distinct,
            "low": _finite(fact.low), "high": _finite(fact.high), "example": fact.example,
            "warnings": list(fact.warnings), "problem": fact.problem, "options": dict(fact.options),
            "group": fact.group, "input": is_input(fact),
        }
        for fact in facts
    ]  # fmt: skip
    return {"rows": rows, "options": options, "notes": notes, "columns": columns}


def print_columns(facts: list[ColumnFacts], rows: int, notes: list[str], console: Console) -> None:
    """Prints a line for each column, then why each has its type and what to look at."""
    console.print(f"{rows:,} rows, {len(facts):,} columns")
    for note in notes:
        console.print(Padding(f"[bold]note:[/] {escape(note)}", INDENT, expand=False))
    console.print()
    console.print(_lines(facts, console.width))
    console.print()
    console.print("Why these types:")
    for (kind, why), names in _by_reason(facts).items():
        listed = ", ".join(names)
        console.print(Padding(f"{kind}, {escape(why)}: [bold]{escape(listed)}[/]", INDENT, expand=False))
    told = [(fact, sentence) for fact in facts for sentence in fact.warnings]
    if told:
        console.print("To look at:")
    for fact, sentence in told:
        name = escape(fact.name or "(no name)")
        console.print(Padding(f"[bold]{name}[/]: {escape(sentence)}.", INDENT, expand=False))
    problems = [fact.problem for fact in facts if fact.problem is not None]
    if problems:
        console.print("Cannot be read as they are:")
    for problem in problems:
        console.print(Padding(escape(problem), INDENT, expand=False))


def _lines(facts: list[ColumnFacts], width: int) -> Table:
    """A line for each column; names are cut to the room that the other cells leave."""
    heads = ("column", "type", "missing", "distinct", "range", "example")
    rows = [
        (fact.kind, f"{fact.missing:,}" if fact.missing else "-", f"{fact.distinct:,}", _range(fact),
         _cut(fact.example, LONGEST_CELL))
        for fact in facts
    ]  # fmt: skip
    taken = sum(max(map(len, cells)) + 1 for cells in zip(heads[1:], *rows, strict=True))
    table = Table(*heads, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for column in table.columns:
        column.no_wrap = True
        column.justify = "right" if column.header in ("missing", "distinct") else "left"
    for fact, cells in zip(facts, rows, strict=True):
        name = _cut(fact.name or "(no name)", max(SHORTEST_NAME, width - taken))
        style = "dim" if fact.kind == "ignore" else "bold" if fact.problem is not None else ""
        table.add_row(*map(escape, (name, *cells)), style=style)
    return table


def _by_reason(facts: list[ColumnFacts]) -> dict[tuple[str, str], list[str]]:
    """Type and reason → the columns that share them."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for fact in facts:
        reasons.setdefault((fact.kind, fact.why), []).append(fact.name or "(no name)")
    return reasons


def _range(fact: ColumnFacts) -> str:
    if fact.low is None or fact.high is None:
        return "-"
    low, high = (_number(end) if isinstance(end, float) else end.split(" ")[0] for end in (fact.low, fact.high))
    return f"{low} to {high}" if low != high else low


def _number(end: float) -> str:
    return f"{end:,.0f}" if end % 1 == 0 and abs(end) < 1e9 else f"{end:.4g}"


def _finite(end: float | str | None) -> float | str | None:
    """The end of a range as JSON can hold it."""
    return str(end) if isinstance(end, float) and abs(end) == float("inf") else end


def _cut(text: str, longest: int) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
