"""Cost of a run for the scheduler and the command where many workers make runs: real messages and files, no training.

    python -m benchmarks.cluster                             # 500 workers, 5,000 runs of 4 s
    python -m benchmarks.cluster --workers 50 --runs 500 --seconds 1

The scheduler is a process of its own, the workers are threads of another one (500 processes would not fit here), and
this process is the command: it packs jobs, gives them to workers, fetches each run's archive and unpacks it. A worker
sleeps instead of training and puts a made-up archive into the store, so that its own CPU time says nothing; that of the
scheduler and of the command are theirs with real workers too.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import psutil

from benchmarks.command import count, finish, parser, start
from benchmarks.fan_out import many_tasks
from benchmarks.machine import HERE, Result
from benchmarks.project import environment
from mtl.config import BaseConfig, parse_config
from mtl.experiment.recipe import single_task
from mtl.experiment.runs import run
from mtl.jobs import cluster
from mtl.jobs.cluster_job import Order
from mtl.jobs.cluster_task import tell
from mtl.jobs.lifeline import end_with
from mtl.jobs.local import Job
from mtl.jobs.parcel import wrap
from mtl.jobs.scheduler import STORE
from mtl.jobs.store import Store, sha256
from mtl.paths import RunPath
from mtl.results.history import History

SEEDS = 5
UNWATCHED = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
"""Each worker looks at all threads of its process a hundred times a second otherwise."""
WEIGHTS = 60_000
"""Bytes of a run's weights."""
NAP, ARCHIVE = "nap.json", "archive.zip"
"""Files beside the store's: how long a worker sleeps, and what it then sends."""


def nap(order: str, command: str) -> None:
    """In the place of `mtl.jobs.cluster_task.hold`: sleeps, and puts an archive into the store."""
    store = Store(Order(**json.loads(order)).store)
    known = json.loads(Path(store.top, NAP).read_bytes())
    time.sleep(known["seconds"])
    store.put(Path(store.top, ARCHIVE), known["digest"], command)
    tell(command, {"end": "done", "text": known["digest"]})


async def serve(workers: int, scheduler: str, scratch: str, parent: int) -> None:
    """Workers in this process, until their scheduler or the benchmark ends."""
    from distributed import Worker

    end_with(parent)
    made = [
        Worker(scheduler, nthreads=1, name=number, memory_limit=0, dashboard=False, local_directory=scratch)
        for number in range(workers)
    ]
    for first in range(0, workers, 20):
        await asyncio.gather(*made[first : first + 20])
    await asyncio.gather(*(worker.finished() for worker in made))


@contextmanager
def simulated(workers: int, scratch: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of a scheduler with so many sleeping workers."""
    from distributed import Client

    note = scratch / "scheduler.json"
    quiet = {"cwd": HERE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment() | UNWATCHED}
    words = ["dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(note)]
    made = [subprocess.Popen([sys.executable, "-m", *words], **quiet)]  # type: ignore[call-overload]
    try:
        while not note.exists() or not note.read_bytes():
            time.sleep(0.1)
        address = json.loads(note.read_bytes())["address"]
        called = f"serve({workers}, {address!r}, {str(scratch)!r}, {os.getpid()})"
        code = f"import asyncio; from benchmarks.cluster import serve; asyncio.run({called})"
        made.append(subprocess.Popen([sys.executable, "-c", code], **quiet))  # type: ignore[call-overload]
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=600)
        yield address, psutil.Process(made[0].pid)
    finally:
        for process in reversed(made):
            process.kill()
            process.wait()


def prepared(root: Path, seconds: float) -> list[Path]:
    """A project's folder and a store with what workers send."""
    where, store = RunPath("finetune", "joint", None, 0), root / "store"
    (root / "made" / where.folder).mkdir(parents=True, exist_ok=True)
    (root / "made" / where.folder / "weights.safetensors").write_bytes(bytes(WEIGHTS))
    History(epochs=[], best_epoch=0, stopped="end").write(root / "made" / where.folder / "history.json")
    store.mkdir(exist_ok=True)
    wrap(where, store / ARCHIVE, root / "made")
    (store / NAP).write_text(json.dumps({"seconds": seconds, "digest": sha256(store / ARCHIVE)}))
    (root / "data").mkdir(exist_ok=True)
    (root / "data/prepared").write_bytes(bytes(1000))
    return [Path("data/prepared")]


def measured(
    root: Path, scheduler: tuple[str, psutil.Process], workers: int, runs: int, seconds: float
) -> list[Result]:
    """Figures of so many runs that sleep so long."""
    address, process = scheduler
    reads = tuple(prepared(root, seconds))
    tasks = -(-runs // SEEDS)
    config = parse_config(many_tasks(tasks, seeds=SEEDS))
    recipes = [
        single_task(config, task, config.baseline.starts[0], seed) for task in config.tasks for seed in range(SEEDS)
    ]
    jobs = [Job(str(recipe.where.folder), recipe.where, run, (recipe,), reads) for recipe in recipes[:runs]]
    before, own, began = sum(process.cpu_times()[:2]), time.process_time(), time.perf_counter()
    with mock.patch.object(cluster, "hold", nap), mock.patch.dict("os.environ", {STORE: str(root / "store")}):
        cluster.run_jobs(jobs, BaseConfig(seeds=[0], device="cpu"), address, root)
    wall = time.perf_counter() - began
    name = f"{runs:,} runs of {seconds:g} s on {workers:,} workers"
    rounds = -(-runs // workers)
    return [
        Result(f"{name}: wall", wall, "s", note=f"{rounds * seconds:g} s of sleep at least"),
        Result(f"{name}: runs a second", runs / wall, ""),
        Result(f"{name}: scheduler", 1000 * (sum(process.cpu_times()[:2]) - before) / runs, "ms CPU a run"),
        Result(f"{name}: command", 1000 * (time.process_time() - own) / runs, "ms CPU a run"),
    ]


def main(given: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    command = parser("cluster", __doc__)
    command.add_argument("--workers", type=count, default=500, help="(default: 500)")
    command.add_argument("--runs", type=count, default=5000, help="(default: 5,000)")
    command.add_argument("--seconds", type=float, default=4.0, help="that a run sleeps (default: 4)")
    options = command.parse_args(given)
    results: list[Result] = []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        simulated(options.workers, Path(scratch)) as scheduler,
    ):
        # The first runs load this module into the workers' process, as torch is loaded once on each real worker.
        plan = [(options.workers, 0.0), (options.runs, options.seconds), (options.runs, 0.0)]
        for number, (runs, seconds) in enumerate(plan):
            root = Path(scratch, f"project-{number}")
            root.mkdir()
            rows = measured(root, scheduler, options.workers, runs, seconds)
            results += rows if number else []
    return finish(options, results)


if __name__ == "__main__":
    start(main)
