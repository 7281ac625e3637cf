"""A pretraining step of two processes against one of a single process, on the same batches.

    python -m benchmarks.pretrain_parallel           # about two minutes on two idle cores
    python -m benchmarks.pretrain_parallel --processes 4 --batch 256

The network is TimeDART at the published sizes for ETTh1 with 4 heads (see benchmarks.step), the step that of the
training loop: draw noise and masks, forward, backward, add up the gradients, clip, update. Both ways take turns, an
epoch of some steps each, in processes of one thread that stay for the whole benchmark; whoever has no part waits.
Wall seconds, medians over the turns.
"""

import json
import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from benchmarks.command import at_least, count, finish, parser, start
from benchmarks.machine import Result
from benchmarks.step import DEFAULT_HEADS, LENGTH, series
from mtl.config import DiffusionObjective, SamplerConfig, TimeDartEncoder
from mtl.data.inputs.window_samples import Windows
from mtl.data.loading.pools import Pool, Target
from mtl.data.loading.sampling import JointPlan
from mtl.models.build import build_pretrainer
from mtl.seeding import make_deterministic
from mtl.training.checkpoint import Checkpoint
from mtl.training.optimiser import adamw
from mtl.training.pretrain import pretrain
from mtl.training.processes import joined
from mtl.training.state import Budget, TrainingData
from mtl.training.team import ALONE, Team


def epoch(team: Team, patch_len: int, batch: int, steps: int) -> float:
    """Wall seconds a step, over an epoch of `steps`. For both ways, building the network is not counted, and the one
    window that is validated afterwards is."""
    make_deterministic(0, 1)
    config = TimeDartEncoder(kind="timedart", patch_len=patch_len, d_model=32, heads=DEFAULT_HEADS, layers=2, d_ff=64,
                             dropout=0.2)  # fmt: skip
    pretrainer = build_pretrainer(config, DiffusionObjective(kind="diffusion"), [LENGTH], 0)
    optimiser = adamw([(list(pretrainer.parameters()), 1e-4, 0.0)])
    values = series()
    train, val = (
        Pool("etth1", "etth1", Windows(values, LENGTH, torch.arange(count)), {"": Target(None)})
        for count in (batch * steps, 1)
    )
    plan = JointPlan({"etth1": len(train)}, batch, SamplerConfig(), 0)
    data, budget = TrainingData([train], [val], plan), Budget(1, "constant", 1.0)
    run = pretrain(pretrainer, optimiser, data, budget, Checkpoint(None), [], team)
    began = perf_counter()
    next(run)
    return (perf_counter() - began) / steps


def member(rank: int, size: int, port: int, out: str, patch_len: int, batch: int, steps: int, turns: int) -> None:
    """Runs one of the processes; the first process writes the measured seconds."""
    environment = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size,
                   "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}  # fmt: skip
    os.environ.update({name: str(value) for name, value in environment.items()})
    alone: list[float] = []
    shared: list[float] = []
    with joined(size, torch.device("cpu")) as team:
        for turn in range(turns + 1):
            dist.barrier()
            by_one = epoch(ALONE, patch_len, batch, steps) if team.leads else 0.0
            dist.barrier()
            by_team = epoch(team, patch_len, batch, steps)
            if turn > 0:  # the first turn warms up
                alone.append(by_one)
                shared.append(by_team)
        if team.leads:
            Path(out).write_text(json.dumps({"alone": alone, "shared": shared}))


def main(given: Sequence[str] | None = None) -> int:
    """Measures, prints and writes the table."""
    command = parser("pretrain_parallel", __doc__)
    command.add_argument("--processes", type=at_least(2), default=2, help="default 2")
    for name, value in {"patch-len": 8, "batch": 64, "steps": 10, "turns": 7}.items():
        command.add_argument(f"--{name}", type=count, default=value, help=f"default {value}")
    asked = command.parse_args(given)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "times.json")
        spawn(
            member, (asked.processes, port, str(out), asked.patch_len, asked.batch, asked.steps, asked.turns),
            nprocs=asked.processes,
        )  # fmt: skip
        times = json.loads(out.read_text())
    ratios = [shared / alone for alone, shared in zip(times["alone"], times["shared"], strict=True)]
    several = f"{asked.processes} processes"
    results = [
        Result(f"step of {asked.batch} windows, one process", 1e3 * median(times["alone"]), "ms"),
        Result(f"step of {asked.batch} windows, {several}", 1e3 * median(times["shared"]), "ms"),
        Result(f"step, {several} / one process", median(ratios), "", note=f"{min(ratios):.2f} to {max(ratios):.2f}"),
    ]
    sizes = {name: getattr(asked, name) for name in ("processes", "patch_len", "batch", "steps", "turns")}
    return finish(asked, results, {"asked": sizes, "times": times})


if __name__ == "__main__":
    start(main)
