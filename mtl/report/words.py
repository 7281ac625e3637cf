"""Numbers and names as a reader sees them, shared by the terminal table, the figures and the page.

A missing or non-finite number is written as a dash.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeGuard

from mtl.config.budgets import STL, counted
from mtl.config.metrics import METRICS
from mtl.config.training import DEFAULT_MARGIN
from mtl.evaluation.limits import MIN_SEEDS
from mtl.report.sides import blind_note, lost_mark, lost_note, simple_note
from mtl.results.statistics import LARGEST, Ends, Statistic
from mtl.results.statistics import signed as with_sign
from mtl.results.verdict import Verdict
from mtl.results.verdicts import Row, Verdicts

Json = dict[str, Any]
Number = float | int | None

DASH = "–"
UNITS = {"z-scored": "z-scored", "original": "original units", "": ""}
"""Unit of a metric in words, where a task does not say its own."""


def known(value: object) -> TypeGuard[float]:
    """Says whether `value` is a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)


def metric_title(metric: str) -> str:
    """Name of a metric without its unit: `MSE`, `balanced accuracy`."""
    return METRICS[metric].title if metric in METRICS else metric.replace("_", " ")


def metric_label(metric: str, unit: str | None = None) -> str:
    """Name of a metric with its unit: `MSE z-scored`, `accuracy %`."""
    measure = METRICS.get(metric)
    if measure is None or not measure.unit:
        return metric_title(metric) + " %" * is_share(metric)
    return f"{measure.title} {unit or UNITS[measure.unit]}"


def is_share(metric: str) -> bool:
    """Says whether a metric is shown in percent."""
    return metric in METRICS and METRICS[metric].share


def in_shown_unit(metric: str, value: float | int) -> float:
    """A metric's number in the unit of `metric_label`: shares become percent."""
    return 100.0 * value if is_share(metric) else float(value)


def value_text(metric: str, value: Number) -> str:
    """A metric's number in the unit of `metric_label`."""
    if value is None or not known(value):
        return DASH
    shown = in_shown_unit(metric, value)
    if is_share(metric):
        text = f"{shown:.1f}"
    elif shown != 0 and abs(shown) < 0.001:
        text = f"{shown:.1e}"
    else:
        text = f"{shown:.3f}" if abs(shown) < 10 else f"{shown:.1f}" if abs(shown) < 1e5 else f"{shown:.3g}"
    return f"−{text[1:]}" if text.startswith("-") else text


def signed(value: Number, digits: int = 1) -> str:
    """A number with its sign, a true minus, and no sign on what rounds to zero."""
    if value is None or not known(value):
        return DASH
    return with_sign(float(value), digits)


def interval_text(statistic: Ends | None) -> str:
    """`[low, high]`, or a dash when there is no interval (a single seed)."""
    if statistic is None or not known(statistic.low) or not known(statistic.high):
        return DASH
    digits = 1 if max(abs(statistic.low), abs(statistic.high)) < 1000 else 0
    return f"[{signed(statistic.low, digits)}, {signed(statistic.high, digits)}]"


def change_text(statistic: Statistic | None) -> str:
    """`+1.7 [+0.9, +2.5]`, percent."""
    if statistic is None or not known(statistic.mean):
        return DASH
    return f"{signed(statistic.mean)} {interval_text(statistic)}"


GAP = "share of the way from STL to the best that is possible (– where that is not known, or nearly reached)"
"""Meaning of the column `gap`: a way below 1 % of the STL value, or within its spread over seeds, has no shares."""


def half_text(statistic: Ends | None) -> str:
    """Half the width of an interval, or a dash when there is none."""
    if statistic is None or not known(statistic.low) or not known(statistic.high):
        return DASH
    half = (statistic.high - statistic.low) / 2
    if half > LARGEST:
        return "> 1e6"
    return f"{half:.1f}" if half < 1000 else f"{half:.0f}"


def both_text(row: Row, both: bool) -> str:
    """`+1.7 ± 0.8 / 1.1`: change and half its intervals, over training and for new data; `both` asks for the second."""
    if not known(row.change.mean):
        return DASH
    text = f"{signed(row.change.mean)} ± {half_text(row.change)}"
    return f"{text} / {half_text(row.new_data)}" if both else text


def has_new_data(verdicts: Verdicts) -> bool:
    """Says whether any change has an interval for new data."""
    return any(row.new_data is not None for row in verdicts.rows)


