"""Simple models of every preset beside its networks.

    python -m benchmarks.simple                          # all presets whose raw files are there
    python -m benchmarks.simple smoke sensors            # some of them
    python -m benchmarks.simple --results ../projects    # also STL and joint values, where PRESET/results has them

Reads the sources, fits the simple models of the first seeds (`--seeds`) and measures them on the test part; nothing is
trained. A project in whose folder a preset was run gives the values of its networks: the single-task runs from the
first start, and the first method. CPU seconds are those of a task with all its candidates and of one seed; the first
task of a source pays for what the others share.
"""

import json
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import yaml

from benchmarks.command import count, finish, parser, start
from benchmarks.machine import HERE, Result
from mtl.config import Config, parse_config
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.data.loading.tasks import TaskSet
from mtl.errors import UserError
from mtl.experiment.objects import load_tasks
from mtl.paths import PREPARED, VERDICTS
from mtl.seeding import make_deterministic
from mtl.setup import presets
from mtl.simple.fit import Chosen, fit_simple
from mtl.training.measure import measure


@dataclass(frozen=True)
class Fit:
    """The simple model of a task for one seed."""

    chosen: Chosen
    value: float
    """Test value of the task's primary metric."""
    seconds: float
    """CPU seconds, those of all candidates."""


def fits(config: Config, data: TaskSet) -> Iterator[tuple[str, Fit]]:
    """(task, its simple model) for the seed of `data`."""
    began = process_time()
    for task, chosen in fit_simple(config.simple, data, config.base.threads):
        seconds = process_time() - began
        spec = data.specs[task]
        metrics, _ = measure(chosen.network, data.select([task], "test"), {task: spec}, detailed=True)
        yield task, Fit(chosen, metrics[task][spec.metric], seconds)
        began = process_time()


def measured(config: Config, seeds: int, raw: Path) -> dict[str, list[Fit]]:
    """Task → its simple model for each of the first seeds.

    Raises:
        UserError: a raw file is missing, or a source cannot be used.
    """
    results: dict[str, list[Fit]] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, section in config.prepare.sources.items():
            write_prepared(read_source(name, section, raw), root / PREPARED / name, {})
        make_deterministic(0, config.base.threads)
        for seed in config.base.seeds[:seeds]:
            data, _ = load_tasks(config, seed, root)
            for task, fit in fits(config, data):
                results.setdefault(task, []).append(fit)
    return results


def networks(folder: Path) -> dict[str, str]:
    """Task → values of its networks in words, from verdicts.json of a project; empty without one."""
    file = folder / VERDICTS
    if not file.exists():
        return {}
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["rows"]
    first = rows[0]["method"] if rows else None
    return {
        row["task"]: f"STL {row['stl']['mean']:.4g}, {row['method']} {row['joint']['mean']:.4g}"
        for row in rows
        if row["method"] == first
    }


def lines(preset: str, options: Namespace) -> Iterator[Result]:
    """The results of one preset."""
    config = parse_config(yaml.safe_load(presets.render(preset, HERE)), preset)
    try:
        by_task = measured(config, options.seeds, options.raw)
    except UserError as error:
        print(f"{preset}: left out: {error}", flush=True)
        return
    beside = {} if options.results is None else networks(options.results / preset)
    for task, members in by_task.items():
        metric = config.tasks[task].primary_metric
        names = ", ".join(dict.fromkeys(fit.chosen.choice.model for fit in members))
        values = [fit.value for fit in members]
        seconds = sum(fit.seconds for fit in members) / len(members)
        note = f"{names}; {seconds:.2f} CPU s"
        if task in beside:
            note += f"; {beside[task]}"
        yield Result(f"{preset}: {task}", sum(values) / len(values), metric, note=note)


def main(given: Sequence[str] | None = None) -> int:
    """Prints a line for each task of each preset, and writes them to simple.json."""
    options_of = parser("simple", __doc__)
    options_of.add_argument("presets", nargs="*", metavar="PRESET", help="presets (default: all)")
    options_of.add_argument("--seeds", type=count, default=5, help="seeds of a preset that are fitted (default: 5)")
    options_of.add_argument("--raw", type=Path, default=Path(), help="project in which data/raw lies (default: here)")
    options_of.add_argument("--results", type=Path, help="folder with a project for each preset, PRESET/results")
    options = options_of.parse_args(given)
    known = presets.names(HERE)
    for name in options.presets:
        if name not in known:
            options_of.error(f"`PRESET` should be one of {', '.join(known)}, found {name!r}")
    results = []
    for preset in options.presets or known:
        results += list(lines(preset, options))
        print(f"{preset}: done", flush=True)
    return finish(options, results)


if __name__ == "__main__":
    start(main)
