"""The cheap dropout behaves as dropout: rate, scale, gradient, repeatability."""

import pytest
import torch

from mtl.models.dropout import drop


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(401, 503), (7,)])
def test_rate_and_scale(rate: float, shape: tuple[int, ...]) -> None:
    y = drop(torch.ones(shape), rate)
    kept = y[y > 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - rate)), rtol=1e-3, atol=0)
    if y.numel() > 1000:
        # 6 standard deviations of a share of 200,000 coins
        assert abs((y == 0).float().mean().item() - rate) < 6 * (rate * (1 - rate) / y.numel()) ** 0.5


def test_entries_are_independent_of_their_neighbours() -> None:
    dropped = (drop(torch.ones(400_000), 0.3) == 0).double()
    for lag in (1, 2, 3, 4):
        covariance = (dropped[lag:] * dropped[:-lag]).mean() - dropped.mean() ** 2
        assert abs(covariance.item()) < 0.002


def test_gradient_is_the_mask() -> None:
    x = torch.randn(50, 3, requires_grad=True)
    y = drop(x, 0.4)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach() / x.detach())


def test_repeats_with_the_seed_and_is_nothing_at_rate_0() -> None:
    x = torch.randn(33)
    torch.manual_seed(5)
    first = drop(x, 0.2)
    torch.manual_seed(5)
    assert torch.equal(drop(x, 0.2), first)
    assert drop(x, 0.0) is x
