"""The block that ends `make repro`: verdicts, cost, one sentence of advice, where to look next."""

import math
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.text import Text

from mtl.report.scores import averages
from mtl.report.select import extremes
from mtl.report.short_names import short_names
from mtl.report.sides import LOST, lost_mark
from mtl.report.timings import Timings, batch_size, method_costs
from mtl.report.tolerances import tolerances
from mtl.report.words import (
    DASH,
    GAP,
    UNEQUAL,
    both_text,
    change_text,
    confidence_text,
    count_text,
    has_new_data,
    known,
    marks,
    metric_label,
    notes,
    quantity_text,
    share_text,
    tally,
    tuning_text,
    value_text,
    verdict_class,
    verdict_text,
)
from mtl.results.verdicts import JudgedMethod, JudgedTask, Row, Verdicts

STYLES = {"helped": "bold green", "hurt": "bold red", "level": "bold cyan", "unknown": "dim"}
NARROW = 96
"""Below this many columns, the costs are shortened."""
WIDEST = 100
SHORTENINGS = ("units", "reasons", "names", "verdicts", "gap", "blanks")
"""Measures taken one after the other until the verdicts fit the terminal: units are shortened, then also what would
decide where nothing is known; the names of simple models are left to a sentence below, verdicts lose their reasons, the
share of the gap goes, columns lie one blank apart and not two."""
ENOUGH = 16
"""Letters of a task's name that are not cut off while something else can give way."""
FEWEST = 6
"""Columns that the name of a task, and a verdict with its marks, keep in any case."""
INDENT = 2
"""Blanks before a line."""
ASCII = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "─": "-",
        "λ": "l",
        "Δ": "d",
        "·": "|",
        "→": ">",
        "×": "x",
        "≤": "<",
        "‡": "#",
        "†": "!",
        "±": "+/-",
    }
)


def verdict_block(verdicts: Verdicts, timings: Timings, report_path: Path | None = None, width: int = WIDEST) -> Group:
    """Verdicts, costs and advice of a finished pipeline.

    Args:
        verdicts: content of results/verdicts.json.
        timings: from `collect_timings`.
        report_path: the page to open; None leaves it out, and the commands that come next.
        width: columns of the terminal.
    """
    lines: list[Text] = [Text()]
    if verdicts.quick is not None:
        lines.append(Text(f"QUICK LOOK, no result: {verdicts.quick.budget}", style="bold yellow"))
    table = _fitting(verdicts, width)
    lines += [
        _line(table.head, table.widths, table.right, "dim", blanks=table.blanks),
        Text("─" * min(width, table.width), style="dim"),
    ]
    shares = averages(verdicts)
    for method in verdicts.methods:
        lines += [_headline(method), *_tuned(verdicts, method.name)]
        styles = [STYLES[verdict_class(row.verdict)] for row in extremes(verdicts, method.name)]
        lines += [
            _line(row, table.widths, table.right, last_style=style, blanks=table.blanks)
            for row, style in zip(table.rows[method.name], styles, strict=True)
        ]
        lines += [Text(f"  {said}", style="dim") for said in _further(verdicts, method, shares)]
        lines += [Text(f"  {said}", style="dim") for said in _kept(verdicts, method.name)]
    lines += [Text(), *_costs(verdicts, timings, width < NARROW), Text()]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    said = []
    if "gap" in table.head:
        said.append(f"gap: {GAP}.")
    if has_new_data(verdicts):
        said.append("change ± a / b: half its interval over training alone / for new data.")
    said += notes(verdicts)
    if any(task.role == "auxiliary" for task in verdicts.tasks):
        said.append("* auxiliary task: trained, not counted in Δm.")
    lines += [Text(note, style="dim") for note in said]
    lines += [Text(), Text.assemble(("Advice  ", "bold"), verdicts.advice)]
    if report_path is None:
        return Group(*lines)
    lines.append(Text.assemble(("Report  ", "bold"), (str(report_path), "cyan")))
    following: list[str | tuple[str, str]] = [("mtl ui", "cyan"), " (every run) · edit ", ("params.yaml", "cyan")]
    if verdicts.quick is not None:
        following = [("mtl repro", "cyan"), " (verdicts, with intervals) · ", *following]
    else:
        following += [" · ", ("mtl deploy", "cyan")]
    lines.append(Text.assemble(("Next    ", "bold"), *following))
    return Group(*lines)