def share_text(statistic: Statistic | None) -> str:
    """The mean share of a way as a percentage: `21 %`; beyond the whole way, in either direction, it is not told how
    far: a short way makes any number of it, which says nothing more."""
    if statistic is None or not known(statistic.mean):
        return DASH
    if abs(statistic.mean) > 1:
        return "> 100 %" if statistic.mean > 0 else "< −100 %"
    return f"{signed(100 * statistic.mean, 0).removeprefix('+')} %"


def percent_text(statistic: Statistic | None) -> str:
    """A share with its interval in percent, two digits: `98.44 [98.31, 98.57]`."""
    if statistic is None or not known(statistic.mean):
        return DASH
    mean = f"{100 * statistic.mean:.2f}"
    if statistic.low is None or statistic.high is None:
        return mean
    low, high = (f"{100 * end:.2f}".replace("-", "−") for end in (statistic.low, statistic.high))
    return f"{mean} [{low}, {high}]"


def score_text(metric: str, statistic: Statistic | None) -> str:
    """A metric with its interval: a share in percent, two digits, others as they are: `0.412 [0.398, 0.426]`."""
    if is_share(metric) or statistic is None or not known(statistic.mean):
        return percent_text(statistic)
    ends = [value_text(metric, end) for end in (statistic.low, statistic.high)]
    return value_text(metric, statistic.mean) + (f" [{', '.join(ends)}]" if DASH not in ends else "")


def points_text(statistic: Statistic) -> str:
    """A difference of shares with its interval, in points: `+0.13 [+0.02, +0.24]`."""
    mean, low, high = (
        signed(None if value is None else 100 * value, 2) for value in (statistic.mean, statistic.low, statistic.high)
    )
    return mean if statistic.low is None else f"{mean} [{low}, {high}]"


def verdict_text(row: Row, narrow: bool = False) -> str:
    """The verdict: `HELPED, too little to matter`, `not known: 24 seeds`; where there is little room without what would
    decide."""
    if narrow:
        return f"{row.verdict.word}, little" if row.verdict.matters is False else row.verdict.word
    return row.verdict.text


UNEQUAL = "‡"
"""Behind a verdict whose two sides were tuned by unequal numbers of trials."""


def marks(row: Row) -> str:
    """Marks behind a verdict: ` †` where a side loses to the simple model, ` ‡` where budgets of tuning are unequal."""
    signs = lost_mark(row) + UNEQUAL * (row.tuning is not None and not row.tuning.equal)
    return f" {signs}" if signs else ""


def tuning_text(verdicts: Verdicts, method: str) -> str:
    """`tuned by 20 trials, STL by 0 ‡`, or nothing where neither was tuned."""
    if verdicts.tuning is None:
        return ""
    joint, single = verdicts.tuning.trials[method], verdicts.tuning.trials[STL]
    if joint == single == 0:
        return ""
    mark = "" if joint == single else f" {UNEQUAL}"
    return f"tuned by {joint} trial{'s' * (joint != 1)}, STL by {single}{mark}"


def verdict_class(verdict: Verdict) -> str:
    """`helped`, `hurt`, `level` (or too little to matter) or `unknown`."""
    if verdict.helped or verdict.hurt:
        return verdict.word.lower()
    return "level" if verdict.level else "unknown"


def tally(rows: Sequence[Row]) -> str:
    """`3 helped, 2 hurt, 4 are level and 6 are not known`."""
    counts = Counter(verdict_class(row.verdict) for row in rows)
    little = any(row.verdict.matters is False for row in rows)
    said = {
        "helped": f"{counts['helped']} helped",
        "hurt": f"{counts['hurt']} hurt",
        "level": f"{_are(counts['level'])} level" + " or too little to matter" * little,
        "unknown": f"{_are(counts['unknown'])} not known",
    }
    return listed([text for key, text in said.items() if counts[key] or key in ("helped", "hurt")])


def _are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"


def margin_text(verdicts: Verdicts) -> str:
    """`±1 %`, or where tasks have their own `±1 % (fault ±2 %)`."""
    usual = 100 * (DEFAULT_MARGIN if isinstance(verdicts.margin, dict) else verdicts.margin)
    own = verdicts.margin if isinstance(verdicts.margin, dict) else {}
    named = [f"{task} ±{100 * share:g} %" for task, share in own.items()]
    return f"±{usual:g} %" + (f" ({briefly(named)})" if named else "")


def count_text(value: Number) -> str:
    """A whole number with separators: `52,386`."""
    return DASH if value is None or not known(value) else f"{value:,.0f}"


def quantity_text(value: Number) -> str:
    """A measured quantity with about three digits."""
    if value is None or not known(value):
        return DASH
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else ""


