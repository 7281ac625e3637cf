"""Calibrated logits: those of a network, whose probabilities validation samples have corrected.

n samples, k classes.
"""

from typing import assert_never

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl.results.calibration import Calibration, Curve, Isotonic, Temperature, Trust
from mtl.tasks.calibration import brier_score, expected_calibration_error, log_loss, reliability

Logits = Float[Tensor, "n k"] | Float[Tensor, " n"]
"""[n, k], or [n] of a binary label, the logit of class 1."""


def recalibrated(logits: Tensor, calibration: Calibration | None) -> Tensor:
    """Logits of the calibrated probabilities; None leaves the very numbers, which may be those of any task."""
    match calibration:
        case None:
            return logits
        case Temperature():
            return logits / calibration.temperature
        case Isotonic():
            return _along(logits, calibration.curves)
        case _:
            assert_never(calibration)


def calibration_problem(calibration: Calibration, outputs: int) -> str | None:
    """The reason why a calibration is none for so many logits of a sample, a clause; None where it is one."""
    match calibration:
        case Temperature():
            return None
        case Isotonic():
            count = len(calibration.curves)
            return None if count == outputs else f"should have {outputs} curves, found {count}"
        case _:
            assert_never(calibration)


def _along(logits: Logits, curves: list[Curve]) -> Logits:
    """Each probability by its curve; those of several classes are then divided by their sum."""
    scores = logits.double()
    if scores.ndim == 1:
        (curve,) = curves
        return _interpolated(scores.sigmoid(), curve).logit().to(logits.dtype)
    columns = zip(scores.softmax(dim=1).unbind(dim=1), curves, strict=True)
    raised = torch.stack([_interpolated(column, curve) for column, curve in columns], dim=1)
    return (raised / raised.sum(dim=1, keepdim=True)).log().to(logits.dtype)


def _interpolated(probability: Float[Tensor, " n"], curve: Curve) -> Float[Tensor, " n"]:
    return torch.from_numpy(np.interp(probability.numpy(), curve.x, curve.y))


def trust(logits: Logits, truth: Int[Tensor, " n"]) -> Trust:
    """Measures of the probabilities on samples with a class each, none of them missing.

    Raises:
        ValueError: there is no sample.
    """
    scores = logits.double()
    if scores.ndim == 1:
        chance, positive = scores.sigmoid(), truth == 1
        brier = brier_score(chance, positive)
    else:
        every = scores.softmax(dim=1)
        brier = (every - torch.nn.functional.one_hot(truth, every.shape[1])).square().sum(dim=1).mean().item()
        chance, said = every.max(dim=1)
        positive = said == truth
    ece = expected_calibration_error(reliability(chance, positive))
    return Trust(log_loss=log_loss(scores, truth), brier=brier, ece=ece)
