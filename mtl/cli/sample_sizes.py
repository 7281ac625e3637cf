"""Sizes of results/predictions.parquet and losses.parquet, and of the order of an epoch in memory, as far as the
sources are prepared: told before anything trains.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl.config import Config
from mtl.config.inputs import Held, kind_named
from mtl.errors import UserError
from mtl.paths import LOSSES, PREDICTIONS, PREPARED

NUMBER, ROW = 4, 6
"""Bytes of a predicted number, which hardly compresses, and of what stands beside it in a row."""
LOSS_ROW = 18
"""Bytes of a row of losses: a loss, an error of eight bytes, and what stands beside them; half of it where the error is
0 or 1."""
ORDER, WIDE_ORDER, NARROW = 4, 8, 2**31
"""Bytes of a sample in the order of an epoch, those of a sample of more than the last."""
LONG_ORDER = 1e8
"""Bytes of an order from which on they are told."""
MEGABYTE = 1e6


def sizes_note(config: Config, root: Path) -> str:
    """One sentence for `mtl validate`."""
    predictions, losses, waiting = 0, 0, dict[str, None]()
    for name, task in config.tasks.items():
        try:
            samples, numbers = _test_part(config, name, root)
        except (OSError, ValueError, KeyError, UserError):  # not prepared, or with settings of before
            waiting[task.source] = None
            continue
        runs = _runs(config, name)
        predictions += samples * (runs + 1) * (NUMBER * numbers + ROW)
        losses += samples * runs * LOSS_ROW
    kept = config.evaluate.predictions
    out = f"; `evaluate.predictions: false` leaves {PREDICTIONS} out" if kept else ""
    if not losses:
        files = f"the sizes of {PREDICTIONS} and {LOSSES} are" if kept else f"the size of {LOSSES} is"
        return f"{files} told once data are prepared (`mtl repro index`){out}"
    more = f", besides those of {', '.join(waiting)}, which are not prepared yet" if waiting else ""
    first = f"{PREDICTIONS} will take about {_shown(predictions)} and " if kept else ""
    return f"{first}{LOSSES}{'' if kept else ' will take'} at most {_shown(losses)}{more}{out}"


def order_note(config: Config, root: Path) -> list[str]:
    """At most one sentence for `mtl validate`, on the order in which an epoch passes through many samples."""
    held, samples = 0, 0
    for name in dict.fromkeys(task.source for task in config.tasks.values()):
        try:
            train = int(_meta(name, root)["splits"][0]["count"]["train"])
        except (OSError, ValueError, KeyError):  # not prepared
            continue
        samples += train
        held += train * (ORDER if train < NARROW else WIDE_ORDER)
    if held < LONG_ORDER:
        return []
    return [
        f"the order of an epoch takes {_shown(held)} of memory in each process, for {samples:,} training samples that "
        "tasks share, and as much again while one pass ends and the next begins"
    ]


def _meta(source: str, root: Path) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads((root / PREPARED / source / "meta.json").read_text(encoding="utf-8"))
    return meta


def _test_part(config: Config, name: str, root: Path) -> tuple[int, int]:
    """(rows or samples of the test part of a task, numbers predicted of each); an error where its source is not
    prepared."""
    task = config.tasks[name]
    meta = _meta(task.source, root)
    kind = kind_named(meta.get("kind"))
    held = Held.of_meta(task.source, kind, meta)
    if held is None:
        from mtl.data.loading.leaks import held_by
        from mtl.data.loading.store import load_prepared

        held = held_by([task], load_prepared(task.source, root / PREPARED))
    return int(meta["splits"][0]["count"]["test"]), task.predicted(name, held)


def sample_bytes(config: Config, tests: Mapping[str, Sequence[int]]) -> int:
    """Bytes of both files, for all runs of the configuration.

    Args:
        config: the whole configuration.
        tests: task → (samples of its test part, numbers predicted of each).
    """
    total = 0
    for name, (samples, numbers) in tests.items():
        runs = _runs(config, name)
        total += samples * runs * LOSS_ROW
        total += samples * (runs + 1) * (NUMBER * numbers + ROW) * config.evaluate.predictions
    return total


def _runs(config: Config, name: str) -> int:
    """Number of runs that are measured on a task."""
    alone = len(config.baseline.starts) * (name in config.baseline_tasks)
    joint = sum(name in config.judged_tasks(method) for method in config.finetune.methods)
    return len(config.base.seeds) * (alone + joint + config.simple.enabled)


def _shown(count: int) -> str:
    return f"{count / MEGABYTE:,.0f} MB" if count >= 10 * MEGABYTE else f"{max(0.1, count / MEGABYTE):.1f} MB"
