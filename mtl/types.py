"""What the rooms hand to each other, and the legend of dimension names.

B batch, C channels, L input length, H horizon, N tokens, D width, K tasks, R rows of a series, W windows,
S images, Y × X pixels of an image.
"""

from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from mtl.config.metrics import METRICS

Kind = Literal["forecast", "classification", "binary"]
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
NO_LABEL = -1
"""Marks a sample whose label is missing: it is masked, never counted as a class."""


@dataclass(frozen=True)
class Prepared:
    """One source, as `prepare` writes it and `mtl.data.loading.store` reads it back; values in original units.

    A *series* (`window` None) has one row a time step, and windows may start anywhere inside a part.
    *Stored windows* (`window` = L) are W windows of L rows laid end to end: window i is rows [i·L, (i+1)·L).
    """

    name: str
    values: Float[Tensor, "R C"]
    """float64, original units."""
    columns: list[str]
    window: int | None
    borders: tuple[int, int, int] | None
    """Series: rows [0, a) train, [a, b) validation, [b, c) test. Stored windows: None."""
    fold: Int[Tensor, " W"] | None
    """Stored windows: -1 is a test window, else the training window's fold; seed s validates on fold s mod F."""
    folds: int
    """Number of folds F; 1 for a series (its validation part is fixed)."""
    labels: dict[str, Int[Tensor, " _"]] = field(default_factory=dict)
    """Label name → class of each row (series: known at that row) or of each stored window; NO_LABEL is missing."""
    classes: dict[str, list[str]] = field(default_factory=dict)
    """Label name → class names in the order of the numbers."""
    groups: Int[Tensor, " W"] | None = None
    """Stored windows: whom a window belongs to (a person), or None."""
    units: dict[str, str] = field(default_factory=dict)
    """Column → unit in words, where known."""
    oracle_forecast: Float[Tensor, "n H C"] | None = None
    """Sources with a known optimum: best forecast (original units) of rows t+1…t+H given all rows ≤ t, for the
    rows t in [oracle_from, oracle_from + n)."""
    oracle_from: int = 0
    oracle_labels: dict[str, Float[Tensor, "n _"]] = field(default_factory=dict)
    """Label name → P(class | rows ≤ t) for the same rows t as `oracle_forecast`."""
    notes: list[str] = field(default_factory=list)
    """What was replaced, dropped or skipped while reading, in words."""

    @property
    def rows(self) -> int:
        return self.values.shape[0]


@dataclass(frozen=True)
class ImageSet:
    """One source of images, as `prepare` writes it and `mtl.data.loading.store` reads it back; pixels stay uint8."""

    name: str
    images: UInt8[Tensor, "S C Y X"]
    columns: list[str]
    """Channels: `grey`, or `red`, `green`, `blue`."""
    fold: Int[Tensor, " S"]
    """-1 is a test image, else the training image's fold; seed s validates on fold s mod F."""
    folds: int
    labels: dict[str, Int[Tensor, " S"]]
    """Label name → class of each image; NO_LABEL is missing. Every source has `classes`."""
    classes: dict[str, list[str]]
    """Label name → class names in the order of the numbers."""
    mean: tuple[float, ...] | None = None
    """Of each channel, in shares of full brightness, as the config gives it; None: taken from the training images."""
    std: tuple[float, ...] | None = None
    notes: list[str] = field(default_factory=list)
    """What was replaced, dropped or skipped while reading, in words."""


SourceData = Prepared | ImageSet


@dataclass(frozen=True)
class TaskSpec:
    """One task, resolved against its source."""

    name: str
    kind: Kind
    source: str
    input_len: int
    """Rows of a window; 0 for images."""
    columns: list[str]
    """Input channels, in order (C of them)."""
    targets: list[int]
    """Forecast: channel numbers that are predicted; labels: empty."""
    horizon: int = 0
    classes: list[str] = field(default_factory=list)
    role: Literal["main", "auxiliary"] = "main"
    weight: float = 1.0
    dropout: float | None = None
    class_weights: tuple[float, ...] | None = None
    """Classification: weight of each class. Binary: (pos_weight,)."""
    image: tuple[int, int] | None = None
    """Y × X pixels; None for windows."""
    head_lr: float | None = None
    """Learning rate of the task's head; None takes that of the run."""
    label_metric: str = "accuracy"
    """What a label task is judged by."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (C, L), or (C, Y, X)."""
        return (len(self.columns), *(self.image or (self.input_len,)))

    @property
    def outputs(self) -> int:
        """Numbers predicted a sample: H per channel for a forecast, else logits (one for a binary task)."""
        return self.horizon if self.kind == "forecast" else 1 if self.kind == "binary" else len(self.classes)

    @property
    def metric(self) -> str:
        """Name of the primary metric."""
        return "mse" if self.kind == "forecast" else self.label_metric

    @property
    def lower_is_better(self) -> bool:
        return METRICS[self.metric].lower_is_better


@dataclass(frozen=True)
class Batch:
    """Samples of one pool: tasks that share them share one pass through the network."""

    pool: str
    index: Int[Tensor, " B"]
    """Numbers of the samples in their pool."""
    x: Float[Tensor, "B C *S"]
    """Inputs, z-scored: windows [B, C, L] or images [B, C, Y, X]."""
    forecasts: dict[str, Float[Tensor, "B _ _"]]
    """Forecast → its targets [B, T, H] (T target channels), z-scored."""
    label_tasks: tuple[str, ...]
    labels: Int[Tensor, "B J"] | None
    """Class number of every sample for each of the J `label_tasks`; None when there is none."""
    valid: Bool[Tensor, "B K"] | None
    """Which samples have a target, for each of the K tasks of the pool, in its order; None: all have."""

    def target(self, task: str) -> Tensor:
        """Of one task: [B, T, H] z-scored, or [B] class numbers."""
        if task in self.forecasts:
            return self.forecasts[task]
        assert self.labels is not None
        return self.labels[:, self.label_tasks.index(task)]


@dataclass(frozen=True)
class Predictions:
    """What a network says of a batch, and the tensors between its shared part and its heads."""

    own: dict[str, Tensor]
    """Forecast → [B, T, H] z-scored; classification → [B, k] logits."""
    binary: tuple[str, ...]
    logits: Float[Tensor, "B J"] | None
    """One logit for each of the J `binary` tasks, in one matrix; None when there is none."""
    features: tuple[Tensor, ...]
    """All tensors that heads read: one under hard sharing, one a task when each has a trunk of its own."""

    def __getitem__(self, task: str) -> Tensor:
        """Prediction of one task: [B, T, H], [B, k] or [B]."""
        if task in self.own:
            return self.own[task]
        assert self.logits is not None
        return self.logits[:, self.binary.index(task)]

    @property
    def tasks(self) -> tuple[str, ...]:
        return (*self.own, *self.binary)