def briefly(names: Sequence[str], most: int = 6) -> str:
    """Names as `listed`, but of many only the first: `a, b, c and 12 more`."""
    return listed(names) if len(names) <= most else f"{', '.join(names[:most])} and {len(names) - most} more"


def confidence_text(verdicts: Verdicts) -> str:
    """The intervals' confidence: `95 %`."""
    return f"{100 * verdicts.confidence:g} %"


def _covered(verdicts: Verdicts) -> list[str]:
    """Sentences on the randomness that the intervals cover."""
    seeds = len(verdicts.seeds)
    shown = f"Intervals ({confidence_text(verdicts)}, paired over {seeds} seed{'s' * (seeds != 1)})"
    if not has_new_data(verdicts):
        said = [f"{shown} cover training randomness, not the choice of test data."]
    else:
        rest = "training alone" if verdicts.interval == "training" else "the wider of both"
        said = [
            f"{shown} cover training randomness, those for new data also the choice of test data. Verdicts rest on "
            f"{rest}; Δm covers training alone."
        ]
    missing: dict[str, list[str]] = {}
    for row in verdicts.rows if verdicts.interval == "widest" and seeds > 1 else []:
        tasks = missing.setdefault(row.no_new_data, []) if row.no_new_data else []
        if row.task not in tasks:
            tasks.append(row.task)
    return said + [f"Verdicts on {briefly(tasks)} cover training alone: {reason}." for reason, tasks in missing.items()]


def _meaning(verdicts: Verdicts) -> list[str]:
    """Sentences on the words of the verdicts that stand there."""
    level = f", or lies within the margin of {margin_text(verdicts)} (LEVEL)" if verdicts.margin != 0 else ""
    said = [
        f"A verdict holds after allowing for all {len(verdicts.rows)} comparisons (Holm): the interval, so widened, "
        f"excludes zero (HELPED, HURT){level}."
    ]
    if any(row.verdict.open == "seeds" and row.verdict.seeds_needed is not None for row in verdicts.rows):
        said.append(
            "not known, with a number: so many seeds show a change as large as the one seen, or as the margin if that "
            "is larger, with a probability of 80 %."
        )
    if any(row.change.sign and row.verdict.open in ("seeds", "test data") for row in verdicts.rows):
        wider = "the wider of both, so widened, holds it" if has_new_data(verdicts) else "the widened one holds it"
        said.append(f"not known, though an interval shown excludes zero: {wider}.")
    if any(row.verdict.open == "test data" for row in verdicts.rows):
        said.append("not known, (more test) data: no number of seeds would show such a change on these test data.")
    return said


def notes(verdicts: Verdicts) -> list[str]:
    """Sentences that every reader of the intervals has to know."""
    seeds = len(verdicts.seeds)
    said = [verdicts.quick.text] if verdicts.quick is not None else [*_covered(verdicts), *_meaning(verdicts)]
    if verdicts.quick is None and seeds < MIN_SEEDS:
        said.append(f"Only {seeds} seed{'s' * (seeds != 1)}: a verdict needs {MIN_SEEDS}, so none is known.")
    said += verdicts.data
    said += [*simple_note(verdicts), *lost_note(verdicts), *blind_note(verdicts)]
    alone = [task.name for task in verdicts.tasks if task.alone]
    if len(alone) < len(verdicts.tasks):
        count = len(verdicts.tasks)
        said.append(
            f"Only {briefly(alone)} trained alone (baseline.tasks). Without a single-task model to compare with, "
            f"and so without a verdict: {count - len(alone)} of {count} tasks."
        )
    said += [
        f"{method.name} is judged by {method.target} alone, which it trained for a second budget of its own."
        for method in verdicts.methods
        if method.target is not None
    ]
    if verdicts.tuning is not None and not verdicts.tuning.equal:
        said.append(
            f"{UNEQUAL} Unequal budgets of tuning: {counted(verdicts.tuning.trials)} finished trials. "
            "`mtl tune --arms` gives every arm the same number."
        )
    if verdicts.tuning is not None and verdicts.tuning.shared_by is not None:
        arm = "STL" if verdicts.tuning.shared_by == STL else verdicts.tuning.shared_by
        said.append(
            f"What all arms share (train, encoder, tasks) was chosen by a trial of {arm}, not by the others: the best "
            "trial of each arm stands in the study's own page."
        )
    if verdicts.conditional_on_one_pretraining:
        said.append("Conditional on one pretraining: all seeds share it, so its randomness is not in the intervals.")
    return said
