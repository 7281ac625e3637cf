"""Checks of tables by `mtl validate`: whether a target can be read off an input, and whether every part has samples of
it, before anything is prepared."""

from pathlib import Path

from mtl.config import Config
from mtl.errors import UserError

MOST_BYTES = 50_000_000
"""Size of a table up to which `mtl validate` reads it; that of a larger one is looked at by `mtl repro`."""
MOST_ROWS = 100_000
"""Rows up to which each part of a table is looked at."""


def check_tables(config: Config, root: Path, strict: bool = True) -> list[str]:
    """Sentences on inputs that nearly tell a target, for the tables whose files are there.

    Args:
        config: the checked content of params.yaml.
        root: folder of the project.
        strict: refuse parts without samples; else a sentence says so.

    Raises:
        UserError: a table cannot be read, a task names no column of it, an input is a copy of a target, or a part of
            some seed has no sample of a task or of a class.
    """
    asked = {task.source for task in config.tasks.values()}
    notes: list[str] = []
    for name, section in config.prepare.sources.items():
        files = [root / file for file in section.files]
        if section.allowed is None or name not in asked or not all(file.exists() for file in files):
            continue
        size = sum(map(_size, files))
        if size > MOST_BYTES:
            notes.append(
                f"{name}: {size / 1e6:,.0f} MB are looked at for copies of targets by `mtl repro index`, not here"
            )
            continue
        from mtl.data.build import read_source
        from mtl.data.inputs.every import input_of
        from mtl.data.loading.leaks import leaks
        from mtl.data.loading.tasks import build_tasks

        tasks = {task_name: task for task_name, task in config.tasks.items() if task.source == name}
        data = read_source(name, section, root)
        told = leaks(tasks, config.prepare.sources, {name: data})
        if input_of(data).cells() is not None and data.fold is not None and len(data.fold) <= MOST_ROWS:
            try:
                for seed in {seed % data.folds: seed for seed in config.base.seeds}.values():
                    build_tasks(tasks, {name: data}, seed)
            except UserError as error:
                if strict:
                    raise
                notes.append(f"With these settings `mtl repro` would stop: {error}")
        notes += [f"{name}: {sentence.removesuffix('.')}" for sentence in told[name]]
    return notes


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )
