"""Data maps of whole runs: they note what the network said, change nothing, and survive a stop bit for bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mtl.config import Config, parse_config
from mtl.experiment import run_finetune
from mtl.experiment.objects import load_tasks
from mtl.grouping.maps import FILE, read_maps
from mtl.models.build import build_model
from mtl.training.measure import predict
from mtl.training.recording import Recorder
from tests.experiment.conftest import configure
from tests.helpers.stopping import ends_as_if_never_stopped

SEED = 3


def config(record: str, snapshots: tuple[int, ...] = (), state_seconds: float = 60, **train: Any) -> Config:
    budget = {"epochs": 3, "batch_size": 16, "lr": 3e-3, "gradient_probes": 1, "stopping": {"patience": None}}
    return configure(
        base={"seeds": [SEED], "device": "cpu", "state_seconds": state_seconds},
        train=budget | train,
        finetune={"methods": {
            "plain": {"kind": "weighted", "lambda": 0.3},
            "noted": {"kind": "weighted", "lambda": 0.3, "datamap": {"record": record, "snapshots": list(snapshots)}},
        }},
    )  # fmt: skip


def said(settings: Config, root: Path, weights: Path | None) -> dict[str, np.ndarray[Any, Any]]:
    """Task → p(true label) of its own training samples (errors of a forecast) under some weights, or at the start."""
    data, _ = load_tasks(settings, SEED, root)
    model = build_model(settings.encoder, list(data.specs.values()), SEED)
    if weights is not None:
        model.load_state_dict(load_file(weights))
    found = {}
    for task, (prediction, target) in predict(model, data.pools["train"]).items():
        match data.specs[task].kind:
            case "forecast":
                values = (prediction - target).square().mean(dim=(1, 2))
            case "binary":
                values = torch.where(target == 1, prediction.sigmoid(), 1 - prediction.sigmoid())
            case "classification":
                values = prediction.softmax(dim=1).gather(1, target[:, None]).squeeze(1)
        found[task] = values.numpy()
    return found


@pytest.mark.parametrize("record", ["training", "evaluation"])
def test_recording_changes_no_bit_of_a_run(root: Path, record: str) -> None:
    settings = config(record, (1,))
    plain, noted = (run_finetune(settings, name, SEED, root) for name in ("plain", "noted"))
    for name in ("history.json", "weights.safetensors", "examples.json"):
        assert (plain / name).read_bytes() == (noted / name).read_bytes(), name
    assert not (plain / FILE).exists() and (noted / FILE).exists()


def test_a_clean_pass_notes_what_the_network_says_of_every_sample(root: Path) -> None:
    """After one epoch the weights that are kept are those that the map was noted with."""
    settings = config("evaluation", epochs=1)
    folder = run_finetune(settings, "noted", SEED, root)
    maps = read_maps(folder / FILE).last
    expected = said(settings, root, folder / "weights.safetensors")
    assert set(maps) == set(expected) == {"next", "phase", "up"}
    for task in ("phase", "up"):
        known = maps[task].known
        np.testing.assert_allclose(maps[task].confidence[known], expected[task], atol=1e-6)
        np.testing.assert_array_equal(maps[task].variability[known], 0)
    up = maps["up"]
    np.testing.assert_array_equal(up.correctness[up.known] == 1, up.confidence[up.known] > 0.5)
    error = expected["next"]
    scale = np.sort(error)[(len(error) - 1) // 2]
    found = maps["next"]
    np.testing.assert_allclose(found.confidence[found.known], np.exp(-error / (2 * scale)), rtol=1e-4)
    np.testing.assert_array_equal(found.correctness[found.known], (error <= scale).astype(np.float32))


def test_training_values_are_those_of_the_passes_that_trained(root: Path) -> None:
    """With steps too small to move a weight, and no dropout, every pass says what the first one said."""
    settings = config("training", lr=1e-30, weight_decay=0.0)
    head = settings.encoder.classification.model_copy(update={"amplitude": False})  # its batch norm differs in training
    encoder = settings.encoder.model_copy(update={"dropout": 0.0, "classification": head})
    settings = settings.model_copy(update={"encoder": encoder})
    maps = read_maps(run_finetune(settings, "noted", SEED, root) / FILE).last
    expected = said(settings, root, None)
    for task in ("phase", "up"):
        known = maps[task].known
        assert known.sum() > 0.9 * len(expected[task])
        mine = dict(zip(_samples(settings, root, task), expected[task], strict=True))
        np.testing.assert_allclose(
            maps[task].confidence[known], [mine[s] for s in maps[task].sample[known].tolist()], atol=1e-5
        )
        np.testing.assert_allclose(maps[task].variability[known], 0, atol=1e-3)


def _samples(settings: Config, root: Path, task: str) -> list[int]:
    """First row of each of the task's training windows."""
    data, _ = load_tasks(settings, SEED, root)
    pool = next(pool for pool in data.pools["train"] if task in pool.tasks)
    valid = pool.targets[task].valid
    starts: torch.Tensor = pool.samples.starts  # type: ignore[union-attr]
    return list((starts if valid is None else starts[valid]).tolist())


