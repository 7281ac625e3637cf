"""Losses of quantiles: what they are least at, their limit, and what sorting does to them."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import mean_pinball_loss

from mtl.config.losses import central_intervals
from mtl.tasks.quantiles import crps, inside_intervals, pinball_loss, without_crossing


def _levels(count: int) -> torch.Tensor:
    """Midpoints of `count` equal parts of (0, 1)."""
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count


def test_the_mean_over_levels_agrees_with_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    levels = torch.tensor([0.1, 0.5, 0.8])
    prediction, target = torch.randn(40, 2, 3, generator=generator), torch.randn(40, 2, generator=generator)
    expected = np.mean(
        [mean_pinball_loss(target, prediction[..., i], alpha=tau) for i, tau in enumerate(levels.tolist())]
    )
    assert pinball_loss(prediction, target, levels).mean() == pytest.approx(expected, rel=1e-6)


def test_the_median_alone_is_the_absolute_error() -> None:
    prediction, target = torch.tensor([[1.0], [5.0]]), torch.tensor([3.0, 1.0])
    assert crps(prediction, target, torch.tensor([0.5])).tolist() == [2, 4]


def test_the_loss_is_least_at_the_quantiles_of_the_sample() -> None:
    """By gradient descent from 0: what training does."""
    levels = torch.tensor([0.1, 0.5, 0.9])
    target = torch.randn(1001, generator=torch.Generator().manual_seed(1))
    quantiles = torch.zeros(3, requires_grad=True)
    for step in range(400):
        loss = pinball_loss(quantiles.expand(1001, 3), target, levels).mean()
        (gradient,) = torch.autograd.grad(loss, [quantiles])
        quantiles = (quantiles - 3 / (1 + step / 20) * gradient).detach().requires_grad_()
    torch.testing.assert_close(quantiles.detach(), target.quantile(levels), atol=0.02, rtol=0)


@pytest.mark.parametrize("outcome", [0.0, 0.7, -2.5])
def test_dense_levels_reach_the_closed_form_of_the_normal_distribution(outcome: float) -> None:
    """CRPS(N(0, 1), y) = y·(2Φ(y) − 1) + 2φ(y) − 1/√π (Gneiting and Raftery 2007, section 4.2)."""
    phi, cumulative = stats.norm.pdf(outcome), stats.norm.cdf(outcome)
    exact = outcome * (2 * cumulative - 1) + 2 * phi - 1 / math.sqrt(math.pi)
    errors = []
    for count in (9, 99, 999):
        levels = _levels(count)
        quantiles = torch.from_numpy(stats.norm.ppf(levels.numpy()))
        errors.append(abs(crps(quantiles, torch.tensor(outcome, dtype=torch.float64), levels).item() - exact))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3


def test_sorting_ends_crossings_and_never_costs() -> None:
    generator = torch.Generator().manual_seed(2)
    prediction, target = torch.randn(200, 7, generator=generator), torch.randn(200, generator=generator)
    ordered = without_crossing(prediction)
    assert (ordered.diff(dim=-1) >= 0).all()
    levels = _levels(7).float()
    crossed, sorted_ = pinball_loss(prediction, target, levels), pinball_loss(ordered, target, levels)
    assert (sorted_ <= crossed + 1e-6).all()
    assert (sorted_ < crossed - 1e-3).float().mean() > 0.9


def test_intervals_that_levels_span() -> None:
    assert central_intervals([0.05, 0.1, 0.5, 0.9, 0.95]) == [(0, 4, 0.9), (1, 3, 0.8)]
    assert central_intervals([0.1, 0.5, 0.8]) == []
    for levels in ([0.5, 0.1], [0.0, 0.5], [0.5, 1.0], [0.5, 0.5]):
        with pytest.raises(ValueError, match="ascend strictly"):
            central_intervals(levels)


def test_coverage_of_the_true_quantiles_is_their_probability() -> None:
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    quantiles = torch.from_numpy(stats.norm.ppf(levels))
    target = _levels(20_000).apply_(lambda p: float(stats.norm.ppf(p)))
    inside = inside_intervals(quantiles.expand(20_000, 5), target, levels)
    assert inside.double().mean(0).tolist() == pytest.approx([0.9, 0.5], abs=1e-4)


def test_bounds_belong_to_the_interval() -> None:
    prediction, target = torch.tensor([[0.0, 1.0]]).expand(4, 2), torch.tensor([0.0, 1.0, -0.1, 1.1])
    assert inside_intervals(prediction, target, [0.1, 0.9])[:, 0].tolist() == [True, True, False, False]
    assert inside_intervals(prediction, target, [0.1, 0.8]).shape == (4, 0)
