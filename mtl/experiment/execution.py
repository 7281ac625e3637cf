"""Facts of one execution, apart from the results: its progress, its time and its memory."""

import resource
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mtl.paths import RunPath
from mtl.results.history import Epoch
from mtl.results.timing import Timing, timing_file

Tell = Callable[[int, int], None]
"""Told after every epoch: (epochs done, epochs at most)."""

OnEpoch = Callable[[Epoch], None]
"""Given the record of every epoch."""


def silent(done: int, total: int) -> None:
    """Tells nobody."""
    del done, total


def unheard(record: Epoch) -> None:
    """Hears no record."""
    del record


def write_timings(where: RunPath, root: Path, began: datetime, seconds: float, epochs: int, steps: int) -> None:
    """Writes a run's file below timings/: never compared, never a dependency."""
    timing = Timing(
        train_seconds=seconds,
        epochs=epochs,
        steps=steps,
        started=began.isoformat(),
        finished=datetime.now(UTC).isoformat(),
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    timing.write(root / timing_file(where))
