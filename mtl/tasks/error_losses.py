"""Training losses that are an error of one number, on the z-score."""

from math import pi, sqrt
from statistics import NormalDist
from typing import assert_never

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mtl.config.losses import ErrorLoss


def error_of(loss: ErrorLoss, prediction: Tensor, target: Tensor) -> Tensor:
    """Squared, absolute or Huber error (quadratic up to 1; Huber 1964, Annals of Mathematical Statistics 35) of each
    number."""
    match loss:
        case "mse":
            return (prediction - target).square()
        case "mae":
            return (prediction - target).abs()
        case "huber":
            return functional.huber_loss(prediction, target, reduction="none")
        case _:
            assert_never(loss)


def mean_error(loss: ErrorLoss, prediction: Tensor, target: Tensor) -> Float[Tensor, ""]:
    """The mean of `error_of`."""
    match loss:
        case "mse":
            return functional.mse_loss(prediction, target)
        case "mae":
            return functional.l1_loss(prediction, target)
        case "huber":
            return functional.huber_loss(prediction, target)
        case _:
            assert_never(loss)


def guess_of(loss: ErrorLoss) -> float:
    """Expected error of the prediction 0 for z-scored values, which are taken to be normal unless the loss is MSE.

    E|z| is √(2/π), and the Huber error has the mean P(|z| < 1) − 1/2 + φ(1).
    """
    match loss:
        case "mse":
            return 1.0
        case "mae":
            return sqrt(2 / pi)
        case "huber":
            normal = NormalDist()
            return normal.cdf(1) - normal.cdf(-1) - 0.5 + normal.pdf(1)
        case _:
            assert_never(loss)


def nearest_metric(loss: ErrorLoss) -> str:
    """Name of the metric that is closest to a loss."""
    return "mae" if loss == "mae" else "mse"
