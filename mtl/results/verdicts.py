"""verdicts.json: joint training against single-task training (STL), and what follows from it."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from mtl.config.training import DEFAULT_MARGIN
from mtl.results.content import Part, ResultFile, absent
from mtl.results.groupings import Groupings
from mtl.results.label_scores import LabelScores, Published
from mtl.results.quick import QuickLook
from mtl.results.statistics import Ends, Estimate, Interval, NewDataInterval, Summary
from mtl.results.sweeps import Capacity, LabelFractions
from mtl.results.verdict import Verdict

Role = Literal["main", "auxiliary"]
Answer = Literal["yes", "no", "not known"]
Side = Literal["STL", "joint"]


def _none_said(sentences: list[str]) -> bool:
    """Leaves the field out of the file, as before there was one."""
    return not sentences


class SimpleResult(Part):
    """Best simple model of a task: for each seed the one that validation data chose among all."""

    model: str
    """Name of the one that most seeds chose."""
    by_seed: list[str]
    """Name of the one that each seed chose, in the order of the seeds."""
    summary: Summary
    """Test value of the task's primary metric."""
    gap: Estimate | None
    """Share of the way from STL, of the first start, to the optimum; None where it has no meaning."""


class JudgedTask(Part):
    """A task, as readers of the verdicts need it."""

    name: str
    kind: str
    source: str
    role: Role
    metric: str
    """Name of its primary metric."""
    lower_is_better: bool
    input_len: int | None
    horizon: int | None
    """Rows that are forecast; None where nothing is."""
    classes: list[str]
    """Names of its classes; empty where it has none."""
    train_size: int | None
    """Samples of its training part; None where no run measured it."""
    alone: bool
    """It has single-task models."""
    optimum: float | None
    """Best achievable value of the metric, where it is known."""
    unit: str | None
    """Unit of the metric where it is not that of the metric's own name."""
    simple: SimpleResult | None = Field(default=None, exclude_if=absent)
    """None where no simple models were asked for."""


class JudgedMethod(Part):
    """A method with Δm."""

    name: str
    kind: str
    start: str
    """Label of the start."""
    label: str
    """Method in a few words."""
    tasks: list[str]
    """Tasks that it is judged by."""
    trained: list[str]
    target: str | None
    """Task that it trains on for, with a second budget."""
    width: float
    """Factor on the encoder's widths."""
    sharing: str
    """Kind of sharing."""
    lam: float | None = Field(validation_alias="lambda", serialization_alias="lambda")
    """λ, share of the label tasks in the objective; None where the method has none."""
    schedule: str | None
    """Schedule of λ."""
    delta_m: Interval
    """Mean change over its main tasks in percent, seed by seed (Maninis et al. 2019, arXiv 1904.08918)."""


class TrialsOfRow(Part):
    """Finished trials of tuning behind the two sides of a row."""

    stl: int
    joint: int
    equal: bool


class OverSimple(Part):
    """Networks of a task against its simple model."""

    stl: Interval | None
    """Paired change in percent of the simple model's value, positive is better; None where there is no STL side."""
    joint: Interval
    loses: list[Side]
    """Sides that are worse by more than the margin, with the whole interval, over seeds alone, below 0."""


class Row(Part):
    """One method on one task that has single-task models."""

    method: str
    task: str
    start: str
    """Label of the start of both sides."""
    metric: str
    role: Role
    stl: Summary
    joint: Summary
    change: Interval
    """Paired change in percent of the STL value, positive is better, with its interval over seeds."""
    new_data: NewDataInterval | None = Field(default=None, exclude_if=absent)
    """The same change with an interval that also covers the choice of test data; None where there is none."""
    no_new_data: str | None = Field(default=None, exclude_if=absent)
    """Clause that says why there is no interval for new data; None where there is one, or none was asked for."""
    adjusted: Ends
    """Interval that the verdict rests on, widened for all comparisons (Holm 1979)."""
    gap_closed: Estimate | None
    """Share of the way from STL to the optimum; None where it has no meaning."""
    ratio: Estimate | None
    """Joint over STL value; None where it was not asked for, or an STL value of 0 leaves it undefined."""
    within_tolerance: Answer | None
    """Answer to whether the joint value stays within the tolerance; None where the task has none."""
    blind: list[Side] | None = Field(default=None, exclude_if=absent)
    """Sides that are not shown to be better than a predictor that has seen no input; None where both are."""
    simple: OverSimple | None = Field(default=None, exclude_if=absent)
    """None where no simple models were asked for."""
    verdict: Verdict
    tuning: TrialsOfRow | None = Field(default=None, exclude_if=absent)
    """None where no arm was tuned."""


class Unpaired(Part):
    """One method on a task without single-task models."""

    method: str
    task: str
    metric: str
    role: Role
    joint: Summary
    blind: list[Side] | None = Field(default=None, exclude_if=absent)
    """As in `Row`; there is a joint side alone."""
    simple: OverSimple | None = Field(default=None, exclude_if=absent)
    """As in `Row`."""


class Forgetting(Part):
    """A task of an earlier phase of a sequential method."""

    method: str
    task: str
    metric: str
    after_own_phase: Summary
    at_the_end: Summary
    change: Interval
    """From the one to the other in percent, positive is better."""


class StartEffect(Part):
    """STL from a pretrained against a random encoder."""

    task: str
    metric: str
    freeze: Literal["none", "encoder"]
    random: Summary
    pretrained: Summary
    change: Interval


