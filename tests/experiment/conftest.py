"""A prepared source in a folder of its own, and runs on it, each computed once."""

from collections.abc import Callable
from typing import Any

from mtl.config import Config, parse_config
from tests.helpers.waves_project import folder, leave_torch_as_it_was, root

__all__ = ["folder", "leave_torch_as_it_was", "root"]  # fixtures for the tests below this folder

Changes = Callable[..., Config]


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
