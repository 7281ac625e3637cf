"""`tasks`: what is learnt, each task on one source; a class a kind of task.

A class answers what is asked of its kind before any data is read: its family, its metrics, what it names.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from mtl.config.cells import MOST_CLASSES, Cells
from mtl.config.common import PositiveInt
from mtl.config.inputs import Held, InputKind
from mtl.config.judging import judged_by, score_problem
from mtl.config.labels import Label, LabelRule
from mtl.config.linear_map import KernelStart, LinearStart, RowStart, check_row_start
from mtl.config.losses import NumberLoss, QuantileLoss, levels_of
from mtl.config.metrics import BinaryMetric, ClassMetric, Family, ForecastMetric, RegressionMetric
from mtl.config.names import Derived, check_label, label_of
from mtl.config.narrowed import NarrowedF1
from mtl.config.tagging import TaggingTask
from mtl.config.task_base import TaskBase, read_off
from mtl.errors import SettingError, shown

FOCAL_GAMMA = 2.0


class ForecastTask(TaskBase):
    """The next `horizon` rows of the `targets` columns, z-scored."""

    family: ClassVar[Family] = "regression"
    metrics: ClassVar[tuple[str, ...]] = get_args(ForecastMetric)
    looks_ahead: ClassVar[bool] = True
    predicts: ClassVar[str] = "the numbers that follow"

    kind: Literal["forecast"]
    horizon: PositiveInt
    targets: Annotated[list[str], Field(min_length=1)] | None = None
    """Columns that are forecast; null takes all."""
    loss: NumberLoss = Field(default="mse", exclude_if=lambda loss: loss == "mse")
    """On the z-score; as of a regression. Left out where it is the default, so that what is derived from the section
    stays as it was before there was a choice."""
    metric: Annotated[ForecastMetric | None, judged_by(get_args(ForecastMetric), "a forecast")] = Field(
        default=None, exclude_if=lambda metric: metric is None
    )
    """Metric that verdicts, the choice of an epoch and studies read; null takes mse, whatever error is trained on, or
    crps for quantiles. Left out where it is null, as `loss` is."""
    linear: LinearStart | None = Field(default=None, exclude_if=lambda linear: linear is None)
    """Linear map of the raw window that the network starts from; null: the network starts as its encoder and head do.
    Left out where it is null, as `loss` is."""

    @classmethod
    def refuses(cls, cells: Cells) -> str | None:
        if not cells.in_time:
            return "it needs rows that are steps of time, one after the other, with their dates in the first column"
        return None if cells.type == "number" else f"it needs numbers, and the cells are taken for {cells.type}"

    @classmethod
    def means(cls, cells: Cells) -> bool:
        return cells.in_time and cells.type == "number"

    @classmethod
    def learning(cls, column: str, rule: Mapping[str, object]) -> dict[str, object]:
        return {"targets": [column]}

    def followed(self, columns: Sequence[str]) -> list[str]:
        return self.targets or list(columns)

    def starts(self, kind: InputKind | None, kernels: int) -> dict[str, str]:
        return {"ridge": "{channels: one}"} if self.linear is None else {}

    @model_validator(mode="after")
    def _only_quantiles_have_a_score(self) -> "ForecastTask":
        problem = score_problem(self.metric, self.loss, self.metrics)
        if problem is not None:
            raise ValueError(problem)
        return self

    @property
    def primary_metric(self) -> str:
        return self.metric or ("crps" if isinstance(self.loss, QuantileLoss) else "mse")

    @property
    def rows_ahead(self) -> int:
        return self.horizon

    def predicted(self, name: str, held: Held) -> int:
        self.learns(name, held)
        return self.horizon * len(self.targets or held.columns) * levels_of(self.loss)

    def learns(self, name: str, held: Held) -> None:
        self.check_input(name, held.source, held.kind)
        for target in self.targets or []:
            if target not in held.columns:
                message = f"should be among {', '.join(held.columns)}, found {shown(target)}."
                raise SettingError(f"tasks.{name}.targets", message)


class RegressionTask(TaskBase):
    """One number a sample, z-scored by the training samples; missing ones are left out."""

    family: ClassVar[Family] = "regression"
    metrics: ClassVar[tuple[str, ...]] = get_args(RegressionMetric)
    predicts: ClassVar[str] = "the number itself"

    kind: Literal["regression"]
    target: str = "target"
    """Name of the numeric target at the source."""
    loss: NumberLoss = "mse"
    """On the z-score; `huber` is quadratic up to one standard deviation, then linear (Huber 1964); `quantiles` predicts
    the quantiles of the levels that are listed, whose median is then the prediction that errors measure."""
    metric: Annotated[RegressionMetric | None, judged_by(get_args(RegressionMetric), "a regression")] = None
    """Metric that verdicts, the choice of an epoch and studies read; null takes mse, or crps for quantiles. Never r2,
    whose relative change means nothing near 0; it is reported beside."""
    linear: RowStart | None = Field(default=None, exclude_if=lambda linear: linear is None)
    """Ridge regression of the row that the network starts from, of rows of a table alone; null: none."""

    @model_validator(mode="after")
    def _only_quantiles_have_a_score(self) -> "RegressionTask":
        problem = score_problem(self.metric, self.loss, self.metrics)
        if problem is not None:
            raise ValueError(problem)
        return self

    @property
    def primary_metric(self) -> str:
        return self.metric or ("crps" if isinstance(self.loss, QuantileLoss) else "mse")

    @classmethod
    def refuses(cls, cells: Cells) -> str | None:
        return None if cells.type == "number" else f"it needs numbers, and the cells are taken for {cells.type}"

    @classmethod
    def means(cls, cells: Cells) -> bool:
        return cells.type == "number" and not (cells.whole and cells.distinct == 2)

    @classmethod
    def learning(cls, column: str, rule: Mapping[str, object]) -> dict[str, object]:
        return {"target": column}

    @property
    def named(self) -> list[str]:
        return [self.target]

    def starts(self, kind: InputKind | None, kernels: int) -> dict[str, str]:
        return {"ridge": "{}"} if self.linear is None and kind is not None and kind.mapped else {}

    def check_input(self, name: str, source: str, kind: InputKind) -> None:
        super().check_input(name, source, kind)
        check_row_start(name, self.linear, source, kind)

    def predicted(self, name: str, held: Held) -> int:
        self.learns(name, held)
        return levels_of(self.loss)

    def learns(self, name: str, held: Held) -> str:
        self.check_input(name, held.source, held.kind)
        if self.target not in held.numbers:
            where, asked = f"tasks.{name}.target", shown(self.target)
            if self.target in held.columns:
                message = f"is an input of {held.source}, from which it could be read off: name it among the source's "
                raise SettingError(where, f"{message}targets, so that it is none, or choose another; found {asked}.")
            if held.kind.tabular:
                message = f"should be a target or column of numbers of {held.source}, no row numbers or id; found "
                message += f"{asked}. `mtl data inspect {held.source}` shows its columns; one of names is "
                raise SettingError(where, f"{message}predicted by `kind: classification` or `binary`.")
            if not held.numbers:
                message = (
                    f"should be a numeric target of {held.source}, which has none; found {asked}. Name its columns or "
                    "arrays of numbers in `targets` of the source (series, arrays; `numbers` of own code), or predict "
                    "one of its labels by `kind: classification` or `binary`."
                )
                raise SettingError(where, message)
            raise SettingError(where, f"should be one of {', '.join(held.numbers)}; found {asked}.")
        return self.target


class LabelBase(TaskBase):
    """Base of the sections of tasks that learn a label."""

    family: ClassVar[Family] = "classification"
    probabilities: ClassVar[bool] = True

    label: Label = "label"
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs class c by n / (k · n_c); of a binary task it sets pos_weight to negatives / positives."""
    loss: Literal["cross_entropy", "focal"] = Field(default="cross_entropy", exclude_if=lambda loss: loss != "focal")
    """`focal` multiplies the cross-entropy of a sample by (1 − p)^gamma, with p the probability of its class, so that
    samples which are right already count for little (Lin et al. 2017, arXiv 1708.02002, eq. 4). Left out where it is
    the default, so that what is derived from the section stays as it was before there was a choice."""
    gamma: Annotated[float, Field(gt=0, le=10, strict=True, exclude_if=lambda gamma: gamma == FOCAL_GAMMA)] = (
        FOCAL_GAMMA
    )
    """Exponent of `loss: focal`. Left out where it is the default, as `loss` is."""
    metric: ClassMetric | BinaryMetric | None = None
    """Metric that verdicts, the choice of an epoch and studies read; null takes that of the loss: accuracy, or with
    `class_weights: balanced` the mean over classes of the share that is found. Accuracy rewards naming the frequent
    class, which such a loss gives up."""

    @classmethod
    def refuses(cls, cells: Cells) -> str | None:
        return cells.no_classes

    @classmethod
    def learning(cls, column: str, rule: Mapping[str, object]) -> dict[str, object]:
        return {"label": {"column": column, **rule} if rule else column}

    @model_validator(mode="after")
    def _gamma_is_of_the_focal_loss(self) -> "LabelBase":
        if self.loss != "focal" and self.gamma != FOCAL_GAMMA:
            raise ValueError(f"gamma should be left out without `loss: focal`, found {self.gamma}")
        return self

    @property
    def focal(self) -> float | None:
        """Exponent of the focal loss; None: plain cross-entropy."""
        return self.gamma if self.loss == "focal" else None

    @property
    def primary_metric(self) -> str:
        return self.metric or ("balanced_accuracy" if self.class_weights == "balanced" else "accuracy")

    @property
    def named(self) -> list[str]:
        wanted = self.label.of if isinstance(self.label, LabelRule) else self.label
        return [] if wanted is None else [wanted]

    @property
    def sorts(self) -> list[str]:
        return [] if isinstance(self.label, LabelRule) and self.label.border is not None else self.named

    @property
    def rule(self) -> LabelRule | None:
        return self.label if isinstance(self.label, LabelRule) else None

    @property
    def turns(self) -> int | None:
        return self.label.flipped if isinstance(self.label, LabelRule) else None

    def check_label_name(self, name: str, labels: Collection[str]) -> None:
        check_label(name, self.label, self.source, labels)

    def predicted(self, name: str, held: Held) -> int:
        learnt = self.learns(name, held)
        return len(held.classes[learnt] if isinstance(learnt, str) else learnt.classes)

    def learns(self, name: str, held: Held) -> str | Derived:
        self.check_input(name, held.source, held.kind)
        learnt = label_of(name, self.label, held, self.two_classes)
        if (learnt.of if isinstance(learnt, Derived) else learnt) in held.columns:
            raise read_off(name, self.source, str(learnt.of if isinstance(learnt, Derived) else learnt))
        return learnt

    def check_label_is_no_input(self, name: str, inputs: Collection[str]) -> None:
        wanted = self.label.of if isinstance(self.label, LabelRule) else self.label
        if wanted in inputs:
            raise read_off(name, self.source, str(wanted))

    @property
    def weighs_classes(self) -> bool:
        return self.class_weights != "none"


