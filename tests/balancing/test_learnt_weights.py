"""Loss weightings that remember: against torchjd's where it has them, and by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchjd.aggregation import ExcessMTL, GradVac
from torchjd.scalarization import DWA, FAMO, IMTLL, STCH

from mtl.balancing.gradnorm import GradNorm
from mtl.balancing.jacobian import JacobianDescent
from mtl.tasks.regression import Regression
from tests.balancing.linear_losses import balancer, specs, take


def losses(step: int, count: int = 4) -> Tensor:
    return 0.1 + torch.rand(count, generator=torch.Generator().manual_seed(step)) / (1 + step)


def weights_of(scalarizer: nn.Module, values: Tensor) -> Tensor:
    values = values.clone().requires_grad_()
    scalarizer(values).backward()
    assert values.grad is not None
    return values.grad


def test_dwa_is_torchjds() -> None:
    ours, theirs = balancer({"kind": "dwa", "temperature": 1.5}, specs(4)), DWA(1.5)
    for epoch in range(1, 6):
        for step in range(3):
            values = losses(3 * epoch + step)
            found, _ = take(ours, torch.eye(4), values, epoch=epoch)
            torch.testing.assert_close(found, weights_of(theirs, values))
        theirs.step()
    assert found.std() > 0.01 and float(found.sum()) == pytest.approx(4)


def test_dwa_of_a_task_that_was_absent_for_an_epoch() -> None:
    method = balancer({"kind": "dwa"}, specs(2))
    take(method, torch.eye(2), [1.0, 1.0], epoch=1)
    take(method, torch.eye(1, 2), [0.5], present=(0,), epoch=2)
    found, _ = take(method, torch.eye(2), [0.5, 1.0], epoch=3)
    assert found.tolist() == pytest.approx((2 * torch.softmax(torch.tensor([0.25, 0.5]), 0)).tolist())


def test_famo_is_torchjds() -> None:
    """Torchjd's `update` is given the next step's losses, where ours reads them."""
    ours, theirs = balancer({"kind": "famo", "lr": 0.05}, specs(4)), FAMO(4, lr=0.05)
    for step in range(20):
        values = losses(step)
        if step:
            theirs.update(values)
        found, _ = take(ours, torch.eye(4), values)
        torch.testing.assert_close(found, weights_of(theirs, values), rtol=1e-4, atol=1e-5)
    assert found.std() > 0.01


def test_imtl_l_is_torchjds_and_rests_where_a_task_is_absent() -> None:
    ours, theirs = balancer({"kind": "imtl_l"}, specs(4)), IMTLL(4)
    scales = torch.tensor([0.3, -0.2, 0.1, 0.5])
    for module in (ours, theirs):
        next(module.parameters()).data = scales.clone()
    values = losses(0)
    found, _ = take(ours, torch.eye(4), values)
    torch.testing.assert_close(found, weights_of(theirs, values))
    torch.testing.assert_close(next(ours.parameters()).grad, next(theirs.parameters()).grad)
    take(ours, torch.eye(2, 4), values[:2], present=(0, 3))
    slope = next(ours.parameters()).grad
    assert slope is not None and slope.abs()[1:3].max() < 1e-6 < slope.abs()[[0, 3]].min()


def test_stch_is_torchjds() -> None:
    given = [0.1, 0.2, 0.3, 0.4]
    found, _ = take(balancer({"kind": "stch", "mu": 0.05, "preferences": given}, specs(4)), torch.eye(4), losses(0))
    torch.testing.assert_close(found, weights_of(STCH(0.05, torch.tensor(given)), losses(0)))


def test_gradvac_is_torchjds() -> None:
    ours, theirs = balancer({"kind": "gradvac", "beta": 0.3}, specs(5), seed=2), GradVac(beta=0.3)
    assert isinstance(ours, JacobianDescent)
    for step in range(4):
        rows = torch.randn(5, 9, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
        copied = balancer({"kind": "gradvac", "beta": 0.3}, specs(5), seed=2)
        copied.load_state_dict(ours.state_dict())
        with copied.method.chance.own():  # type: ignore[union-attr, operator]
            wanted = theirs(rows / rows.norm())  # the orders that ours will draw
        _, found = take(ours, rows, [1.0] * 5)
        torch.testing.assert_close(found / rows.norm(), wanted, rtol=1e-5, atol=1e-7)


def test_excess_mtl_is_torchjds() -> None:
    ours = balancer({"kind": "excess_mtl", "step_size": 0.5, "warmup_steps": 3}, specs(4))
    theirs = ExcessMTL(0.5, n_warmup_steps=3)
    for step in range(8):
        rows = torch.randn(4, 9, generator=torch.Generator().manual_seed(step)) * torch.tensor([[1.0], [0.1], [3], [1]])
        found, direction = take(ours, rows, [1.0] * 4)
        torch.testing.assert_close(direction, theirs(rows), rtol=1e-4, atol=1e-6)
    assert found.std() > 0.001


def test_gradnorm_by_hand() -> None:
    """Gradients of length 1 and 3 at equal rates: both should have length 2, so the first weight grows."""
    method = balancer({"kind": "gradnorm", "alpha": 0.0}, specs(2))
    assert isinstance(method, GradNorm)
    rows = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    optimiser = torch.optim.Adam(method.parameters(), lr=0.02)
    found, _ = take(method, rows, [1.0, 1.0])
    assert found.tolist() == [1.0, 1.0] and method.weights.grad is not None
    assert method.weights.grad.tolist() == pytest.approx([-1e-3 / 10**0.5, 3e-3 / 10**0.5])
    for _ in range(100):
        optimiser.step()
        found, _ = take(method, rows, [1.0, 1.0])
    assert found.tolist() == pytest.approx([1.5, 0.5], abs=0.05)  # lengths 1.5 and 1.5
    slower = balancer({"kind": "gradnorm", "alpha": 1.0}, specs(2))
    take(slower, torch.eye(2), [1.0, 1.0])
    take(slower, torch.eye(2), [0.5, 1.0])
    gradient = next(slower.parameters()).grad
    assert gradient is not None and gradient[0] > 0 > gradient[1]  # the second task lags, and shall weigh more


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("initial", [[1 / 2, 1 / 4], [1 / 2, 1 / 4]]),
        ("log_classes", [[1.0, 1 / 0.693147], [1.0, 1 / 0.693147]]),
        ("ema", [[1 / 2, 1 / 4], [1 / ((0.99 * 2 + 1) / 1.99), 1 / ((0.99 * 4 + 8) / 1.99)]]),
    ],
)
def test_normalisation_by_hand(kind: str, wanted: list[list[float]]) -> None:
    method = balancer({"kind": "equal", "normalise": kind}, specs(2, mixed=True))
    for values, expected in zip(([2.0, 4.0], [1.0, 8.0]), wanted, strict=True):
        found, direction = take(method, torch.eye(2), values)
        assert found.tolist() == pytest.approx(expected, rel=1e-5)
        assert direction.tolist() == pytest.approx(expected, rel=1e-5)


def test_normalisation_by_a_first_loss_of_0_waits_for_one_above() -> None:
    method = balancer({"kind": "equal", "normalise": "initial"}, specs(2))
    first, _ = take(method, torch.eye(2), [0.0, 4.0])
    second, _ = take(method, torch.eye(2), [2.0, 8.0])
    assert first.tolist() == pytest.approx([0, 0.25]) and second.tolist() == pytest.approx([0.5, 0.25])


def test_normalisation_of_an_absent_task_waits() -> None:
    method = balancer({"kind": "equal", "normalise": "initial"}, specs(2))
    first, _ = take(method, torch.eye(1, 2), [4.0], present=(1,))
    second, _ = take(method, torch.eye(2), [2.0, 8.0])
    assert first.tolist() == pytest.approx([0, 0.25]) and second.tolist() == pytest.approx([0.5, 0.25])


@pytest.mark.parametrize(("form", "factors"), [("kendall", (0.5, 0.5, 1.0)), ("half", (0.5, 0.5, 0.5))])
def test_uncertainty_weighs_a_regression_by_its_own_form(form: str, factors: tuple[float, ...]) -> None:
    """A forecast, a regression and a label, by Kendall's equation 10: factor · e^−s · L + s / 2."""
    at: dict[str, Any] = {"source": "line", "shape": (1, 8), "columns": ["c0"]}
    forecast, label = specs(2, mixed=True)
    method = balancer({"kind": "uncertainty", "form": form}, [forecast, Regression(name="r", target="r", **at), label])
    log_variance = next(method.parameters())
    log_variance.data = torch.tensor([0.4, -0.6, 0.2])
    losses = torch.tensor([0.7, 1.1, 0.5])
    weights, _ = take(method, torch.eye(3), losses)
    expected = torch.tensor(factors) * torch.exp(-log_variance.detach())
    torch.testing.assert_close(weights, expected)
    assert log_variance.grad is not None
    torch.testing.assert_close(log_variance.grad, 0.5 - expected * losses)
