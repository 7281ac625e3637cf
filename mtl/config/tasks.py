"""`tasks`: what is learnt; a forecast or a label, each on one source."""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from mtl.config.common import DropRate, Name, PositiveFloat, PositiveFraction, PositiveInt, Section
from mtl.config.labels import Label
from mtl.config.metrics import METRICS, Family


class TaskBase(Section):
    """What every kind of task has, and what a kind answers about itself before any data is read."""

    family: ClassVar[Family]
    metrics: ClassVar[tuple[str, ...]]
    """Names of all metrics of the kind that a task may be judged by."""

    source: Name
    input_len: PositiveInt | None = None
    """Rows in a window; needed on a series, null on a source of stored windows (their own length)."""
    role: Literal["main", "auxiliary"] = "main"
    """Auxiliary tasks are trained but do not count in verdicts' means or in early stopping."""
    train_fraction: PositiveFraction = 1.0
    """Share of the task's training samples that is used: the latest rows of a series' forecast, a stratified
    draw (by the run's seed) for labels."""
    dropout: DropRate | None = None
    """Dropout of this task's head and encoder pass; null takes `encoder.dropout`."""
    head_lr: PositiveFloat | None = None
    """Learning rate of this task's head; null takes `train.head_lr`."""
    weight: Annotated[float, Field(gt=0, strict=True)] = 1.0
    """Relative weight among the tasks of its family."""

    @property
    def primary_metric(self) -> str:
        """Name of the metric that verdicts, the choice of an epoch and studies read."""
        return self.metrics[0]

    @property
    def lower_is_better(self) -> bool:
        """Direction of the primary metric."""
        return METRICS[self.primary_metric].lower_is_better

    @property
    def weighs_classes(self) -> bool:
        """Whether the loss counts rare classes for more than their samples."""
        return False


class ForecastTask(TaskBase):
    """The next `horizon` rows of the `targets` columns, z-scored; MSE."""

    family: ClassVar[Family] = "regression"
    metrics: ClassVar[tuple[str, ...]] = ("mse", "mae")

    kind: Literal["forecast"]
    horizon: PositiveInt
    targets: Annotated[list[str], Field(min_length=1)] | None = None
    """Columns that are forecast; null takes all."""


ClassMetric = Literal["accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "log_loss"]
BinaryMetric = Literal[
    "accuracy", "balanced_accuracy", "macro_f1", "auc", "average_precision", "f1", "log_loss", "brier", "ece"
]


class LabelBase(TaskBase):
    """What both kinds of label have."""

    family: ClassVar[Family] = "classification"

    label: Label = "label"
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs class c by n / (k · n_c); of a binary task it sets pos_weight to negatives / positives."""
    metric: ClassMetric | BinaryMetric | None = None
    """What verdicts, the choice of an epoch and studies read; null takes what the loss is about: accuracy, or with
    `class_weights: balanced` the mean over classes of the share that is found. Accuracy rewards naming the frequent
    class, which such a loss gives up."""

    @property
    def primary_metric(self) -> str:
        return self.metric or ("balanced_accuracy" if self.class_weights == "balanced" else "accuracy")

    @property
    def weighs_classes(self) -> bool:
        return self.class_weights != "none"


class ClassificationTask(LabelBase):
    """One of two or more classes; cross-entropy."""

    metrics: ClassVar[tuple[str, ...]] = get_args(ClassMetric)

    kind: Literal["classification"]
    metric: ClassMetric | None = None
    """As of every label; `macro_auc` is the mean over classes of the area under the curve of each against the rest."""


class BinaryTask(LabelBase):
    """Yes or no; one logit, binary cross-entropy."""

    metrics: ClassVar[tuple[str, ...]] = get_args(BinaryMetric)

    kind: Literal["binary"]
    metric: BinaryMetric | None = None
    """As of every label; `f1` is that of the positive class, `ece` the expected calibration error."""


Task = Annotated[ForecastTask | ClassificationTask | BinaryTask, Field(discriminator="kind")]
