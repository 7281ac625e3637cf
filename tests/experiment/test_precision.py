"""Runs whose encoders compute in 16 bits: other numbers, the same bytes twice, and models that remember it."""

import json
from pathlib import Path

import pytest
import torch

from mtl.config import Config
from mtl.errors import ConfigError
from mtl.experiment import run_finetune
from mtl.models import saved
from mtl.models.multitask import MultiTaskModel
from mtl.results.record import Run
from tests.experiment.conftest import configure

SEED = 3


def settings(precision: str) -> Config:
    return configure(base={"seeds": [3, 4], "device": "cpu", "precision": precision})


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    return run_finetune(settings("bf16"), "joint", SEED, folder)


def test_its_results_are_others_and_near_those_of_32_bits(run: Path, root: Path) -> None:
    half, whole = Run.read(run / "run.json"), Run.read(run_finetune(configure(), "joint", SEED, root) / "run.json")
    assert half.test["next"]["mse"] != whole.test["next"]["mse"]
    assert half.test["next"]["mse"] == pytest.approx(whole.test["next"]["mse"], rel=0.1)


def test_gradients_of_tasks_are_taken_through_both_kinds_of_numbers(root: Path) -> None:
    methods = {"m": {"kind": "pcgrad", "sharing": {"kind": "cross_stitch"}}}
    base = {"seeds": [SEED], "device": "cpu", "precision": "bf16"}
    run = Run.read(run_finetune(configure(base=base, finetune={"methods": methods}), "m", SEED, root) / "run.json")
    assert run.test["next"]["mse"] > 0


def test_it_comes_again_bit_for_bit(run: Path, root: Path) -> None:
    again = run_finetune(settings("bf16"), "joint", SEED, root)
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {p.name: p.read_bytes() for p in run.iterdir()}


def test_a_loaded_model_computes_as_its_run_did(run: Path, tmp_path: Path) -> None:
    assert json.loads((run / "model.json").read_text())["precision"] == "bf16"
    network = saved.load(run).model
    assert isinstance(network, MultiTaskModel)
    name, spec = next(iter(network.tasks.items()))
    x = torch.randn(4, *spec.shape)
    half = network(x, [name])[name]
    network.precision = "float32"
    whole = network(x, [name])[name]
    assert half.dtype == whole.dtype == torch.float32 and not torch.equal(half, whole)
    torch.testing.assert_close(half, whole, atol=0.1, rtol=0.1)
    assert all(weight.dtype == torch.float32 for weight in network.parameters())


def test_other_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"base\.precision.*'fp16'"):
        settings("fp16")
