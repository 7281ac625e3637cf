"""Stage `pretrain`: self-supervised training of the encoder, once a seed (or once for all of them)."""

from mtl import tracking
from mtl.experiment import run_pretrain
from mtl.paths import RunPath
from stages.common import stage
from stages.parallel import Job, run_jobs

SECTIONS = ("base", "prepare", "encoder", "train", "pretrain")


def main() -> None:
    """Writes outputs/pretrain/seed-S/ for every seed that is pretrained."""
    with stage(SECTIONS) as config:
        seeds = config.base.seeds[:1] if config.pretrain.shared else config.base.seeds
        jobs = [
            Job(f"pretrain / seed {seed}", RunPath("pretrain", None, None, seed), run_pretrain, (config, seed))
            for seed in seeds
        ]
        tracking.publish_stage("pretrain", run_jobs(jobs, config.base))


if __name__ == "__main__":
    main()