def print_verdicts(verdicts: Verdicts, timings: Timings, report_path: Path, console: Console | None = None) -> None:
    """Prints `verdict_block`: coloured on a terminal, plain elsewhere, ASCII where nothing else can be shown."""
    if console is None:
        console = Console(highlight=False)
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console = Console(highlight=False, width=WIDEST)
    ascii_only = console.options.ascii_only
    # `+/-` takes two columns more than ±, which a row has once.
    block = verdict_block(verdicts, timings, report_path, console.width - 2 * ascii_only)
    if not ascii_only:
        console.print(block, soft_wrap=False)
        return
    with console.capture() as captured:
        console.print(block)
    console.file.write(captured.get().translate(ASCII).encode("ascii", "replace").decode())


def _headline(method: JudgedMethod) -> Text:
    delta = method.delta_m
    line = Text.assemble((method.name, "bold"))
    described = method.label.removeprefix(method.name).lstrip(": ")
    if described:
        line.append(f"  {described}")
    if known(delta.mean):
        line.append(f"   Δm {change_text(delta)} %", style="cyan")
    return line


def _tuned(verdicts: Verdicts, method: str) -> list[Text]:
    said = tuning_text(verdicts, method)
    return [Text(f"  {said}", style="dim")] if said else []


def _further(verdicts: Verdicts, method: JudgedMethod, shares: dict[str, tuple[str, str, str]]) -> list[str]:
    """Facts beside the rows: how many are left out, tasks without a verdict, and the average accuracy."""
    said = []
    rows, shown = verdicts.rows_of(method.name), extremes(verdicts, method.name)
    if len(shown) < len(rows):
        hidden = [row for row in rows if row not in shown]
        said.append(f"{len(hidden)} of {len(rows)} tasks are left out here ({tally(hidden)}); the report has all.")
    if len(rows) < len(method.tasks):
        said.append(f"without a single-task model: {len(method.tasks) - len(rows)} of {len(method.tasks)} tasks")
    if method.name in shares:
        metric, joint, single = shares[method.name]
        said.append(f"average {metric} {joint} %" + (f", STL {single} %" if single != DASH else ""))
    return said


@dataclass(frozen=True)
class _Table:
    """Columns of the verdicts."""

    head: list[str]
    right: list[bool]
    """Columns that are set to the right."""
    rows: dict[str, list[list[str]]]
    """Method → its rows, a text a column."""
    widths: list[int]
    blanks: int
    """Between two columns."""

    @property
    def width(self) -> int:
        """Columns of the terminal that it takes."""
        return INDENT + sum(self.widths) + self.blanks * (len(self.widths) - 1)


def _fitting(verdicts: Verdicts, width: int) -> _Table:
    """The table with as little shortened as fits; the names of tasks give way last, to `ENOUGH` letters first."""
    never = () if any(row.gap_closed is not None for row in verdicts.rows) else ("gap",)
    table = _table(verdicts, never)
    for count in range(1, len(SHORTENINGS) + 1):
        if table.width - max(0, table.widths[0] - ENOUGH) > width:
            table = _table(verdicts, {*never, *SHORTENINGS[:count]})
    room = min(table.widths[0], max(FEWEST, table.widths[0] + width - table.width))
    rows = [row for several in table.rows.values() for row in several]
    if table.widths[0] > room and rows:
        shown = short_names(
            [row[0].removesuffix("*") for row in rows], room - any(row[0].endswith("*") for row in rows)
        )
        for row in rows:
            row[0] = shown[row[0].removesuffix("*")] + "*" * row[0].endswith("*")
        room = min(room, max(len(row[0]) for row in rows))
    table.widths[0] = room
    if table.width > width:
        table.widths[-1] = max(FEWEST, table.widths[-1] + width - table.width)
        for row in rows:
            row[-1] = _cut_verdict(row[-1], table.widths[-1])
    return table


def _cut_verdict(verdict: str, room: int) -> str:
    """A verdict in `room` columns with its marks, which say what it is worth: of `not known †` `not k… †`."""
    if len(verdict) <= room:
        return verdict
    words = verdict.rstrip(f" {LOST}{UNEQUAL}")
    signs = verdict[len(words) :]
    return words[: room - len(signs) - 1] + "…" + signs


def _table(verdicts: Verdicts, short: Collection[str]) -> _Table:
    tasks = {task.name: task for task in verdicts.tasks}
    head, right = ["task", ""], [False, False]
    simple, both = any(task.simple is not None for task in verdicts.tasks), has_new_data(verdicts)
    if simple:
        head, right = [*head, "simple"], [*right, True]
        if "names" not in short:
            head, right = [*head, ""], [*right, False]
    interval = f" ± {confidence_text(verdicts)}" if verdicts.quick is None else ""
    head = [*head, "STL", "method", f"change %{interval}"]
    right += [True, True, True]
    if "gap" not in short:
        head, right = [*head, "gap"], [*right, True]
    rows = {
        method.name: [_cells(row, tasks[row.task], simple, both, short) for row in extremes(verdicts, method.name)]
        for method in verdicts.methods
    }
    widths = _widths([[*head, "verdict"], *(row for several in rows.values() for row in several)])
    return _Table([*head, "verdict"], [*right, False], rows, widths, 1 if "blanks" in short else 2)


