"""The questions that the section of every task answers before any data is read."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from mtl.config.cells import Cells
from mtl.config.common import DropRate, Name, PositiveFloat, PositiveFraction, PositiveInt, Section, tag
from mtl.config.inputs import Held, InputKind, SourceBase
from mtl.config.labels import LabelRule
from mtl.config.metrics import METRICS, Family, summed
from mtl.config.names import Derived
from mtl.errors import SettingError


class TaskBase(Section, ABC):
    """Base of the sections of tasks, with the questions that a kind answers before any data is read."""

    family: ClassVar[Family]
    metrics: ClassVar[tuple[str, ...]]
    """Names of all metrics of the kind that a task may be judged by; the first unless the section says another."""
    looks_ahead: ClassVar[bool] = False
    """The target is what follows a sample."""
    probabilities: ClassVar[bool] = False
    """It predicts the probability of each class."""
    two_classes: ClassVar[bool] = False
    """There are two, of which the second is the positive one."""
    at_positions: ClassVar[bool] = False
    """The target is a class at every position of a sample."""
    predicts: ClassVar[str]
    """Words for what is predicted of a column, with the field `distinct`: its different values."""

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

    @classmethod
    @abstractmethod
    def refuses(cls, cells: Cells) -> str | None:
        """A clause on why a task of the kind cannot learn a column of such cells; None where it can."""

    @classmethod
    @abstractmethod
    def means(cls, cells: Cells) -> bool:
        """True where a user who names such a column as a target, and no kind, may mean this one."""

    @classmethod
    @abstractmethod
    def learning(cls, column: str, rule: Mapping[str, object]) -> dict[str, object]:
        """Settings of a task of the kind that learns a column.

        Args:
            column: its name.
            rule: name of the rule that makes a label of the column → its value; empty where the column is learnt.
        """

    @property
    def primary_metric(self) -> str:
        """Name of the metric that verdicts, the choice of an epoch and studies read."""
        return self.metrics[0]

    @property
    def lower_is_better(self) -> bool:
        """Direction of the primary metric."""
        return METRICS[self.primary_metric].lower_is_better

    @property
    def untrained(self) -> dict[str, float]:
        """Values in place of the metrics of the task while it is not trained yet, where a trial of a study trains its
        tasks one after the other: the error of the mean of z-scored values, or no class that is right."""
        metric = summed(self.primary_metric)
        return {metric: 1.0 if METRICS[metric].lower_is_better else 0.0}

    @property
    def named(self) -> list[str]:
        """Columns, labels or numeric targets of its source that it learns or that its rule is made from, as far as the
        section names them."""
        return []

    @property
    def sorts(self) -> list[str]:
        """Names among `named` that it reads as classes: columns of whole numbers become labels for it."""
        return []

    @property
    def rule(self) -> LabelRule | None:
        """Rule that makes what it learns from a column; None where it learns the column itself."""
        return None

    @property
    def weighs_classes(self) -> bool:
        """The loss counts rare classes for more than their samples."""
        return False

    @property
    def judges_all(self) -> bool:
        """The metric counts every class alike; False where it is a mean over some of them."""
        return True

    @property
    def rows_ahead(self) -> int:
        """Number of rows following a sample that are its target; 0 where the target belongs to the sample."""
        return 0

    def followed(self, columns: Sequence[str]) -> list[str]:
        """Columns whose next rows it predicts.

        Args:
            columns: those that it predicts if it names none.
        """
        return []

    def starts(self, kind: InputKind | None, kernels: int) -> dict[str, str]:
        """Simple model → `linear` of the task by which the network would start at it; empty where it starts at one.

        Args:
            kind: of the samples; None where it is not known before they are read.
            kernels: number of random kernels of the simple model.
        """
        return {}

    @property
    def turns(self) -> int | None:
        """Seed of the coin that turns samples upside down for this task; None where it turns none."""
        return None

    def check_input(self, name: str, source: str, kind: InputKind) -> None:
        """Checks that the task `name` can be learnt from samples of a kind.

        Raises:
            SettingError: it cannot, or it says how long samples are that have a length of their own.
        """
        if not kind.has_length and self.input_len is not None:
            message = f"is for windows, and {source} holds {kind.noun}: leave it out."
            raise SettingError(f"tasks.{name}.input_len", message)
        if not kind.continues and self.rows_ahead:
            from mtl.config.tasks import Task  # here, since it lists the classes that this is the base of

            every = get_args(get_args(Task)[0])
            allowed = [tag(other) for other in every if not other.looks_ahead and not other.at_positions]
            message = f"should be {', '.join(allowed[:-1])} or {allowed[-1]}: {source} holds {kind.noun}, found "
            raise SettingError(f"tasks.{name}.kind", f"{message}{tag(type(self))!r}.")
        if not kind.turns and self.turns is not None:
            raise SettingError(f"tasks.{name}.label.flipped", f"is for images; {source} holds none.")

    def check_against(self, name: str, source: SourceBase) -> None:
        """Checks the task `name` against what the section of its source tells, before any data is read.

        Raises:
            SettingError: the source is known not to hold what the task names.
        """
        if source.input is None:
            return
        self.check_input(name, self.source, source.input)
        known = source.known
        if known is None or known.labels is None:
            self.check_label_is_no_input(name, source.labels_among_inputs)
            return
        if known.names is None:
            self.check_label_name(name, known.labels)
        else:
            classes = {label: list(names) for label, names in known.names.items()}
            tags = classes if source.series else {}
            self.learns(name, Held(self.source, source.input, known.columns, classes, known.numbers, tags))

    def check_label_name(self, name: str, labels: Collection[str]) -> None:
        """Checks the label that the task names, if it names one, where no more than the labels' names are known."""

    def check_label_is_no_input(self, name: str, inputs: Collection[str]) -> None:
        """Checks that the label that the task learns is none of the inputs of its source.

        Raises:
            SettingError: it is one, so that it could be read off the last row of a sample.
        """

    @abstractmethod
    def predicted(self, name: str, held: Held) -> int:
        """Numbers that are predicted of one sample: values, or a probability of each class.

        Raises:
            SettingError: the source does not hold what the task names.
        """

    @abstractmethod
    def learns(self, name: str, held: Held) -> str | Derived | None:
        """Checks what the task names against what its source holds.

        Returns:
            The label or the numeric target of the source that it learns; None where it learns the rows that follow.

        Raises:
            SettingError: the source does not hold it.
        """


def read_off(name: str, source: str, label: str) -> SettingError:
    """The error for a task `name` whose label is an input of its source."""
    return SettingError(
        f"tasks.{name}.label",
        f"should not be an input of {source}, off which it could be read: take `{label}` out of `values` of the "
        "source. For forecasts from its past values, a second source of the same file may name it in `values`; found "
        f"{label!r}.",
    )
