"""The result files that the report draws: only those of the tasks, methods, starts and seeds in the config."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from mtl.config import Config
from mtl.grouping.maps import FILE, RunMaps, read_maps
from mtl.paths import GROUPS, IMPORTANCE, SLICES
from mtl.results import record
from mtl.results.content import ResultFile
from mtl.results.examples import Examples
from mtl.results.groups import Groups
from mtl.results.history import Epoch, History
from mtl.results.importance import Importance
from mtl.results.numbers import Split
from mtl.results.reading import EXAMPLES, HISTORY, RUN
from mtl.results.slices import Slices
from mtl.results.verdicts import JudgedTask, Verdicts

File = TypeVar("File", bound=ResultFile)

STL = "STL"
"""Display name of the single-task runs."""


@dataclass(frozen=True)
class Run:
    """One trained model: what its files hold; None where one is absent."""

    record: record.Run
    history: History | None
    examples: Examples | None

    @property
    def seed(self) -> int:
        return self.record.seed

    @property
    def epochs(self) -> list[Epoch]:
        """Epochs of all phases, none without a history."""
        return [] if self.history is None else self.history.epochs


@dataclass(frozen=True)
class Results:
    """Everything that was trained; runs in the order of the seeds, without those whose files are absent."""

    stl: dict[tuple[str, str], list[Run]]
    """(task, start label) → runs."""
    methods: dict[str, list[Run]]
    verdicts: Verdicts
    simple: dict[str, list[Run]] = field(default_factory=dict)
    """Task that has simple models → the chosen ones."""
    maps: dict[str, tuple[int, RunMaps]] = field(default_factory=dict)
    """Method that recorded data maps → (first seed, its maps)."""
    groups: Groups | None = None
    """The groups of the tasks, where they were grouped."""
    slices: Slices | None = None
    """Test metrics of parts of the samples, where they were asked for."""
    importance: Importance | None = None
    """Losses of tasks without each input, where they were asked for."""

    def task_runs(self, task: str) -> dict[str, list[Run]]:
        """`STL` (of the methods' most common start) and every method that trains `task` → runs."""
        by_model = {STL: self.stl_runs(task)}
        by_model |= {m.name: self.methods.get(m.name, []) for m in self.verdicts.methods if task in m.tasks}
        return {name: runs for name, runs in by_model.items() if runs}

    def simple_value(self, task: JudgedTask, part: Split) -> float | None:
        """Mean over seeds of the simple model's primary metric; None where the task has none or it is not known."""
        runs = self.simple.get(task.name, [])
        values = [run.record.metrics(part).get(task.name, {}).get(task.metric) for run in runs]
        known = [value for value in values if value is not None and math.isfinite(value)]
        return sum(known) / len(known) if known else None

    def stl_runs(self, task: str) -> list[Run]:
        """Single-task runs of `task` from the start that most of its methods share."""
        starts = [m.start for m in self.verdicts.methods if task in m.tasks]
        starts.sort(key=lambda start: -starts.count(start))
        starts += [start for name, start in self.stl if name == task]
        return next((self.stl[task, start] for start in starts if self.stl.get((task, start))), [])


def read_results(config: Config, verdicts: Verdicts, root: Path = Path(".")) -> Results:
    """Reads outputs/ for what `config` names.

    Raises:
        UserError: a file is there but cannot be used.
    """
    outputs, seeds = root / "outputs", config.base.seeds
    starts = list(dict.fromkeys(start.label for start in config.baseline.starts))
    return Results(
        stl={
            (task, start): _runs(outputs / "baseline" / task / start, seeds)
            for task in config.baseline_tasks
            for start in starts
        },
        methods={method: _runs(outputs / "finetune" / method, seeds) for method in config.finetune.methods},
        verdicts=verdicts,
        simple={
            task.name: _runs(outputs / "simple" / task.name, seeds)
            for task in verdicts.tasks
            if task.simple is not None
        },
        maps={
            method: (seeds[0], read_maps(outputs / "finetune" / method / f"seed-{seeds[0]}" / FILE))
            for method, settings in config.finetune.methods.items()
            if settings.datamap is not None
        },
        groups=None if config.cluster.source is None else _there(Groups, root / GROUPS),
        slices=_there(Slices, root / SLICES) if config.evaluate.slices else None,
        importance=_there(Importance, root / IMPORTANCE) if _looked_into(config) else None,
    )


def _looked_into(config: Config) -> bool:
    """Importance of inputs is measured, or what parts of them give."""
    return bool(config.evaluate.importance) or config.encoder.fuses


def _runs(folder: Path, seeds: list[int]) -> list[Run]:
    runs = []
    for seed in seeds:
        place = folder / f"seed-{seed}"
        finished = _there(record.Run, place / RUN)
        if finished is not None:
            runs.append(Run(finished, _there(History, place / HISTORY), _there(Examples, place / EXAMPLES)))
    return runs


def _there(kind: type[File], path: Path) -> File | None:
    """Content of a file; None when there is none."""
    return kind.read(path) if path.is_file() else None
