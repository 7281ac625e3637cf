"""Costs of a pipeline besides its training: many tasks of which few are trained alone, and the default preset.

    python -m benchmarks.fan_out                     # a thousand tasks; minutes on an idle machine
    python -m benchmarks.fan_out --tasks 100 --preset smoke

Tasks are sets of digits (does the image show one of these?), all trained together once and two of them alone. CPU
seconds are those of a command and all that it started; unlike wall seconds they mean something on a busy machine too.
Overhead is the wall time of `mtl repro` less the seconds of training over the number of processes.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks.command import at_least, finish, parser, start
from benchmarks.machine import Result
from benchmarks.pipeline import MAIN
from benchmarks.project import environment, make_project
from mtl.config import load_config
from mtl.experiment import run_finetune
from mtl.jobs.cores import workers
from mtl.paths import TIMINGS

CLASSES = 10


def many_tasks(count: int, epochs: int = 3, seeds: int = 2) -> dict[str, Any]:
    """Content of params.yaml with so many tasks on the embedded digits, of which two are trained alone."""
    sets = [chosen for size in range(1, CLASSES) for chosen in combinations(range(CLASSES), size)][:count]
    tasks = {
        f"t{number:04d}": {"kind": "binary", "source": "digits", "label": {"any_of": [str(digit) for digit in chosen]}}
        for number, chosen in enumerate(sets)
    }
    names = list(tasks)
    return {
        "base": {"seeds": list(range(seeds)), "device": "cpu"},
        "prepare": {"sources": {"digits": {"kind": "digits"}}},
        "tasks": tasks,
        "simple": {"models": []},
        "encoder": {"kind": "mlp", "sizes": [64, 32]},
        "train": {"epochs": epochs, "batch_size": 96, "stopping": {"patience": None}},
        "baseline": {"tasks": [names[0], names[len(names) // 2]]},
        "finetune": {"methods": {"joint": {"kind": "equal"}}},
        "tracking": {"enabled": False},
    }


def timed(root: Path, *command: str) -> tuple[float, float]:
    """(wall seconds, CPU seconds of the process and all below it) of an `mtl` command.

    Raises:
        RuntimeError: it did not end well.
    """
    began, before = time.perf_counter(), _cpu()
    done = subprocess.run([sys.executable, "-c", MAIN, *command], cwd=root, env=environment(), check=False,
                          capture_output=True, text=True)  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"`mtl {' '.join(command)}` ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return time.perf_counter() - began, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def training(root: Path) -> list[float]:
    """Seconds of every run, from its start to its results."""
    return [
        float(json.loads(path.read_bytes())["train_seconds"]) for path in sorted((root / TIMINGS).rglob("seed-*.json"))
    ]


def of_many(root: Path, tasks: int, rounds: int) -> list[Result]:
    """Figures of a pipeline with many tasks."""
    make_project(root, "smoke")
    (root / "params.yaml").write_text(yaml.safe_dump(many_tasks(tasks), sort_keys=False), encoding="utf-8")
    asked = tasks >= 1000
    checked = [timed(root, "validate") for _ in range(rounds)]
    wall, cpu = timed(root, "repro")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    nothing = [timed(root, "repro") for _ in range(rounds)]
    name = f"{tasks:,} tasks on digits, two trained alone"
    return [
        Result(f"{name}: `mtl validate`", median(seconds for seconds, _ in checked), "s", 2.0 if asked else None),
        Result(f"{name}: `mtl validate`, computing", median(seconds for _, seconds in checked), "s CPU"),
        Result(f"{name}: from nothing to verdicts", wall, "s", 120.0 if asked else None),
        Result(f"{name}: from nothing to verdicts, computing", cpu, "s CPU"),
        Result(f"{name}: largest process", peak, "GB", 1.0 if asked else None),
        Result(f"{name}: `mtl repro` with nothing to do", median(seconds for seconds, _ in nothing), "s"),
    ]


def run_start(root: Path) -> float:
    """CPU seconds from the begin of a joint run to its first epoch's end, in a process that has made one before, less
    those of one more epoch: what a run costs before it trains."""
    config = load_config(root / "params.yaml")
    method = next(iter(config.finetune.methods))
    ends: list[float] = []
    begins: list[float] = []
    for _ in range(2):
        ends.clear()
        begins.append(time.process_time())
        with tempfile.TemporaryDirectory() as scratch:
            run_finetune(config, method, config.base.seeds[0], root, out=Path(scratch),
                         on_epoch=lambda _: ends.append(time.process_time()))  # fmt: skip
    epochs = [after - before for before, after in pairwise(ends)]
    return ends[0] - begins[-1] - (median(epochs) if epochs else 0.0)


def of_preset(root: Path, preset: str, rounds: int) -> list[Result]:
    """Figures of a preset."""
    make_project(root, preset)
    config = load_config(root / "params.yaml")
    processes = workers(config.base)
    wall, cpu = timed(root, "repro")
    trained = training(root)
    nothing = [timed(root, "repro") for _ in range(rounds)]
    asked = 20.0 if preset == "sensors" else None
    return [
        Result(f"{preset}: `mtl repro` from nothing", wall, "s"),
        Result(f"{preset}: `mtl repro` from nothing, computing", cpu, "s CPU"),
        Result(f"{preset}: overhead", wall - sum(trained) / processes, "s", asked,
               note=f"{len(trained)} runs of {sum(trained):.0f} s on {processes} processes"),
        Result(f"{preset}: a run before its first epoch, computing", run_start(root), "s CPU", 0.1),
        Result(f"{preset}: `mtl repro` with nothing to do", median(seconds for seconds, _ in nothing), "s", 2.0),
        Result(f"{preset}: `mtl repro` with nothing to do, computing", median(seconds for _, seconds in nothing),
               "s CPU"),
    ]  # fmt: skip


def main(given: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    command = parser("fan_out", __doc__)
    command.add_argument("--tasks", type=at_least(2), default=1000, help="of the first pipeline (default: 1000)")
    command.add_argument("--preset", default="sensors", help="of the second (default: sensors)")
    command.add_argument("--rounds", type=at_least(1), default=3, help="of each short command")
    options = command.parse_args(given)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        results = of_many(Path(scratch) / "many", options.tasks, options.rounds)
        results += of_preset(Path(scratch) / "preset", options.preset, options.rounds)
    return finish(options, results)


if __name__ == "__main__":
    start(main)
