"""Messages of the process that times networks to the one that asked; it imports no torch."""

from dataclasses import asdict, dataclass
from typing import Any

from mtl.paths import RunPath


@dataclass(frozen=True)
class Sizes:
    """Facts that all runs share."""

    startup: float
    """Seconds of computing before a stage begins its work: imports."""
    tests: dict[str, tuple[int, int]]
    """Task → (samples of its test part, numbers predicted of each)."""
    models: int | None
    """Models of clusters that `specialise` trains; None where the clusters are not known yet, or none are asked for."""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"sizes": asdict(self)}

    @classmethod
    def read(cls, content: dict[str, Any]) -> "Sizes":
        """From what JSON has."""
        tests = {name: (int(samples), int(numbers)) for name, (samples, numbers) in content["tests"].items()}
        return cls(content["startup"], tests, content["models"])


@dataclass(frozen=True)
class Timed:
    """One run of a group of runs that differ in their seeds alone. Seconds are of computing, on one process."""

    group: str
    least: float
    """Seconds if it stops as early as it may."""
    most: float
    """Seconds if it trains to the end."""
    test: float
    """Seconds of its passes over test samples in the stage `evaluate`: one over all of them, those of importance."""
    weights: int
    """Bytes of its weights."""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"timed": asdict(self)}


def group_of(where: RunPath) -> str:
    """Name of the runs that differ from one in their seeds alone: `baseline/wind/random`, `finetune/joint`."""
    return where.folder.parent.relative_to("outputs").as_posix()
