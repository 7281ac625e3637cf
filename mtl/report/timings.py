"""Measured times: collected from timings/, apart from everything that is compared.

Times differ from run to run, so they are no part of the page; the page reads `timings.js` when it is shown.
"""

import json
from pathlib import Path
from typing import Any

from mtl.paths import VERDICTS
from mtl.report.words import Json, known
from mtl.results.verdicts import Verdicts

LATENCY = "latency"


def collect_timings(root: Path = Path(".")) -> Json | None:
    """All of timings/**.json.

    Returns:
        `{"runs": {"finetune/joint/seed-0": {...}}, "latency": {...} | None}`, or None when nothing was measured here.
        Files that cannot be read are left out: a time is never worth failing for.
    """
    folder = root / "timings"
    runs: Json = {}
    for path in sorted(folder.rglob("*.json")) if folder.is_dir() else []:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            runs[path.relative_to(folder).with_suffix("").as_posix()] = content
    latency = runs.pop(LATENCY, None)
    return {"runs": runs, "latency": latency} if runs or latency else None


def method_costs(verdicts: Verdicts, timings: Json | None) -> dict[str, dict[str, float | int | None]]:
    """Method → its costs beside the sum over the single-task models of its tasks.

    Keys: `parameters`, `parameters_stl`; `latency`, `latency_stl` in ms a batch; `train`, `train_stl` in seconds a
    seed (mean over seeds). None where something was not measured.
    """
    counts = verdicts.costs.parameters
    found: dict[str, dict[str, float | int | None]] = {}
    for method in verdicts.methods:
        name, tasks = method.name, method.tasks
        single = [f"baseline/{task}/{method.start}" for task in tasks]
        alone = counts.stl_by_start.get(method.start, {})
        latency = (timings or {}).get("latency") or {}
        # Single-task latency was measured for the first start alone: another width has none.
        timed = (latency.get("stl") or {}) if alone == counts.stl else {}
        found[name] = {
            "parameters": counts.methods.get(name),
            "parameters_stl": _sum([alone.get(task) for task in tasks]),
            "latency": latency.get(name) if known(latency.get(name)) else None,
            "latency_stl": _sum([timed.get(task) for task in tasks]),
            "train": _train_seconds(timings, f"finetune/{name}", verdicts.seeds),
            "train_stl": _sum([_train_seconds(timings, path, verdicts.seeds) for path in single])
            if all(task in alone for task in tasks)  # times of a task that was trained alone once may still lie there
            else None,
        }
    return found


def write_timings_js(root: Path = Path("."), verdicts: Verdicts | None = None) -> Path:
    """Writes report/timings.js (`window.TIMINGS = {...}`), which report.html shows in its table of costs.

    Args:
        root: the project's folder.
        verdicts: content of results/verdicts.json; None reads it from there.
    """
    if verdicts is None:
        verdicts = Verdicts.read(root / VERDICTS)
    timings = collect_timings(root)
    content = {
        "batch": batch_size(timings),
        "methods": method_costs(verdicts, timings),
        "runs": (timings or {}).get("runs", {}),
    }
    path = root / "report" / "timings.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"window.TIMINGS = {json.dumps(content, sort_keys=True)};\n", encoding="utf-8")
    return path


def batch_size(timings: Json | None) -> int | None:
    """Windows in the batch whose latency was measured."""
    found = ((timings or {}).get("latency") or {}).get("batch")
    return found if isinstance(found, int) else None


def _train_seconds(timings: Json | None, path: str, seeds: list[int]) -> float | None:
    """Mean training time over the seeds that were measured, seconds."""
    runs = (timings or {}).get("runs", {})
    times = [runs.get(f"{path}/seed-{seed}", {}).get("train_seconds") for seed in seeds]
    measured = [time for time in times if known(time)]
    return sum(measured) / len(measured) if measured else None


def _sum(values: list[Any]) -> float | int | None:
    """The sum, or None when a part is missing: half a sum would flatter the single-task models."""
    return sum(values) if values and all(known(value) for value in values) else None
