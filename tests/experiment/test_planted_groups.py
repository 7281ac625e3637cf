"""Groups planted in `sensors`: nine labels of three hidden chains are found by maps and by affinities."""

from pathlib import Path
from typing import Any

import pytest

from mtl.config import Config
from mtl.config.grouping import ClusterConfig
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.experiment import run_finetune
from mtl.grouping.clustering import agreement
from mtl.grouping.find import find_groups
from mtl.paths import PREPARED
from tests.experiment.conftest import configure

SEEDS = range(5)
"""Seeds of the data: each gives another plant and another history."""
TASKS = [f"group{g}_{m}" for g in (1, 2, 3) for m in (1, 2, 3)]
TRUTH = [0, 0, 0, 1, 1, 1, 2, 2, 2]


def settings(seed: int, groups: dict[str, float]) -> Config:
    plant = {
        "kind": "sensors", "seed": seed, "rows": 1500, "regimes": 2, "stay": 0.95, "noise": 0.4, "channels": 1,
        "side_channels": 1, "fault_labels": 100, "max_horizon": 4, "groups": {"count": 3, "tasks": 3} | groups,
    }  # fmt: skip
    method = {"kind": "equal", "datamap": {"record": "training"}, "lookahead": {"every": 4}}
    return configure(
        base={"seeds": [0], "device": "cpu"},
        prepare={"sources": {"sensors": plant}},
        tasks={name: {"kind": "binary", "source": "sensors", "input_len": 16, "label": name} for name in TASKS},
        encoder={"kind": "timedart", "patch_len": 4, "d_model": 16, "heads": 2, "layers": 1, "d_ff": 32, "dropout": 0.0,
                 "classification": {"hidden": None, "amplitude": False}},
        train={"epochs": 8, "batch_size": 64, "lr": 3e-3, "gradient_probes": 4, "stopping": {"patience": None}},
        finetune={"methods": {"joint": method}},
    )  # fmt: skip


def train(root: Path, seed: int, **groups: float) -> Path:
    config = settings(seed, groups)
    plant = read_source("sensors", config.prepare.sources["sensors"], Path())
    write_prepared(plant, root / PREPARED / "sensors", {})
    run_finetune(config, "joint", 0, root)
    return root


@pytest.fixture(scope="module")
def plants(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A joint run on each plant; nine tenths of a label's information lie in its group's chain."""
    return [train(tmp_path_factory.mktemp(f"plant-{seed}"), seed, within=0.9) for seed in SEEDS]


def found(root: Path, relation: str, algorithm: str) -> float:
    """Adjusted Rand index of the groups of one run."""
    asked: dict[str, Any] = {"source": "joint", "clusters": 3, "relation": {"kind": relation}}
    groups = find_groups(ClusterConfig.model_validate(asked | {"algorithm": {"kind": algorithm}}), [0], root)
    index = agreement([groups.labels, TRUTH])
    assert index is not None
    return index


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("relation", "algorithm"),
    [
        ("map", "fuzzy"),
        *((relation, "kmeans") for relation in ("map", "gradient_cosine", "lookahead")),
        *((relation, "network_selection") for relation in ("gradient_cosine", "lookahead")),
    ],
)
def test_the_planted_groups_are_found_on_every_plant(plants: list[Path], relation: str, algorithm: str) -> None:
    assert [found(root, relation, algorithm) for root in plants] == [1.0] * len(plants)


@pytest.mark.thorough
def test_where_nothing_is_shared_nothing_is_found(tmp_path: Path) -> None:
    """Coins: `within` is 0, and the channels as they were."""
    train(tmp_path, 0, within=0.0)
    assert max(found(tmp_path, relation, "kmeans") for relation in ("map", "gradient_cosine", "lookahead")) < 0.5
