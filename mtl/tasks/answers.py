"""Predictions as a user reads them: numbers in original units, or names of classes with their probabilities,
also at every position.

n samples, T target channels, H rows ahead, Q levels, k classes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Numbers:
    """Predicted numbers."""

    values: Float[np.ndarray, " n"] | Float[np.ndarray, "n T H"]
    """Original units: a number a sample of a regression, T × H of a forecast."""
    columns: list[str]
    """Name of the target, or of each of the T channels."""
    units: dict[str, str]
    """Column → unit in words, where it is known."""
    levels: tuple[float, ...] = ()
    """Levels of the Q quantiles, ascending, where those are predicted; `values` is then the median."""
    quantiles: Float[np.ndarray, "n *S Q"] | None = None
    """Original units, for each of the values; None where one number is predicted."""


@dataclass(frozen=True)
class Classes:
    """Predicted classes."""

    predicted: list[str]
    """Name of the class of each of the n samples."""
    classes: list[str]
    """Names of the k classes."""
    probabilities: Float[np.ndarray, "n k"]
    """In the order of `classes`."""


@dataclass(frozen=True)
class Tags:
    """Predicted classes at the positions of samples."""

    predicted: list[list[str]]
    """Names of the classes at each position of the n samples, which differ in length."""
    classes: list[str]
    """Names of the k classes."""
    probabilities: list[Float[np.ndarray, "p k"]]
    """At the positions of each sample, in the order of `classes`."""


Answer = Numbers | Classes | Tags
