"""Features that encoders hand to heads.

B samples, C channels, N tokens of a channel, D width of a token. An image or a row is one token.
"""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Features:
    """Input of heads: tokens of the normalised window, and the mean and scale that normalisation took away."""

    tokens: Float[Tensor, "B _ N D"]
    """[B, C, N, D] where each channel has tokens of its own, [B, 1, N, D] where they are joined; of images and rows
    [B, 1, 1, D]."""
    mean: Float[Tensor, "B C"] | None = None
    """Mean of each channel over the window, z-scored units, no gradient; None for images and rows, and where windows
    were not normalised."""
    std: Float[Tensor, "B C"] | None = None
    """Standard deviation of each channel over the window (positive), z-scored units, no gradient; None as `mean`."""
    places: Float[Tensor, "B P D"] | None = None
    """Features of each of the P places of a text, or of each row of a window where a task asks for them, for targets at
    positions; None of other samples."""
    firsts: Bool[Tensor, "B P"] | None = None
    """Mask of the places that begin a position, which is a word; None where every place is one, and as `places`."""
