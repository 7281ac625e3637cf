"""Task losses against torch and by hand, and the geometry of task gradients against separate backward passes."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from mtl.training.losses import gradient_geometry, task_loss
from tests.helpers.problems import spec


def drawer() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_forecast_is_the_mean_squared_error_over_everything() -> None:
    prediction, target = torch.zeros(2, 2, 3), torch.tensor([1.0, 2, 3]).expand(2, 2, 3)
    loss = task_loss(spec("forecast", "f"), prediction, target)
    assert loss is not None and loss.item() == pytest.approx(14 / 3)


def test_cross_entropy_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]))
    loss = task_loss(spec("classification", "c"), logits, torch.tensor([0, 1]))
    assert loss is not None and loss.item() == pytest.approx(-(math.log(0.7) + math.log(0.1)) / 2)


def test_class_weights_make_a_weighted_mean() -> None:
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]))
    loss = task_loss(spec("classification", "c", class_weights=(3.0, 1.0, 5.0)), logits, torch.tensor([0, 1]))
    assert loss is not None and loss.item() == pytest.approx(-(3 * math.log(0.7) + 1 * math.log(0.1)) / 4)


def test_pos_weight_multiplies_the_positives_only() -> None:
    logit = torch.tensor([0.5, -1.0, 2.0])
    target = torch.tensor([1, 0, 1])
    loss = task_loss(spec("binary", "b", class_weights=(4.0,)), logit, target)
    sigmoid = torch.sigmoid(logit)
    by_hand = -(4 * sigmoid[0].log() + (1 - sigmoid[1]).log() + 4 * sigmoid[2].log()) / 3
    torch.testing.assert_close(loss, by_hand)
    plain = task_loss(spec("binary", "b"), logit, target)
    torch.testing.assert_close(plain, functional.binary_cross_entropy_with_logits(logit, target.float()))


@pytest.mark.parametrize(
    ("kind", "prediction", "target"),
    [
        ("forecast", torch.randn(6, 2, 4, generator=drawer()), torch.zeros(6, 2, 4)),
        ("classification", torch.randn(6, 3, generator=drawer()), torch.tensor([0, 1, -1, 2, -1, 0])),
        ("binary", torch.randn(6, generator=drawer()), torch.tensor([0, 1, -1, 1, -1, 0])),
    ],
)
def test_masked_samples_count_neither_in_the_loss_nor_in_the_gradient(
    kind: str, prediction: torch.Tensor, target: torch.Tensor
) -> None:
    task = spec(kind, "t")  # type: ignore[arg-type]
    valid = torch.tensor([True, True, False, True, False, True])
    whole = prediction.clone().requires_grad_()
    loss = task_loss(task, whole, target, valid)
    assert loss is not None
    torch.testing.assert_close(loss, task_loss(task, prediction[valid], target[valid]))
    loss.backward()
    assert whole.grad is not None
    assert torch.equal(whole.grad.flatten(1).abs().sum(1) > 0 if whole.ndim > 1 else whole.grad != 0, valid)
    assert task_loss(task, prediction, target, torch.zeros(6, dtype=torch.bool)) is None


def test_geometry_is_that_of_separate_backward_passes() -> None:
    torch.manual_seed(0)
    trunk, heads = nn.Sequential(nn.Linear(3, 5), nn.Tanh()), [nn.Linear(5, 1) for _ in range(3)]
    x = torch.randn(7, 3)
    shared = list(trunk.parameters())

    def losses() -> dict[str, torch.Tensor]:
        z = trunk(x)
        return {name: (head(z) - k).square().mean() for k, (name, head) in enumerate(zip("abc", heads, strict=True))}

    norms, cosines = gradient_geometry(found := losses(), shared)
    rows = []
    for name in "abc":
        trunk.zero_grad()
        losses()[name].backward()
        rows.append(torch.cat([p.grad.flatten() for p in shared if p.grad is not None]))
    for i, row in enumerate(rows):
        torch.testing.assert_close(norms[i], row.norm())
        for j, other in enumerate(rows):
            torch.testing.assert_close(cosines[i, j], functional.cosine_similarity(row, other, dim=0))
    trunk.zero_grad()
    sum(found.values(), torch.zeros(())).backward()  # the graph is still there
    assert all(p.grad is not None for p in shared)


def test_opposite_equal_and_independent_tasks() -> None:
    left, right = nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.tensor([3.0]))
    up = left.sum()
    losses = {"up": up, "down": -3 * up, "twice": 2 * up, "elsewhere": right.sum()}
    norms, cosines = gradient_geometry(losses, [left, right])
    root = math.sqrt(2)
    torch.testing.assert_close(norms, torch.tensor([root, 3 * root, 2 * root, 1.0]))
    expected = torch.tensor([[1.0, -1, 1, 0], [-1, 1, -1, 0], [1, -1, 1, 0], [0, 0, 0, 1]])
    torch.testing.assert_close(cosines, expected)


def test_a_task_without_gradient_has_norm_and_cosines_zero() -> None:
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    norms, cosines = gradient_geometry({"a": weight.sum(), "flat": 0 * weight.sum()}, [weight])
    assert norms[1] == 0 and cosines[0, 1] == 0 and torch.isfinite(cosines).all()
