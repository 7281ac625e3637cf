"""Networks against simple models: a planted loss is marked on the side that it holds for, and nothing else is."""

import pytest

from mtl.config import Config
from mtl.evaluation.compare import compare
from mtl.evaluation.mend import simple_lines
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


def test_the_advice_begins_with_the_network() -> None:
    verdicts = judged(make_config(), SIMPLE)
    assert verdicts.advice.startswith(
        "The networks lose to ridge by 20 % on short and 10 % on fault (trained alone): mend the network before "
        "asking what to train together. Try `linear: {channels: one}` of tasks.short, a start at ridge regression; "
        "`encoder: {kind: recurrent}`, which reads all channels together and keeps their levels; `train.average: "
        "{kind: ema}`, weights averaged over the steps; more `train.epochs`, another `train.lr` or a wider encoder. "
        "For the networks as they are: "
    )
    assert "train jointly with joint (+" in verdicts.advice


def test_networks_that_pass_are_spoken_of_at_once() -> None:
    for simple in ({}, {"short": 0.7, "long": 0.8, "fault": 0.7}, {"short": 0.598, "coin": 0.9}):
        assert judged(make_config(), simple).advice.startswith("Train jointly with joint"), simple


def test_a_task_is_named_with_the_model_that_it_loses_to() -> None:
    config = make_config()
    runs = [
        *make_runs(config, value),
        *simple_runs(config, {"short": 0.5}),
        *simple_runs(config, {"fault": 0.9}, "boosting"),
    ]
    text = compare(config, runs).advice
    assert text.startswith("The networks lose to ridge by 20 % on short, to boosting by 20 % on fault: mend")


def test_two_seeds_are_called_too_few() -> None:
    text = judged(make_config((0, 1)), {"short": 0.5}).advice
    assert text.startswith("By 2 seeds, too few to be sure, the networks lose to ridge by 20 % on short: mend")


def test_of_many_tasks_those_that_lose_most_are_named() -> None:
    names = [f"task_{number:02}" for number in range(20)]
    tasks = {name: {"kind": "forecast", "source": "plant", "input_len": 48, "horizon": 6} for name in names}
    config = make_config(tasks=tasks, finetune={"methods": {"joint": {"kind": "equal"}}})
    runs = make_runs(config, lambda path, task: 1.0 + 0.01 * names.index(task))
    text = compare(config, [*runs, *simple_runs(config, dict.fromkeys(names, 0.9))]).advice
    start = text.partition(": mend")[0]
    assert start.startswith("The networks lose to ridge by 27 % on task_14, 28 % on task_15,")
    assert start.endswith("32 % on task_19, and on 14 tasks more")


def test_evidence_says_of_each_network_what_was_measured() -> None:
    config = make_config()
    lines = {line.about: line for line in simple_lines(config, judged(config, SIMPLE))}
    assert list(lines) == ["STL: short", "STL: long", "STL: fault", "STL: coin"]
    short, long = lines["STL: short"], lines["STL: long"]
    assert short.measured == "MSE 0.600, ridge 0.500: −20.0 %" and short.says is not None
    assert "its mean below −1.0 %" in short.rule and short.sure.startswith("95 % interval [−20.")
    assert long.measured == "MSE 0.720, ridge 0.800: +10.0 %" and long.says is None
    assert lines["STL: coin"].says is None


def test_a_method_that_falls_behind_the_simple_model_is_told_apart() -> None:
    config = make_config()

    def hurt(path: RunPath, task: str) -> float:
        return value(path, task) * (1.3 if (path.name, task) == ("learned", "long") else 1.0)

    verdicts = compare(config, [*make_runs(config, hurt), *simple_runs(config, {"long": 0.8})])
    lines = {line.about: line.says for line in simple_lines(config, verdicts)}
    assert lines == {"STL: long": None, "learned: long": "keep long out of learned"}
    assert "lose to" not in verdicts.advice


def test_without_a_single_task_model_all_networks_have_to_lose() -> None:
    config = make_config(baseline={"tasks": ["fault"]})
    verdicts = judged(config, {"short": 0.5, "long": 0.8})
    assert verdicts.advice.startswith("The networks lose to ridge by 20 % on short: mend")
    assert [line.about for line in simple_lines(config, verdicts)] == ["joint: short", "learned: short"]


