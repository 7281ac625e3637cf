"""Verdicts, tolerances and gaps of single rows: known answers."""

import pytest

from mtl.evaluation.compare import compare
from mtl.evaluation.rows import gap_closed, within
from mtl.paths import RunPath
from mtl.results.statistics import Interval

from .simulated import make_config, make_runs
from .test_compare import row


def interval(mean: float, low: float | None, high: float | None, n: int = 5) -> Interval:
    return Interval(mean=mean, low=low, high=high, n=n)


@pytest.mark.parametrize(
    ("ratio", "lower_is_better", "words"),
    [
        (interval(1.02, 1.0, 1.05), True, "yes"),
        (interval(1.1, 1.051, 1.2), True, "no"),
        (interval(1.04, 1.0, 1.06), True, "not known"),
        (interval(0.5, 0.4, 0.6), True, "yes"),
        (interval(0.98, 0.95, 1.0), False, "yes"),
        (interval(0.9, 0.8, 0.949), False, "no"),
        (interval(0.96, 0.94, 1.0), False, "not known"),
        (interval(1.5, 1.4, 1.6), False, "yes"),
        (interval(1.0, 0.99, 1.01, n=4), True, "not known"),
        (interval(1.0, None, None, n=1), True, "not known"),
    ],
)
def test_within_tolerance_needs_the_whole_interval(ratio: Interval, lower_is_better: bool, words: str) -> None:
    assert within(ratio, 0.05, lower_is_better) == words


def test_a_tolerance_of_its_own_may_be_any_tasks() -> None:
    """The label loses 4 % of its accuracy; the forecast, which is not named, has a ratio and no answer."""

    def value(path: RunPath, task: str) -> float:
        level = 0.5 + 0.0001 * (path.seed % 2)
        return level * (0.96 if task == "fault" and path.stage == "finetune" else 1.0)

    for tolerance, answer in ((0.05, "yes"), (0.03, "no")):
        config = make_config(evaluate={"tolerance": {"fault": tolerance}})
        verdicts = compare(config, make_runs(config, value))
        fault, short = row(verdicts, "joint", "fault"), row(verdicts, "joint", "short")
        assert fault.within_tolerance == answer
        assert fault.ratio is not None and fault.ratio.mean == pytest.approx(0.96)
        assert short.ratio is not None and short.within_tolerance is None
        assert row(verdicts, "joint", "coin").ratio is None
        assert verdicts.tolerance == {"fault": tolerance}
        assert (verdicts.tolerance_of("fault"), verdicts.tolerance_of("short")) == (tolerance, None)


def test_gap_closed_in_both_directions() -> None:
    stl, joint = [0.70, 0.71, 0.69], [0.80, 0.81, 0.79]
    half = pytest.approx({"mean": 0.5, "low": 0.5, "high": 0.5})
    for found in (gap_closed(stl, joint, 0.9, False, 0.95), gap_closed(joint, stl, 0.6, True, 0.95)):
        assert found is not None and found.plain() == half
    worse = gap_closed(stl, [0.6, 0.6, 0.6], 0.9, False, 0.95)
    assert worse is not None and worse.mean == pytest.approx(-0.5)
    single = gap_closed([0.7], [0.8], 0.9, False, 0.95)
    assert single is not None and single.mean == pytest.approx(0.5) and single.low is single.high is None


@pytest.mark.parametrize(
    ("stl", "optimum"),
    [
        ([0.70, 0.71, 0.69], None),
        ([0.70, 0.71, 0.69], 0.70),  # at the optimum
        ([0.70, 0.71, 0.69], 0.60),  # beyond it
        ([0.700, 0.7001, 0.6999], 0.705),  # gap below 1 %
        ([0.40, 0.50, 0.60], 0.55),  # gap below the seeds' spread
    ],
)
def test_a_gap_without_meaning_has_no_share(stl: list[float], optimum: float | None) -> None:
    assert gap_closed(stl, [0.8, 0.8, 0.8], optimum, False, 0.95) is None
