"""run.json: what a finished run was, what it cost and what it measured."""

from typing import Literal

from pydantic import ConfigDict, Field

from mtl.config.methods import Start
from mtl.errors import UserError
from mtl.paths import RunPath
from mtl.results.content import Part, ResultFile, absent
from mtl.results.numbers import Metrics, Number, Split, finite
from mtl.results.simple import SimpleChoice

Row = list[Number | None]
Table = Row | list[Row] | dict[str, Number | None] | dict[str, Row]
"""Numbers in a row, in rows, or by name; None where a number is not defined."""


class OperatingPoints(Part):
    """Counts of a binary label at decreasing thresholds, of which its curves are drawn.

    The receiver operating characteristic is true positives / `positives` over false positives / `negatives`; precision
    is true positives / (true + false positives), recall true positives / `positives`.
    """

    true_positives: list[int]
    """Positive samples whose score is at least the threshold."""
    false_positives: list[int]
    """Negative ones."""
    positives: int
    negatives: int


class Reliability(Part):
    """A binary label's samples in bins of their predicted probability; a bin without samples is left out."""

    bin: list[int]
    """Numbers of the bins, which are of equal width, from 0."""
    probability: list[float]
    """Mean predicted probability of the positive class."""
    positive: list[float]
    """Share of the samples that are positive."""
    samples: list[int]


class Pairs(Part):
    """Some test samples of a regression, original units; entry i of both is one sample."""

    prediction: list[float]
    truth: list[float]


class ByQuantile(Part):
    """Parts of equally many test samples of a regression, ordered by their true value; original units."""

    up_to: list[float]
    """Largest true value of each part."""
    rmse: list[float]


class Intervals(Part):
    """Central intervals between predicted quantiles, the widest first."""

    share: list[float]
    """Share of the targets that an interval should hold."""
    coverage: list[float]
    """Share of the test targets that it holds."""
    width: list[float]
    """Mean distance between its bounds, z-scored."""


class Detail(Part):
    """Measurements of a task besides its metrics; a kind of task may add tables under names of its own.

    The names of tables tell their form: `…_by_horizon` is a row of H numbers, one a step ahead, `…_by_channel` holds a
    number by the name of a channel.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Table] = Field(init=False)

    classes: list[str] | None = Field(default=None, exclude_if=absent)
    """Names of the k classes, in the order of their numbers."""
    confusion: list[list[int]] | None = Field(default=None, exclude_if=absent)
    """[k, k] counts; rows are the true classes, columns the predicted ones."""
    operating_points: OperatingPoints | None = Field(default=None, exclude_if=absent)
    reliability: Reliability | None = Field(default=None, exclude_if=absent)
    points: Pairs | None = Field(default=None, exclude_if=absent)
    by_quantile: ByQuantile | None = Field(default=None, exclude_if=absent)
    unit: str | None = Field(default=None, exclude_if=absent)
    """Unit of the target in words, where it has one of its own and it is known."""
    intervals: Intervals | None = Field(default=None, exclude_if=absent)
    undefined: dict[str, str] | None = Field(default=None, exclude_if=absent)
    """Metric that these samples leave undefined → the reason; it is absent from the test metrics."""

    @property
    def tables(self) -> dict[str, Table]:
        """Further tables by their names."""
        return dict(self.__pydantic_extra__)

    def row(self, name: str) -> list[float]:
        """A table that is a row of numbers; empty where it is not there."""
        table = self.__pydantic_extra__.get(name, [])
        return [float(value) for value in table if isinstance(value, int | float)] if isinstance(table, list) else []

    def by_name(self, name: str) -> dict[str, float]:
        """A table that is a number by name; empty where it is not there."""
        table = self.__pydantic_extra__.get(name, {})
        if not isinstance(table, dict):
            return {}
        return {key: float(value) for key, value in table.items() if isinstance(value, int | float)}


class Parameters(Part):
    """Numbers in a network."""

    total: int
    trainable: int
    shared: int
    """Numbers in the part that all tasks share."""
    trunk: int
    """Numbers in all trunks: the shared one, or those of all tasks."""
    heads: dict[str, int]


class SharingKind(Part):
    """Form of sharing between the tasks."""

    kind: str


class Stitches(Part):
    """Units of a cross-stitched network (Misra et al. 2016, arXiv 1604.03539, eq. 1)."""

    tasks: list[str]
    stages: list[list[list[float]]]
    """[stages, K, K]: weight of each task's own features (row) and of those that it takes from the others."""


