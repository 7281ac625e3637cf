"""timings/: what one execution cost. Never compared, never a dependency of a result."""

from pathlib import Path
from typing import Any, ClassVar

from mtl.paths import TIMINGS, RunPath
from mtl.results.content import ResultFile

LATENCY = TIMINGS / "latency.json"


class Timing(ResultFile):
    """Cost of one run."""

    train_seconds: float
    epochs: int
    steps: int
    started: str
    """Moments in ISO 8601, UTC."""
    finished: str
    peak_memory_mb: float
    """Largest memory of the process, in MiB."""


class Latency(ResultFile):
    """Milliseconds for the predictions of `batch` samples of every source."""

    version: ClassVar[int] = 2
    batch: int
    stl: dict[str, float]
    """Task → its single-task network."""
    methods: dict[str, float]
    """Method → one pass for all of its tasks."""

    @classmethod
    def migrated(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """The first version held the methods beside `batch` and `stl`, whose names no method could have."""
        del version
        methods = {name: value for name, value in content.items() if name not in ("batch", "stl")}
        return {key: content[key] for key in ("batch", "stl") if key in content} | {"methods": methods}


def timing_file(path: RunPath) -> Path:
    """Place of a run's file below timings/."""
    return TIMINGS / path.folder.relative_to("outputs").with_suffix(".json")
