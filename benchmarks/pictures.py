"""Preparing image files: `prepare` of a folder against a bare loop of Pillow's decoding and resizing in two processes.

    python -m benchmarks.pictures                   # 100,000 JPEG of 80 × 96 to 64 × 64: some minutes, 0.7 GB of files
    python -m benchmarks.pictures --images 5000

Both read the same files, one after the other in turns. The loop keeps nothing; `prepare` checks names, hashes pixels,
deals the rows into parts, counts pixels for the scalers and writes the arrays. What checking the manifest takes (a hash
of every file) is shown by itself. Memory is the largest that the process of `prepare` held without the pages of files.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from PIL import Image

from benchmarks.command import at_least, count, finish, parser, start
from benchmarks.machine import Result
from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.files.digest import file_sha256
from mtl.data.loading.store import write_prepared

IMAGES, SIZE, GIVEN = 100_000, (64, 64), (80, 96)
PROCESSES = 2
LIMIT = 1.2
"""Times the bare loop that `prepare` may take."""
BARE = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
for path in sorted(Path(sys.argv[1]).rglob("*.jpg"))[int(sys.argv[2]) :: 2]:
    with Image.open(path) as image:
        np.asarray(image.convert("RGB").resize((64, 64)))
"""
"""The loop, of which each process takes every second file."""


def write_images(folder: Path, number: int) -> None:
    """Writes JPEG files of smooth noise into two folders of classes."""
    drawer = np.random.default_rng(0)
    coarse = drawer.integers(0, 256, (64, 10, 12, 3), dtype=np.uint8)
    blurred = [Image.fromarray(part).resize(GIVEN[::-1], Image.Resampling.BICUBIC) for part in coarse]
    for place in range(number):
        target = folder / ("even" if place % 2 == 0 else "odd") / f"{place:06d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        blurred[place % len(blurred)].rotate(place % 360).save(target, quality=85)


def bare(folder: Path) -> float:
    """Wall seconds of the loop."""
    began = perf_counter()
    loops = [subprocess.Popen([sys.executable, "-c", BARE, str(folder), str(part)]) for part in range(PROCESSES)]
    for loop in loops:
        if loop.wait():
            raise RuntimeError("the bare loop failed")
    return perf_counter() - began


def prepared(root: Path) -> float:
    """Wall seconds of reading and writing the source."""
    source = TableSource.model_validate(
        {
            "kind": "table", "path": "photos", "inputs": {"image": "image"}, "images": {"size": list(SIZE)},
            "split": {"kind": "random", "stratify": "class"},
        }
    )  # fmt: skip
    began = perf_counter()
    write_prepared(read_source("photos", source, root), root / "data/prepared/photos", {})
    return perf_counter() - began


def hashed(folder: Path) -> float:
    """Wall seconds of a hash of every file."""
    began = perf_counter()
    for file in folder.rglob("*.jpg"):
        file_sha256(file)
    return perf_counter() - began


@contextmanager
def on_cores(number: int) -> Iterator[None]:
    """Context in which this process and those that it starts use so many cores, where the system can say so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:number])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def private_megabytes() -> float:
    """Largest memory of this process that is not the pages of files, MB, as far as the system tells."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return float(lines["RssAnon"].split()[0]) / 1000


def main(given: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    command = parser("pictures", __doc__)
    command.add_argument("--images", type=at_least(20), default=IMAGES, help="files")
    command.add_argument("--rounds", type=count, default=3, help="turns")
    options = command.parse_args(given)
    with on_cores(PROCESSES), TemporaryDirectory(prefix="mtl-pictures-") as name:
        root = Path(name)
        write_images(root / "photos", options.images)
        before = private_megabytes()
        pairs = [(bare(root / "photos"), prepared(root)) for _ in range(options.rounds)]
        grown = private_megabytes() - before
        loop, whole = (sorted(column)[len(pairs) // 2] for column in zip(*pairs, strict=True))
        manifest = hashed(root / "photos")
    return finish(options, [
        Result("bare loop", loop, "s", note=f"{options.images:,} files, {PROCESSES} processes"),
        Result("prepare", whole, "s"),
        Result("prepare / loop", whole / loop, "times", LIMIT),
        Result("checking the manifest", manifest, "s", note="a hash of every file"),
        Result("memory", grown, "MB", note="grown during preparing, without pages of files"),
    ])  # fmt: skip


if __name__ == "__main__":
    start(main)