class Handover(Part):
    """Parameters that came from the pretrained encoder, and those that started anew."""

    handed_over: list[str]
    fresh: list[str]


class Phase(Part):
    """One phase of a run that has several."""

    tasks: list[str]
    """Tasks that were trained in it."""
    test: dict[str, Metrics]
    """Task → test metrics at its end, of every task of the run."""


class Run(ResultFile):
    """run.json of a single-task, joint or specialised run, or of a simple model."""

    stage: Literal["simple", "baseline", "finetune", "specialise"]
    name: str
    """Task (simple, baseline), method (finetune) or model (specialise)."""
    start: str
    """Label of the start."""
    init: Literal["random", "pretrained"]
    freeze: Literal["none", "encoder"]
    width: float
    """Factor on the encoder's widths."""
    seed: int
    fold: dict[str, int]
    """Source → its fold that this run validated on."""
    method_kind: str
    """`simple` for a simple model, `stl` for a task alone, else the kind of the method."""
    tasks: list[str]
    """Tasks that are judged."""
    device: str
    threads: int
    epochs_run: int
    best_epoch: int
    """Epoch of the last phase whose weights were kept; 0: none was better than those before its first step."""
    stopped: str
    """`end` of the budget, or `patience`."""
    steps: int
    samples: dict[str, int]
    """Task → samples drawn in training, over all epochs."""
    train_size: dict[str, int]
    """Task → samples of its training part."""
    parameters: Parameters
    sharing: SharingKind
    stitches: Stitches | None
    transfer: Handover | None
    """None when the run did not start from a pretrained encoder."""
    train: dict[str, Metrics]
    """Task → metrics on the training part: on as many samples as the test part has, at most."""
    val: dict[str, Metrics]
    test: dict[str, Metrics]
    detail: dict[str, Detail]
    """Task → what was measured on the test part besides its metrics."""
    optimum: dict[str, Metrics]
    """Task → test metrics of the best possible predictor, where the source knows it."""
    guess: dict[str, Metrics] | None = Field(default=None, exclude_if=absent)
    """Task → test metrics of a predictor that has seen no input, only the mean of the training targets or the shares of
    their classes; None in files from before it was measured."""
    phases: list[Phase] | None
    simple: SimpleChoice | None = Field(default=None, exclude_if=absent)
    """Simple model of the run; None in runs of networks."""
    identity: dict[str, str]
    """Hashes of the settings and data that the result depends on."""

    @property
    def path(self) -> RunPath:
        """Place of the run below outputs/."""
        return RunPath(self.stage, self.name, self.start if self.stage == "baseline" else None, self.seed)

    @property
    def begun(self) -> Start:
        """Start of the run as a section of the configuration."""
        return Start(init=self.init, freeze=self.freeze, width=self.width)

    def metrics(self, split: Split) -> dict[str, Metrics]:
        """Task → metrics on one part of the data."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]

    def value(self, task: str, metric: str, split: Split = "test") -> float:
        """A metric of one task.

        Raises:
            UserError: the run does not hold it, or it is not a finite number.
        """
        return finite(self.path, self.metrics(split), task, metric, split)

    def value_after(self, phase: int, task: str, metric: str) -> float:
        """A test metric of one task at the end of a phase, which counts from 0.

        Raises:
            UserError: as `value`, or the run has no such phase.
        """
        phases = self.phases or []
        if phase >= len(phases):
            raise UserError(f"{self.path.folder / 'run.json'} holds no phase {phase + 1}; run `mtl repro`.")
        return finite(self.path, phases[phase].test, task, metric, "test")


class Pretraining(ResultFile):
    """run.json of a pretraining."""

    stage: Literal["pretrain"]
    name: None
    seed: int
    objective: str
    sources: list[str]
    """Sources whose unlabelled windows were trained on."""
    processes: int | None = Field(default=None, exclude_if=absent)
    """Number of processes that shared the windows; None is one."""
    val: dict[str, float]
    """`loss` on the validation windows, and by noise step where the objective has one; empty with `none`."""
    parameters: dict[str, int]
    """`total` and `encoder`; empty with the objective `none`."""
    identity: dict[str, str]

    @property
    def path(self) -> RunPath:
        """Place of the run below outputs/."""
        return RunPath("pretrain", None, None, self.seed)
