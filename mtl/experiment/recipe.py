"""A run resolved once: which tasks are trained, how, in which phases, from which start, and where its files stand.

A single-task run (STL) is a recipe like any other: one task, whose loss weighs 1.
"""

from dataclasses import dataclass
from typing import Final

from mtl.config import Config, EqualMethod, Method, SequentialMethod, Start
from mtl.config.budgets import STL
from mtl.config.common import Extent
from mtl.config.encoder import EncoderConfig
from mtl.paths import RunPath

PLAIN = EqualMethod(kind="equal")
"""Every loss weighs 1, and nothing watches."""
SIMPLE: Final = "simple"
"""Stage and kind of simple models."""


@dataclass(frozen=True)
class Phase:
    """One whole budget of training, after which the network of the best epoch is kept."""

    tasks: list[str]
    method: Method
    """How their losses are weighed, and what watches."""


@dataclass(frozen=True)
class Again:
    """A finished run that is made once more, from more data.

    Args:
        extent: parts that are trained on.
        epochs: that each phase is trained for; nothing stops one earlier, and the last one is kept.
    """

    extent: Extent
    epochs: tuple[int, ...]


@dataclass(frozen=True)
class Recipe:
    """How one run is made.

    Args:
        where: its files.
        config: the whole configuration; `train` holds what the method sets itself.
        tasks: what the network is built for, in the order of the file.
        method: how they are trained together.
        again: what is different where a finished run is made once more; None: it is made for the first time.
    """

    where: RunPath
    config: Config
    tasks: list[str]
    method: Method
    again: Again | None = None

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.where.seed

    @property
    def extent(self) -> Extent:
        """Parts of the data that the run is trained on."""
        return "train" if self.again is None else self.again.extent

    @property
    def start(self) -> Start:
        """Weights that the run starts from, and the part of them that is trained."""
        return self.method

    @property
    def encoder(self) -> EncoderConfig:
        """Section `encoder`, widened where the start says so."""
        encoder = self.config.encoder
        return encoder if self.start.width == 1 else encoder.widened(self.start.width)

    @property
    def kind(self) -> str:
        """The method's kind as results hold it; `stl` for a single-task run, `simple` for a simple model."""
        match self.where.stage:
            case "baseline":
                return STL
            case "simple":
                return SIMPLE
            case _:
                return self.method.kind

    @property
    def kept(self) -> bool:
        """True for a run that its stage keeps as long as nothing changes that it depends on."""
        return self.again is None and self.where.stage in ("baseline", "finetune")

    @property
    def judged(self) -> list[str]:
        """The tasks that the finished network is measured by: the method's target alone where it has one."""
        return self.tasks if self.method.target is None else [self.method.target]

    @property
    def phases(self) -> list[Phase]:
        """One phase; several for a sequential method, two for one with a target."""
        method = self.method
        if method.target is not None:
            # The target's own phase weighs its one loss by 1, as the single-task run does.
            return [Phase(self.tasks, method), Phase([method.target], PLAIN)]
        if not isinstance(method, SequentialMethod):
            return [Phase(self.tasks, method)]
        if method.order is not None:
            return [Phase([name for name in self.tasks if name in phase], method) for phase in method.order]
        families = {name: self.config.tasks[name].family for name in self.tasks}
        numbers = Phase([name for name in self.tasks if families[name] == "regression"], method)
        labels = Phase([name for name in self.tasks if families[name] != "regression"], method)
        return [numbers, labels] if method.first == "forecast" else [labels, numbers]


def single_task(config: Config, task: str, start: Start, seed: int) -> Recipe:
    """The single-task run (STL) of a task."""
    settings = start.model_dump(include=set(Start.model_fields))
    method = EqualMethod.model_validate({"kind": "equal", "tasks": [task]} | settings)
    return Recipe(RunPath("baseline", task, start.label, seed), config, [task], method)


def simple(config: Config, task: str, seed: int) -> Recipe:
    """The simple model of a task, which nothing trains: the recipe says whose it is, and where its files stand."""
    return Recipe(RunPath(SIMPLE, task, None, seed), config, [task], PLAIN)


def joint(config: Config, name: str, seed: int) -> Recipe:
    """The joint run of the method `name` of the section `finetune`."""
    method = config.finetune.methods[name]
    return trained_by(config, method, RunPath("finetune", name, None, seed), config.method_tasks(name))


def trained_by(config: Config, method: Method, where: RunPath, tasks: list[str]) -> Recipe:
    """A run of `tasks` as any method says, with what the method sets of `train` itself."""
    own = method.train.model_dump(exclude_none=True)
    if own:
        config = config.model_copy(update={"train": config.train.model_copy(update=own)})
    return Recipe(where, config, tasks, method)