class ClassificationTask(NarrowedF1, LabelBase):
    """One of two or more classes; cross-entropy."""

    metrics: ClassVar[tuple[str, ...]] = get_args(ClassMetric)
    predicts: ClassVar[str] = "one of {distinct} classes"

    kind: Literal["classification"]
    metric: Annotated[ClassMetric | None, judged_by(get_args(ClassMetric), "a classification")] = None
    """Metric as for every label; `macro_auc` is the mean area under the curve of each class against the rest."""
    linear: KernelStart | None = Field(default=None, exclude_if=lambda linear: linear is None)
    """Ridge regression on random kernels of the window that the network starts from, or logistic regression of a row of
    a table; null: none."""

    @classmethod
    def means(cls, cells: Cells) -> bool:
        return cells.sorted_out and 2 < cells.distinct <= MOST_CLASSES

    def starts(self, kind: InputKind | None, kernels: int) -> dict[str, str]:
        if self.linear is not None or kind is None:
            return {}
        windows = {"kernels": f"{{kernels: {kernels}}}"} if kind.has_length else {}
        return windows | ({"logistic": "{}"} if kind.mapped else {})

    def check_input(self, name: str, source: str, kind: InputKind) -> None:
        super().check_input(name, source, kind)
        if self.linear is None or kind.has_length:
            return
        if not kind.mapped:
            message = f"is for windows and rows, and {source} holds {kind.noun}: leave it out."
            raise SettingError(f"tasks.{name}.linear", message)
        if self.linear.kernels is not None:
            message = f"is for windows, and {source} holds {kind.noun}: leave it out, as in `linear: {{}}`."
            raise SettingError(f"tasks.{name}.linear.kernels", message)


