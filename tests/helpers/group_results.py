"""Data maps and groups of invented results, beside those of tests/helpers/results.py."""

from pathlib import Path
from typing import Any

import numpy as np

from mtl.config import Config, parse_config
from mtl.grouping.find import find_groups
from mtl.grouping.maps import FILE, PoolArrays, write_maps
from mtl.paths import GROUPS
from tests.helpers.results import STL

WORST = (17, 3)
"""Samples of `fault` with the lowest confidence, which the page has to list first."""


def with_maps(config: Config) -> Config:
    """The same settings, which ask `joint` for data maps and for groups by them."""
    raw: Any = config.model_dump(mode="json", by_alias=True)
    raw["finetune"]["methods"]["joint"]["datamap"] = {"record": "training"}
    raw["cluster"] = {"source": "joint", "clusters": 2, "algorithm": {"kind": "fuzzy"}}
    return parse_config(raw)


def write_maps_and_groups(root: Path, config: Config) -> None:
    """Maps for every seed of `joint`, and the groups found by them: the coin is unlike the others."""
    tasks = list(STL)
    for seed in config.base.seeds:
        dice = np.random.default_rng(seed)
        values = dice.uniform(0.6, 0.9, (1, 3, len(tasks), 50)).astype(np.float32)
        values[:, :, tasks.index("coin")] = 0.5
        values[:, 1] /= 2
        for place, sample in enumerate(WORST):
            values[:, 0, tasks.index("fault"), sample] = 0.01 * place
        values[:, :, tasks.index("fault"), 20:30] = np.nan
        pool = PoolArrays("sensors/near", tasks, np.arange(50), np.full((1, 50), 8, np.int32), values)
        write_maps(root / f"outputs/finetune/joint/seed-{seed}" / FILE, [pool], [8], "training")
    find_groups(config.cluster, config.base.seeds, root).write(root / GROUPS)
