"""studies/NAME/study.json: a study that can be audited and replayed; every trial, the code, the data, the settings."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mtl.config.tune import Dimension, Pruner, Scalar, TuneObjective, renamed
from mtl.errors import UserError
from mtl.paths import STUDIES
from mtl.results.content import Part, ResultFile, absent
from mtl.results.numbers import TaskMetrics

FILE = "study.json"
State = Literal["complete", "infeasible", "pruned", "failed", "lost", "running", "waiting"]
ENDED: tuple[State, ...] = ("complete", "infeasible", "pruned", "failed")
"""States of a trial that stand for a result; others are tried again, or not over."""


class Trial(Part):
    """One trial of an arm."""

    number: int
    first: int
    """Number under which it was first drawn; it is that of another trial where an attempt was cut off."""
    attempts: list[int]
    """Numbers of the attempts before this one."""
    state: State
    params: dict[str, Scalar]
    """Path in params.yaml → value."""
    values: list[float] | None
    """One for each objective; None for a trial that failed."""
    constraints: dict[str, float]
    """Name → excess over what is allowed; feasible up to 0."""
    epochs: dict[str, float]
    """Place among the epochs of the trial → first objective."""
    val: TaskMetrics | None
    """Task → validation metrics of the kept epoch, means over the seeds."""
    error: str | None
    alone: bool | None
    """True when it was drawn while no other trial was under way, so that it can be drawn again."""

    @property
    def scores(self) -> list[float]:
        """Values of the objectives; none for a trial that failed."""
        return self.values or []


class Spec(Part):
    """Everything that the values of an arm's trials depend on."""

    arm: str
    space: dict[str, Dimension]
    objectives: list[Annotated[TuneObjective, BeforeValidator(renamed)]]
    tolerance: float | None
    baseline: dict[str, dict[str, float]]
    """Label of a start → task → validation MSE of the single-task runs; empty without a tolerance."""
    sampler: str
    sampler_seed: int
    pruner: Pruner
    seeds: list[int]
    settings: str
    """Hashes of settings, data, pretrained weights, single-task runs and code."""
    data: str
    pretrained: str | None
    single_task: str | None
    code: str
    torch: str
    device: str


class Arm(Part):
    """A method that is tuned, or single-task training."""

    spec: Spec
    trials: list[Trial]
    importances: dict[str, float] | None
    """Parameter → share of the first objective's variance (fANOVA: Hutter et al. 2014, ICML); None where trials cannot
    tell."""

    @property
    def ended(self) -> list[Trial]:
        """Trials that came to an end, in the order in which they were first drawn."""
        return ended(self.trials)


class Budgets(Part):
    """Trials of tuning behind the settings of every arm."""

    trials: dict[str, int]
    """`stl` or a method → finished trials."""
    equal: bool


class Study(ResultFile):
    """A whole study."""

    study: str
    """Name of the study."""
    trials: int
    """Finished trials that each arm should have."""
    tuning: Budgets | None = Field(default=None, exclude_if=absent)
    """None in files from before it was written."""
    versions: dict[str, str]
    """Package → version."""
    config: str
    """Configuration as JSON, in its own order."""
    arms: dict[str, Arm]

    @property
    def spec(self) -> Spec:
        """Spec of the first arm, for what all arms have in common."""
        return next(iter(self.arms.values())).spec

    @property
    def objectives(self) -> list[TuneObjective]:
        return self.spec.objectives

    @property
    def budgets(self) -> Budgets:
        """Trials of tuning; of a file that does not say, those of its own arms."""
        counts = {name: len(arm.ended) for name, arm in self.arms.items()}
        return self.tuning or Budgets(trials=counts, equal=len(set(counts.values())) == 1)


def ended(trials: Iterable[Trial]) -> list[Trial]:
    """Trials that came to an end, in the order in which they were first drawn."""
    return sorted((trial for trial in trials if trial.state in ENDED), key=lambda trial: trial.first)


def study_file(name: str, root: Path) -> Path:
    """Place of a study's file below the project's folder."""
    return root / STUDIES / name / FILE


def read_study(name: str, root: Path) -> Study:
    """Reads a study by its name.

    Raises:
        UserError: it is missing, or cannot be used.
    """
    file = study_file(name, root)
    where = str(file.relative_to(root))
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{where} is missing: there is no study {name!r}; `mtl tune --study` makes one.") from None
    return Study.loads(text, where, f"`mtl tune --study {name}` writes it again")
