"""A linear map of the raw window that a forecast starts from: what its network then learns is what the map leaves.

B samples, C channels, T target channels, L rows of a window, H horizon.
"""

from jaxtyping import Float
from torch import Tensor, nn

from mtl.models.simple.forecasts import RidgeForecast


class LinearMap(nn.Module):
    """A ridge forecast, added to what a head predicts; its weights are solved for, and no step moves them.

    Args:
        ridge: the forecast.
        repeats: numbers that are predicted of each step; all of them start from the same prediction.
        restores: the head adds the window's mean to what it predicts, so this map leaves it out.
    """

    def __init__(self, ridge: RidgeForecast, repeats: int, restores: bool) -> None:
        super().__init__()
        self.ridge, self.repeats, self.restores = ridge, repeats, restores

    @property
    def numbers(self) -> int:
        """Numbers that were solved for."""
        return self.ridge.weight.numel()

    def forward(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B T _"]:
        predicted: Tensor = self.ridge(x)
        if self.restores:
            predicted = predicted - x[:, self.ridge.targets].mean(dim=-1, keepdim=True)
        return predicted.repeat_interleave(self.repeats, dim=-1) if self.repeats > 1 else predicted
