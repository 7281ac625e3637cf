"""Stage `prepare@NAME`: one source's files → data/prepared/NAME (values, splits, scalers, class counts, hashes)."""

import sys
from pathlib import Path

from mtl.checks import one_of
from mtl.config import Source
from mtl.data.build import read_source
from mtl.data.files.borrowed import borrow
from mtl.data.files.verify import verify
from mtl.data.inputs import scratch
from mtl.data.inputs.every import input_of
from mtl.data.loading.remarks import class_remarks
from mtl.data.loading.store import PREPARED, part_sizes, write_prepared
from mtl.errors import ConfigError
from mtl.stages.common import stage
from mtl.types import SourceData

SECTIONS = ("prepare",)


def prepare(sources: dict[str, Source], name: str, root: Path = Path(".")) -> SourceData:
    """Checks the raw files of source `name`, reads them, and writes data/prepared/NAME."""
    one_of("prepare.sources", name, sources, ConfigError)
    borrow(name, root)
    hashes = verify(name, sources[name], root)
    scratch.beside(root / PREPARED)
    prepared = read_source(name, sources[name], root)
    write_prepared(prepared, root / PREPARED / name, hashes)
    return prepared


def describe(prepared: SourceData) -> str:
    """One line of sizes, then one for each note."""
    source = input_of(prepared)
    counts = part_sizes(source, 0)
    parts = ", ".join(f"{part} {count:,}" for part, count in counts.items() if count)
    folds = f" (fold 0 of {prepared.folds} held out)" if prepared.folds > 1 else ""
    head = f"{prepared.name}: {source.size:,} {source.describe()}; {parts}{folds}"
    said = [*prepared.notes, *class_remarks(source)]
    return "\n".join([head, *(f"  note: {note}" for note in said)])


def main() -> None:
    """Writes data/prepared/NAME/."""
    with stage(SECTIONS) as config:
        if len(sys.argv) != 2:
            raise ConfigError("usage: python -m mtl.stages.prepare SOURCE")
        print(describe(prepare(config.prepare.sources, sys.argv[1])))


if __name__ == "__main__":
    main()
