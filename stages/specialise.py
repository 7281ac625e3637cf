"""Stage `specialise`: a model for each cluster that `cluster` found, and those of the groupings to compare with."""

import json

from mtl.errors import UserError
from mtl.experiment.specialise import ensemble_metrics, model_path, run_specialised
from mtl.files import write_json
from mtl.grouping.models import plan_models
from mtl.paths import GROUPS, MODELS
from stages.common import stage
from stages.parallel import Job, run_jobs

SECTIONS = ("base", "tasks", "encoder", "train", "pretrain", "baseline", "finetune", "cluster", "specialise")


def main() -> None:
    """Writes outputs/specialise/: a folder for each model and seed, and models.json; nothing was asked for without
    `specialise.weights`, and models.json says so."""
    with stage(SECTIONS) as config:
        if config.specialise.weights is None:
            write_json(MODELS, {"candidates": []})
            return
        if not GROUPS.exists():
            raise UserError(f"{GROUPS} is missing; run `dvc repro cluster`.")
        groups = json.loads(GROUPS.read_text(encoding="utf-8"))
        plan = plan_models(groups, config.specialise, config.baseline_tasks, config.cluster.seed)
        run_jobs(
            [
                Job(f"{name} / seed {seed}", model_path(name, seed), run_specialised, (config, name, model, seed))
                for name, model in plan.models.items()
                for seed in config.base.seeds
            ],
            config.base,
        )
        soft = next(candidate for candidate in plan.candidates if candidate.kind == "soft")
        content = plan.content() | {"tasks": groups["tasks"], "weights": config.specialise.weights}
        content["soft"] = {str(seed): ensemble_metrics(config, soft, plan.models, seed) for seed in config.base.seeds}
        write_json(MODELS, content)


if __name__ == "__main__":
    main()
