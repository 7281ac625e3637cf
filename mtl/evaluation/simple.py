"""Networks against the simple model of their task: ridge, boosted trees and the like, of which validation data chose
one. A comparison of networks that lose to it answers nobody's question, so each side that does is marked.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from mtl.evaluation.comparison import Comparison
from mtl.evaluation.limits import MIN_SEEDS
from mtl.results.record import Run
from mtl.results.statistics import Interval
from mtl.results.verdicts import OverSimple, Side


def loses(over: Interval, margin: float) -> bool:
    """True when runs lose to the simple model by more than the margin.

    Args:
        over: interval of their change against it in percent; positive is better.
        margin: share of the metric that is too little to matter.

    Returns:
        True when the mean lies beyond the margin and the interval, which covers seeds alone, below 0; with too few
        seeds for a verdict, when the mean does.
    """
    if over.mean is None or over.mean >= -100 * margin:
        return False
    return over.n < MIN_SEEDS or over.high is None or over.high < 0


def over_simple(made: Comparison, task: str, sides: Mapping[Side, Sequence[Run]]) -> OverSimple | None:
    """Each side against the simple model; None where the task has none."""
    models = made.simple(task)
    if not models:
        return None
    before = made.values(models, task)
    over = {side: made.interval(made.changes(task, before, made.values(runs, task))) for side, runs in sides.items()}
    return OverSimple(
        stl=over.get("STL"),
        joint=over["joint"],
        loses=[side for side, change in over.items() if loses(change, made.config.evaluate.margin_of(task))],
    )


def most_chosen(models: Sequence[Run]) -> str:
    """Name of the simple model that most seeds chose, the first seed's among equals."""
    names = Counter(run.simple.model for run in models if run.simple is not None)
    return names.most_common(1)[0][0]
