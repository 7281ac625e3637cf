"""Verdicts and result files as frames of pandas, and as a table of a notebook."""

from html import escape
from pathlib import Path

import pandas as pd

from mtl.evaluation.family import Judged
from mtl.results.statistics import Summary, signed
from mtl.results.verdicts import Row, Unpaired, Verdicts

VERDICTS = (
    "method", "task", "metric", "stl", "joint", "change", "low", "high", "new_data_low", "new_data_high", "verdict",
    "verdict_in_words", "covers", "simple_model", "simple", "loses_to_simple",
)  # fmt: skip
"""Columns of the frame of verdicts."""
SIMPLE = ("task", "model", "metric", "test", "low", "high", "by_seed")
"""Columns of the frame of simple models."""


def verdicts_frame(verdicts: Verdicts) -> pd.DataFrame:
    """A row for each method and task, in the order of the methods, then of the tasks.

    `stl`, `joint` and `simple` are means over seeds of the test metric; `change` is the paired change in percent of
    the STL value, positive is better, with the ends of its interval over training alone (`low`, `high`) and of that
    which also covers the choice of test data; `covers` is the randomness that the verdict allows for, `loses_to_simple`
    names the sides that the simple model beats.
    """
    rows = []
    for method in verdicts.methods:
        shown: list[Row | Unpaired] = list(verdicts.rows_of(method.name))
        shown += [row for row in verdicts.unpaired if row.method == method.name]
        for row in shown:
            simple = verdicts.task(row.task).simple
            known = {
                "method": row.method,
                "task": row.task,
                "metric": row.metric,
                "joint": row.joint.mean,
                "simple_model": None if simple is None else simple.model,
                "simple": None if simple is None else simple.summary.mean,
                "loses_to_simple": "" if row.simple is None else ", ".join(row.simple.loses),
            }
            rows.append(known | ({"stl": row.stl.mean} | compared_cells(row) if isinstance(row, Row) else {}))
    return pd.DataFrame(rows, columns=list(VERDICTS))


def compared_cells(row: Row | Judged) -> dict[str, object]:
    """Cells of a comparison with single-task models: change, intervals and verdict."""
    new = row.new_data
    return {
        "change": row.change.mean,
        "low": row.change.low,
        "high": row.change.high,
        "new_data_low": None if new is None else new.low,
        "new_data_high": None if new is None else new.high,
        "verdict": row.verdict.word,
        "verdict_in_words": row.verdict.text,
        "covers": row.verdict.covers,
    }


def simple_frame(verdicts: Verdicts) -> pd.DataFrame:
    """A row for each task that has a simple model: the one that most seeds chose, and its test metric, mean over seeds
    with its interval; `by_seed` lists the choice of each seed."""
    rows = []
    for task in verdicts.tasks:
        if task.simple is not None:
            summary: Summary = task.simple.summary
            rows.append({
                "task": task.name, "model": task.simple.model, "metric": task.metric, "test": summary.mean,
                "low": summary.low, "high": summary.high, "by_seed": list(task.simple.by_seed),
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(SIMPLE))


def parquet_frame(file: Path) -> pd.DataFrame:
    """A table of results/."""
    return pd.read_parquet(file)


def html(verdicts: Verdicts) -> str:
    """The verdicts as a table of a notebook, with the advice below it."""
    head = ("task", "metric", "simple", "STL", "joint", "change % [training] [new data]", "verdict")
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = [f"<table><thead><tr>{cells}</tr></thead><tbody>"]
    for method in verdicts.methods:
        lines.append(f'<tr><th colspan="{len(head)}" style="text-align:left">{escape(method.label)}</th></tr>')
        for row in verdicts.rows_of(method.name):
            simple = verdicts.task(row.task).simple
            values = (
                row.task,
                row.metric,
                "" if simple is None else f"{simple.summary.mean:.4g} {simple.model}",
                f"{row.stl.mean:.4g}",
                f"{row.joint.mean:.4g}",
                _change(row),
                row.verdict.text + (" †" if row.simple is not None and row.simple.loses else ""),
            )
            lines.append("<tr>" + "".join(f"<td>{escape(value)}</td>" for value in values) + "</tr>")
    lines.append(f"</tbody></table><p>{escape(verdicts.advice)}</p>")
    return "\n".join(lines)


def _change(row: Row) -> str:
    """`+5.9 [+4.6, +7.2] [+3.9, +7.9]`, as far as it is known."""
    if row.change.mean is None:
        return "–"
    return signed(row.change.mean) + row.change.ends + (row.new_data.ends if row.new_data is not None else "")
