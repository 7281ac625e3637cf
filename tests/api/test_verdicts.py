"""`mtl.verdicts`: the numbers of the pipeline's own verdicts, from plain values, and errors in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mtl
from mtl.api.result import Result
from mtl.errors import UserError
from mtl.evaluation.compare import compare
from mtl.results.samples import ErrorsOf
from tests.api.conftest import unchecked
from tests.evaluation.simulated import make_config, make_runs
from tests.evaluation.test_compare import EFFECTS, planted
from tests.evaluation.test_new_data import Planted

SHARED = ["method", "task", "stl", "joint", "change", "low", "high", "new_data_low", "new_data_high", "verdict",
          "verdict_in_words", "covers"]  # fmt: skip


def wanted(verdicts: Any) -> pd.DataFrame:
    """The frame of verdicts.json."""
    from mtl.api.frames import verdicts_frame

    return verdicts_frame(verdicts)[SHARED]


def values(config: Any, value: Any) -> tuple[dict[str, list[float]], dict[str, dict[str, list[float]]]]:
    """Test metrics of a simulated comparison, as a user holds them."""
    from mtl.paths import RunPath

    seeds = config.base.seeds
    stl = {task: [value(RunPath("baseline", task, "random", seed), task) for seed in seeds] for task in config.tasks}
    joint = {
        name: {task: [value(RunPath("finetune", name, None, seed), task) for seed in seeds] for task in config.tasks}
        for name in config.finetune.methods
    }
    return stl, joint


METRICS = {"short": "mse", "long": "mse", "fault": "accuracy", "coin": "accuracy"}


def test_they_are_those_of_the_pipeline() -> None:
    """Eight rows with planted effects: means, intervals, Holm over all of them, words, to the last digit."""
    config = make_config()
    value = planted(EFFECTS, 0.005)
    stl, joint = values(config, value)
    made = mtl.verdicts(stl, joint, metric=METRICS)
    pd.testing.assert_frame_equal(made[SHARED], wanted(compare(config, make_runs(config, value))), check_exact=True)
    assert set(made.verdict) >= {"HELPED", "HURT"} and list(made.metric)[:4] == list(METRICS.values())


@pytest.mark.parametrize("by_block", [0.002, 0.08])
def test_values_of_samples_also_cover_new_data(by_block: float) -> None:
    config = make_config()
    errors = Planted(config, 0.02, 0.002, by_block)
    lower = {task: METRICS[task] == "mse" for task in config.tasks}

    def of(stage: str, method: str, task: str) -> np.ndarray:
        runs = [errors.errors[ErrorsOf(stage, method, "random", task, seed)] for seed in config.base.seeds]
        return np.stack(runs) if lower[task] else 1 - np.stack(runs)

    stl = {task: of("baseline", "stl", task) for task in config.tasks}
    joint = {name: {task: of("finetune", name, task) for task in config.tasks} for name in config.finetune.methods}
    made = mtl.verdicts(stl, joint, metric=METRICS, blocks=errors.block)
    verdicts = compare(config, make_runs(config, errors.value), errors=errors.read)
    pd.testing.assert_frame_equal(made[SHARED], wanted(verdicts), rtol=1e-9)
    assert set(made.covers) == {"new data"}


def test_they_are_those_of_a_comparison(result: Result) -> None:
    """The files of a small run: its metrics give its verdicts, its losses the intervals for new data."""
    losses = pd.read_parquet(result.folder / "results" / "losses.parquet")

    def side(stage: str, method: str) -> dict[str, np.ndarray]:
        chosen = losses[(losses.stage == stage) & (losses.method == method)]
        made = {}
        for task, metric in {"quality": "mse", "good": "auc"}.items():
            errors = chosen[chosen.task == task].pivot(index="seed", columns="sample", values="error").to_numpy()
            made[task] = errors if metric == "mse" else 1 - errors
        return made

    joint = {name: side("finetune", name) for name in ("equal", "upgrad")}
    made = mtl.verdicts(side("baseline", "stl"), joint, metric={"quality": "mse", "good": "auc"})
    pd.testing.assert_frame_equal(made[SHARED], result.verdicts[SHARED], rtol=1e-6)
    assert set(made.verdict_in_words) == {"not known: too few seeds"}


STL = {"a": [0.50, 0.52, 0.51, 0.49, 0.50], "b": [0.80, 0.81, 0.79, 0.80, 0.82]}
JOINT = {"a": [0.40, 0.41, 0.42, 0.39, 0.40], "b": [0.801, 0.811, 0.789, 0.801, 0.819]}


def test_forms_of_values_give_one_table(tmp_path: Path) -> None:
    """Mappings of lists, arrays, tensors and series, frames, and arrays with names of tasks."""
    told: dict[str, Any] = {"metric": "mse"}
    first = mtl.verdicts(STL, JOINT, **told)
    assert list(first.method) == ["joint", "joint"] and list(first.verdict) == ["HELPED", "LEVEL"]
    stl, joint = pd.DataFrame(STL), pd.DataFrame(JOINT)
    names = {"tasks": ["a", "b"], **told}
    for made in (
        mtl.verdicts(stl, joint, **told),
        mtl.verdicts(stl, JOINT, **told),
        mtl.verdicts(stl, joint.iloc[[3, 1, 0, 4, 2]], **told),  # paired by the seeds of the index
        mtl.verdicts({k: np.array(v) for k, v in STL.items()}, {k: pd.Series(v) for k, v in JOINT.items()}, **told),
        mtl.verdicts(stl.to_numpy(), joint.to_numpy(), **names),
        mtl.verdicts(torch.tensor(stl.to_numpy()), torch.tensor(joint.to_numpy()), **names),
        mtl.verdicts(stl.to_numpy(), {"joint": joint.to_numpy()}, **names),
        mtl.verdicts(STL, {"joint": JOINT}, **told),
    ):
        pd.testing.assert_frame_equal(made, first)
    alone = mtl.verdicts(STL["a"], JOINT["a"], lower_is_better=True)
    assert list(alone.task) == ["task0"] and alone.change[0] == first.change[0] and alone.metric[0] is None


def test_a_method_may_lack_tasks_and_higher_may_be_better() -> None:
    made = mtl.verdicts(STL, {"one": {"a": JOINT["a"]}, "two": JOINT}, metric="my score", lower_is_better=False)
    assert list(zip(made.method, made.task, strict=True)) == [("one", "a"), ("two", "a"), ("two", "b")]
    assert list(made.verdict) == ["HURT", "HURT", "LEVEL"] and set(made.metric) == {"my score"}


def test_few_seeds_and_a_value_of_zero_decide_nothing() -> None:
    made = mtl.verdicts(STL["a"][:3], JOINT["a"][:3], metric="mse")
    assert made.verdict_in_words[0] == "not known: too few seeds"
    made = mtl.verdicts([0.0, *STL["a"][1:]], JOINT["a"], metric="mse")
    assert made.verdict_in_words[0] == "not known: STL is 0"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"metric": None}, "`metric` should be one of mse, mae"),
        ({"metric": "aucc"}, "found 'aucc': `lower_is_better` tells the direction of another"),
        ({"metric": "r2"}, "whose relative change means something for a, found 'r2'"),
        ({"lower_is_better": False}, "`lower_is_better` should be left out for a: of mse, lower is better"),
        ({"metric": 3}, "`metric` should be a name"),
        ({"metric": {"c": "mse"}}, "`metric` should name tasks (a, b), found 'c'"),
        ({"metric": None, "lower_is_better": "yes"}, "`lower_is_better` should be True or False"),
        ({"margin": "1 %"}, "`margin` should be a number from 0 to below 1, found '1 %'"),
        ({"margin": {"c": 0.1}}, "`margin` should name tasks"),
        ({"confidence": 95}, "`confidence` should be a number from 0.5 to below 1, found 95"),
        ({"stl": None}, "`stl` should be an array of numpy or torch, found NoneType"),
        ({"stl": {}}, "`stl` should hold a task at least"),
        ({"stl": {"a": "0.5"}}, "`stl['a']` should be an array of numpy or torch, found str"),
        ({"stl": {"a": ["x"] * 5}}, "`stl['a']` should hold numbers, found"),
        ({"stl": {"a": [1.0], "b": [1.0]}}, "`stl['a']` should hold two seeds or more, found 1"),
        ({"stl": {"a": [0.5, np.nan, 0.5, 0.5, 0.5]}}, "`stl['a']` should hold finite numbers, found nan at [1]"),
        ({"stl": {"a": [-0.5, 0.5, 0.5, 0.5, 0.5]}}, "`stl['a']` should hold metrics from 0 on"),
        ({"stl": {"a": np.ones((5, 2, 2))}}, "found the shape [5, 2, 2]"),
        ({"stl": STL | {"b": [0.5, 0.5]}}, "`stl` should have as many seeds for all tasks, found a 5, b 2"),
        ({"joint": {"a": JOINT["a"][:4]}}, "`joint` should have the 5 seeds of `stl`, with which its runs are paired"),
        ({"joint": {"c": JOINT["a"]}}, "`joint` should hold tasks of `stl` (a, b), found 'c'"),
        ({"joint": {"x": {"a": [1.0, 2.0, 1j, 1.0, 1.0]}}}, "`joint['x']['a']` should hold real numbers"),
        ({"joint": {"a": np.ones((5, 9))}}, "found 9 samples in the place of none for a of joint"),
        ({"joint": np.ones((5, 2)), "stl": np.ones((5, 2)), "tasks": ["a"]}, "`tasks` should be 2 different names"),
        ({"joint": np.ones((5, 2, 2)), "stl": np.ones((5, 2))}, "`joint` should have the shape [n] or [n, K]"),
        ({"stl": pd.DataFrame(STL), "joint": pd.DataFrame(JOINT, index=range(1, 6))}, "runs are paired by seed"),
        ({"tasks": 3, "stl": np.ones((5, 2))}, "`tasks` should be a list of names, found 3"),
        ({"blocks": [0, 1, 2, 3, 4]}, "`blocks` should be left out where metrics alone are given, as for a"),
        ({"stl": {"a": np.ones((5, 9))}, "joint": {"a": np.ones((5, 9))}, "blocks": [1, 2]},
         "each of the 9 test samples"),
    ],
)  # fmt: skip
def test_errors(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as caught:
        unchecked(mtl.verdicts)(**({"stl": STL, "joint": JOINT, "metric": "mse"} | arguments))
    assert told in str(caught.value)
