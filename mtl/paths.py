"""Runs that a configuration asks for, and the places of their files; imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mtl.config import Config

PREPARED = Path("data/prepared")
REFERENCE = Path("outputs/reference.json")
"""File of the values that joint runs take from single-task runs; written by the stage `reference`."""
LEFT_OUT = "left_out.json"
"""File in the place of simple models that are not asked for."""
GROUPS = Path("outputs/cluster/groups.json")
"""File of the groups of tasks; written by the stage `cluster`."""
MODELS = Path("outputs/specialise/models.json")
"""File of the models that serve each task in each grouping that is compared; written by the stage `specialise`."""
VERDICTS = Path("results/verdicts.json")
"""Joint training against single-task training; written by the stage `evaluate`."""
MEANS = Path("results/metrics.json")
"""Test metrics as means over seeds; written by the stage `evaluate`."""
LOSSES = Path("results/losses.parquet")
"""Losses of every test sample of every run; written by the stage `evaluate`."""
PREDICTIONS = Path("results/predictions.parquet")
"""Predictions of every test sample by every run; written by the stage `evaluate`."""
SLICES = Path("results/slices.json")
"""Test metrics of parts of the samples, and the worst samples; written by the stage `evaluate`."""
IMPORTANCE = Path("results/importance.json")
"""Loss of each task without each input; written by the stage `evaluate`."""
STUDIES = Path("studies")
"""NAME/study.json: what a study came to; written by `mtl tune`."""
TRIALS = Path(".mtl/studies")
"""NAME/ARM/trial-N: the runs of a study's trials, below each of them as below the project's folder."""
TIMINGS = Path("timings")
"""Facts of one execution: never compared, never a dependency of a result."""


@dataclass(frozen=True)
class RunPath:
    """Place of the files of one training run, below `outputs/`."""

    stage: Literal["simple", "pretrain", "baseline", "finetune", "specialise"]
    name: str | None
    """Task (simple, baseline), method (finetune) or model (specialise); None for pretrain."""
    start: str | None
    """Baseline only: the start's label."""
    seed: int

    @property
    def folder(self) -> Path:
        parts = [part for part in (self.stage, self.name, self.start) if part is not None]
        return Path("outputs", *parts, f"seed-{self.seed}")

    @property
    def target(self) -> str:
        """Target of `mtl repro` that makes the run: its stage, with the task or method where it makes several."""
        alone = self.name is None or self.stage in ("simple", "specialise")
        return self.stage if alone else f"{self.stage}@{self.name}"


def project_folder(root: Path) -> Path:
    """The project folder: `dvc exp run --temp` works in a copy under .dvc/tmp/exps, which vanishes."""
    here = root.resolve()
    for folder in here.parents:
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return folder.parents[2]
    return here


def run_paths(config: Config) -> list[RunPath]:
    """Places of the runs of a configuration: only what it names, so that a removed method haunts nothing.

    Simple models × seeds, pretraining (with the objective `none` a summary), then baseline.tasks × baseline.starts ×
    seeds, then methods × seeds.
    """
    seeds = config.base.seeds
    paths = [RunPath("simple", task, None, seed) for task in config.tasks for seed in seeds if config.simple.enabled]
    pretraining = seeds[:1] if config.pretrain.shared else seeds
    paths += [RunPath("pretrain", None, None, seed) for seed in pretraining]
    starts = [start.label for start in config.baseline.starts]
    alone = config.baseline_tasks
    paths += [RunPath("baseline", task, start, seed) for task in alone for start in starts for seed in seeds]
    return paths + [RunPath("finetune", method, None, seed) for method in config.finetune.methods for seed in seeds]
