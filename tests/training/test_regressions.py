"""Regressions in the loop: one stack of several losses with missing targets, by hand; what data maps note of them."""

import dataclasses

import pytest
import torch
from torch import Tensor

from mtl.config import Task
from mtl.config.methods import DataMapConfig
from mtl.config.tasks import RegressionTask
from mtl.data.loading.tasks import TaskSet, build_tasks
from mtl.tasks.base import TaskSpec
from mtl.tasks.regression import Regression
from mtl.training.losses import PoolLosses
from mtl.training.measure import measure
from mtl.training.recording import Recorder
from mtl.types import Predictions, Prepared, Stack
from tests.helpers.problems import Run, forecast, waves

NAMES = ("squared", "absolute", "robust")
LOSSES = ("mse", "mae", "huber")
FIRST = 7
"""Row of the first target: windows have 8 rows."""


def source() -> Prepared:
    """Two waves, and numbers of every row: `lift` is 10 + 4 · the first wave; every third of `gappy` is missing."""
    made = waves()
    lift = 10 + 4 * made.values[:, 0]
    gappy = lift.clone()
    gappy[::3] = torch.nan
    return dataclasses.replace(made, numbers={"lift": lift, "gappy": gappy}, units={"lift": "mm"})


def regression(target: str = "lift", **settings: object) -> RegressionTask:
    return RegressionTask.model_validate(
        {"kind": "regression", "source": "line", "input_len": 8, "target": target} | settings
    )


def built() -> TaskSet:
    """A task for each loss, of which the second learns the target with gaps; all share one pool."""
    tasks: dict[str, Task] = {
        name: regression("gappy" if name == "absolute" else "lift", loss=loss)
        for name, loss in zip(NAMES, LOSSES, strict=True)
    }
    return build_tasks(tasks, {"line": source()}, 0)


def spec_of(data: TaskSet, name: str) -> Regression:
    spec = data.specs[name]
    assert isinstance(spec, Regression)
    return spec


def by_hand(loss: str, error: Tensor) -> Tensor:
    size = error.abs()
    return {"mse": error**2, "mae": size, "huber": torch.where(size <= 1, error**2 / 2, size - 0.5)}[loss].mean()


def test_targets_are_z_scored_by_their_own_training_rows_and_gaps_are_masked() -> None:
    data = built()
    (pool,) = data.pools["train"]
    lift = source().numbers["lift"][FIRST:120]
    known = torch.arange(FIRST, 120) % 3 != 0
    for name, mine in (("squared", lift), ("absolute", lift[known])):
        spec = spec_of(data, name)
        assert (spec.mean, spec.std) == pytest.approx((float(mine.mean()), float(mine.std())))
    assert (spec_of(data, "squared").unit, spec_of(data, "absolute").unit) == ("mm", None)
    target = pool.targets["absolute"]
    assert target.valid is not None and target.values is not None and torch.equal(target.valid, known)
    assert not target.values[~known].any() and bool(target.values.isfinite().all())
    assert data.train_sizes() == {"squared": 113, "absolute": int(known.sum()), "robust": 113}


@pytest.mark.parametrize("present", [NAMES, ("absolute", "robust"), ("robust",)])
def test_losses_of_one_stack_are_those_of_each_by_hand(present: tuple[str, ...]) -> None:
    data = built()
    (pool,) = data.pools["train"]
    index = torch.arange(30)
    batch = pool.batch(index)
    numbers = torch.randn(30, len(present), generator=torch.Generator().manual_seed(0)).mul(2).requires_grad_()
    named, losses = PoolLosses(pool, data.specs)(Predictions({}, {"regression": Stack(present, numbers)}, ()), batch,
                                                 present)  # fmt: skip
    assert named == present
    for place, name in enumerate(present):
        valid = pool.targets[name].valid
        kept = slice(None) if valid is None else valid[index]
        error = numbers[:, place][kept] - batch.target(name)[kept]
        torch.testing.assert_close(losses[place], by_hand(LOSSES[NAMES.index(name)], error))
    losses.sum().backward()
    assert numbers.grad is not None
    if "absolute" in present:
        moved = numbers.grad[:, present.index("absolute")] != 0
        assert torch.equal(moved, torch.arange(FIRST, FIRST + 30) % 3 != 0), "a missing target moves nothing"


def test_a_stack_with_gaps_learns_what_it_can_and_is_measured_in_its_unit() -> None:
    data = built()
    run = Run(data, list(NAMES), epochs=6, lr=1e-2)
    before, _ = measure(run.model, data.pools["test"], data.specs)
    after, _ = measure(run.go().model, data.pools["test"], data.specs)
    for name in NAMES:
        assert after[name]["mse"] < 0.5 * before[name]["mse"]
        assert after[name]["rmse"] == pytest.approx(after[name]["mse"] ** 0.5 * spec_of(data, name).std)
    assert after["absolute"]["mse"] != after["squared"]["mse"]


def test_a_data_map_holds_the_likelihood_of_each_error_and_nothing_where_there_is_none() -> None:
    tasks: dict[str, Task] = {"whole": regression(), "gaps": regression("gappy"), "next": forecast()}
    data = build_tasks(tasks, {"line": source()}, 0)
    run = Run(data, list(tasks))
    recorder = Recorder(DataMapConfig(record="evaluation"), data.pools["train"], data.specs, {})
    recorder.end_epoch(1, run.model, data.pools["train"])
    (pool,) = data.pools["train"]
    found = recorder.maps[pool.name]
    assert found.tasks == ["whole", "gaps", "next"]
    values = found.values()
    with torch.no_grad():
        batch = pool.batch(torch.arange(len(pool)))
        predictions = run.model.eval()(batch.x, pool.tasks)
    for place, name in enumerate(("whole", "gaps")):
        valid = pool.targets[name].valid
        known = torch.ones(len(pool), dtype=torch.bool) if valid is None else valid
        error = (predictions[name] - batch.target(name)).square()
        scale = error[known].sort().values[(int(known.sum()) - 1) // 2]
        confidence, correct = values[0, :, place], values[2, :, place]
        torch.testing.assert_close(confidence[known], torch.exp(-error / (2 * scale))[known], rtol=1e-4, atol=1e-6)
        assert torch.equal(correct[known] == 1, (error <= scale)[known])
        assert bool(confidence[~known].isnan().all())


def test_noted_errors_of_several_are_side_by_side() -> None:
    specs: list[TaskSpec] = [built().specs[name] for name in NAMES]
    prediction, target = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0.0, 4.0, 3.0]])
    certain, right, errors = specs[0].noted(prediction, target)
    assert certain is None and right is None and errors is not None and errors.tolist() == [[1.0, 4.0, 0.0]]
