"""Stage `specialise`: a model for each cluster that `cluster` found, and those of the groupings to compare with."""

from mtl import tracking
from mtl.experiment.specialise import ensemble_metrics, model_path, planned, run_specialised
from mtl.jobs.local import Job, run_jobs
from mtl.paths import MODELS
from mtl.results.serving import NoServing, Serving
from mtl.stages.common import stage

SECTIONS = ("base", "tasks", "encoder", "train", "pretrain", "baseline", "cluster", "specialise")


def main() -> None:
    """Writes outputs/specialise/: a folder for each model and seed, and models.json; nothing was asked for without
    `specialise.weights`, and models.json says so."""
    with stage(SECTIONS) as config:
        plan = planned(config)
        if plan is None:
            NoServing().write(MODELS)
            return
        folders = run_jobs(
            [
                Job(f"{name} / seed {seed}", model_path(name, seed), run_specialised, (config, plan, name, seed))
                for name in plan.models
                for seed in config.base.seeds
            ],
            config.base,
        )
        soft = next(candidate for candidate in plan.candidates if candidate.kind == "soft")
        assert config.specialise.weights is not None
        serving = Serving(
            models=plan.models,
            tasks=plan.tasks,
            candidates=plan.candidates,
            weights=config.specialise.weights,
            soft={str(seed): ensemble_metrics(config, plan, soft, seed) for seed in config.base.seeds},
        )
        serving.write(MODELS)
        tracking.publish_stage("specialise", folders)


if __name__ == "__main__":
    main()