def test_only_what_the_settings_leave_is_tried() -> None:
    tasks = make_config().model_dump(mode="json", by_alias=True)["tasks"]
    tasks["short"]["linear"] = {"channels": "one"}
    train = {"average": {"kind": "ema"}}
    config = make_config(tasks=tasks, encoder={"kind": "recurrent"}, train=train)
    first = judged(config, SIMPLE).advice.partition(" For the networks")[0]
    assert first.endswith("together. Try more `train.epochs`, another `train.lr` or a wider encoder.")


def test_random_kernels_that_win_are_tried_below_a_network() -> None:
    for encoder, tried in (({"kind": "recurrent"}, True), ({"kind": "rocket", "dilations": [1, 2]}, False)):
        config = make_config(encoder=encoder)
        runs = [*make_runs(config, value), *simple_runs(config, {"fault": 0.9}, "kernels")]
        assert ("Try `encoder: {kind: rocket}`, random kernels" in compare(config, runs).advice) == tried


@pytest.mark.parametrize(
    ("section", "tried"),
    [
        ({"kind": "classification"}, True),
        ({"kind": "classification", "linear": {"kernels": 10}}, False),
        ({"kind": "binary"}, False),  # has no such start
    ],
)
def test_a_label_that_loses_to_random_kernels_may_start_at_them(section: dict[str, object], tried: bool) -> None:
    tasks = make_config().model_dump(mode="json", by_alias=True)["tasks"]
    label = {name: held for name, held in tasks["fault"].items() if name in ("source", "input_len", "label")}
    config = make_config(tasks=tasks | {"fault": label | section})
    runs = [*make_runs(config, value), *simple_runs(config, {"fault": 0.9}, "kernels")]
    advice = compare(config, runs).advice
    assert ("`linear: {kernels: 1000}` of tasks.fault, a start at their ridge regression" in advice) == tried


def test_tasks_on_rows_of_a_table_may_start_at_the_model_that_wins() -> None:
    tasks: dict[str, dict[str, object]] = {
        "number": {"kind": "regression", "target": "n"}, "other": {"kind": "regression", "target": "o"},
        "yes": {"kind": "binary", "label": "y"}, "class": {"kind": "classification", "label": "c"},
        "begun": {"kind": "binary", "label": "z", "linear": {}},
    }  # fmt: skip
    rows = {"kind": "table", "path": "data/raw/rows.csv"}
    config = make_config(
        prepare={"sources": {"rows": rows}}, encoder={"kind": "tabular"},
        tasks={name: task | {"source": "rows"} for name, task in tasks.items()},
        finetune={"methods": {"joint": {"kind": "equal"}}},
    )  # fmt: skip

    def advised(losers: dict[str, str]) -> str:
        runs = make_runs(config, value)
        for task, model in losers.items():
            worst = 0.1 if task in ("number", "other") else 0.99
            runs += simple_runs(config, {task: worst}, model)
        return compare(config, runs).advice.partition("For the networks as")[0]

    both = advised({"number": "ridge", "other": "ridge", "yes": "logistic", "class": "logistic"})
    assert "`linear: {}` of the tasks that lose to ridge, a start at ridge regression; " in both
    assert "`linear: {}` of the tasks that lose to logistic, a start at logistic regression; " in both
    assert "`linear: {}` of tasks.yes, a start at logistic regression; " in advised({"yes": "logistic"})
    for losers in ({"begun": "logistic"}, {"number": "boosting"}):
        assert "Try " in advised(losers) and "linear" not in advised(losers)


def test_a_loss_that_the_spread_of_seeds_leaves_open_is_looked_at() -> None:
    """Four seeds are level with the simple model, one has not learnt."""
    config = make_config()
    runs = make_runs(config, lambda path, task: 0.4 if (path.seed, task) == (3, "fault") else 0.8)
    verdicts = compare(config, [*runs, *simple_runs(config, {"fault": 0.8})])
    (line,) = simple_lines(config, verdicts)
    assert line.about == "STL: fault" and line.measured.endswith("−10.0 %")
    assert line.says == "compare its seeds: their mean loses, their spread leaves it open"
    assert "lose to" not in verdicts.advice
