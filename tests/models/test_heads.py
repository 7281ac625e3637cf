"""Inputs of heads: amplitude, targets, pooled channels, batches of one, dropout of a task."""

import pytest
import torch

from mtl.config import EncoderConfig, LinearEncoder, TimeDartEncoder
from mtl.config.encoder_base import ClassificationHead
from mtl.models.build import build_model
from mtl.tasks.base import TaskSpec
from tests.models.cases import CHANNELS, LENGTH, task


def encoder(kind: str, dropout: float = 0.0, **head: object) -> EncoderConfig:
    classification = ClassificationHead(**head)  # type: ignore[arg-type]
    if kind == "linear":
        return LinearEncoder(kind="linear", input_len=LENGTH, width=32, dropout=dropout, classification=classification)
    return TimeDartEncoder(
        kind="timedart", d_model=16, heads=2, layers=1, dropout=dropout, classification=classification
    )


@pytest.mark.parametrize("kind", ["timedart", "linear"])
@pytest.mark.parametrize("amplitude", [True, False])
def test_scale_and_level_of_a_window_matter_with_the_amplitude_branch_alone(kind: str, amplitude: bool) -> None:
    model = build_model(encoder(kind, amplitude=amplitude), [task("classification")], seed=0).eval()
    x = torch.randn(6, CHANNELS, LENGTH)
    x -= x.mean(-1, keepdim=True)
    with torch.no_grad():
        plain, scaled, shifted = (model(v, ["task"])["task"] for v in (x, 3 * x, 5 + x))
    assert torch.allclose(plain, scaled, rtol=0, atol=1e-3) != amplitude
    assert torch.allclose(plain, shifted, rtol=0, atol=1e-3) != amplitude


@pytest.mark.parametrize("kind", ["timedart", "linear"])
def test_training_batch_of_one_uses_and_keeps_running_statistics(kind: str) -> None:
    model = build_model(encoder(kind), [task("binary")], seed=0)
    model(5 + 3 * torch.randn(64, CHANNELS, LENGTH), ["task"])
    before = {k: v.clone() for k, v in model.state_dict().items() if "running" in k}
    assert before
    one = torch.randn(1, CHANNELS, LENGTH)
    trained = model(one, ["task"])["task"]
    torch.testing.assert_close(model.eval()(one, ["task"])["task"], trained)
    assert all(torch.equal(model.state_dict()[k], v) for k, v in before.items())


def test_forecast_has_the_targets_in_their_order() -> None:
    every = build_model(encoder("timedart"), [task(targets=[0, 1, 2])], seed=0).eval()
    some = build_model(encoder("timedart"), [task(targets=[2, 0])], seed=0).eval()
    x = torch.randn(3, CHANNELS, LENGTH)
    torch.testing.assert_close(some(x, ["task"])["task"], every(x, ["task"])["task"][:, [2, 0]])


def test_tasks_of_different_lengths_and_channels_share_the_encoder() -> None:
    wide = task("classification", name="wide", shape=(5, 56), columns=[f"c{i}" for i in range(5)])
    model = build_model(encoder("timedart"), [task(), wide], seed=0)
    assert model(torch.randn(2, CHANNELS, LENGTH), ["task"])["task"].shape == (2, 2, 4)
    assert model(torch.randn(2, 5, 56), ["wide"])["wide"].shape == (2, 3)


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_mean_of_channels_keeps_the_head_small(pool: str) -> None:
    def head(channels: int, join: str, hidden: int | None) -> int:
        columns = [f"c{i}" for i in range(channels)]
        config = encoder("timedart", amplitude=False, pool=pool, channels=join, hidden=hidden)
        model = build_model(config, [task("classification", shape=(channels, LENGTH), columns=columns)], seed=0)
        assert model(torch.randn(2, channels, LENGTH), ["task"])["task"].shape == (2, 3)
        return int(model.parameter_counts()["heads"]["task"])

    assert head(40, "mean", None) == head(2, "mean", None) == (16 + 1) * 3
    assert head(40, "concat", None) == (40 * 16 + 1) * 3
    assert head(2, "concat", 10) == (2 * 16 + 1) * 10 + (10 + 1) * 3


def silent(model: torch.nn.Module, tasks: list[TaskSpec], x: torch.Tensor) -> bool:
    """True when two training passes over the first task agree."""
    return torch.equal(model(x, [tasks[0].name])[tasks[0].name], model(x, [tasks[0].name])[tasks[0].name])


@pytest.mark.parametrize("kind", ["timedart", "linear"])
@pytest.mark.parametrize("label", [True, False])
def test_dropout_of_a_task_replaces_the_encoders(kind: str, label: bool) -> None:
    x = torch.randn(4, CHANNELS, LENGTH)
    for default, own, expected in ((0.3, None, False), (0.3, 0.0, True), (0.0, 0.3, False), (0.0, None, True)):
        tasks = [task("classification" if label else "forecast", dropout=own)]
        assert silent(build_model(encoder(kind, default), tasks, seed=0), tasks, x) == expected


def test_shared_pass_drops_at_the_largest_rate() -> None:
    tasks = [task(name="quiet", dropout=0.0), task("binary", name="loud", dropout=0.5)]
    model = build_model(encoder("timedart", 0.1), tasks, seed=0)
    x = torch.randn(4, CHANNELS, LENGTH)
    assert silent(model, tasks, x)
    together = [model(x, ["quiet", "loud"])["quiet"] for _ in range(2)]
    assert not torch.equal(*together)


def test_a_task_may_carry_the_name_of_a_method() -> None:
    tasks = [task(name=name) for name in ("keys", "type", "train", "forward", "items")]
    model = build_model(encoder("timedart"), tasks, seed=0)
    found = model(torch.randn(2, CHANNELS, LENGTH), [t.name for t in tasks])
    assert list(found.own) == [t.name for t in tasks]
    assert any(name.startswith("heads.keys.") for name in model.state_dict())
    assert sum(len(model.head_parameters([t.name])) for t in tasks) + len(model.shared_parameters()) == len(
        list(model.parameters())
    )
