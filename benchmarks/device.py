"""Time of one joint step on each device of this machine, of ETTh1 and HAR with a Transformer.

    python -m benchmarks.device                      # some seconds on an idle machine

Wall times, medians. CPU rows are for 1 thread and for all cores; a GPU row appears where there is one. The steps of the
rows are interleaved, so that a slow moment of the machine meets all of them alike.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import torch

from benchmarks.command import count, finish, parser, start
from benchmarks.loop import etth1_har
from benchmarks.machine import Result

WINDOWS = 64
"""Number of windows of each of the two tasks in a step."""
WARM_UP = 3


@dataclass
class Row:
    """One device with its own copy of the network."""

    device: torch.device
    threads: int
    windows: int
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loop = etth1_har(self.windows, self.device)

    @property
    def name(self) -> str:
        """Name of the row in the table."""
        return f"{self.device.type}, {self.threads} thread{'' if self.threads == 1 else 's'}"

    def step(self) -> None:
        """One joint step; its wall time goes to `seconds`."""
        torch.set_num_threads(self.threads)
        self._wait()
        began = perf_counter()
        self.loop()
        self._wait()
        self.seconds.append(perf_counter() - began)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def main(given: Sequence[str] | None = None) -> int:
    """Runs the rows in turn and reports medians."""
    command = parser("device", __doc__)
    command.add_argument("--rounds", type=count, default=20, help="timed steps on each device")
    command.add_argument("--windows", type=count, default=WINDOWS, help="of each task in a step (the preset's: 64)")
    options = command.parse_args(given)
    windows: int = options.windows
    rows = [Row(torch.device("cpu"), threads, windows) for threads in sorted({1, os.cpu_count() or 1})]
    if torch.cuda.is_available():
        rows.append(Row(torch.device("cuda"), 1, windows))
    for _ in range(WARM_UP + options.rounds):
        for row in rows:
            row.step()
    middle = [median(row.seconds[WARM_UP:]) for row in rows]
    results = []
    for row, seconds in zip(rows, middle, strict=True):
        results.append(Result(f"{row.name}: a joint step", 1000 * seconds, "ms", note=f"{2 * windows} windows"))
        results.append(Result(f"{row.name}: times as fast as one CPU thread", middle[0] / seconds, "×"))
    return finish(options, results)


if __name__ == "__main__":
    start(main)
