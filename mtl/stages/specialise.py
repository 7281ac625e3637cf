"""Stage `specialise`: a model for each cluster that `cluster` found, and those of the groupings to compare with."""

from collections.abc import Callable
from pathlib import Path

from mtl.config import Config
from mtl.paths import MODELS
from mtl.results.serving import NoServing, Serving
from mtl.stages.common import stage

SECTIONS = ("base", "tasks", "encoder", "train", "pretrain", "baseline", "cluster", "specialise")


def main() -> None:
    """Writes outputs/specialise/: a folder for each model and seed, and models.json; nothing was asked for without
    `specialise.weights`, and models.json says so."""
    with stage(SECTIONS) as config:
        if config.specialise.weights is None:
            NoServing().write(MODELS)
            return
        from mtl import tracking  # here, as in `specialise`: these load torch, and most projects train no such models
        from mtl.jobs.local import run_jobs

        tracking.publish_stage("specialise", specialise(config, lambda jobs: run_jobs(jobs, config.base)))


def specialise(config: Config, work: Callable[..., list[Path]], root: Path = Path()) -> list[Path]:
    """Trains the models of the groups and says in models.json which of them serve a task.

    Args:
        config: the whole configuration.
        work: does a list of jobs, and returns their folders.
        root: folder of the project.

    Returns:
        Folders of the runs; none where `specialise.weights` asks for none.
    """
    if config.specialise.weights is None:
        NoServing().write(root / MODELS)
        return []
    from mtl.experiment.specialise import ensemble_metrics, model_path, planned, run_specialised
    from mtl.jobs.local import Job

    plan = planned(config, root)
    assert plan is not None, "models of groups are asked for"
    folders = work(
        [
            Job(f"{name} / seed {seed}", model_path(name, seed), run_specialised, (config, plan, name, seed))
            for name in plan.models
            for seed in config.base.seeds
        ]
    )
    soft = next(candidate for candidate in plan.candidates if candidate.kind == "soft")
    serving = Serving(
        models=plan.models,
        tasks=plan.tasks,
        candidates=plan.candidates,
        weights=config.specialise.weights,
        soft={str(seed): ensemble_metrics(config, plan, soft, seed, root) for seed in config.base.seeds},
    )
    serving.write(root / MODELS)
    return folders


if __name__ == "__main__":
    main()
