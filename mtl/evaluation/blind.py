"""Networks that are not shown to be better than a predictor that has seen no input: one that says the mean of the
training targets, or the most frequent class, of every sample.
"""

from collections.abc import Sequence

from mtl.config.metrics import METRICS
from mtl.evaluation.comparison import Comparison
from mtl.evaluation.limits import MIN_SEEDS, RARE
from mtl.evaluation.symptoms import line
from mtl.results.record import Run
from mtl.results.statistics import Interval
from mtl.results.verdicts import EvidenceLine, Row, Unpaired, Verdicts

ASPECT = "better than no input?"
TRIES = "see whether its inputs can tell of it; then more `train.epochs`, another `train.lr`, or a wider encoder"


def is_blind(gain: Interval) -> bool:
    """Judges that runs are not shown to be better than a predictor that has seen no input.

    Args:
        gain: how much better their metric is than that predictor's; positive is better.

    Returns:
        True when the interval reaches 0; with too few seeds for a verdict, when the mean is not above 0.
    """
    if gain.mean is None:
        return False
    return gain.mean <= 0 if gain.n < MIN_SEEDS or gain.low is None else gain.low <= 0


def blind_lines(made: Comparison, verdicts: Verdicts) -> list[EvidenceLine]:
    """A line for each single-task model, and for each joint one of numbers, that is not shown to be better. Of labels,
    the symptoms of joint methods hold that line already.

    Args:
        made: all runs.
        verdicts: rows of every method.
    """
    config = made.config
    lines = []
    for task in config.baseline_tasks:
        start = config.baseline.starts[0].label
        lines += _line(made, "STL", made.stl(task, start), task)
    judged: list[Row | Unpaired] = [*verdicts.rows, *verdicts.unpaired]
    for row in judged:
        if config.tasks[row.task].family == "regression":
            lines += _line(made, row.method, made.joint(row.method), row.task)
    return lines


def _line(made: Comparison, arm: str, runs: Sequence[Run], task: str) -> list[EvidenceLine]:
    gain = made.gain_over_no_input(runs, task)
    if not is_blind(gain):
        return []
    spec = made.config.tasks[task]
    title = METRICS[spec.primary_metric].title
    reached = made.interval(made.values(runs, task)).mean
    least = made.interval([value for run in runs if (value := made.no_input(run, task)) is not None]).mean
    assert reached is not None and least is not None, "there is a gain"
    best = made.optimum(task)
    text = f"{title} {reached:.3f}, without any input {least:.3f}"
    says: str | None = TRIES
    if best is not None and abs(best - least) <= RARE * (abs(least) if spec.lower_is_better else 1):
        text, says = f"{text}; the best that is possible is {best:.3f}", None
    rule = f"interval of the gain in {title} over a prediction that has seen no input reaches 0"
    sure = f"{gain.n} seed{'' if gain.n == 1 else 's'}"
    if gain.n < MIN_SEEDS:
        sure += f"; fewer than {MIN_SEEDS} decide nothing: the mean is asked instead"
    return [line(ASPECT, f"{arm}: {task}", text, rule, says, sure)]