class ParameterCounts(Part):
    """Numbers in the networks that are kept to predict."""

    stl: dict[str, int]
    """Task → those of its single-task model from the first start."""
    stl_total: int
    stl_by_start: dict[str, dict[str, int]]
    methods: dict[str, int]


class Costs(Part):
    """Costs that are the same on every machine."""

    parameters: ParameterCounts


class Tuning(Part):
    """Trials of tuning behind the settings of every arm."""

    trials: dict[str, int]
    """`stl` or a method → finished trials."""
    equal: bool
    shared_by: str | None
    """Arm whose trial chose the settings that all arms share."""


class EvidenceLine(Part):
    """One line of evidence."""

    aspect: str
    about: str
    measured: str
    rule: str
    says: str | None
    """Recommendation; None where there is nothing to change."""
    sure: str


def _migrated_row(row: Any) -> Any:
    """A row of the first version; what has another form is left to be refused."""
    if not isinstance(row, dict) or not isinstance(words := row.get("verdict"), str):
        return row
    shown = words in ("HELPED", "HURT")
    few = words.startswith("undecided")
    verdict = {
        "word": words if shown else "not known",
        "margin": 0.0,
        "matters": True if shown else None,
        "open": None if shown else "too few seeds" if few else "margin",
        "covers": "training",
        "seeds_needed": None,
    }
    answer = row.get("within_tolerance")
    return {**row, "verdict": verdict, "within_tolerance": "not known" if answer == "undecided" else answer}


AS_THEY_ARE = " For the networks as they are: "
"""Stands between what to mend in the networks and what holds for them until then."""


class Verdicts(ResultFile):
    """Whole content of verdicts.json."""

    escaped: ClassVar[bool] = False
    version: ClassVar[int] = 2

    @classmethod
    def migrated(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """The first version held verdicts in words and had no margin, so that every change that was shown matters."""
        del version
        rows = content.get("rows")
        if not isinstance(rows, list):
            return content
        return {**content, "margin": 0.0, "interval": "training", "rows": [_migrated_row(row) for row in rows]}

    confidence: float
    """Level of the intervals, in (0, 1)."""
    tolerance: float | dict[str, float]
    """Share by which a task may get worse and still count as kept: of every task of numbers, or by task."""
    margin: float | dict[str, float]
    """Relative change that is too little to matter, a share: of every task, or by task; each verdict holds its own."""
    interval: Literal["widest", "training"]
    """Interval that verdicts rest on: the wider of both, or that over seeds alone."""
    seeds: list[int]
    conditional_on_one_pretraining: bool
    """All seeds start from one pretraining, whose randomness the intervals then leave out."""
    tasks: list[JudgedTask]
    methods: list[JudgedMethod]
    rows: list[Row]
    unpaired: list[Unpaired]
    forgetting: list[Forgetting]
    starts: list[StartEffect]
    costs: Costs
    labels: LabelScores
    published: Published | None
    """None without `train.watch_test` and without label tasks."""
    capacity: list[Capacity]
    fractions: list[LabelFractions]
    likeness: dict[str, dict[str, Interval]]
    """Method → `a|b`, two tasks → correlation of their data maps; of methods that record maps."""
    tuning: Tuning | None = Field(default=None, exclude_if=absent)
    """None where no arm was tuned."""
    quick: QuickLook | None = Field(default=None, exclude_if=absent)
    """None but in a quick look, whose results are no verdicts."""
    data: list[str] = Field(default_factory=list, exclude_if=_none_said)
    """Sentences on the data that a reader of the results should know."""
    advice: str
    grouping: Groupings | None
    """None where no specialised models were asked for."""
    evidence: list[EvidenceLine]

    def task(self, name: str) -> JudgedTask:
        """The task of a name."""
        return next(task for task in self.tasks if task.name == name)

    @property
    def advice_parts(self) -> tuple[str, str]:
        """Beginning of the advice, and what holds for the networks as they are where they are to be mended first."""
        first, between, rest = self.advice.partition(AS_THEY_ARE)
        return first, between.lstrip() + rest

    def with_data(self, sentences: list[str]) -> "Verdicts":
        """The same with sentences on the data."""
        return self.model_copy(update={"data": sentences})

    def with_advice(self, advice: str) -> "Verdicts":
        """The same with a sentence of advice."""
        return self.model_copy(update={"advice": advice})

    def with_grouping(self, grouping: Groupings | None) -> "Verdicts":
        """The same with the groupings that were trained."""
        return self.model_copy(update={"grouping": grouping})

    def with_evidence(self, evidence: list[EvidenceLine]) -> "Verdicts":
        """The same with lines of evidence."""
        return self.model_copy(update={"evidence": evidence})

    def tolerance_of(self, task: str) -> float | None:
        """Tolerance of a task, where each has its own None for those without one."""
        return self.tolerance.get(task) if isinstance(self.tolerance, dict) else self.tolerance

    def margin_of(self, task: str) -> float:
        """Relative change of a task's metric that is too little to matter, a share."""
        return self.margin.get(task, DEFAULT_MARGIN) if isinstance(self.margin, dict) else self.margin

    def rows_of(self, method: str) -> list[Row]:
        """The method's rows, in the order of the tasks."""
        order = [task.name for task in self.tasks]
        rows = [row for row in self.rows if row.method == method and row.task in order]
        return sorted(rows, key=lambda row: order.index(row.task))
