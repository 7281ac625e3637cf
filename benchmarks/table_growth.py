"""Growth of a table of rows: time and memory of reading it, and time of an epoch, by rows, columns and targets.

    python -m benchmarks.table_growth                            # 10,000 to 10,000,000 rows; at most an hour, 8 GB
    python -m benchmarks.table_growth --rows 10000 100000 1000000 --columns 10 100 300 --targets 1 10 30    # minutes
    python -m benchmarks.table_growth --rows 1000000 --columns 10 --targets 1 --formats csv csv.gz parquet feather

Files are made up: numbers with five decimals and one column in ten a category of eight names. A case is read
and written as `prepare` does in a process of its own, whose largest memory is measured less that of one with few rows
(on Linux without pages of files, which the system takes back when it needs them); an epoch is a joint one of all
targets with its validation, the second of two, so that nothing is built in it; tables of more than `--epoch-rows` have
none. Columns and targets grow with the fewest rows, then rows with the fewest columns and targets. A line of the first
table is printed as soon as its case is measured. Cases that need more of the disk than `--disk`, or are not done
`--minutes` after the start, are left out and named; what a case writes is deleted before the next one.
"""

import gzip
import json
import math
import re
import resource
import subprocess
import sys
import tempfile
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, process_time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.csv import WriteOptions, write_csv

