"""How fast one joint step is on each device of this machine, at the sizes of the preset `etth1-har`.

    python -m benchmarks.device [--steps 20] [--json FILE]

Prints a table and writes JSON. CPU rows are for 1 thread and for all cores; a GPU row appears where there is one.
The steps of the rows are interleaved, so that a slow moment of the machine meets all of them alike.
"""

import argparse
import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from rich.console import Console
from rich.table import Table

from mtl.balancing.weighted import WeightedSum
from mtl.config import TimeDartEncoder
from mtl.models.build import build_model
from mtl.training.losses import task_loss
from mtl.training.optimiser import adamw
from mtl.types import TaskSpec

BATCH = 64
ENCODER = TimeDartEncoder(kind="timedart", patch_len=16, d_model=64, heads=4, layers=2, d_ff=128)
FORECAST = TaskSpec(
    "etth1", "forecast", "etth1", 336, [f"column {i}" for i in range(7)], list(range(7)), horizon=96, dropout=0.3
)
LABEL = TaskSpec("har", "classification", "har", 128, [f"axis {i}" for i in range(9)], [], classes=list("abcdef"))


@dataclass
class Row:
    """One device with its own copy of the network."""

    device: torch.device
    threads: int

    def __post_init__(self) -> None:
        self.model = build_model(ENCODER, [FORECAST, LABEL], 0).to(self.device)
        self.balancer = WeightedSum([FORECAST, LABEL], 0.2, "constant")
        self.optimiser = adamw([(list(self.model.parameters()), 1e-3, 0.01)])
        self.x = torch.randn(BATCH, 7, 336, device=self.device)
        self.future = torch.randn(BATCH, 7, 96, device=self.device)
        self.windows = torch.randn(BATCH, 9, 128, device=self.device)
        self.classes = torch.randint(0, 6, (BATCH,), device=self.device)
        self.seconds: list[float] = []

    def step(self) -> None:
        """One joint step; its wall time goes to `seconds`."""
        torch.set_num_threads(self.threads)
        self._wait()
        began = perf_counter()
        self.model.train()
        losses = {}
        for spec, x, y in ((FORECAST, self.x, self.future), (LABEL, self.windows, self.classes)):
            loss = task_loss(spec, self.model(x, [spec.name])[spec.name], y)
            assert loss is not None
            losses[spec.name] = loss
        self.optimiser.zero_grad(set_to_none=True)
        self.balancer.backward(losses, 0.5)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self._wait()
        self.seconds.append(perf_counter() - began)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def main(steps: int, target: Path) -> None:
    """Runs the rows in turn and reports medians."""
    cores = os.cpu_count() or 1
    rows = [Row(torch.device("cpu"), threads) for threads in sorted({1, cores})]
    if torch.cuda.is_available():
        rows.append(Row(torch.device("cuda"), 1))
    for turn in range(steps + 3):
        for row in rows:
            row.step()
            if turn < 3:  # warm-up
                row.seconds.clear()
    slowest = median(rows[0].seconds)
    table = Table("device", "threads", "ms a joint step", "against 1 thread")
    found = []
    for row in rows:
        middle = median(row.seconds)
        table.add_row(row.device.type, str(row.threads), f"{1000 * middle:.1f}", f"{slowest / middle:.2f}×")
        found.append({"device": row.device.type, "threads": row.threads, "ms_per_step": 1000 * middle})
    Console().print(table)
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": cores,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine, "batch": 2 * BATCH, "rows": found}
    target.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    print(f"written: {target}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time a joint step on every device of this machine.")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/out/device.json"))
    options = parser.parse_args()
    main(options.steps, options.json)
