"""The default preset as a user runs it: nothing to do, help, time to the first training step, memory of every stage.

    python -m benchmarks.pipeline                    # two to three minutes on an idle machine
    python -m benchmarks.pipeline --project DIR      # a project whose pipeline has run: no memory, the full preset

Without a project it makes a copy of this one and runs a preset (`sensors`) with runs of one epoch: neither
memory nor the way to the first step depends on how long training lasts. Memory is the proportional set size of a
stage and its children (pages that forked processes share count once), looked at ten times a second.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import psutil

from benchmarks.command import count, finish, parser, start
from benchmarks.first_step import NOTE
from benchmarks.machine import Result, wall_seconds
from benchmarks.project import environment, make_project, one_epoch, run_in
from mtl.config import Config, load_config

EVERY = 0.1
"""Seconds between two looks at the memory."""
MAIN = "from mtl.cli.main import main; main()"


def repro(root: Path) -> dict[str, float]:
    """Runs the pipeline and returns stage → GB at its peak, its children included."""
    peaks: dict[str, float] = {}
    with tempfile.TemporaryFile("w+") as log:
        child = subprocess.Popen([sys.executable, "-c", MAIN, "repro"], cwd=root, env=environment(),
                                 stdout=log, stderr=subprocess.STDOUT)  # fmt: skip
        while child.poll() is None:
            for stage, gigabytes in _stages(child.pid):
                peaks[stage] = max(peaks.get(stage, 0.0), gigabytes)
            time.sleep(EVERY)
        if child.returncode != 0:
            log.seek(0)
            raise RuntimeError(f"`mtl repro` ended with {child.returncode}:\n{log.read()[-4000:]}")
    return peaks


def _stages(pid: int) -> list[tuple[str, float]]:
    """The stages that run now below `pid`, with the memory of each one's tree of processes."""
    running: list[tuple[str, float]] = []
    try:
        below = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    for process in below:
        try:
            command = process.cmdline()
            place = next((i for i, word in enumerate(command) if word.startswith("mtl.stages.")), None)
            if place is None or _is_stage(process.parent()) or Path(command[0]).name[:6] != "python":
                continue
            tree = [process, *process.children(recursive=True)]
            name = " ".join([command[place].removeprefix("mtl.stages."), *command[place + 1 :]])
            running.append((name, sum(p.memory_full_info().pss for p in tree) / 1e9))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return running


def _is_stage(process: psutil.Process | None) -> bool:
    if process is None:
        return False
    command = process.cmdline()
    return Path(command[0]).name[:6] == "python" and any(word.startswith("mtl.stages.") for word in command)


def to_first_step(root: Path, *stage: str) -> float:
    """Seconds from the start of a stage's process to the end of its first optimiser step."""
    note = root / NOTE
    note.unlink(missing_ok=True)
    began = time.time()
    command = [sys.executable, "-m", "benchmarks.first_step", *stage]
    done = subprocess.run(command, cwd=root, env=environment(), start_new_session=True, check=False,
                          capture_output=True, text=True)  # fmt: skip
    if not note.exists():
        raise RuntimeError(f"{' '.join(stage)} took no step:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return float(note.read_text()) - began


def starts(root: Path, config: Config, rounds: int) -> list[Result]:
    """First steps of a stage of each kind; they end before anything is written, so results stay as they are."""
    kinds = {
        "pretrain": ("mtl.stages.pretrain",),
        "baseline": ("mtl.stages.baseline",),
        "finetune": ("mtl.stages.finetune",),
    }
    results = []
    for name, stage in kinds.items():
        if name == "pretrain" and config.pretrain.objective.kind == "none":
            continue
        seconds = sorted(to_first_step(root, *stage) for _ in range(rounds))
        results.append(Result(f"{name}: from its start to the end of the first step", median(seconds), "s",
                              note=f"of {rounds}, {seconds[0]:.2f} to {seconds[-1]:.2f}"))  # fmt: skip
    return results


def main(given: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    command = parser("pipeline", __doc__)
    command.add_argument("--project", type=Path, metavar="DIR",
                         help="a project whose pipeline has run; its outputs stay as they are")  # fmt: skip
    command.add_argument("--preset", default="sensors", help="what is run without a project (default: sensors)")
    command.add_argument("--rounds", type=count, default=3, help="of each command")
    options = command.parse_args(given)
    project: Path | None = options.project
    rounds: int = options.rounds
    results: list[Result] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:  # MLflow may still be at it
        if project is None:
            root = make_project(Path(scratch) / "project", options.preset)
            config = one_epoch(root)
            print("running the pipeline …", flush=True)
            began = time.perf_counter()
            peaks = repro(root)
            results.append(Result("the whole pipeline, one epoch a run", time.perf_counter() - began, "s"))
            results += [Result(f"peak memory of {stage}", peak, "GB") for stage, peak in peaks.items()]
        else:
            root, config = project, load_config(project / "params.yaml")
        idle = wall_seconds(lambda: run_in(root, "-m", "dvc", "repro"), rounds)
        results.append(Result("`dvc repro` with nothing to do", idle, "s", 2.0))
        again = wall_seconds(lambda: run_in(root, "-c", MAIN, "repro"), rounds)
        results.append(Result("`mtl repro` with nothing to do", again, "s"))
        seconds = wall_seconds(lambda: run_in(root, "-c", MAIN, "--help"), rounds + 2)
        results.append(Result("`mtl --help`", seconds, "s", 0.5))
        first = starts(root, config, rounds)
        results += first
        worst = max(r.value for r in first)
        results.append(Result("from `dvc repro` to the first step of a stage, at worst", idle + worst, "s", 6.0,
                              note="both above: DVC looks at everything, then starts it"))  # fmt: skip
    return finish(options, results)


if __name__ == "__main__":
    start(main)
