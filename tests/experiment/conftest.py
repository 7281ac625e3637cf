"""A prepared source in a folder of its own, and runs on it, each computed once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mtl.config import Config, parse_config
from mtl.data.loading.store import write_prepared
from mtl.paths import PREPARED
from tests.helpers.problems import waves

Changes = Callable[..., Config]


@pytest.fixture(scope="module", autouse=True)
def _leave_torch_as_it_was() -> Iterator[None]:
    """Runs ask for deterministic kernels, for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with the prepared source `line`: two waves and two labels that they give away."""
    root = tmp_path_factory.mktemp("experiment")
    write_prepared(waves(), root / PREPARED / "line", {})
    return root


@pytest.fixture
def root(folder: Path, tmp_path: Path) -> Path:
    """The same source in a folder of the test's own."""
    (tmp_path / "data").symlink_to(folder / "data")
    return tmp_path


def configure(**changes: Any) -> Config:
    """A small configuration; a section given by keyword takes the place of its own."""
    raw: dict[str, Any] = {
        "base": {"seeds": [3, 4], "device": "cpu"},
        "prepare": {"sources": {"line": {"kind": "series", "path": "data/raw/line.csv", "labels": ["phase", "up"]}}},
        "tasks": {
            "next": {"kind": "forecast", "source": "line", "input_len": 8, "horizon": 4},
            "phase": {"kind": "classification", "source": "line", "input_len": 8, "label": "phase"},
            "up": {"kind": "binary", "source": "line", "input_len": 8, "label": "up", "train_fraction": 0.5},
        },
        "simple": {"models": []},
        "encoder": {"kind": "timedart", "patch_len": 4, "d_model": 8, "heads": 1, "layers": 1, "d_ff": 16,
                    "classification": {"hidden": 8}},
        "train": {"epochs": 2, "batch_size": 16, "lr": 3e-3, "gradient_probes": 1, "stopping": {"patience": None}},
        "finetune": {"methods": {"joint": {"kind": "weighted", "lambda": 0.3, "schedule": "linear"}}},
    }  # fmt: skip
    return parse_config(raw | changes)


PRETRAINED: dict[str, Any] = {
    "pretrain": {"objective": {"kind": "diffusion", "steps": 20}, "input_len": 8, "epochs": 2, "batch_size": 16},
    "baseline": {
        "starts": [
            {"init": init, "freeze": freeze} for init in ("random", "pretrained") for freeze in ("none", "encoder")
        ]
    },
}
"""Sections that pretrain, and every start."""