def _cells(row: Row, task: JudgedTask, simple: bool, both: bool, short: Collection[str]) -> list[str]:
    """A row: task, metric, simple model, STL, method, change, gap closed, verdict, as far as they are shown."""
    unit = metric_label(row.metric, task.unit)
    if "units" in short:
        unit = unit.replace("balanced", "bal.").replace("accuracy", "acc.").removesuffix(" z-scored")
    if "reasons" in short:
        unit = unit.removesuffix(" %")
    cells = [row.task + "*" * (row.role == "auxiliary"), unit]
    if simple:
        cells.append(DASH if task.simple is None else value_text(row.metric, task.simple.summary.mean))
        if "names" not in short:
            cells.append("" if task.simple is None else task.simple.model)
    blank = " " * simple  # values with and without a mark stand below each other
    cells += [
        value_text(row.metric, row.stl.mean) + (lost_mark(row, "STL") or blank),
        value_text(row.metric, row.joint.mean) + (lost_mark(row, "joint") or blank),
        both_text(row, both),
    ]
    if "gap" not in short:
        cells.append(share_text(row.gap_closed))
    verdict = verdict_text(row, "verdicts" in short or ("reasons" in short and row.verdict.matters is False))
    if "reasons" in short:
        verdict = verdict.removesuffix(" seeds").replace("more test data", "data")
    return [*cells, verdict + marks(row)]


def _kept(verdicts: Verdicts, method: str) -> list[str]:
    """`forecast MSE within 5 % of STL: load yes, wind not known`; nothing where no task has a tolerance."""
    shown = [row.task for row in extremes(verdicts, method)]
    said = []
    for group in tolerances(verdicts):
        answers = {row.task: row.within_tolerance for row in group.rows if row.method == method}
        kept = ", ".join(f"{task} {answers[task]}" for task in shown if task in answers)
        if kept:
            said.append(f"{group.what} within {group.share} of STL: {kept}")
    return said


def _costs(verdicts: Verdicts, timings: Timings, narrow: bool) -> list[Text]:
    """A line a method, the highest Δm first; a narrow terminal has no room for Δm beside the costs."""
    batch = batch_size(timings)
    header = [
        "method / sum of STL",
        "Δm %",
        "parameters",
        f"inference, ms{f' per {batch}' if batch else ''}",
        "training, s",
    ]
    costs = method_costs(verdicts, timings)
    rows = []
    for method in sorted(verdicts.methods, key=_rank):
        cost = costs[method.name]
        parameters = f"{count_text(cost['parameters'])} / {count_text(cost['parameters_stl'])}"
        times = [_pair(cost[key], cost[f"{key}_stl"]) for key in ("latency", "train")]
        rows.append([method.name, change_text(method.delta_m), parameters, *times])
    if narrow:
        header, *rows = [[line[0], *line[2:]] for line in (header, *rows)]
    widths, right = _widths([header, *rows]), (False, *[True] * (len(header) - 1))
    return [_line(header, widths, right, "dim"), *(_line(row, widths, right) for row in rows)]


def _rank(method: JudgedMethod) -> float:
    return -method.delta_m.mean if known(method.delta_m.mean) else math.inf


def _pair(joint: float | int | None, single: float | int | None) -> str:
    if joint is None and single is None:
        return "not measured here"
    return f"{quantity_text(joint)} / {quantity_text(single)}"


def _widths(rows: list[list[str]]) -> list[int]:
    return [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]


def _line(
    cells: list[str], widths: list[int], right: Sequence[bool], style: str = "", last_style: str = "", blanks: int = 2
) -> Text:
    """Cells in columns; the last one may have a style of its own."""
    line = Text(" " * INDENT)
    for number, (cell, width, to_right) in enumerate(zip(cells, widths, right, strict=True)):
        shown = cell if len(cell) <= width else cell[: width - 1] + "…"
        last = number == len(cells) - 1
        text = shown.rjust(width) if to_right else shown.ljust(width)
        line.append(text, (last_style or style) if last else style)
        line.append(" " * blanks * (not last))
    line.rstrip()
    return line


__all__ = ["print_verdicts", "verdict_block"]