class BinaryTask(LabelBase):
    """Yes or no; one logit, binary cross-entropy."""

    metrics: ClassVar[tuple[str, ...]] = get_args(BinaryMetric)
    two_classes: ClassVar[bool] = True
    predicts: ClassVar[str] = "one of two classes"

    kind: Literal["binary"]
    metric: Annotated[BinaryMetric | None, judged_by(get_args(BinaryMetric), "a binary task")] = None
    """Metric as for every label; `f1` is that of the positive class, `ece` the expected calibration error."""
    linear: RowStart | None = Field(default=None, exclude_if=lambda linear: linear is None)
    """Logistic regression of the row that the network starts from, of rows of a table alone; null: none."""

    @classmethod
    def refuses(cls, cells: Cells) -> str | None:
        problem = super().refuses(cells)
        if problem is not None or cells.distinct == 2:
            return problem
        return f"it needs two classes, and there are {cells.distinct}"

    @classmethod
    def means(cls, cells: Cells) -> bool:
        return cells.sorted_out and cells.distinct == 2

    def starts(self, kind: InputKind | None, kernels: int) -> dict[str, str]:
        return {"logistic": "{}"} if self.linear is None and kind is not None and kind.mapped else {}

    def check_input(self, name: str, source: str, kind: InputKind) -> None:
        super().check_input(name, source, kind)
        check_row_start(name, self.linear, source, kind)


Task = Annotated[
    ForecastTask | RegressionTask | ClassificationTask | BinaryTask | TaggingTask, Field(discriminator="kind")
]
