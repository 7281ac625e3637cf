"""`prepare.sources`: where windows, series, images and labels come from; one class a kind of source."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl.config.common import (
    Fraction,
    Name,
    Number,
    PositiveFraction,
    PositiveInt,
    Section,
    Seed,
)
from mtl.config.images import Cifar10Source, Cifar100Source, DigitsSource, MnistSource

MAX_OPTIMUM = 1 << 27
"""Numbers of the best possible forecast: 1 GiB as float64."""


class PlantedGroups(Section):
    """More labels of `sensors`, in groups that share latent regimes: a known answer to which tasks belong together."""

    count: Annotated[int, Field(ge=2, le=8, strict=True)] = 3
    """Groups, each with a chain of regimes of its own."""
    tasks: Annotated[int, Field(ge=1, le=16, strict=True)] = 3
    """Labels in a group: `group1_1`, `group1_2`, ..., each yes or no."""
    channels: Annotated[int, Field(ge=1, le=16, strict=True)] = 1
    """Channels that a group's chain drives: group1_vibration, ..."""
    within: Fraction = 0.9
    """Share of a label's information that lies in its group's regime; the rest is a coin of the label's own."""
    between: Fraction = 0.0
    """Share of all labels' information that lies in the first chain's regime instead, which they have in common."""

    @property
    def labels(self) -> list[list[str]]:
        """Names of the labels of each group: `group1_1`, `group1_2`, …"""
        return [[f"group{g + 1}_{m + 1}" for m in range(self.tasks)] for g in range(self.count)]


class SensorsSource(Section):
    """Embedded data with a known optimum: two Markov-switching vector autoregressions (methods 7), one row an hour."""

    kind: Literal["sensors"]
    seed: Seed = 0
    rows: Annotated[int, Field(gt=0, le=1_000_000, strict=True)] = 4000
    regimes: Annotated[int, Field(ge=2, le=8, strict=True)] = 4
    """Regimes of each chain, and so classes of `load_state`."""
    channels: Annotated[int, Field(ge=1, le=64, strict=True)] = 3
    """Channels that the first chain drives: vibration, temperature, flow, current, pressure, ..."""
    side_channels: Annotated[int, Field(ge=1, le=64, strict=True)] = 1
    """Channels that the second, independent chain drives: air_pressure, humidity, hall_temperature, ..."""
    stay: Annotated[float, Field(gt=0, lt=1, strict=True)] = 0.98
    """Probability that the regime stays as it is from one hour to the next."""
    noise: Annotated[float, Field(ge=1e-3, le=1e3, strict=True)] = 0.5
    """Spread of a channel around its regime's level; the levels lie within -contrast ... contrast."""
    contrast: Annotated[float, Field(ge=0, le=1e3, strict=True)] = 1.0
    """How far the regimes' levels lie apart; 0: the level tells nothing."""
    texture: Fraction = 0.6
    """How far the regimes differ in smoothness, swing and noise; 0: only the level tells them apart."""
    coupling: Fraction = 0.4
    """Strength with which neighbouring channels of a chain drive each other."""
    relatedness: Fraction = 1.0
    """Share of the labels' information that lies in the regime that drives the forecasts."""
    fault_flip: Annotated[float, Field(ge=0, le=0.5, strict=True)] = 0.02
    """Probability that a `fault` label is wrong; nobody can be right more often than 1 - fault_flip."""
    fault_labels: PositiveInt = 200
    """Rows of the training part (and of validation, if it has as many) whose `fault` label is known."""
    groups: PlantedGroups | None = None
    """Labels in planted groups, besides the others; null plants none."""
    max_horizon: PositiveInt = 24
    """Longest horizon for which the optimum is computed, in hours."""
    train: PositiveFraction = 0.6
    val: PositiveFraction = 0.2

    @property
    def borders(self) -> tuple[int, int, int]:
        """Rows [0, a) are the training part, [a, b) validation, [b, c) the test part."""
        return round(self.rows * self.train), round(self.rows * (self.train + self.val)), self.rows

    @property
    def classes(self) -> dict[str, list[str]]:
        """Label → names of its classes."""
        planted = [] if self.groups is None else [name for names in self.groups.labels for name in names]
        return {
            "load_state": [f"load {k + 1}" for k in range(self.regimes)],
            "fault": ["sound", "fault"],
            "coin": ["heads", "tails"],
        } | {name: ["even regime", "odd regime"] for name in planted}

    @model_validator(mode="after")
    def _leave_room(self) -> "SensorsSource":
        if self.train + self.val >= 1:
            raise ValueError("train + val should leave a share for the test part, so be below 1")
        a, b, c = self.borders
        if min(a, b - a, c - b) < self.max_horizon:
            raise ValueError(f"rows should give each part at least max_horizon = {self.max_horizon} rows")
        planted = 0 if self.groups is None else self.groups.count * self.groups.channels
        optimum = self.rows * self.max_horizon * (self.channels + self.side_channels + planted)
        if optimum > MAX_OPTIMUM:
            raise ValueError(f"rows × max_horizon × channels should be at most {MAX_OPTIMUM:,}, found {optimum:,}")
        if self.fault_labels > a:
            raise ValueError(f"fault_labels should be at most the {a} rows of the training part")
        return self


