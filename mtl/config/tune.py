"""`tune`: the study that `mtl tune` makes; no stage reads it, and every value has a default."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from mtl.config.common import Count, Fraction, Name, Number, PositiveInt, Section, Seed


class FloatRange(Section):
    """A number from `low` to `high`."""

    kind: Literal["float"]
    low: Number
    high: Number
    log: bool = False
    """Searched on a logarithmic scale."""
    points: Annotated[int, Field(ge=2, strict=True)] = 5
    """Values of the grid, evenly spread on the scale; for the sampler `grid` only."""

    @model_validator(mode="after")
    def _not_empty(self) -> "FloatRange":
        _check_range(self.low, self.high, self.log)
        return self


class IntRange(Section):
    """A whole number from `low` to `high`, both included."""

    kind: Literal["int"]
    low: Annotated[int, Field(strict=True)]
    high: Annotated[int, Field(strict=True)]
    log: bool = False

    @model_validator(mode="after")
    def _not_empty(self) -> "IntRange":
        _check_range(self.low, self.high, self.log)
        return self


Scalar = bool | int | float | str | None


class Choice(Section):
    """One of several values."""

    kind: Literal["choice"]
    values: Annotated[list[Scalar], Field(min_length=2)]

    @model_validator(mode="after")
    def _distinct(self) -> "Choice":
        if len({(type(value), value) for value in self.values}) != len(self.values):
            raise ValueError(f"values should be distinct, found {self.values}")
        return self


Dimension = Annotated[FloatRange | IntRange | Choice, Field(discriminator="kind")]


class NoPruner(Section):
    """Every trial trains to its end."""

    kind: Literal["none"]


class MedianPruner(Section):
    """Ends a trial whose objective is worse than the median of the others of its arm at the same epoch; with one
    objective. A task that the arm has not trained yet by then (STL trains them one by one, a sequential method in
    phases) counts as error 1 and accuracy 0, in all trials alike: every arm is pruned by one rule."""

    kind: Literal["median"]
    startup_trials: Count = 5
    """Trials that train to their end before any is ended."""
    warmup_epochs: Count = 1
    """Epochs that every trial is trained for."""


Pruner = Annotated[NoPruner | MedianPruner, Field(discriminator="kind")]


def renamed(objective: object) -> object:
    """The name of now for `forecast_mse`, as `error` was called while forecasts were the only tasks of numbers."""
    return "error" if objective == "forecast_mse" else objective


TuneObjective = Literal["combined", "error", "accuracy"]


class TuneConfig(Section):
    """`tune`: what is searched, and how it is judged; on validation data, never on test data."""

    method: Name | None = None
    """The method that is tuned; null: the first. `mtl tune --arms` tunes all of them, and STL."""
    trials: PositiveInt = 20
    """Finished trials of each arm."""
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    """Seeds of a trial, among base.seeds; null: the first. The objective is the mean over them."""
    objectives: Annotated[
        list[Annotated[TuneObjective, BeforeValidator(renamed)]], Field(min_length=1, max_length=2)
    ] = ["combined"]
    """`error` is the mean over the main forecasts and regressions of their metric (z-scored: the MSE for an RMSE; its
    older name `forecast_mse` is taken too), `accuracy` that over the main labels of theirs (where less is better, 1
    less it); `combined` is (1 − λ₀) · error + λ₀ · (1 − accuracy) with λ₀ = train.stopping.default_lambda, whatever λ a
    trial has."""
    tolerance: Fraction | None = None
    """A trial is feasible when the error of every main forecast and regression is at most (1 + tolerance) times the
    single-task run's; null: every trial is."""
    sampler: Literal["tpe", "gp", "random", "grid"] = "tpe"
    sampler_seed: Seed = 0
    pruner: Pruner = NoPruner(kind="none")
    space: Annotated[dict[str, Dimension], Field(min_length=1)] | None = None
    """Path in this file → what is searched there; null: λ, its schedule, train.lr and train.weight_decay."""

    @model_validator(mode="after")
    def _objectives_fit(self) -> "TuneConfig":
        if len(set(self.objectives)) != len(self.objectives):
            raise ValueError(f"objectives should be distinct, found {self.objectives}")
        if len(self.objectives) > 1 and self.pruner.kind != "none":
            raise ValueError(f"pruner should be none with several objectives, found {self.pruner.kind!r}")
        if self.seeds is not None and len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds should be distinct, found {self.seeds}")
        return self


def _check_range(low: int | float, high: int | float, log: bool) -> None:
    if low >= high:
        raise ValueError(f"low should be below high, found {low} and {high}: the range is empty")
    if log and low <= 0:
        raise ValueError(f"low should be positive on a logarithmic scale, found {low}")