from benchmarks.command import count, finish, parser, start
from benchmarks.machine import HERE, Result
from mtl.config import Config, parse_config
from mtl.data.build import read_source
from mtl.data.inputs import scratch
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
PAUSE = 0.005
"""Seconds between two looks at the memory of the process."""
FORMATS = ("csv", "csv.gz", "parquet", "feather")
CELL = 18
"""Bytes of the disk that a cell takes at most, in the file and among the prepared rows."""
HEAD = (
    "| format | rows | columns | targets | file, MiB | prepare, CPU s | its memory, MiB | times the file "
    "| an epoch, CPU s | µs a row |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


@dataclass(frozen=True)
class Case:
    """Size of a table; the columns are its inputs."""

    rows: int
    columns: int
    targets: int
    format: str = FORMATS[0]

    @property
    def words(self) -> str:
        """The size, and the format unless it is CSV."""
        size = f"{self.rows:,} rows, {self.columns:,} columns, {self.targets} target{'s' * (self.targets != 1)}"
        return size if self.format == FORMATS[0] else f"{size}, {self.format}"

    @property
    def disk(self) -> float:
        """MiB of the disk that it takes, at most."""
        return self.rows * (self.columns + self.targets) * CELL / MEGA


def cases(options: Namespace) -> list[Case]:
    """Tables that are measured, in each format: each of the three sizes grows alone."""
    rows, columns, targets = sorted(options.rows), sorted(options.columns), sorted(options.targets)
    grown = [Case(rows[0], number, targets[0]) for number in columns]
    grown += [Case(rows[0], columns[0], number) for number in targets[1:]]
    # Last come those that may take longer than is left.
    grown += [Case(number, columns[0], targets[0]) for number in rows[1:]]
    return [replace(case, format=name) for case in grown for name in options.formats]


def write_table(case: Case, path: Path) -> None:
    """A file in which every target is a sum of two inputs and noise."""
    generator = np.random.default_rng(0)
    names = [*(f"x{number}" for number in range(case.columns)), *(f"y{number}" for number in range(case.targets))]
    named = list(range(FEW_COLUMNS - 1, case.columns, FEW_COLUMNS))
    chunk = max(1, CHUNK // (case.columns + case.targets))
    with ExitStack() as stack:
        write: Callable[[pa.Table], object] | None = None
        for begin in range(0, case.rows, chunk):
            size = min(chunk, case.rows - begin)
            x = generator.standard_normal((size, case.columns))
            places = np.arange(case.targets)
            y = x[:, places % case.columns] + x[:, (places + 1) % case.columns]
            y += generator.standard_normal((size, case.targets))
            cells = [pa.array(column) for column in np.round(np.concatenate([x, y], axis=1), 5).T]
            for place in named:
                cells[place] = pa.array(NAMES[generator.integers(0, len(NAMES), size)])
            table = pa.table(cells, names=names)
            write = write or _writer(case.format, path, table.schema, stack)
            write(table)


def _writer(form: str, path: Path, schema: pa.Schema, stack: ExitStack) -> Callable[[pa.Table], object]:
    """Appends rows to a file, which the stack closes."""
    if form == "parquet":
        return stack.enter_context(pq.ParquetWriter(path, schema)).write_table  # type: ignore[no-any-return]
    file = stack.enter_context(path.open("wb"))
    if form == "feather":
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        return stack.enter_context(pa.ipc.new_file(file, schema, options=options)).write_table  # type: ignore[no-any-return]
    text = stack.enter_context(gzip.GzipFile(fileobj=file, mode="wb", mtime=0)) if form == "csv.gz" else file
    text.write((",".join(schema.names) + "\n").encode())
    return lambda table: write_csv(table, text, WriteOptions(include_header=False, quoting_style="none"))


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


def measure(case: Case, folder: Path, trains: bool) -> dict[str, float]:
    """Cost of a case in this process: MiB of its file and of memory, CPU seconds of preparing and, if it trains, of an
    epoch."""
    path = folder / f"table.{case.format}"
    config = settings(case, path.name)
    (folder / PREPARED).mkdir(parents=True)
    scratch.beside(folder / PREPARED)
    began = process_time()
    with Watch() as watch:
        write_prepared(read_source("table", config.prepare.sources["table"], folder), folder / PREPARED / "table", {})
    cost = {"file": path.stat().st_size / MEGA, "prepare": process_time() - began, "memory": watch.most}
    if not trains:
        return cost
    ends: list[float] = []
    run_finetune(config, "joint", 0, folder, on_epoch=lambda _: ends.append(process_time()))
    return cost | {"epoch": ends[-1] - ends[-2]}


class Watch:
    """Looks at the memory of this process until it is left: on Linux at what is no file's, which nobody can take away
    from it, elsewhere at all of it."""

    def __init__(self) -> None:
        self.most, self._ended = _memory(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.most = max(self.most, _memory())

    def _look(self) -> None:
        while not self._ended.wait(PAUSE):
            self.most = max(self.most, _memory())


def _memory() -> float:
    """MiB of this process."""
    status = Path("/proc/self/status")
    told = re.search(r"^RssAnon:\s+(\d+) kB", status.read_text(), re.MULTILINE) if status.exists() else None
    if told is not None:
        return int(told[1]) * 1024 / MEGA
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGA


def in_a_process(case: Case, trains: bool, until: float = math.inf) -> dict[str, float] | None:
    """Cost of a case in a process of its own, as `measure`; None where it is not done by then, in seconds of
    `monotonic`."""
    with tempfile.TemporaryDirectory() as folder:
        write_table(case, Path(folder) / f"table.{case.format}")
        sizes = [str(case.rows), str(case.columns), str(case.targets), case.format]
        command = [sys.executable, "-m", "benchmarks.table_growth", "--child", folder, *sizes, str(int(trains))]
        seconds = None if math.isinf(until) else max(0.0, until - monotonic())
        try:
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=HERE, timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        cost: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return cost


def row(case: Case, cost: dict[str, float], without: float) -> str:
    """Line of the table below HEAD."""
    more = max(0.0, cost["memory"] - without)
    prepared = f"{cost['file']:.1f} | {cost['prepare']:.2f} | {more:.0f} | {more / cost['file']:.1f}"
    epoch = f"{cost['epoch']:.2f} | {cost['epoch'] / case.rows * 1e6:.1f}" if "epoch" in cost else "– | –"
    return f"| {case.format} | {case.rows:,} | {case.columns:,} | {case.targets} | {prepared} | {epoch} |"


def lines(case: Case, cost: dict[str, float], without: float) -> Iterator[Result]:
    """Results of one case."""
    file = cost["file"]
    yield Result(f"{case.words}: file", file, "MiB")
    per_file = f"{cost['prepare'] / file:.2f} s for each MiB"
    yield Result(f"{case.words}: prepare", cost["prepare"], "CPU s", note=per_file)
    more = max(0.0, cost["memory"] - without)
    yield Result(f"{case.words}: its memory", more, "MiB", note=f"{more / file:.1f} times the file")
    if "epoch" not in cost:
        return
    rows = f"{cost['epoch'] / case.rows * 1e6:.1f} µs a row"
    yield Result(f"{case.words}: an epoch", cost["epoch"], "CPU s", note=rows)


def main(given: Sequence[str] | None = None) -> int:
    """Measures every case and reports."""
    given = sys.argv[1:] if given is None else given
    if given[:1] == ["--child"]:
        rows, columns, targets = map(int, given[2:5])
        print(json.dumps(measure(Case(rows, columns, targets, given[5]), Path(given[1]), given[6] == "1")))
        return 0
    command = parser("table_growth", __doc__)
    command.add_argument("--rows", type=count, nargs="+", default=[10_000, 100_000, 1_000_000, 10_000_000])
    command.add_argument("--columns", type=count, nargs="+", default=[10, 100, 1000], help="inputs")
    command.add_argument("--targets", type=count, nargs="+", default=[1, 10, 100])
    command.add_argument("--formats", choices=FORMATS, nargs="+", default=["csv"], help="each measures every case")
    command.add_argument("--disk", type=count, default=8192, metavar="MIB", help="most that one case may take")
    command.add_argument("--minutes", type=count, default=60, help="after which no case goes on")
    command.add_argument("--epoch-rows", type=count, default=1_000_000, help="most rows of which an epoch is measured")
    options = command.parse_args(given)
    until = monotonic() + 60 * options.minutes
    results: list[Result] = []
    left: list[str] = []
    few = in_a_process(Case(FEW_ROWS, min(options.columns), min(options.targets)), trains=False)
    without = 0.0 if few is None else few["memory"]
    print(HEAD, flush=True)
    for case in cases(options):
        fits = case.disk <= options.disk and monotonic() < until
        cost = in_a_process(case, case.rows <= options.epoch_rows, until) if fits else None
        if cost is None:
            left.append(case.words)
            continue
        print(row(case, cost, without), flush=True)
        results += lines(case, cost, without)
    if left:
        print(f"\nLeft out by --disk {options.disk} or --minutes {options.minutes}: {'; '.join(left)}.")
    return finish(options, results, {"left_out": left})


if __name__ == "__main__":
    start(main)
