"""Training on rows that stay in their file against the same rows in memory, and memory of two runs against one.

    python -m benchmarks.beyond_memory                          # 2 GB of made rows; 6 GB of disk and memory, 10 minutes
    python -m benchmarks.beyond_memory --gb 20 --samples 300000    # needs as much of the disk; deleted afterwards

Rows of 100 numbers (`--columns`) and a target are written as `prepare` leaves them. A small network (width 64) is
trained on them on one thread, in a process forked from one that has imported everything, as stages do: with all rows in
memory; from the file, in an exact shuffle and in blocks (4,096 rows, 64 of them mixed). Speeds are those of the steps
of an epoch, or of its first `--samples`, by the clock and in seconds of computing, in rounds that take turns; in the
first one, pages of the file are dropped before the clock starts (Linux), so that its rows come from the disk. Memory is
the largest sum over the processes while they run, in which pages that several share count once (PSS), and that part of
it that is no file's (anonymous).
"""

import ctypes
import hashlib
import json
import mmap
import multiprocessing
import os
import re
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any

import numpy as np
import torch

from benchmarks.command import count, finish, parser, start
from benchmarks.loop import Loop, build, planned
from benchmarks.machine import Result
from mtl.config import Config, parse_config
from mtl.data.inputs import scaling
from mtl.data.loading.store import ARRAYS, META, write_prepared
from mtl.experiment.objects import joint_plan, load_tasks
from mtl.paths import PREPARED
from mtl.seeding import make_deterministic
from mtl.types import RowSet, SourceData

WAYS = {"memory": "exact", "exact": "exact", "blocks": "blocks"}
"""Way of reading → order of the samples."""
GIGA, MEGA = 1e9, 1 << 20
WIDTH, BATCH = 64, 256
FLOOR = 0.7
"""Share of the speed in memory that is asked for."""
SHARED = 1.2
"""Times the memory of one run that two may take."""
CHUNK = 1 << 24
"""Bytes that are written at a time."""
PAUSE = 0.1
"""Seconds between two looks at the memory of processes."""
DONT_NEED = 4
"""Advice of madvise(2) to drop pages."""


