"""Likeness of data maps: common samples alone count, whatever the order, and what cannot be compared is absent."""

from pathlib import Path

import numpy as np
import pytest

from mtl.config import Config, parse_config
from mtl.errors import UserError
from mtl.grouping.likeness import map_likeness
from mtl.grouping.maps import FILE, PoolArrays, write_maps

SAMPLES = 200
TASKS = {"a": 8, "b": 8, "c": 8, "far": 16}
"""Task → length of its windows."""


def config(seeds: int = 2) -> Config:
    return parse_config({
        "base": {"seeds": list(range(seeds))},
        "prepare": {"sources": {"hall": {"kind": "sensors"}}},
        "tasks": {n: {"kind": "binary", "source": "hall", "input_len": m, "label": "coin"} for n, m in TASKS.items()},
        "encoder": {"kind": "timedart"},
        "finetune": {"methods": {
            "joint": {"kind": "equal", "datamap": {"record": "training"}}, "plain": {"kind": "equal"},
        }},
    })  # fmt: skip


def pool(name: str, tasks: list[str], samples: np.ndarray, confidence: np.ndarray) -> PoolArrays:
    values = np.zeros((1, 3, len(tasks), len(samples)), dtype=np.float32)
    values[0, 0] = confidence
    return PoolArrays(name, tasks, samples.astype(np.int64), np.full((1, len(samples)), 4, np.int32), values)


def write(root: Path, seed: int, few: int = 60) -> np.ndarray:
    """`a` and `b` on all samples, `c` on a pool of its own with `few` of them, `far` on windows of another length."""
    dice = np.random.default_rng(seed)
    base, noise, other = dice.uniform(0.2, 0.8, (3, SAMPLES))
    folder = root / f"outputs/finetune/joint/seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    some = dice.permutation(SAMPLES)[:few]
    kept = np.stack([base, 0.7 * base + 0.3 * noise])
    kept[1, :20] = np.nan
    write_maps(folder / FILE, [
        pool("hall/a", ["a", "b"], np.arange(SAMPLES), kept), pool("hall/c", ["c"], some, 1 - base[some][None]),
        pool("hall/far", ["far"], np.arange(SAMPLES), other[None]),
    ], [4], "training")  # fmt: skip
    return np.array([np.corrcoef(kept[0, 20:], kept[1, 20:])[0, 1], np.nan])


def test_the_correlation_is_that_of_the_common_samples(tmp_path: Path) -> None:
    expected = [write(tmp_path, seed)[0] for seed in (0, 1)]
    found = map_likeness(config(), tmp_path)
    assert set(found) == {"joint"} and set(found["joint"]) == {"a|b", "a|c", "b|c"}
    assert found["joint"]["a|b"] == pytest.approx(expected, abs=1e-6)
    assert found["joint"]["a|c"] == pytest.approx([-1.0, -1.0], abs=1e-6)


def test_too_few_common_samples_say_nothing_and_a_missing_map_is_named(tmp_path: Path) -> None:
    write(tmp_path, 0)
    with pytest.raises(UserError, match=r"seed-1/datamap\.safetensors is missing"):
        map_likeness(config(), tmp_path)
    write(tmp_path, 1, few=10)
    assert set(map_likeness(config(), tmp_path)["joint"]) == {"a|b"}
