"""Growth of a table of rows: time and memory of reading it, and time of an epoch, by rows, columns and targets.

    python -m benchmarks.table_growth                            # 10,000 to 10,000,000 rows; a quarter of an hour, 8 GB
    python -m benchmarks.table_growth --rows 1000 --columns 10 --targets 1

Files are made up: numbers with five decimals and one column in ten a category of eight names, as CSV. A case is read
and written as `prepare` does in a process of its own, whose largest memory is measured less that of one with few rows;
an epoch is a joint one of all targets with its validation, the second of two, so that nothing is built in it. Rows grow
with the fewest columns and targets, columns and targets with the fewest rows.
"""

import json
import re
import resource
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import pyarrow as pa
from pyarrow.csv import WriteOptions, write_csv

from benchmarks.command import count, finish, parser, start
from benchmarks.machine import HERE, Result
from mtl.config import Config, parse_config
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.experiment import run_finetune
from mtl.paths import PREPARED

CHUNK = 2_000_000
"""Cells that are written at a time."""
NAMES = np.array(["ash", "beech", "cedar", "elm", "fir", "larch", "oak", "pine"])
FEW_COLUMNS = 10
FEW_ROWS = 200
"""Rows of the table whose memory is that of the modules."""
MEGA = 1 << 20


@dataclass(frozen=True)
class Case:
    """Size of a table; the columns are its inputs."""

    rows: int
    columns: int
    targets: int

    @property
    def words(self) -> str:
        return f"{self.rows:,} rows, {self.columns:,} columns, {self.targets} target{'' if self.targets == 1 else 's'}"


def cases(options: Namespace) -> list[Case]:
    """Sizes that are measured: each of the three grows alone."""
    rows, columns, targets = sorted(options.rows), sorted(options.columns), sorted(options.targets)
    grown = [Case(number, columns[0], targets[0]) for number in rows]
    grown += [Case(rows[0], number, targets[0]) for number in columns[1:]]
    return grown + [Case(rows[0], columns[0], number) for number in targets[1:]]


def write_table(case: Case, path: Path) -> None:
    """A CSV file in which every target is a sum of two inputs and noise."""
    generator = np.random.default_rng(0)
    names = [*(f"x{number}" for number in range(case.columns)), *(f"y{number}" for number in range(case.targets))]
    named = list(range(FEW_COLUMNS - 1, case.columns, FEW_COLUMNS))
    chunk = max(1, CHUNK // (case.columns + case.targets))
    with path.open("wb") as file:
        file.write((",".join(names) + "\n").encode())
        for begin in range(0, case.rows, chunk):
            size = min(chunk, case.rows - begin)
            x = generator.standard_normal((size, case.columns))
            places = np.arange(case.targets)
            y = x[:, places % case.columns] + x[:, (places + 1) % case.columns]
            y += generator.standard_normal((size, case.targets))
            cells = [pa.array(column) for column in np.round(np.concatenate([x, y], axis=1), 5).T]
            for place in named:
                cells[place] = pa.array(NAMES[generator.integers(0, len(NAMES), size)])
            write_csv(pa.table(cells, names=names), file, WriteOptions(include_header=False, quoting_style="none"))


def settings(case: Case, path: str) -> Config:
    """A small network on the table, all targets at once, for two epochs."""
    tasks = {f"y{number}": {"kind": "regression", "source": "table", "target": f"y{number}"}
             for number in range(case.targets)}  # fmt: skip
    return parse_config(
        {
            "base": {"seeds": [0], "device": "cpu", "threads": 1},
            "prepare": {"sources": {"table": {"kind": "table", "path": path, "folds": 1}}},
            "tasks": tasks,
            "encoder": {"kind": "tabular", "numbers": "linear", "width": 64, "layers": 1},
            "train": {"epochs": 2, "batch_size": 256, "gradient_probes": 0, "stopping": {"patience": None}},
            "finetune": {"methods": {"joint": {"kind": "equal"}}},
        },
        "table_growth",
    )


def measure(case: Case, folder: Path) -> dict[str, float]:
    """Cost of a case in this process: MiB of its file and of memory, CPU seconds."""
    path = folder / "table.csv"
    config = settings(case, path.name)
    began = process_time()
    write_prepared(read_source("table", config.prepare.sources["table"], folder), folder / PREPARED / "table", {})
    prepared, memory = process_time() - began, _largest_memory()
    ends: list[float] = []
    run_finetune(config, "joint", 0, folder, on_epoch=lambda _: ends.append(process_time()))
    return {"file": path.stat().st_size / MEGA, "prepare": prepared, "memory": memory, "epoch": ends[-1] - ends[-2]}


def _largest_memory() -> float:
    """MiB of this process so far; on Linux without those of the process that started it, which getrusage counts."""
    status = Path("/proc/self/status")
    told = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE) if status.exists() else None
    if told is not None:
        return int(told[1]) * 1024 / MEGA
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGA


def in_a_process(case: Case) -> dict[str, float]:
    """Cost of a case in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_table(case, Path(folder) / "table.csv")
        sizes = [str(case.rows), str(case.columns), str(case.targets)]
        command = [sys.executable, "-m", "benchmarks.table_growth", "--child", folder, *sizes]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE)
        cost: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return cost


def lines(case: Case, cost: dict[str, float], without: float) -> Iterator[Result]:
    """Results of one case."""
    file = cost["file"]
    yield Result(f"{case.words}: file", file, "MiB")
    per_file = f"{cost['prepare'] / file:.2f} s for each MiB"
    yield Result(f"{case.words}: prepare", cost["prepare"], "CPU s", note=per_file)
    more = max(0.0, cost["memory"] - without)
    yield Result(f"{case.words}: its memory", more, "MiB", note=f"{more / file:.1f} times the file")
    rows = f"{cost['epoch'] / case.rows * 1e6:.1f} µs a row"
    yield Result(f"{case.words}: an epoch", cost["epoch"], "CPU s", note=rows)


def main(given: Sequence[str] | None = None) -> int:
    """Measures every case and reports."""
    given = sys.argv[1:] if given is None else given
    if given[:1] == ["--child"]:
        rows, columns, targets = map(int, given[2:])
        print(json.dumps(measure(Case(rows, columns, targets), Path(given[1]))))
        return 0
    command = parser("table_growth", __doc__)
    command.add_argument("--rows", type=count, nargs="+", default=[10_000, 100_000, 1_000_000, 10_000_000])
    command.add_argument("--columns", type=count, nargs="+", default=[10, 100, 1000], help="inputs")
    command.add_argument("--targets", type=count, nargs="+", default=[1, 10, 100])
    options = command.parse_args(given)
    fewest = Case(FEW_ROWS, min(options.columns), min(options.targets))
    without = in_a_process(fewest)["memory"]
    results = [result for case in cases(options) for result in lines(case, in_a_process(case), without)]
    return finish(options, results)


if __name__ == "__main__":
    start(main)