class FractionBorders(Section):
    """Chronological parts: the first `train` of the rows, the next `val`, the rest is the test part."""

    train: PositiveFraction = 0.7
    test: PositiveFraction = 0.2

    @model_validator(mode="after")
    def _leave_room(self) -> "FractionBorders":
        if self.train + self.test >= 1:
            raise ValueError("train + test should leave a share for validation, so be below 1")
        return self


class RowBorders(Section):
    """Explicit parts: rows [0, train) train, [train, val) validation, [val, test) test; later rows are unused."""

    train: PositiveInt
    val: PositiveInt
    test: PositiveInt

    @model_validator(mode="after")
    def _in_order(self) -> "RowBorders":
        if not self.train < self.val < self.test:
            raise ValueError("train, val and test are end rows and should increase")
        return self


class SeriesSource(Section):
    """A table in time order: .csv, .csv.gz or .parquet."""

    kind: Literal["series"]
    path: str
    """File, relative to the project's folder."""
    date: str | None = "date"
    """Column with the time stamps; null when there is none."""
    date_format: str | None = None
    """Format of the time stamps, as in strftime (%d.%m.%Y %H:%M); null works it out from the first one."""
    values: list[str] | None = None
    """Value columns; null takes every column but `date` and `labels`."""
    labels: list[str] = []
    """Columns with a class for every row (any values, NaN = no label), for classification tasks."""
    units: dict[str, str] = {}
    """Column → unit in words; a unit in brackets at the end of a column's name, as in `T (degC)`, is read by itself."""
    encoding: str = "utf-8"
    separator: Annotated[str, Field(pattern=r"^[\t !#-~]$")] = ","
    """One ASCII character or tab, not a quotation mark."""
    missing_markers: list[Number] = []
    """Numbers that stand for a missing value, for example -9999."""
    on_missing: Literal["error", "keep_markers", "interpolate", "ffill"] = "error"
    """`keep_markers` leaves the marker's number in the data, as the published benchmarks do."""
    on_duplicate: Literal["error", "first", "last", "mean", "keep"] = "error"
    on_unordered: Literal["error", "sort"] = "error"
    on_constant: Literal["error", "keep", "drop"] = "error"
    borders: FractionBorders | RowBorders = FractionBorders()


class HarSource(Section):
    """UCI HAR, nine raw inertial channels: the zip (also nested in an outer zip) or its unzipped folder."""

    kind: Literal["har"]
    path: str = "data/raw/UCI HAR Dataset.zip"
    folds: Annotated[int, Field(ge=2, le=21, strict=True)] = 5
    """Training subjects are dealt into this many groups; seed s holds out group s mod folds for validation."""
    split_seed: Seed = 0


class UeaSource(Section):
    """A UEA/UCR archive set in .ts format: `<stem>_TRAIN.ts` and `<stem>_TEST.ts`."""

    kind: Literal["uea"]
    path: str
    """Path up to `_TRAIN.ts`, relative to the project's folder."""
    folds: Annotated[int, Field(ge=2, le=50, strict=True)] = 5
    split_seed: Seed = 0
    on_unequal_length: Literal["error", "resample", "left_pad"] = "error"
    """`resample` stretches to the longest length; `left_pad` repeats the first value in front."""
    on_missing: Literal["error", "interpolate"] = "error"
    """What to do with `?`: `interpolate` draws a line between the neighbours in the same channel."""


class ArraysSource(Section):
    """One .npz with `x_train` [N, L, C], `x_test`, and a `y_train`/`y_test` [N] for each label name."""

    kind: Literal["arrays"]
    path: str
    labels: dict[Name, str] = {"label": "y"}
    """Label name → stem of its arrays (`y` means `y_train` and `y_test`); -1 is a missing label."""
    groups: str | None = None
    """Stem of the array (`subject` → `subject_train`) whose groups are held out whole; null: stratified."""
    folds: Annotated[int, Field(ge=2, le=50, strict=True)] = 5
    split_seed: Seed = 0


class PythonSource(Section):
    """A user's own source under plugins/: `target: module:callable` returns an `mtl.types.Prepared` or an
    `mtl.types.ImageSet`."""

    kind: Literal["python"]
    target: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    path: str | None = None
    options: dict[str, str | int | float | bool | None] = {}


Source = Annotated[
    SensorsSource | SeriesSource | HarSource | UeaSource | ArraysSource | PythonSource
    | DigitsSource | MnistSource | Cifar10Source | Cifar100Source,
    Field(discriminator="kind"),
]  # fmt: skip


class PrepareConfig(Section):
    """`prepare`: one DVC stage a source, `prepare@<name>`."""

    sources: Annotated[dict[Name, Source], Field(min_length=1)]


__all__ = [
    "ArraysSource", "Cifar100Source", "Cifar10Source", "DigitsSource", "FractionBorders", "HarSource", "MnistSource",
    "PlantedGroups", "PrepareConfig", "PythonSource", "RowBorders", "SensorsSource", "SeriesSource", "Source",
    "UeaSource",
]  # fmt: skip
