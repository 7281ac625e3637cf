"""Losses of weighted samples and the focal loss: known answers, and a sample of weight n is n samples."""

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from mtl.config.inputs import ROWS
from mtl.data.inputs.rows import Rows
from mtl.data.loading.pools import Pool, Target
from mtl.tasks.base import TaskSpec
from mtl.tasks.quantile_regression import QuantileRegression
from mtl.training.losses import PoolLosses
from mtl.types import Predictions, Stack
from tests.helpers.specs import a_task

COUNT = 6
AT: dict[str, Any] = {"source": "s", "shape": (2,), "columns": ["a", "b"], "input": ROWS}
SPECS: dict[str, TaskSpec] = {
    "number": a_task("regression", name="number", **AT),
    "yes": a_task("binary", name="yes", classes=["a", "b"], class_weights=(3.0,), **AT),
    "class": a_task("classification", name="class", classes=["a", "b", "c"], class_weights=(1.0, 2.0, 0.5), **AT),
    "spread": QuantileRegression(name="spread", target="y", levels=(0.1, 0.5, 0.9), **AT),
}


def losses(weights: torch.Tensor | None, order: torch.Tensor, masked: bool = False) -> torch.Tensor:
    """Losses of samples `order` of a fixed pool."""
    draw = torch.Generator().manual_seed(0)
    targets = {
        "number": torch.randn(COUNT, generator=draw), "yes": torch.randint(0, 2, (COUNT,), generator=draw),
        "class": torch.randint(0, 3, (COUNT,), generator=draw), "spread": torch.randn(COUNT, generator=draw),
    }  # fmt: skip
    there = torch.arange(COUNT) != 2 if masked else None
    pool = Pool(
        "p", "s", Rows(torch.randn(COUNT, 2, generator=draw), torch.arange(COUNT)),
        {name: Target(value, valid=there) for name, value in targets.items()}, weights,
    )  # fmt: skip
    numbers, yes = torch.randn(COUNT, 1, generator=draw), torch.randn(COUNT, 1, generator=draw)
    own = {"class": torch.randn(COUNT, 3, generator=draw), "spread": torch.randn(COUNT, 3, generator=draw)}
    predictions = Predictions(
        {name: values[order] for name, values in own.items()},
        {"regression": Stack(("number",), numbers[order]), "binary": Stack(("yes",), yes[order])}, (),
    )  # fmt: skip
    names, values = PoolLosses(pool, SPECS)(predictions, pool.batch(order), pool.tasks)
    found: torch.Tensor = values[[names.index(name) for name in SPECS]]
    return found


@pytest.mark.parametrize("masked", [False, True])
def test_a_sample_of_weight_two_is_two_samples(masked: bool) -> None:
    weights = torch.tensor([1.0, 2.0, 3.0, 0.0, 1.0, 2.0])
    repeated = torch.repeat_interleave(torch.arange(COUNT), weights.long())
    weighted = losses(weights, torch.arange(COUNT), masked)
    torch.testing.assert_close(weighted, losses(None, repeated, masked))
    torch.testing.assert_close(losses(5 * weights, torch.arange(COUNT), masked), weighted)


def test_a_batch_without_any_weight_has_no_loss() -> None:
    found = losses(torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]), torch.tensor([1, 2]))
    assert found.tolist() == [0.0] * 4


@pytest.mark.parametrize("kind", ["binary", "classification"])
def test_the_focal_loss_is_its_formula(kind: Any) -> None:
    """(1 − p)^γ · −log p, in values and gradients; γ = 0 would be the cross-entropy."""
    classes = ["a", "b"] if kind == "binary" else ["a", "b", "c"]
    weights = (2.0,) if kind == "binary" else (1.0, 2.0, 0.5)
    spec = a_task(kind, name="t", classes=classes, focal=2.0, class_weights=weights, **AT)
    logits = torch.tensor([[-1.0, 0.5, 2.0], [3.0, 0.1, -2.0], [20.0, 0.0, 0.0]], dtype=torch.float64)
    target = torch.tensor([2, 1, 0])
    if kind == "binary":
        logits, target = logits[:, :1].requires_grad_(), (target > 0).long()[:, None]
        p = torch.where(target == 1, logits.sigmoid(), (-logits).sigmoid())
        wanted = torch.where(target == 1, 2.0, 1.0) * (1 - p) ** 2 * -p.log()
        found = spec.criterion([spec])(logits, target)
        plain = spec.sample_losses(logits[:, 0], target[:, 0])
    else:
        logits.requires_grad_()
        p = logits.softmax(dim=1).gather(1, target[:, None])[:, 0]
        weight = torch.tensor(weights, dtype=torch.float64)[target]
        wanted = ((1 - p) ** 2 * -p.log() * weight).sum() / weight.sum()
        found = spec.criterion([spec])(logits, target)
        plain = spec.sample_losses(logits, target)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-12)
    gradients = [torch.autograd.grad(value.sum(), logits, retain_graph=True)[0] for value in (found, wanted)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(plain, ((1 - p) ** 2 * -p.log()).flatten(), rtol=1e-6, atol=1e-12)
    assert spec.guess == pytest.approx(math.log(len(classes)) * (1 - 1 / len(classes)) ** 2)


def test_a_certain_sample_has_a_gradient() -> None:
    spec = a_task("classification", name="t", classes=["a", "b"], focal=0.5, **AT)
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    spec.criterion([spec])(logits, torch.tensor([0])).backward()
    assert logits.grad is not None and bool(logits.grad.isfinite().all())
    assert functional.cross_entropy(logits, torch.tensor([0])).item() == 0
