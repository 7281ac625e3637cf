"""Common functions of the benchmarks: the machine in words, showing and writing of results, CPU seconds of a call."""

import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import torch

HERE = Path(__file__).resolve().parent.parent
"""The project's folder, in which children of a benchmark start."""
OUT = Path("benchmarks/out")
"""Folder of the benchmarks' JSON files (ignored by git: the numbers to keep stand in docs/results/speed.md)."""
VERSIONS = ("torch", "numpy", "scikit-learn", "dvc", "mlflow")


def machine() -> dict[str, Any]:
    """Processor, cores, memory and versions; no name of a host or a user."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "vector_unit": torch.backends.cpu.get_cpu_capability(),
        "cores": cores,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.system(),
        "python": sys.version.split()[0],
        **{name: version(name) for name in VERSIONS},
    }


def _cpuinfo(field: str) -> str | None:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), None)


@dataclass(frozen=True)
class Result:
    """One line of a benchmark: the measured value and its limit (None: the value is only shown)."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False
    """True when `limit` is a floor, False when it is a ceiling."""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """True when the limit is kept; None without a limit."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def asked(self) -> str:
        """The limit in words."""
        return "" if self.limit is None else f"{'≥' if self.at_least else '≤'} {self.limit:g}"


def report(benchmark: str, results: Sequence[Result], out: Path, extra: dict[str, Any] | None = None) -> None:
    """Prints the results as a Markdown table and writes them, with the machine, to `out`/`benchmark`.json."""
    words = {True: "yes", False: "**no**", None: ""}
    print(f"\n| {benchmark} | measured | unit | asked | met | |\n|---|---:|---|---|---|---|")
    for r in results:
        print(f"| {r.name} | {r.value:.3g} | {r.unit} | {r.asked} | {words[r.met]} | {r.note} |")
    where = machine()
    print("\n" + ", ".join(f"{name} {value}" for name, value in where.items()))
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{benchmark}.json"
    rows = [vars(r) | {"met": r.met} for r in results]
    content = {"machine": where, "measured": datetime.now(UTC).isoformat(timespec="seconds"), "results": rows}
    target.write_text(json.dumps(content | (extra or {}), indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    print(f"written: {target}", flush=True)


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds (user and system, all threads) of one call."""
    began = process_time()
    work()
    return process_time() - began


def interleaved(works: dict[str, Callable[[], object]], rounds: int, warm_up: int = 1) -> dict[str, float]:
    """Median CPU seconds of each work; they take turns, so that a slow moment of the machine meets all alike."""
    seen: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(warm_up + rounds):
        for name, work in works.items():
            seconds = cpu_seconds(work)
            if turn >= warm_up:
                seen[name].append(seconds)
    return {name: median(values) for name, values in seen.items()}


def wall_seconds(work: Callable[[], object], rounds: int) -> float:
    """Median wall seconds of a call."""
    seen = []
    for _ in range(rounds):
        began = perf_counter()
        work()
        seen.append(perf_counter() - began)
    return median(seen)
