"""Calibrations of predicted probabilities as plain numbers, and how far probabilities could be trusted.

n validation samples, k classes.
"""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl.results.content import Part

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Inner = Annotated[float, Field(gt=0, lt=1)]


class Temperature(Part):
    """One number that all logits are divided by."""

    kind: Literal["temperature"]
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    @property
    def label(self) -> str:
        """The calibration in words."""
        return f"temperature {self.temperature:.3g}"


class Curve(Part):
    """A rising curve, straight from knot to knot and level beyond the outer ones."""

    x: Annotated[list[Share], Field(min_length=1)]
    """Probability that was predicted, ascending."""
    y: list[Inner]
    """Probability that takes its place: 0 and 1 are never sure after n samples."""

    @model_validator(mode="after")
    def _rises(self) -> "Curve":
        if len(self.x) != len(self.y):
            raise ValueError(f"should have as many y as x, found {len(self.y)} and {len(self.x)}")
        if any(after < before for line in (self.x, self.y) for before, after in pairwise(line)):
            raise ValueError("should rise, found a knot that lies below the one before")
        return self


class Isotonic(Part):
    """A curve for the probability of class 1 of two, else one for that of each class."""

    kind: Literal["isotonic"]
    curves: Annotated[list[Curve], Field(min_length=1)]

    @property
    def label(self) -> str:
        """The calibration in words."""
        return f"isotonic, {sum(len(curve.x) for curve in self.curves)} knots"


Calibration = Annotated[Temperature | Isotonic, Field(discriminator="kind")]


class Trust(Part):
    """Measures of probabilities on samples whose class is known."""

    log_loss: float
    """Mean of −log p of the true class, nats."""
    brier: float
    """Mean squared error of the probability of class 1 of two; of several classes the sum over them (Brier 1950)."""
    ece: float
    """Expected calibration error of the probability of class 1 of two; of several classes that of the predicted class
    (Guo et al. 2017, arXiv 1706.04599, equation 3)."""


class Trusted(Part):
    """The test part, without calibration and with it."""

    before: Trust
    after: Trust
