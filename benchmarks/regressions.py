"""Two planted regressions in a network that shares one number a row: what is reached, beside what is known.

    python -m benchmarks.regressions       # five seeds of the preset `regressions`; a minute of one core

Directions at an angle between those of the two targets are the Pareto set; the point of it that equal weights choose,
and the optimum without sharing, have closed forms (`mtl.data.sources.regressions`). `above the front` is how much
larger both errors are at least than at some point of it; the test part is a sample, so it may be a little below 0.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import yaml

from benchmarks.command import count, finish, parser, start
from benchmarks.machine import HERE, Result
from mtl.config import Config, RegressionsSource, parse_config
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.data.sources.regressions import equal_turn, excess, front
from mtl.experiment import run_baseline, run_finetune
from mtl.paths import PREPARED
from mtl.results.record import Run
from mtl.setup.presets import render

Errors = tuple[float, float]


def settings(seeds: int) -> Config:
    """The preset, with so many seeds."""
    raw = yaml.safe_load(render("regressions", HERE))
    return parse_config(raw | {"base": raw["base"] | {"seeds": list(range(seeds))}})


def errors_of(config: Config, root: Path) -> dict[str, list[Errors]]:
    """Arm → test mean squared errors of both tasks for each seed."""
    tasks = list(config.tasks)
    arms: dict[str, list[Errors]] = {name: [] for name in ("alone", *config.finetune.methods)}
    for seed in config.base.seeds:
        start_of = config.baseline.starts[0]
        alone = [Run.read(run_baseline(config, task, start_of, seed, root) / "run.json") for task in tasks]
        arms["alone"].append((alone[0].test[tasks[0]]["mse"], alone[1].test[tasks[1]]["mse"]))
        for name in config.finetune.methods:
            test = Run.read(run_finetune(config, name, seed, root) / "run.json").test
            arms[name].append((test[tasks[0]]["mse"], test[tasks[1]]["mse"]))
    return arms


def main(given: Sequence[str] | None = None) -> int:
    """Trains every arm and reports."""
    command = parser("regressions", __doc__)
    command.add_argument("--seeds", type=count, default=5, help="of the training")
    options = command.parse_args(given)
    config = settings(options.seeds)
    source = config.prepare.sources["regressions"]
    assert isinstance(source, RegressionsSource)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_prepared(read_source("regressions", source, root), root / PREPARED / "regressions", {})
        arms = errors_of(config, root)
    known = {"alone": (1 - source.signal[0], 1 - source.signal[1]), "equal": front(source, equal_turn(source))}
    results = []
    for name, seeds in arms.items():
        means = (fmean(first for first, _ in seeds), fmean(second for _, second in seeds))
        for task, mean, place in zip(config.tasks, means, (0, 1), strict=True):
            note = f"known: {known[name][place]:.3f}" if name in known else ""
            results.append(Result(f"{name}: {task}", mean, "MSE z-scored", note=note))
        method = config.finetune.methods.get(name)
        if method is not None and method.width == 1:
            results.append(Result(f"{name}: above the front", excess(source, means), "MSE z-scored"))
    return finish(options, results, {"errors": arms})


if __name__ == "__main__":
    start(main)
