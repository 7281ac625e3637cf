"""Task losses against torch and by hand, and the geometry of task gradients against separate backward passes."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from mtl.data.inputs.window_samples import Windows
from mtl.data.loading.pools import Pool, Target
from mtl.tasks.base import TaskSpec
from mtl.training.losses import PoolLosses, gradient_geometry
from mtl.types import Predictions, Stack
from tests.helpers.problems import spec


def task_loss(
    task: TaskSpec, prediction: torch.Tensor, target: torch.Tensor, valid: torch.Tensor | None = None
) -> torch.Tensor | None:
    """The loss of one task of a pool of windows; None when no sample of the batch has a target."""
    n = len(prediction)
    if task.kind == "forecast":
        rows = 8 + target.shape[2]  # inputs of 8 rows, then those to forecast
        flat = torch.zeros(n * rows, 2)
        flat.view(n, rows, 2)[:, 8:] = target.transpose(1, 2)
        samples, wanted = Windows(flat, 8, rows * torch.arange(n)), Target(None, rows - 8, None, valid)
    else:
        samples, wanted = Windows(torch.zeros(n + 8, 2), 8, torch.arange(n)), Target(target, valid=valid)
    pool = Pool("p", "line", samples, {task.name: wanted})
    present = pool.present(torch.arange(n))
    if not present:
        return None
    stacks = {task.kind: Stack((task.name,), prediction[:, None])} if task.stacked else {}
    predictions = Predictions({} if stacks else {task.name: prediction}, stacks, ())
    names, losses = PoolLosses(pool, {task.name: task})(predictions, pool.batch(torch.arange(n)), present)
    assert names == (task.name,)
    return losses[0]


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
        ("regression", torch.randn(6, generator=drawer()), torch.tensor([0.5, 2.0, 0.0, -1.0, 0.0, 3.0])),
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

    def losses() -> torch.Tensor:
        z = trunk(x)
        return torch.stack([(head(z) - k).square().mean() for k, head in enumerate(heads)])

    norms, cosines = gradient_geometry(found := losses(), shared)
    rows = []
    for number in range(3):
        trunk.zero_grad()
        losses()[number].backward()
        rows.append(torch.cat([p.grad.flatten() for p in shared if p.grad is not None]))
    for i, row in enumerate(rows):
        torch.testing.assert_close(norms[i], row.norm())
        for j, other in enumerate(rows):
            torch.testing.assert_close(cosines[i, j], functional.cosine_similarity(row, other, dim=0))
    trunk.zero_grad()
    found.sum().backward()  # the graph is still there
    assert all(p.grad is not None for p in shared)


def test_opposite_equal_and_independent_tasks() -> None:
    left, right = nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.tensor([3.0]))
    up = left.sum()
    losses = torch.stack([up, -3 * up, 2 * up, right.sum()])
    norms, cosines = gradient_geometry(losses, [left, right])
    root = math.sqrt(2)
    torch.testing.assert_close(norms, torch.tensor([root, 3 * root, 2 * root, 1.0]))
    expected = torch.tensor([[1.0, -1, 1, 0], [-1, 1, -1, 0], [1, -1, 1, 0], [0, 0, 0, 1]])
    torch.testing.assert_close(cosines, expected)


def test_a_task_without_gradient_has_norm_and_cosines_zero() -> None:
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    norms, cosines = gradient_geometry(torch.stack([weight.sum(), 0 * weight.sum()]), [weight])
    assert norms[1] == 0 and cosines[0, 1] == 0 and torch.isfinite(cosines).all()


@pytest.mark.parametrize("convolutions", [False, True])
def test_gradients_of_many_tasks_are_those_of_one_after_the_other(convolutions: bool) -> None:
    """Convolutions are never taken side by side."""
    torch.manual_seed(0)
    first = nn.Conv2d(1, 2, 3) if convolutions else nn.Linear(16, 8)
    trunk = (
        nn.Sequential(first, nn.Flatten(), nn.Tanh()) if convolutions else nn.Sequential(nn.Flatten(), first, nn.ReLU())
    )
    unused = nn.Parameter(torch.ones(3))
    x = torch.rand(5, 1, 4, 4)
    features = trunk(x)
    heads = torch.randn(features.shape[1], 150)
    losses = (features @ heads).square().mean(dim=0)
    norms, cosines = gradient_geometry(losses, [*trunk.parameters(), unused])
    rows = [torch.autograd.grad(loss, list(trunk.parameters()), retain_graph=True) for loss in losses]
    matrix = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
    torch.testing.assert_close(norms, matrix.norm(dim=1))
    unit = functional.normalize(matrix)
    torch.testing.assert_close(cosines, unit @ unit.T)


def test_binary_tasks_of_a_pool_are_worked_out_together_as_if_each_were_alone() -> None:
    """Eleven tasks: some with a pos_weight, some masked, one without a sample in the batch, a class task between."""
    drawn = drawer()
    n, names = 12, [f"t{k}" for k in range(10)]
    specs = {
        name: spec("binary", name, class_weights=(1.0 + k,) if k % 3 == 0 else None) for k, name in enumerate(names)
    }
    specs["classes"] = spec("classification", "classes")
    labels = {name: torch.randint(3 if name == "classes" else 2, (n,), generator=drawn) for name in specs}
    masks: dict[str, torch.Tensor | None] = dict.fromkeys(specs)
    masks["t2"], masks["t7"] = torch.rand(n, generator=drawn) < 0.5, torch.zeros(n, dtype=torch.bool)
    order = [*names[:4], "classes", *names[4:]]
    windows = Windows(torch.zeros(n + 8, 2), 8, torch.arange(n))
    pool = Pool("p", "line", windows, {name: Target(labels[name], valid=masks[name]) for name in order})
    index = torch.randperm(n, generator=drawn)[:9]
    present = pool.present(index)
    assert set(present) == set(order) - {"t7"}
    own, logits = torch.randn(9, 3, generator=drawn), torch.randn(9, 9, generator=drawn)
    binary = tuple(name for name in present if name != "classes")
    found = PoolLosses(pool, specs)(
        Predictions({"classes": own}, {"binary": Stack(binary, logits)}, ()), pool.batch(index), present
    )
    for name, loss in zip(*found, strict=True):
        prediction = own if name == "classes" else logits[:, binary.index(name)]
        mask = masks[name]
        alone = task_loss(specs[name], prediction, labels[name][index], None if mask is None else mask[index])
        torch.testing.assert_close(loss, alone)
    assert set(found[0]) == set(present)
