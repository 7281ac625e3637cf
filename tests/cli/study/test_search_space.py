"""`tune`: which paths may be searched, in which arm, and one message for everything that cannot be."""

from pathlib import Path
from typing import Any

import pytest

from mtl.cli.study.objective import goal_of, standing
from mtl.cli.study.plan import shared_stages
from mtl.cli.study.search_space import STL, arms, check, grid, grid_size, overlaid, space_of
from mtl.config import Config
from mtl.errors import ConfigError, UserError
from tests.cli.study.conftest import config_of
from tests.experiment.conftest import PRETRAINED, configure

FLOAT = {"kind": "float", "low": 0.1, "high": 0.9}
TWO: dict[str, Any] = {
    "finetune": {
        "methods": {
            "joint": {"kind": "weighted", "lambda": 0.3, "schedule": "linear"},
            "learnt": {"kind": "uncertainty"},
        }
    }
}


def searching(path: str, dimension: dict[str, Any] = FLOAT, **changes: Any) -> Config:
    return config_of({"space": {path: dimension}}, **changes)


# (path, what is searched there, part of the message)
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("train.lrr", FLOAT, "train has no 'lrr'; known there: epochs, batch_size, lr"),
    ("trian.lr", FLOAT, "params.yaml has no 'trian'"),
    ("finetune.methods.other.lambda", FLOAT, "finetune.methods has no 'other'; known there: joint"),
    ("train.lr.x", FLOAT, "train.lr has no 'x'"),
    ("train.sampler", FLOAT, "should be the path of a single value, found a section"),
    ("base.seeds", FLOAT, "should be the path of a single value, found a list"),
    ("base.threads", {"kind": "int", "low": 1, "high": 2}, "should be in one of the sections"),
    ("pretrain.lr", FLOAT, "trials share data and pretraining"),
    ("tasks.next.horizon", {"kind": "int", "low": 2, "high": 4}, "changes what is measured"),
    ("train.stopping.default_lambda", FLOAT, "part of the objective"),
    ("train.epochs", FLOAT, "`train.epochs` should be a valid integer"),
    ("train.clip", {"kind": "float", "low": -1.0, "high": 1.0}, "`train.clip` should be greater than 0, found -1.0"),
    ("finetune.methods.joint.lambda", {"kind": "float", "low": 0.5, "high": 1.5}, "less than or equal to 1, found 1.5"),
    ("train.schedule", {"kind": "choice", "values": ["cosine", "steps"]}, "found 'steps'"),
    ("finetune.methods.joint.kind", {"kind": "choice", "values": ["weighted", "uncertainty"]}, "lambda"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "dimension", "said"), WRONG, ids=[f"{path}-{n}" for n, (path, *_) in enumerate(WRONG)]
)
def test_a_path_that_cannot_be_searched_is_one_message(path: str, dimension: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        space_of(searching(path, dimension), "joint")
    assert f"tune.space.{path}" in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("dimension", "said"),
    [
        ({"kind": "float", "low": 0.5, "high": 0.5}, "low should be below high, found 0.5 and 0.5: the range is empty"),
        ({"kind": "int", "low": 3, "high": 2}, "the range is empty"),
        ({"kind": "float", "low": 0, "high": 1, "log": True}, "low should be positive on a logarithmic scale, found 0"),
        ({"kind": "choice", "values": ["cosine"]}, "at least 2 items"),
        ({"kind": "choice", "values": ["cosine", "cosine"]}, "distinct"),
        ({"kind": "uniform", "low": 0, "high": 1}, "should be one of 'float', 'int', 'choice'"),
        ({"low": 0, "high": 1}, "kind` is missing"),
    ],
)
def test_an_impossible_range_is_found_when_the_file_is_read(dimension: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=r"tune\.space") as error:
        searching("train.lr", dimension)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("tune", "said"),
    [
        ({"method": "other"}, "`tune.method` should be one of joint, found 'other'"),
        ({"seeds": [7]}, "`tune.seeds` should be among base.seeds (3, 4), found 7"),
        ({"objectives": ["accuracy", "accuracy"]}, "distinct"),
        ({"objectives": ["error", "accuracy"], "pruner": {"kind": "median"}}, "none with several objectives"),
        ({"objectives": ["error", "forecast_mse"]}, "objectives should be distinct, found ['error', 'error']"),
        ({"objectives": ["speed"]}, "found 'speed'"),
        ({"trials": 0}, "greater than 0"),
        ({"samplr": "tpe"}, "not a known key"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_one_message(tune: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        config_of(tune)
    assert said in str(error.value)


def test_the_older_name_of_an_objective_is_taken() -> None:
    assert config_of({"objectives": ["forecast_mse"]}) == config_of({"objectives": ["error"]})


def test_objectives_need_tasks_of_their_kind() -> None:
    labels = {"phase": {"kind": "classification", "source": "line", "input_len": 8, "label": "phase"},
              "up": {"kind": "binary", "source": "line", "input_len": 8, "label": "up"}}  # fmt: skip
    methods = {"methods": {"learnt": {"kind": "uncertainty"}}}
    for tune in ({"objectives": ["error"]}, {"tolerance": 0.05}):
        with pytest.raises(UserError, match="no main task is a forecast or regression"):
            check(config_of(tune, tasks=labels, finetune=methods), ["learnt"])


def test_without_a_section_lambda_schedule_learning_rate_and_decay_are_searched() -> None:
    config = configure(**TWO)
    assert set(space_of(config, "joint")) == {
        "finetune.methods.joint.lambda", "finetune.methods.joint.schedule", "train.lr", "train.weight_decay",
    }  # fmt: skip
    assert set(space_of(config, "learnt")) == set(space_of(config, STL)) == {"train.lr", "train.weight_decay"}
    assert arms(config, every=False) == ["joint"]
    assert arms(config, every=True) == [STL, "joint", "learnt"]


def test_an_arm_searches_no_path_of_another() -> None:
    space = {"finetune.methods.joint.lambda": FLOAT, "train.lr": FLOAT}
    config = config_of({"space": space}, **TWO)
    assert set(space_of(config, "joint")) == set(space)
    assert set(space_of(config, "learnt")) == {"train.lr"}
    only = config_of({"space": {"finetune.methods.joint.lambda": FLOAT}}, **TWO)
    with pytest.raises(ConfigError, match="nothing to search for learnt"):
        space_of(only, "learnt")


def test_a_method_can_be_tuned_without_its_baselines() -> None:
    path = "finetune.methods.joint.train.lr"
    config = config_of({"space": {path: FLOAT}}, **TWO)
    assert set(space_of(config, "joint")) == {path}
    changed = overlaid(config, {path: 0.5})
    assert (changed.finetune.methods["joint"].train.lr, changed.train) == (0.5, config.train)


def test_what_pretraining_depends_on_is_not_searched_from_its_weights() -> None:
    methods = {"methods": {"joint": {"kind": "weighted", "lambda": 0.3, "init": "pretrained"}}}
    config = searching("encoder.dropout", **PRETRAINED, finetune=methods)
    with pytest.raises(ConfigError, match="joint starts from pretrained weights that all trials share"):
        space_of(config, "joint")
    assert set(space_of(searching("encoder.dropout"), "joint")) == {"encoder.dropout"}


def test_what_single_task_runs_depend_on_is_not_searched_where_they_are_read() -> None:
    """Else the applied values would change them, and with them what the trial was."""
    stopping = {"train": {"epochs": 1, "stopping": {"criterion": "constrained"}}}
    eased = {"finetune": {"methods": {"joint": {"kind": "weighted", "lambda": 0.3, "curriculum": {"start": 0.5}}}}}
    for changes in (stopping, eased):
        config = searching("train.lr", **changes)
        with pytest.raises(ConfigError, match="runs of joint read single-task runs"):
            space_of(config, "joint")
        assert set(space_of(config, STL)) == {"train.lr"}
        assert set(space_of(configure(**changes), "joint")) == {
            "finetune.methods.joint.lambda", "finetune.methods.joint.schedule",
        }  # fmt: skip
        assert "baseline" in shared_stages(config, ["joint"])
    assert shared_stages(config_of(), ["joint"]) == ["prepare@line"]
    choices = {"kind": "choice", "values": ["combined", "constrained"]}
    with pytest.raises(ConfigError, match="runs of joint read single-task runs"):
        space_of(searching("train.stopping.criterion", choices), "joint")


def test_the_grid_holds_both_ends_of_every_range() -> None:
    space = config_of({"space": {
        "train.lr": {"kind": "float", "low": 1e-4, "high": 1e-2, "log": True, "points": 3},
        "train.epochs": {"kind": "int", "low": 1, "high": 3},
        "train.clip": {"kind": "choice", "values": [None, 1.0]},
    }}).tune.space  # fmt: skip
    assert space is not None
    found = grid(space)
    assert found["train.lr"] == pytest.approx([1e-4, 1e-3, 1e-2])
    assert (found["train.lr"][0], found["train.lr"][-1]) == (1e-4, 1e-2)
    assert found["train.epochs"] == [1, 2, 3]
    assert found["train.clip"] == [None, 1.0]
    assert grid_size(space) == 18


def test_a_grid_has_a_bound() -> None:
    with pytest.raises(ConfigError, match="at most 10,000 points in a grid, found 100,000,000"):
        space_of(config_of({"sampler": "grid", "space": {
            "train.batch_size": {"kind": "int", "low": 2, "high": 100_000_001},
        }}), "joint")  # fmt: skip


def test_values_laid_over_a_configuration_are_checked_together() -> None:
    config = config_of()
    changed = overlaid(config, {"train.lr": 0.5, "finetune.methods.joint.lambda": 1.0, "train.clip": None})
    assert (changed.train.lr, changed.train.clip) == (0.5, None)
    assert changed.model_dump()["finetune"]["methods"]["joint"]["lam"] == 1.0
    assert overlaid(config, {}) == config
    with pytest.raises(ConfigError, match="encoder"):
        overlaid(config, {"encoder.heads": 3})


def test_a_label_counts_by_its_own_metric(tmp_path: Path) -> None:
    """As in the choice of an epoch."""
    tasks = configure().model_dump(mode="json", by_alias=True)["tasks"]
    tasks["up"] |= {"class_weights": "balanced"}
    del tasks["next"]
    config = config_of({"objectives": ["accuracy"]}, tasks=tasks, finetune={"methods": {"joint": {"kind": "equal"}}})
    goal = goal_of(config, "joint", [3], tmp_path)
    found = {"phase": {"accuracy": 0.5, "balanced_accuracy": 0.1}, "up": {"accuracy": 0.2, "balanced_accuracy": 0.7}}
    assert goal.values(found) == [pytest.approx(0.6)]
    assert goal.values(standing(goal, [{"phase": {"accuracy": 0.5}}])) == [0.25], "a label that is not trained yet"


def test_a_label_counts_in_the_direction_of_its_metric(tmp_path: Path) -> None:
    tasks = configure().model_dump(mode="json", by_alias=True)["tasks"]
    tasks["up"] |= {"metric": "brier"}
    del tasks["next"]
    config = config_of({"objectives": ["accuracy"]}, tasks=tasks, finetune={"methods": {"joint": {"kind": "equal"}}})
    goal = goal_of(config, "joint", [3], tmp_path)
    phase, better, worse = {"accuracy": 0.5}, {"brier": 0.1}, {"brier": 0.3}
    assert goal.values({"phase": phase, "up": better}) == [pytest.approx((0.5 + 0.9) / 2)]
    assert goal.values({"phase": phase, "up": better}) > goal.values({"phase": phase, "up": worse})
    assert goal.values(standing(goal, [{"phase": phase}])) == [0.25], "the worst that there is"