FEW: dict[str, Any] = {
    "next": {"kind": "forecast", "source": "line", "input_len": 8, "horizon": 4},
    "phase": {"kind": "classification", "source": "line", "input_len": 8, "label": "phase", "train_fraction": 0.5},
    "up": {"kind": "binary", "source": "line", "input_len": 8, "label": "up", "train_fraction": 0.5},
    "again": {"kind": "binary", "source": "line", "input_len": 8, "label": "up", "train_fraction": 0.6},
    "whole": {"kind": "binary", "source": "line", "input_len": 8, "label": "up"},
}
"""Tasks on the same windows, some of which have a target in a part of them: a small batch holds none of some task."""


def test_a_pass_without_a_sample_of_some_task_notes_the_others(root: Path) -> None:
    """With steps too small to move a weight, it says of every sample what one pass over all of them says."""
    still = config("training", lr=1e-30, weight_decay=0.0, batch_size=3, epochs=2)
    head = still.encoder.classification.model_copy(update={"amplitude": False})
    encoder = still.encoder.model_copy(update={"dropout": 0.0, "classification": head})
    raw = still.model_dump(mode="json", by_alias=True) | {"tasks": FEW, "encoder": encoder.model_dump(mode="json")}
    raw["finetune"]["methods"]["noted"] |= {"kind": "weighted"}
    settings = parse_config(raw)
    maps = read_maps(run_finetune(settings, "noted", SEED, root) / FILE).last
    expected = said(settings, root, None)
    for task in ("phase", "up", "again", "whole"):
        mine = dict(zip(_samples(settings, root, task), expected[task], strict=True))
        known = maps[task].known
        assert known.sum() > 0.9 * len(mine)
        np.testing.assert_allclose(
            maps[task].confidence[known], [mine[s] for s in maps[task].sample[known].tolist()], atol=1e-5
        )


@pytest.mark.parametrize(
    ("record", "stop"),
    [
        ("training", 2), ("training", 18), ("evaluation", 3),
        *(pytest.param(*case, marks=pytest.mark.thorough) for case in (("training", 12), ("evaluation", 1))),
    ],
)  # fmt: skip
def test_a_stopped_run_ends_with_the_same_map(root: Path, record: str, stop: int) -> None:
    """With a state after every step, a stop before any pass is noted loses that step alone."""
    settings = config(record, (1, 2), state_seconds=0)
    ends_as_if_never_stopped(settings, "noted", SEED, root, (Recorder, "observe"), stop)


def test_snapshots_after_the_last_epoch_of_a_run_that_stopped_early_are_left_out(root: Path) -> None:
    settings = config("training", (1, 3), epochs=3, lr=1e-30, stopping={"patience": 1})
    maps = read_maps(run_finetune(settings, "noted", SEED, root) / FILE)
    assert maps.epochs == [1, 2]
