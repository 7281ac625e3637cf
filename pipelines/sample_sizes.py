"""How large results/predictions.parquet will be, as far as the sources are prepared: said before anything trains."""

import json
from pathlib import Path
from typing import Any

from mtl.config import Config
from mtl.config.inputs import Held, kind_named
from mtl.errors import UserError
from mtl.paths import PREDICTIONS, PREPARED

NUMBER, ROW = 4, 6
"""Bytes of a predicted number, which hardly compresses, and of what stands beside it in a row."""
MEGABYTE = 1e6


def predictions_note(config: Config, root: Path) -> str | None:
    """One sentence for `mtl validate`; None where predictions are left out."""
    if not config.evaluate.predictions:
        return None
    total, waiting = 0, dict[str, None]()
    for name, task in config.tasks.items():
        try:
            total += _bytes(config, name, root)
        except (OSError, ValueError, KeyError, UserError):  # not prepared, or with settings of before
            waiting[task.source] = None
    out = f"`evaluate.predictions: false` leaves {PREDICTIONS} out"
    if not total:
        return f"the size of {PREDICTIONS} is told once data are prepared (`mtl repro index`); {out}"
    more = f", besides those of {', '.join(waiting)}, which are not prepared yet" if waiting else ""
    return f"{PREDICTIONS} will take about {_shown(total)}{more}; {out}"


def _bytes(config: Config, name: str, root: Path) -> int:
    """Bytes of the predictions of one task by all runs, and of its truth; an error where its source is not prepared."""
    task = config.tasks[name]
    meta: dict[str, Any] = json.loads((root / PREPARED / task.source / "meta.json").read_text(encoding="utf-8"))
    kind = kind_named(meta.get("kind"))
    held = Held(task.source, kind, meta["columns"], meta["classes"], meta.get("numbers", []))
    samples = meta["splits"][0]["count"]["test"]
    alone = len(config.baseline.starts) * (name in config.baseline_tasks)
    joint = sum(name in config.judged_tasks(method) for method in config.finetune.methods)
    runs = len(config.base.seeds) * (alone + joint)
    return int(samples * (runs + 1) * (NUMBER * task.predicted(name, held) + ROW))


def _shown(count: int) -> str:
    return f"{count / MEGABYTE:,.0f} MB" if count >= 10 * MEGABYTE else f"{max(0.1, count / MEGABYTE):.1f} MB"
