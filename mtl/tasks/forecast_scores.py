"""Errors of a forecast, and those of the best possible one.

n samples, T target channels, H horizon, C channels. Sums run in float64, over chunks of samples, so that long test
parts (weather at H = 720: more than 10⁸ numbers) need no second copy in memory. Every sample counts.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl.errors import DataError
from mtl.results.numbers import Metrics
from mtl.tasks.gaps import measured
from mtl.tasks.optimum import oracle_positions

Detail = dict[str, Any]

CHUNK = 256
"""Samples summed at once; the result depends on it in the last digits only, so it is fixed."""


class ForecastScores:
    """Squared and absolute errors of a forecast, added up batch by batch.

    Args:
        std: [T] standard deviation of each target channel in original units, from the training rows.
        columns: names of the T target channels.
        units: column → unit. When all columns have the same known unit (or there is one column), the mean over
            channels in original units is reported too; averaging unlike units would mean nothing.
    """

    def __init__(self, std: Float[Tensor, " T"], columns: list[str], units: dict[str, str] | None = None) -> None:
        if len(columns) != len(std):
            raise ValueError(f"`columns` should name {len(std)} channels, found {len(columns)}.")
        self.std = std.detach().cpu().double()
        self.columns = columns
        known = set() if units is None else {units.get(name) for name in columns}
        self.one_unit = units is not None and (len(columns) == 1 or (len(known) == 1 and None not in known))
        self.samples = 0
        self.counts: Tensor | None = None
        self.squared: Tensor | None = None
        self.absolute: Tensor | None = None

    def add(self, prediction: Float[Tensor, "n T H"], target: Float[Tensor, "n T H"]) -> None:
        """Adds samples, both z-scored; a target that is NaN does not count."""
        if prediction.shape[1] != len(self.columns):
            raise ValueError(f"a forecast of {len(self.columns)} channels was expected, found {prediction.shape[1]}.")
        for start in range(0, len(prediction), CHUNK):
            part = slice(start, start + CHUNK)
            error = prediction[part].detach().double() - target[part].detach().double()
            there = measured(target[part])
            error = torch.where(there, error, 0.0)
            squared, absolute, counts = error.square().sum(0).cpu(), error.abs().sum(0).cpu(), there.sum(0).cpu()
            self.counts = counts if self.counts is None else self.counts + counts
            self.squared = squared if self.squared is None else self.squared + squared
            self.absolute = absolute if self.absolute is None else self.absolute + absolute
        self.samples += len(prediction)

    def result(self) -> tuple[Metrics, Detail]:
        """Metrics `mse`, `mae` (z-scored, mean over samples, horizon and channels), and their parts.

        Raises:
            DataError: no sample was added.
        """
        if self.squared is None or self.absolute is None or self.counts is None or not bool(self.counts.any()):
            raise DataError("A forecast cannot be measured on 0 samples; the part holds no whole window.")
        sums = {"mse": self.squared, "mae": self.absolute}
        channel = {name: mean_along(total, self.counts, 1) for name, total in sums.items()}
        # z-scoring divides by std, so errors scale back by it; the mean cancels.
        scale = {"mse": self.std.square(), "mae": self.std}
        detail: Detail = {}
        metrics: Metrics = {}
        for name, total in sums.items():
            detail |= finite(f"{name}_by_horizon", mean_along(total, self.counts, 0))
            detail[f"{name}_by_channel"] = finite_by_name(self.columns, channel[name])
            detail[f"{name}_original_by_channel"] = finite_by_name(self.columns, channel[name] * scale[name])
            metrics[name] = mean_along(total, self.counts, None).item()
        if self.one_unit:
            for name in sums:
                metrics[f"{name}_original"] = _over_channels(channel[name] * scale[name], self.counts).item()
        return metrics, detail


def mean_along(sums: Float[Tensor, "T H"], counts: Int[Tensor, "T H"], dim: int | None) -> Float[Tensor, "*_"]:
    """Mean over the measured cells, of sums over samples: along a dimension, or of all; NaN where there is none.

    Where every cell was measured equally often this is the mean of the means.
    """
    if bool((counts == counts.flatten()[0]).all()):
        means = sums / counts
        return means.mean() if dim is None else means.mean(dim)
    return sums.sum() / counts.sum() if dim is None else sums.sum(dim) / counts.sum(dim)


def _over_channels(means: Float[Tensor, " T"], counts: Int[Tensor, "T H"]) -> Float[Tensor, ""]:
    """Mean over all measured cells, of means over those of each channel."""
    weights = counts.sum(1)
    if bool((weights == weights[0]).all()):
        return means.mean()
    return (torch.where(weights > 0, means, 0.0) * weights).sum() / weights.sum()


def finite(name: str, values: Float[Tensor, " H"]) -> dict[str, list[float]]:
    """The values by their name; nothing where one of them could not be measured."""
    return {} if bool(values.isnan().any()) else {name: values.tolist()}


def finite_by_name(names: list[str], values: Float[Tensor, " T"]) -> dict[str, float]:
    """Channel → its value, without channels that could not be measured."""
    return {name: value for name, value in zip(names, values.tolist(), strict=True) if value == value}


def forecast_metrics(
    prediction: Float[Tensor, "n T H"],
    target: Float[Tensor, "n T H"],
    std: Float[Tensor, " T"],
    columns: list[str],
    units: dict[str, str] | None = None,
) -> tuple[Metrics, Detail]:
    """Errors of a forecast; prediction and target z-scored (see `ForecastScores`)."""
    scores = ForecastScores(std, columns, units)
    scores.add(prediction, target)
    return scores.result()


def forecast_optimum(
    oracle: Float[Tensor, "m Hmax C"],
    oracle_from: int,
    last_rows: Int[Tensor, " n"],
    target: Float[Tensor, "n T H"],
    targets: list[int],
    mean: Float[Tensor, " T"],
    std: Float[Tensor, " T"],
) -> Metrics:
    """Errors of the conditional mean, which is the best forecast in MSE.

    Its `mae` belongs to that same predictor: the least possible MAE (of the conditional median) may be lower.

    Args:
        oracle: original units; entry i is for the row `oracle_from` + i.
        last_rows: last input row of each sample.
        target: z-scored with `mean` and `std`.
        targets: channel numbers of the T targets.
        mean, std: scaler of the T targets, original units.

    Raises:
        DataError: the oracle does not reach a sample or the horizon.
    """
    horizon = target.shape[2]
    if horizon > oracle.shape[1]:
        raise DataError(f"The optimum is known up to {oracle.shape[1]} steps ahead, found a horizon of {horizon}.")
    best = oracle[oracle_positions(len(oracle), oracle_from, last_rows)][:, :horizon, targets].double()
    scaled = (best - mean.double()) / std.double()
    names = [str(number) for number in targets]
    metrics, _ = forecast_metrics(scaled.transpose(1, 2), target.double(), std, names)
    return metrics
