"""Networks against simple models: a planted loss is marked on the side that it holds for, and nothing else is."""

import pytest

from mtl.config import Config
from mtl.evaluation.compare import compare
from mtl.evaluation.simple import loses
from mtl.paths import RunPath
from mtl.results.record import Run
from mtl.results.statistics import Interval
from mtl.results.verdicts import OverSimple, Verdicts
from tests.evaluation.simulated import make_config, make_runs, simple_runs
from tests.helpers.records import changed

JITTER = (0.002, -0.003, 0.002, -0.001, 0.0)
SIMPLE = {"short": 0.5, "long": 0.8, "fault": 0.8, "coin": 0.5}


def value(path: RunPath, task: str) -> float:
    """Alone `short` loses 20 % to the simple model and `fault` 10 %; joint training mends `fault`. `long` is 10 %
    better than it, `coin` level."""
    jitter = JITTER[path.seed % 5]
    match task, path.stage:
        case "short", _:
            return 0.6 + jitter
        case "fault", "baseline":
            return 0.72 + jitter
        case "fault", _:
            return 0.84 + jitter
        case "long", _:
            return 0.72 + jitter
        case _:
            return 0.5 + jitter / 10


def judged(config: Config, simple: dict[str, float], optimum: dict[str, float] | None = None) -> Verdicts:
    return compare(config, [*make_runs(config, value, optimum), *simple_runs(config, simple)])


def over(verdicts: Verdicts, task: str, method: str = "joint") -> OverSimple | None:
    return next(row for row in verdicts.rows if (row.method, row.task) == (method, task)).simple


@pytest.mark.parametrize(
    ("interval", "marked"),
    [
        (Interval(mean=-9.0, low=-12.0, high=-6.0, n=5), True),
        (Interval(mean=-9.0, low=-20.0, high=2.0, n=5), False),  # chance would give it
        (Interval(mean=-0.8, low=-0.9, high=-0.7, n=5), False),  # too little to matter
        (Interval(mean=-1.2, low=-1.9, high=-0.5, n=5), True),
        (Interval(mean=9.0, low=6.0, high=12.0, n=5), False),
        (Interval(mean=-9.0, low=-90.0, high=72.0, n=2), True),  # too few seeds: the mean is asked
        (Interval(mean=-9.0, low=None, high=None, n=1), True),
        (Interval(mean=None, low=None, high=None, n=0), False),  # a value of 0 leaves the change undefined
    ],
)
def test_a_loss_is_one_beyond_the_margin_and_beyond_chance(interval: Interval, marked: bool) -> None:
    assert loses(interval, 0.01) == marked


def test_rows_say_which_side_loses() -> None:
    config = make_config()
    verdicts = judged(config, SIMPLE)
    short, fault, long, coin = (over(verdicts, task) for task in ("short", "fault", "long", "coin"))
    assert short is not None and fault is not None and long is not None and coin is not None
    assert short.loses == ["STL", "joint"] and fault.loses == ["STL"] and long.loses == coin.loses == []
    assert short.stl is not None and short.stl.mean == pytest.approx(-20.0) and short.stl.n == 5
    assert fault.stl is not None and fault.stl.mean == pytest.approx(-10.0)
    assert fault.joint.mean == pytest.approx(5.0) and long.joint.mean == pytest.approx(10.0)
    assert coin.joint.low is not None and coin.joint.high is not None and coin.joint.low <= 0 <= coin.joint.high


def test_the_simple_model_stands_beside_each_task() -> None:
    config = make_config()
    tasks = {task.name: task.simple for task in judged(config, SIMPLE, {"short": 0.4, "long": 0.6}).tasks}
    short, long, fault = tasks["short"], tasks["long"], tasks["fault"]
    assert short is not None and long is not None and fault is not None
    assert (short.model, short.by_seed, short.summary.values) == ("ridge", ["ridge"] * 5, [0.5] * 5)
    assert short.gap is not None and short.gap.mean == pytest.approx(0.5), "half of the way from .6 to .4"
    assert long.gap is not None and long.gap.mean == pytest.approx(-2 / 3), "behind the network, away from .6"
    assert fault.gap is None, "no optimum is known"


def test_without_simple_models_nothing_is_said() -> None:
    config = make_config()
    verdicts = judged(config, {})
    assert all(task.simple is None for task in verdicts.tasks) and all(row.simple is None for row in verdicts.rows)
    assert "simple" not in verdicts.plain()["tasks"][0] and "simple" not in verdicts.plain()["rows"][0]
    partly = judged(config, {"short": 0.5})
    assert [task.name for task in partly.tasks if task.simple is not None] == ["short"]


def test_a_task_without_a_single_task_model_has_a_joint_side_alone() -> None:
    config = make_config(baseline={"tasks": ["fault"]})
    (entry,) = [row for row in judged(config, SIMPLE).unpaired if (row.method, row.task) == ("joint", "short")]
    assert entry.simple is not None and entry.simple.stl is None and entry.simple.loses == ["joint"]


def test_seeds_may_choose_different_models() -> None:
    config = make_config()
    runs = simple_runs(config, {"short": 0.5})
    other = {"model": "persistence", "candidates": {"persistence": 0.4, "ridge": 0.5}}
    runs[0] = changed(runs[0], simple=other)
    (task,) = [task for task in compare(config, [*make_runs(config, value), *runs]).tasks if task.name == "short"]
    assert task.simple is not None and task.simple.model == "ridge"
    assert task.simple.by_seed == ["persistence", *["ridge"] * 4]


def test_a_network_that_differs_by_seed_is_paired_with_the_model_of_its_seed() -> None:
    """Both vary with the fold; the difference does not."""
    config = make_config()

    def of_fold(runs: list[Run]) -> list[Run]:
        return [
            run.model_copy(update={"test": {task: {**values, "mse": values["mse"] * (1 + run.seed)}
                                            if "mse" in values else values for task, values in run.test.items()}})
            for run in runs
        ]  # fmt: skip

    flat = make_runs(config, lambda path, task: 0.55)
    (row, *_) = compare(config, of_fold([*flat, *simple_runs(config, {"short": 0.5})])).rows
    assert row.task == "short" and row.simple is not None and row.simple.stl is not None
    assert row.simple.stl.low == pytest.approx(-10.0) and row.simple.stl.high == pytest.approx(-10.0)
