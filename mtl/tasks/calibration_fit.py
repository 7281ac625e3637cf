"""Calibrations of a network's probabilities, fitted to its validation samples.

n samples, k classes.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from mtl.errors import DataError
from mtl.results.calibration import Calibration, Curve, Isotonic, Temperature
from mtl.tasks.recalibration import Logits

COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of the temperature: samples that are all predicted right ask for an endless trust, all wrong ones for none."""


def fit_calibration(kind: Literal["temperature", "isotonic"], logits: Logits, truth: Int[Tensor, " n"]) -> Calibration:
    """The calibration that validation samples ask for.

    Args:
        kind: `temperature`, the number that minimises the log-loss of the divided logits (Guo et al. 2017, arXiv
            1706.04599, section 4.2); `isotonic`, for each class against the rest the rising step curve with the least
            squared error (Zadrozny and Elkan 2002, KDD), straight between its knots.
        logits: of samples that the network has not learnt from.
        truth: their classes; none is missing.

    Raises:
        DataError: they are not of two classes at least.
    """
    if len(torch.unique(truth)) < 2:
        raise DataError("calibration needs validation samples of two classes at least")
    scores = logits.double()
    if kind == "temperature":
        return Temperature(kind="temperature", temperature=_temperature(scores, truth))
    if scores.ndim == 1:
        return Isotonic(kind="isotonic", curves=[_curve(scores.sigmoid(), truth == 1)])
    columns = enumerate(scores.softmax(dim=1).unbind(dim=1))
    return Isotonic(kind="isotonic", curves=[_curve(column, truth == label) for label, column in columns])


def _temperature(scores: Float64[Tensor, "n _"] | Float64[Tensor, " n"], truth: Int[Tensor, " n"]) -> float:
    """The temperature at which the slope of the log-loss, which is convex in its inverse, is 0; or the nearer bound."""
    from scipy.optimize import brentq

    both = torch.stack([torch.zeros_like(scores), scores], dim=1) if scores.ndim == 1 else scores
    of_truth = both.gather(1, truth[:, None]).squeeze(1)

    def slope(log_inverse: float) -> float:
        chance = (both * math.exp(log_inverse)).softmax(dim=1)
        return float(((chance * both).sum(dim=1) - of_truth).mean())

    low, high = -math.log(HOTTEST), -math.log(COLDEST)
    if slope(low) >= 0:
        return HOTTEST
    if slope(high) <= 0:
        return COLDEST
    return math.exp(-float(brentq(slope, low, high, xtol=1e-10)))


def _curve(probability: Float64[Tensor, " n"], positive: Tensor) -> Curve:
    """The rising curve, kept off 0 and 1 as by the rule of succession: n samples prove no chance below 1 / (n + 2)."""
    from sklearn.isotonic import IsotonicRegression

    least = 1 / (len(probability) + 2)
    fitted = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    fitted.fit(probability.numpy(), positive.double().numpy())
    return Curve(x=fitted.X_thresholds_.tolist(), y=fitted.y_thresholds_.tolist())
