"""Where the files of runs stand; imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PREPARED = Path("data/prepared")
REFERENCE = Path("outputs/reference.json")
"""Forecast → start → seed → validation MSE of the single-task run; written by the stage `reference`."""
TIMINGS = Path("timings")
"""Facts of one execution: never compared, never a dependency of a result."""


@dataclass(frozen=True)
class RunPath:
    """Where one training run's files stand, below `outputs/`."""

    stage: Literal["pretrain", "baseline", "finetune"]
    name: str | None
    """Task (baseline) or method (finetune); None for pretrain."""
    start: str | None
    """Baseline only: the start's label."""
    seed: int

    @property
    def folder(self) -> Path:
        parts = [part for part in (self.stage, self.name, self.start) if part is not None]
        return Path("outputs", *parts, f"seed-{self.seed}")
