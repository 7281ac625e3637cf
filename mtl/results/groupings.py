"""Part of verdicts.json: every way to serve all tasks by specialised models."""

from mtl.results.content import Part
from mtl.results.numbers import Number
from mtl.results.statistics import Interval


class GroupingRow(Part):
    """One way to serve all tasks."""

    name: str
    kind: str
    """Origin: `random` and `partition` for single draws, `random_mean` and `partition_mean` for all of them,
    `best` for the partition that validation data chose."""
    models: int
    passes_a_task: int
    """Passes through networks for one task of a sample."""
    passes_all_tasks: int
    parameters: Number
    """Sum over all models; a mean over draws has fractions."""
    groups: list[list[str]]
    """Tasks of each model; empty for means over draws."""
    metrics: dict[str, float]
    """Task → its test metric, mean over seeds."""
    delta_m: Interval
    """Mean change of the main tasks against single-task models, percent."""
    over_random: Interval | None
    """Δm less the mean of random groupings into as many models, in points, paired by seed; None without such."""
    per_seed: list[float]
    """Δm of each seed; empty where a baseline of zero leaves it undefined."""
    per_seed_val: list[float]
    """Δm of each seed on validation data."""


class Groupings(Part):
    """Groupings that were trained, at their number of models."""

    rows: list[GroupingRow]
    weights: str
    """Form of the weights of the losses of a model."""
