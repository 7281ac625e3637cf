"""Stage `finetune`: the tasks trained together, by every method and for every seed."""

import sys
from collections.abc import Collection

from mtl.config import Config
from mtl.experiment.recipe import joint
from mtl.stages.common import stage
from mtl.stages.fan_out import Runs, fan_out

SECTIONS = ("base", "tasks", "encoder", "train", "pretrain", "finetune")


def main(methods: Collection[str] = ()) -> None:
    """Writes outputs/finetune/<method>/seed-S/; with names of methods, these alone."""
    with stage(SECTIONS) as config:
        fan_out("finetune", runs(config), config.base, methods)


def runs(config: Config) -> Runs:
    """Joint runs: every method and seed."""
    return {
        f"{method} / seed {seed}": joint(config, method, seed)
        for method in config.finetune.methods
        for seed in config.base.seeds
    }


if __name__ == "__main__":
    main(sys.argv[1:])
