"""Errors of a predicted number.

n samples; sums run in float64.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.errors import DataError
from mtl.results.numbers import Metrics
from mtl.tasks.base import Detail
from mtl.tasks.undefined import Undefined, split_undefined

SHARES = 10
"""Parts of equally many samples, ordered by their true value, whose errors are told apart."""
POINTS = 300
"""Pairs of prediction and truth that a figure shows."""


def regression_metrics(
    prediction: Float[Tensor, " n"], target: Float[Tensor, " n"], mean: float, std: float, detailed: bool
) -> tuple[Metrics, Detail]:
    """Errors of predictions, both z-scored by the training samples' `mean` and `std` (original units).

    Returns:
        `mse`, `mae` (z-scored), `rmse` (original units); where `detailed`, also `mae_original`, `rrmse` (relative to a
        prediction of the training mean: √(Σe² / Σ(y − ȳ_train)²), whose mean over targets is the aRRMSE of
        multi-target work, Spyromitros-Xioufis et al. 2016, section 4.2) and `r2` = 1 − Σe² / Σ(y − ȳ)² with ȳ the mean
        of these samples. The detail then holds `undefined` (metric → why it has no value), `by_quantile` (upper end of
        the true values and RMSE of each tenth of the samples, original units) and `points` (pairs of prediction and
        truth, original units, evenly spread over the samples).

    Raises:
        DataError: there is no sample.
    """
    if len(target) == 0:
        raise DataError("A regression cannot be measured on 0 samples; no sample of this part has a target.")
    predicted, truth = prediction.detach().cpu().double(), target.detach().cpu().double()
    error = predicted - truth
    squared = error.square()
    mse = squared.mean().item()
    metrics = {"mse": mse, "mae": error.abs().mean().item(), "rmse": mse**0.5 * std}
    if not detailed:
        return metrics, {}
    around_mean, around_zero = (truth - truth.mean()).square().sum(), truth.square().sum()
    same = Undefined(f"all {len(truth)} true values are the same")
    at_mean = Undefined("every true value is the mean of the training samples")
    relative, reasons = split_undefined(
        {
            "mae_original": metrics["mae"] * std,
            "rrmse": (squared.sum() / around_zero).sqrt().item() if around_zero > 0 else at_mean,
            "r2": (1 - squared.sum() / around_mean).item() if around_mean > 0 else same,
        }
    )
    detail: Detail = {"undefined": reasons} if reasons else {}
    detail["by_quantile"] = _by_quantile(truth, squared, mean, std)
    chosen = torch.linspace(0, len(truth) - 1, min(POINTS, len(truth)), dtype=torch.float64).round().long()
    detail["points"] = {
        "prediction": (predicted[chosen] * std + mean).tolist(),
        "truth": (truth[chosen] * std + mean).tolist(),
    }
    return metrics | relative, detail


def _by_quantile(
    truth: Float[Tensor, " n"], squared: Float[Tensor, " n"], mean: float, std: float
) -> dict[str, list[float]]:
    order = truth.argsort(stable=True)
    parts = [part for part in order.tensor_split(min(SHARES, len(order))) if len(part)]
    return {
        "up_to": [(truth[part[-1]] * std + mean).item() for part in parts],
        "rmse": [(squared[part].mean().sqrt() * std).item() for part in parts],
    }
