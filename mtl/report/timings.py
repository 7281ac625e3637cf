"""Measured times: collected from timings/, apart from everything that is compared.

Times differ from run to run, so they are no part of the page; the page reads `timings.js` when it is shown.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mtl.errors import UserError
from mtl.paths import TIMINGS, VERDICTS
from mtl.results.timing import LATENCY, Latency, Timing
from mtl.results.verdicts import Verdicts

TIMINGS_JS = "timings.js"
"""File beside the page, which the page reads when it is shown."""
TIMINGS_TAG = '<script src="timings.js" onerror="window.TIMINGS=null"></script>'
"""Place of the page where it reads that file."""


@dataclass(frozen=True)
class Timings:
    """Times that were measured on this machine."""

    runs: dict[str, Timing] = field(default_factory=dict)
    """Folder of a run below outputs/, such as `finetune/joint/seed-0` → its times."""
    latency: Latency | None = None

    def train_seconds(self, path: str, seeds: list[int]) -> float | None:
        """Mean training time over the seeds that were measured, in seconds; `path` is a run's folder without them."""
        times = [run.train_seconds for seed in seeds if (run := self.runs.get(f"{path}/seed-{seed}")) is not None]
        return sum(times) / len(times) if times else None


def collect_timings(root: Path = Path(".")) -> Timings:
    """Reads timings/**.json; files that cannot be used are left out, since a time is never worth failing for."""
    runs: dict[str, Timing] = {}
    latency = None
    for path in sorted((root / TIMINGS).rglob("*.json")):
        with suppress(UserError):
            if path == root / LATENCY:
                latency = Latency.read(path)
            else:
                runs[path.relative_to(root / TIMINGS).with_suffix("").as_posix()] = Timing.read(path)
    return Timings(runs, latency)


def method_costs(verdicts: Verdicts, timings: Timings) -> dict[str, dict[str, float | int | None]]:
    """Method → its costs beside the sum over the single-task models of its tasks.

    Keys: `parameters`, `parameters_stl`; `latency`, `latency_stl` in ms a batch; `train`, `train_stl` in seconds a
    seed (mean over seeds). None where something was not measured.
    """
    counts, latency = verdicts.costs.parameters, timings.latency
    costs: dict[str, dict[str, float | int | None]] = {}
    for method in verdicts.methods:
        name, tasks = method.name, method.tasks
        single = [f"baseline/{task}/{method.start}" for task in tasks]
        alone = counts.stl_by_start.get(method.start, {})
        # Single-task latency was measured for the first start alone: another width has none.
        timed = latency.stl if latency is not None and alone == counts.stl else {}
        costs[name] = {
            "parameters": counts.methods.get(name),
            "parameters_stl": _sum([alone.get(task) for task in tasks]),
            "latency": None if latency is None else latency.methods.get(name),
            "latency_stl": _sum([timed.get(task) for task in tasks]),
            "train": timings.train_seconds(f"finetune/{name}", verdicts.seeds),
            "train_stl": _sum([timings.train_seconds(path, verdicts.seeds) for path in single])
            if all(task in alone for task in tasks)  # times of a task that was trained alone once may still lie there
            else None,
        }
    return costs


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
        "runs": {path: timing.plain() for path, timing in timings.runs.items()},
    }
    path = root / "report" / TIMINGS_JS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"window.TIMINGS = {json.dumps(content, sort_keys=True)};\n", encoding="utf-8")
    return path


def whole_page(page: Path) -> str:
    """The text of report.html with its times inside, for places where it cannot read the file beside it."""
    text, times = page.read_text(encoding="utf-8"), page.with_name(TIMINGS_JS)
    if not times.is_file():
        return text
    return text.replace(TIMINGS_TAG, f"<script>{times.read_text(encoding='utf-8')}</script>")


def batch_size(timings: Timings) -> int | None:
    """Samples in the batch whose latency was measured."""
    return None if timings.latency is None else timings.latency.batch


def _sum(values: Sequence[float | int | None]) -> float | int | None:
    """The sum, or None when a part is missing: half a sum would flatter the single-task models."""
    there = [value for value in values if value is not None]
    return sum(there) if there and len(there) == len(values) else None
