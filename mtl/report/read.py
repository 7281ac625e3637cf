"""The result files that the report draws: only those of the tasks, methods, starts and seeds in the config."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from mtl.config import Config
from mtl.errors import UserError
from mtl.grouping.maps import FILE, RunMaps, read_maps
from mtl.paths import GROUPS
from mtl.report.words import Json
from mtl.results.verdicts import Verdicts

STL = "STL"
"""Display name of the single-task runs."""


@dataclass(frozen=True)
class Run:
    """One trained model: its run.json, history.json and examples.json ({} where a file is absent)."""

    seed: int
    summary: Json
    history: Json
    examples: Json

    def epochs(self) -> list[Json]:
        """Rows of the history, one an epoch."""
        return self.history.get("epochs", [])


@dataclass(frozen=True)
class Results:
    """Everything that was trained; runs in the order of the seeds, without those whose files are absent."""

    stl: dict[tuple[str, str], list[Run]]
    """(task, start label) → runs."""
    methods: dict[str, list[Run]]
    verdicts: Verdicts
    maps: dict[str, tuple[int, RunMaps]] = field(default_factory=dict)
    """Method that recorded data maps → (first seed, its maps)."""
    groups: Json | None = None
    """Content of groups.json, when tasks were grouped."""

    def task_runs(self, task: str) -> dict[str, list[Run]]:
        """`STL` (of the methods' most common start) and every method that trains `task` → runs."""
        found = {STL: self.stl_runs(task)}
        found |= {m.name: self.methods.get(m.name, []) for m in self.verdicts.methods if task in m.tasks}
        return {name: runs for name, runs in found.items() if runs}

    def stl_runs(self, task: str) -> list[Run]:
        """Single-task runs of `task` from the start that most of its methods share."""
        starts = [m.start for m in self.verdicts.methods if task in m.tasks]
        starts.sort(key=lambda start: -starts.count(start))
        starts += [start for name, start in self.stl if name == task]
        return next((self.stl[task, start] for start in starts if self.stl.get((task, start))), [])


def read_results(config: Config, verdicts: Verdicts, root: Path = Path(".")) -> Results:
    """Reads outputs/ for what `config` names.

    Raises:
        UserError: a file is there but is not valid JSON.
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
        maps={
            method: (seeds[0], read_maps(outputs / "finetune" / method / f"seed-{seeds[0]}" / FILE))
            for method, settings in config.finetune.methods.items()
            if settings.datamap is not None
        },
        groups=None if config.cluster.source is None else _json(root / GROUPS),
    )


def _runs(folder: Path, seeds: list[int]) -> list[Run]:
    runs = []
    for seed in seeds:
        place = folder / f"seed-{seed}"
        if (place / "run.json").is_file():
            files = [_json(place / f"{stem}.json") for stem in ("run", "history", "examples")]
            runs.append(Run(seed, *files))
    return runs


def _json(path: Path) -> Json:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); run the stage that wrote it again.") from None
    return content if isinstance(content, dict) else {}
