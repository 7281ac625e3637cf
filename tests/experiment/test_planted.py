"""Planted truth on the embedded digits: tasks whose groups are known, and labels that are known to be wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtl.config import Config
from mtl.config.grouping import ClusterConfig
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.experiment import run_finetune
from mtl.grouping.clustering import agreement
from mtl.grouping.find import find_groups
from mtl.grouping.maps import FILE, read_maps
from mtl.paths import PREPARED
from mtl.types import ImageSet
from tests.experiment.conftest import configure

SEEDS = range(5)
TRUTH = {
    "zero": 0, "zero_again": 0, "not_zero": 0, "seven": 1, "seven_again": 1, "not_seven": 1, "even": 2, "odd": 2,
    "coin": 3, "other_coin": 3,
}  # fmt: skip
"""Duplicates and complements belong together; coins do with nothing but another coin."""


def _rest(digit: int) -> dict[str, list[str]]:
    return {"any_of": [str(other) for other in range(10) if other != digit]}


LABELS: dict[str, Any] = {
    "zero": {"one_vs_rest": "0"}, "zero_again": {"one_vs_rest": "0"}, "not_zero": _rest(0),
    "seven": {"one_vs_rest": "7"}, "seven_again": {"one_vs_rest": "7"}, "not_seven": _rest(7),
    "even": "even", "odd": {"any_of": ["1", "3", "5", "7", "9"]}, "coin": {"coin": 0}, "other_coin": {"coin": 1},
}  # fmt: skip


def settings(tasks: dict[str, Any]) -> Config:
    return configure(
        base={"seeds": list(SEEDS), "device": "cpu"},
        prepare={"sources": {"digits": {"kind": "digits"}}},
        tasks=tasks,
        encoder={"kind": "mlp", "sizes": [64, 32]},
        train={"epochs": 10, "batch_size": 64, "lr": 2e-3, "gradient_probes": 1, "stopping": {"patience": None}},
        finetune={
            "methods": {"joint": {"kind": "equal", "datamap": {"record": "training"}, "lookahead": {"every": 5}}}
        },
    )


def digits(config: Config) -> ImageSet:
    found = read_source("digits", config.prepare.sources["digits"], Path())
    assert isinstance(found, ImageSet)
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A joint run of the planted tasks for each seed; weights of the classes are mirrored for complements."""
    root = tmp_path_factory.mktemp("planted")
    planted = {
        name: {"kind": "binary", "source": "digits", "label": label, "class_weights": "balanced"}
        for name, label in LABELS.items()
    }
    config = settings(planted)
    write_prepared(digits(config), root / PREPARED / "digits", {})
    for seed in SEEDS:
        run_finetune(config, "joint", seed, root)
    return root


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("relation", "kind", "clusters"),
    [("map", kind, 4) for kind in ("fuzzy", "kmeans", "hard", "gaussian_mixture")]
    + [(affinity, "kmeans", 5) for affinity in ("gradient_cosine", "lookahead")],
)
def test_duplicates_and_complements_fall_together_and_no_coin_with_another_task(
    runs: Path, relation: str, kind: str, clusters: int
) -> None:
    """For every seed alone. The maps of two coins are alike (nothing is learnt of either), their gradients are not."""
    for seed in SEEDS:
        asked = {"source": "joint", "clusters": clusters, "relation": {"kind": relation}, "algorithm": {"kind": kind}}
        found = find_groups(ClusterConfig.model_validate(asked), [seed], runs)
        label = dict(zip(found.tasks, found.labels, strict=True))
        related = [task for task, group in TRUTH.items() if group < 3]
        assert agreement([[label[task] for task in related], [TRUTH[task] for task in related]]) == 1.0, seed
        coins = {label[task] for task, group in TRUTH.items() if group == 3}
        assert not coins & {label[task] for task in related}, seed


@pytest.mark.thorough
def test_a_label_and_its_negation_have_nearly_the_same_map(runs: Path) -> None:
    """Nearer than any two tasks that are neither a copy nor a complement."""
    for seed in SEEDS:
        maps = read_maps(runs / f"outputs/finetune/joint/seed-{seed}" / FILE).last
        points = {name: np.concatenate([found.confidence, found.variability]) for name, found in maps.items()}
        apart = {(a, b): float(np.linalg.norm(points[a] - points[b])) for a in points for b in points if a < b}
        like = {pair: d for pair, d in apart.items() if TRUTH[pair[0]] == TRUTH[pair[1]] < 3}
        unlike = [d for pair, d in apart.items() if TRUTH[pair[0]] != TRUTH[pair[1]]]
        assert max(like.values()) < min(unlike), seed


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_wrong_labels_are_among_the_least_confident(tmp_path: Path, seed: int) -> None:
    """2 % of the digits carry another digit's name."""
    config = settings({"digit": {"kind": "classification", "source": "digits", "label": "classes"}})
    whole = digits(config)
    dice = torch.Generator().manual_seed(seed)
    wrong = torch.randperm(len(whole.images), generator=dice)[: round(0.02 * len(whole.images))]
    labels = whole.labels["classes"].clone()
    labels[wrong] = (labels[wrong] + torch.randint(1, 10, (len(wrong),), generator=dice)) % 10
    write_prepared(replace(whole, labels={"classes": labels}), tmp_path / PREPARED / "digits", {})
    found = read_maps(run_finetune(config, "joint", seed, tmp_path) / FILE).last["digit"]
    planted = set(wrong.tolist()) & set(found.sample.tolist())
    suspects = {hard["sample"] for hard in found.hardest(round(0.05 * len(found.sample)))}
    assert len(planted & suspects) > 0.9 * len(planted) > 15
