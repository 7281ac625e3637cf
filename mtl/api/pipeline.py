"""The stages of a project one after another in this process: what `mtl repro` runs in processes of its own."""

from collections.abc import Callable
from pathlib import Path

from mtl.config import Config
from mtl.errors import UserError
from mtl.experiment.states import release
from mtl.jobs.local import Job
from mtl.results.verdicts import Verdicts
from mtl.stages import baseline, cluster, evaluate, finetune, index, pretrain, reference, simple, specialise
from mtl.stages.common import narrowed
from mtl.stages.fan_out import jobs
from mtl.stages.prepare import prepare

Tell = Callable[[str, float], None]
"""Told what is done now, and which share of all runs is done."""


def run_pipeline(config: Config, root: Path, tell: Tell) -> Verdicts:
    """Prepares, trains and judges all that a configuration names, and writes what the stages write but the report.

    Each stage sees the sections that it declares, and draws its random numbers from seeds of its own, so that the
    results are those of `mtl repro` in the same folder, bit for bit.

    Args:
        config: the whole configuration.
        root: folder of the project, with its raw data and plugins.
        tell: told the progress.

    Raises:
        UserError: the data cannot be used, a run diverges, or a setting asks for more than one process.
    """
    if config.pretrain.processes > 1 and config.pretrain.objective.kind != "none":
        raise UserError(
            "`pretrain.processes` should be 1 where all runs share this process: save the project and run `mtl repro` "
            "for more."
        )
    workbench = _Workbench(config, root, tell)
    for name in config.prepare.sources:
        tell(f"prepare {name}", 0.0)
        prepare(narrowed(config, ("prepare",)).prepare.sources, name, root)
    index.index(narrowed(config, index.SECTIONS), root)
    view = narrowed(config, simple.SECTIONS)
    if not simple.leave_out(view, root):
        workbench.work(simple.jobs(view, root))
    workbench.work(pretrain.jobs(narrowed(config, pretrain.SECTIONS)))
    workbench.work(jobs(baseline.runs(narrowed(config, baseline.SECTIONS))))
    reference.reference(narrowed(config, reference.SECTIONS), root)
    workbench.work(jobs(finetune.runs(narrowed(config, finetune.SECTIONS))))
    cluster.cluster(narrowed(config, cluster.SECTIONS), root)
    specialise.specialise(narrowed(config, specialise.SECTIONS), workbench.work, root)
    tell("verdicts", 1.0)
    return evaluate.judge(narrowed(config, evaluate.SECTIONS), root)


class _Workbench:
    """Does jobs here, one after another."""

    def __init__(self, config: Config, root: Path, tell: Tell) -> None:
        seeds = len(config.base.seeds)
        alone = len(config.baseline_tasks) * len(config.baseline.starts)
        self.runs = seeds * (alone + len(config.finetune.methods))
        self.done = 0
        self.root = root
        self.tell = tell

    def work(self, jobs: list[Job]) -> list[Path]:
        """Does jobs; returns their folders."""
        folders = []
        for job in jobs:
            trains = job.where.stage in ("baseline", "finetune")

            def tell(done: int, total: int, label: str = job.label, trains: bool = trains) -> None:
                share = done / max(1, total) if trains else 0.0
                self.tell(label, min(1.0, (self.done + share) / self.runs))

            tell(0, 1)
            folders.append(job.work(*job.arguments, root=self.root, tell=tell))
            release(job.where, self.root)
            self.done += trains
        return folders
