"""Stage `pretrain`: self-supervised training of the encoder, once a seed (or once for all of them)."""

from mtl import tracking
from mtl.config import Config
from mtl.experiment import run_pretrain
from mtl.jobs.local import Job, run_jobs
from mtl.jobs.torchrun import run_here, run_team, started_by_torchrun
from mtl.paths import RunPath
from mtl.stages.common import stage

SECTIONS = ("base", "prepare", "encoder", "train", "pretrain")


def main() -> None:
    """Writes outputs/pretrain/seed-S/ for every seed that is pretrained."""
    with stage(SECTIONS) as config:
        wanted = jobs(config)
        if started_by_torchrun():
            folders = run_here(wanted, config)
        elif config.pretrain.processes > 1 and config.pretrain.objective.kind != "none":
            folders = run_team(wanted, config)
        else:
            folders = run_jobs(wanted, config.base)
        if folders:
            tracking.publish_stage("pretrain", folders)


def jobs(config: Config) -> list[Job]:
    """Pretrainings: every seed, or one for all of them."""
    seeds = config.base.seeds[:1] if config.pretrain.shared else config.base.seeds
    return [
        Job(f"pretrain / seed {seed}", RunPath("pretrain", None, None, seed), run_pretrain, (config, seed))
        for seed in seeds
    ]


if __name__ == "__main__":
    main()
