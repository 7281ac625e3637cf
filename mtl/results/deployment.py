"""models/NAME/deployment.json: which finished models answer which tasks, why, and what is known of them."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue

from mtl.config.common import Extent
from mtl.errors import UserError
from mtl.results.calibration import Calibration, Trusted
from mtl.results.content import VERSION_KEY, Part, ResultFile, absent
from mtl.results.decision import Decision, MeanCosts
from mtl.results.model import MAX_BYTES, MAX_TASKS, Sha256
from mtl.results.numbers import Metrics
from mtl.results.statistics import Interval, Summary
from mtl.results.trained import TrainedInputs, TrainedSamples

DEPLOYMENT, MEMBERS, CARD = "deployment.json", "members", "README.md"
LOSES = " †"
"""End of the name of a way to answer a task that is shown to lose to the simple model."""
WITHOUT_TEST = (
    "{name} is without a test of its own: it was trained on all data, the test part included (`mtl refit --on all`)"
)
MAX_MEMBERS = 10_000
MemberName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=-]{0,199}$")]
"""Name of the folder of a member below members/."""
Seeds = Literal["best", "ensemble"] | int
"""Runs of several seeds that answer: the best on validation data, all of them, or those of one seed."""


class Member(Part):
    """A finished model."""

    stage: Literal["simple", "baseline", "finetune", "specialise"]
    name: str
    start: str
    seed: int
    model: Sha256
    """Hash of its model.json, which holds that of the weights."""
    code: str | None = Field(default=None, exclude_if=absent)
    """The user's own code that builds it; None without such code."""


class Beside(Part):
    """Another way to answer a task, on the same test samples."""

    name: str
    test: Summary
    """Primary metric over the seeds."""
    verdict: str = ""
    """Against single-task training, with its interval; empty where there is none."""


class InputLoss(Part):
    """Loss of the primary metric on test samples when an input is permuted, over all seeds."""

    name: str
    here: Interval
    """In the way that the answer was trained."""
    alone: Interval | None
    """In single-task training; None where that is the way, or where there is none."""


class Served(Part):
    """The answer to one task."""

    how: Literal["joint", "single-task", "cluster", "simple"]
    name: str
    """Name of the method, start, grouping or simple model."""
    why: str
    """Reason for it."""
    members: Annotated[dict[MemberName, Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]
    """Member → share in the answer."""
    metric: str
    """Name of the primary metric."""
    test: Metrics | None
    """Metrics of the answer on the test part; None where it was not measured."""
    no_test: str | None = Field(default=None, exclude_if=absent)
    """Reason why it was not."""
    calibration: dict[MemberName, Calibration] | None = Field(default=None, exclude_if=absent)
    """Member → calibration of its probabilities, before they are combined; None where they are as trained."""
    trusted: Trusted | None = Field(default=None, exclude_if=absent)
    """Measures of the probabilities on the test part; None where they are not calibrated, or were not measured."""
    decision: Decision | None = Field(default=None, exclude_if=absent)
    """Rule by which a class is said; None: the most probable one."""
    cost: MeanCosts | None = Field(default=None, exclude_if=absent)
    """Costs of the decision on the test part; None without one, or where it was not measured."""
    inputs: list[InputLoss] = Field(default=[], exclude_if=lambda inputs: not inputs)
    """Inputs without which most is lost; empty where that was not measured."""
    beside: list[Beside] = []
    section: dict[str, JsonValue] | None = Field(default=None, exclude_if=absent)
    """Section of params.yaml, by which targets are read from new data; None in deployments that were made before it
    was kept."""

    @property
    def label(self) -> str:
        """The model in words."""
        match self.how:
            case "joint":
                name = f"{self.name}, trained jointly"
            case "single-task":
                name = "trained alone" + ("" if self.name == "random" else f" ({self.name})")
            case "cluster":
                name = f"models of the groups {self.name}"
            case "simple":
                name = f"{self.name}, a simple model"
        return name if len(self.members) == 1 else f"{name} × {len(self.members)}"


class Origin(Part):
    """A source of the data, and how new data of it are read."""

    kind: str
    """Windows, images or rows."""
    section: dict[str, JsonValue] | None
    """Section of params.yaml; None where it is not known."""
    date_forms: dict[str, str] = {}
    """Column of dates → the form that the rows of its file proved."""
    step: str | None = Field(default=None, exclude_if=absent)
    """Usual time from one row to the next, as pandas reads it; None where rows have none."""
    rows: str = ""
    """Its samples in words."""
    title: str = ""
    licence: str = ""
    files: dict[str, Sha256] = {}
    """Raw file → its hash."""
    inputs: TrainedInputs | None = Field(default=None, exclude_if=absent)
    """Counts of the inputs of the training part; None in deployments that were made before they were kept."""
    samples: list[TrainedSamples] = Field(default=[], exclude_if=lambda samples: not samples)
    """Facts on what members learnt from, for each form of its samples; empty in deployments of before it was kept."""


class Deployment(ResultFile):
    """The content of deployment.json."""

    name: str
    method: str
    """Method that was asked for: `auto`, `stl`, `simple`, one of the settings, or a grouping."""
    seeds: Seeds
    extent: Extent = Field(default="train", exclude_if=lambda extent: extent == "train")
    """Parts that its models were trained on."""
    order: list[str]
    """Names of the tasks, in the order of params.yaml."""
    tasks: Annotated[dict[str, Served], Field(min_length=1, max_length=MAX_TASKS)]
    members: Annotated[dict[MemberName, Member], Field(min_length=1, max_length=MAX_MEMBERS)]
    sources: dict[str, Origin]
    advice: str
    """Sentences of the evaluation."""
    remarks: list[str] = []
    """Sentences on the data."""
    data: Sha256
    """Hash of the prepared sources."""
    versions: dict[str, str]

    escaped: ClassVar[bool] = False

    @property
    def untested(self) -> str | None:
        """Sentence on models that no part of the data is left to test; None where there is one."""
        return WITHOUT_TEST.format(name=self.name) if self.extent == "all" else None

    def plain(self) -> dict[str, Any]:
        """Content as JSON holds it, with the version, which readers outside of mtl want to see."""
        return {VERSION_KEY: self.version} | super().plain()

    @classmethod
    def of_folder(cls, folder: Path) -> "Deployment":
        """Reads deployment.json of a deployed model's folder.

        Raises:
            UserError: it is damaged, too large, of a newer version, or names members that it does not hold.
        """
        file, again = folder / DEPLOYMENT, "copy the folder anew, or make it again with `mtl deploy`"
        try:
            with file.open("rb") as opened:
                text = opened.read(MAX_BYTES + 1)
        except OSError as error:
            raise UserError(f"{file} cannot be read ({error.strerror or error}); {again}.") from None
        if len(text) > MAX_BYTES:
            raise UserError(f"{file} should be at most {MAX_BYTES >> 20} MiB, found more; {again}.")
        read = cls.loads(text, str(file), again)
        if sorted(read.order) != sorted(read.tasks):
            raise UserError(f"{file}: `order` should name every task of `tasks` once; {again}.")
        for task, served in read.tasks.items():
            unknown = [name for name in served.members if name not in read.members]
            if unknown or abs(sum(served.members.values()) - 1) > 1e-6:
                told = f"names {unknown[0]}, which is none" if unknown else "should have shares that sum to 1"
                raise UserError(f"{file}: `tasks.{task}.members` {told}; {again}.")
            if served.calibration is not None and served.calibration.keys() != served.members.keys():
                raise UserError(f"{file}: `tasks.{task}.calibration` should name its members; {again}.")
        return read