def write_rows(folder: Path, rows: int, columns: int) -> None:
    """Prepared rows of `columns` inputs and a target, drawn once for a chunk and shifted by its number."""
    generator = np.random.default_rng(0)
    names = [*(f"x{number}" for number in range(columns)), "y"]
    chunk = max(1, CHUNK // (8 * len(names)))
    drawn = generator.standard_normal((chunk, len(names)))
    few = torch.from_numpy(drawn[:200].copy())
    made = RowSet("made", few, names, torch.arange(200) % 5 - 1, 1, {}, {})
    write_prepared(made, folder, {})
    fold = np.tile(np.array([-1, 0, 1, 1, 1, 1, 1, 1]), rows // 8 + 1)[:rows].astype(np.int64)
    end = 8 * rows * len(names)
    header = {
        "values": {"dtype": "F64", "shape": [rows, len(names)], "data_offsets": [0, end]},
        "fold": {"dtype": "I64", "shape": [rows], "data_offsets": [end, end + 8 * rows]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    with (folder / ARRAYS).open("wb") as file:
        for piece in chain([len(text).to_bytes(8, "little"), text], _chunks(drawn, rows), [fold.tobytes()]):
            digest.update(piece)
            file.write(piece)
    meta = json.loads((folder / META).read_text()) | {"rows": rows, "sha256": {ARRAYS: digest.hexdigest()}}
    (folder / META).write_text(json.dumps(meta))


def _chunks(drawn: np.ndarray, rows: int) -> Iterator[bytes]:
    for number, begin in enumerate(range(0, rows, len(drawn))):
        yield (drawn + number / 1000)[: rows - begin].tobytes()


def settings(order: str) -> Config:
    """A small network on the rows."""
    return parse_config(
        {
            "base": {"seeds": [0], "device": "cpu", "threads": 1},
            "prepare": {"sources": {"made": {"kind": "table", "path": "made.csv", "folds": 1}}},
            "tasks": {"y": {"kind": "regression", "source": "made", "target": "y"}},
            "encoder": {"kind": "tabular", "numbers": "linear", "width": WIDTH, "layers": 1},
            "train": {"epochs": 1, "batch_size": BATCH, "sampler": {"shuffle": order}},
            "finetune": {"methods": {"joint": {"kind": "equal"}}},
        },
        "beyond_memory",
    )


def run(way: str, folder: Path, samples: int, cold: bool, out: Any) -> None:
    """Sends the seconds of building the run, and the samples a second of its steps by the clock and of computing."""
    make_deterministic(0, 1)
    scaling.IN_MEMORY = sys.maxsize if way == "memory" else 0
    began, config = perf_counter(), settings(WAYS[way])
    data, sources = load_tasks(config, 0, folder)
    made = build(config, ["y"], config.finetune.methods["joint"], data, 0)
    plan = joint_plan(config, data, 0)
    batches = planned(plan, [pool.name for pool in data.pools["train"]], 1)
    steps = min(plan.steps_per_epoch, -(-samples // BATCH))
    loop = Loop(
        made.model,
        made.balancer,
        made.optimiser,
        data.select(["y"], "train"),
        made.specs,
        batches,
        made.config.train.clip,
    )
    loop()
    if cold:
        drop(sources["made"], folder / PREPARED / "made" / ARRAYS)
    ready, used = perf_counter(), process_time()
    for _ in range(steps - 1):
        loop()
    taken = (steps - 1) * BATCH
    out.put((ready - began, taken / (perf_counter() - ready), taken / (process_time() - used)))


def drop(source: SourceData, path: Path) -> None:
    """Drops the pages of the file that this process maps, from its memory and from that of the system."""
    values = source.values  # type: ignore[union-attr]
    page = mmap.PAGESIZE
    begin = -(-values.data_ptr() // page) * page
    size = (values.data_ptr() + values.nbytes - begin) // page * page
    ctypes.CDLL(None).madvise(ctypes.c_void_p(begin), ctypes.c_size_t(size), DONT_NEED)
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def at_once(way: str, folder: Path, samples: int, cold: bool, runs: int) -> dict[str, float]:
    """Mean speeds of some runs side by side, and MiB of their largest memory."""
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    out = context.Queue()
    started = [context.Process(target=run, args=(way, folder, samples, cold, out)) for _ in range(runs)]
    for process in started:
        process.start()
    most, anonymous = 0.0, 0.0
    while any(process.is_alive() for process in started):
        now = [memory(process.pid) for process in started if process.pid is not None]
        most = max(most, sum(every for every, _ in now))
        anonymous = max(anonymous, sum(own for _, own in now))
        sleep(PAUSE)
    if any(process.exitcode for process in started):
        raise RuntimeError(f"a run of {way} ended with {[process.exitcode for process in started]}")
    told = [out.get() for _ in started]
    built, clock, computing = (sum(column) / runs for column in zip(*told, strict=True))
    return {"built": built, "clock": clock, "computing": computing, "memory": most, "anonymous": anonymous}


def memory(process: int) -> tuple[float, float]:
    """MiB of a process: its part of all pages (PSS), and those of no file; 0 where it has ended or nobody tells."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0.0, 0.0
    every, own = (re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE) for name in ("Pss", "Pss_Anon"))
    return (int(every[1]) / 1024 if every else 0.0), (int(own[1]) / 1024 if own else 0.0)


def measure(options: Namespace, folder: Path) -> list[Result]:
    """Speeds of all ways in rounds, and memory of one and two runs from the file."""
    rows = int(options.gb * GIGA / (8 * (options.columns + 1)))
    write_rows(folder / PREPARED / "made", rows, options.columns)
    samples = options.samples or rows
    results = [Result("the file", options.gb, "GB", note=f"{rows:,} rows of {options.columns} numbers and a target")]
    measured: dict[str, list[dict[str, float]]] = {}
    for number in range(options.rounds + 1):
        cold = number == 0
        if cold and not hasattr(os, "posix_fadvise"):
            continue
        for way in WAYS:
            if way == "memory" and (options.gb > options.memory_gb or cold):
                continue
            name = f"{way}, from the disk" if cold else way
            measured.setdefault(name, []).append(at_once(way, folder, samples, cold, 1))
            print(f"{name}: {json.dumps(measured[name][-1])}", flush=True)
    base = measured.pop("memory", [])
    shown = ({"all rows in memory": base} if base else {}) | measured
    for name, costs in shown.items():
        label = name if name.startswith("all") else f"from the file, {name}"
        for unit in ("clock", "computing"):
            results.append(
                Result(f"{label}, by {unit}", max(cost[unit] for cost in costs), "samples/s", note=_note(costs))
            )
    for name, costs in measured.items() if base else ():
        for unit in ("clock", "computing"):
            share = max(cost[unit] for cost in costs) / max(cost[unit] for cost in base)
            results.append(Result(f"from the file, {name}: of the speed in memory, by {unit}", share, "", FLOOR, True))
    two = at_once("exact", folder, samples, False, 2)
    print(f"two: {json.dumps(two)}", flush=True)
    results.append(Result("two runs at once, from the file", two["clock"], "samples/s each", note=_note([two])))
    alone = max(cost["memory"] for cost in measured["exact"])
    if alone:
        results.append(Result("their memory to that of one", two["memory"] / alone, "", SHARED))
    return results


def _note(costs: Sequence[dict[str, float]]) -> str:
    most, own, built = (max(cost[name] for cost in costs) for name in ("memory", "anonymous", "built"))
    return f"{most:,.0f} MiB, {own:,.0f} of them of no file; built in {built:.0f} s"


def main(given: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    command = parser("beyond_memory", __doc__)
    command.add_argument("--gb", type=float, default=2.0, help="of made rows, 8 bytes a number")
    command.add_argument("--columns", type=count, default=100)
    command.add_argument("--samples", type=count, help="of the epoch that are trained on (default: all)")
    command.add_argument("--rounds", type=count, default=2, help="of all ways, beside that from the disk")
    command.add_argument("--memory-gb", type=float, default=8.0, help="of rows up to which they are held in memory too")
    command.add_argument("--folder", type=Path, help="where the rows are written (default: a temporary folder)")
    options = command.parse_args(given)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        return finish(options, measure(options, Path(folder)))


if __name__ == "__main__":
    start(main)
