"""The files that the pipeline writes for the settings in params.yaml, by stage, and where two of them differ.

Files that another preset left behind are in no stage's list, and measured times (timings/, report/timings.js) are no
outputs of DVC: neither is compared.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl.cli.preflight import DVC_FILE, TEMPLATE, written_paths
from mtl.config import PARAMS
from mtl.config.yaml_file import read_yaml
from mtl.results.kept import KEY

ABSENT: Any = object()
"""Stands for a key or an item that one side does not have."""


def outputs(root: Path = Path()) -> dict[str, list[str]]:
    """Stage → the paths that it writes, in the order of dvc.yaml, in which every stage follows those that it needs.

    Args:
        root: folder of a project whose params.yaml and dvc.yaml were checked.
    """
    stages: dict[str, Any] = read_yaml(root / DVC_FILE)["stages"]
    params: dict[str, Any] = read_yaml(root / PARAMS)
    paths_of: dict[str, list[str]] = {}
    for name, stage in stages.items():
        if "foreach" not in stage:
            paths_of[name] = written_paths(stage)
            continue
        over = TEMPLATE.fullmatch(str(stage["foreach"]))
        assert over is not None, f"{DVC_FILE}: the foreach of {name} is no ${{value}} of {PARAMS}"
        members = params
        for part in over.group(1).split("."):
            members = members[part]
        for key in members:
            paths_of[f"{name}@{key}"] = [path.replace("${key}", str(key)) for path in written_paths(stage["do"])]
    return paths_of


def files(paths: list[str], root: Path) -> list[str]:
    """Every file below some outputs, relative to `root`; those of one output in the order of their names."""
    names = []
    for path in paths:
        top = root / path
        below = sorted(file for file in top.rglob("*") if file.is_file()) if top.is_dir() else [top]
        names += [file.relative_to(root).as_posix() for file in below if file.exists()]
    return names


def hashes(root: Path = Path(), keys: bool = True) -> dict[str, dict[str, str]]:
    """Stage → file → sha256, of everything that params.yaml names.

    Args:
        root: as in `outputs`.
        keys: with the keys of runs, which are the same wherever the same code runs, and change with every edit of it.
    """
    return {
        stage: {file: sha256(root / file) for file in files(paths, root) if keys or Path(file).name != KEY}
        for stage, paths in outputs(root).items()
    }


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Compared:
    """A stage's files in two places."""

    stage: str
    files: int
    """Number of files on either side or both."""
    different: list[str]
    """Files whose bytes differ between the sides, or that one side lacks."""


def compare(first: dict[str, dict[str, str]], second: dict[str, dict[str, str]]) -> list[Compared]:
    """Compares two results of `hashes`, in the order of the first; a stage that one side lacks has lost all files."""
    stages = []
    for stage in [*first, *(stage for stage in second if stage not in first)]:
        ours, theirs = first.get(stage, {}), second.get(stage, {})
        names = [*ours, *(name for name in theirs if name not in ours)]
        stages.append(Compared(stage, len(names), [name for name in names if ours.get(name) != theirs.get(name)]))
    return stages


def where(first: Path, second: Path) -> str:
    """Describes the first place at which two files differ, for JSON its key with both values."""
    for path, which in ((first, "first"), (second, "second")):
        if not path.exists():
            return f"is missing in the {which} run"
    ours, theirs = first.read_bytes(), second.read_bytes()
    if first.suffix == ".json":
        for key, here, there in differences(json.loads(ours), json.loads(theirs)):
            return f"at {key}: {here} in the first run, {there} in the second"
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    return f"from byte {at} on ({len(ours)} bytes in the first run, {len(theirs)} in the second)"


def differences(first: Any, second: Any, key: str = "") -> Iterator[tuple[str, str, str]]:
    """(key, value, other value) wherever two JSON values differ, as `epochs[0].train.fault.loss`; keys sorted."""
    if isinstance(first, dict) and isinstance(second, dict):
        for name in sorted({*first, *second}):
            # A name with dots or brackets is quoted: else it would look like a path.
            part = name if re.fullmatch(r"[\w-]+", name) else json.dumps(name)
            inner = f"{key}.{part}" if key else part
            yield from differences(first.get(name, ABSENT), second.get(name, ABSENT), inner)
    elif isinstance(first, list) and isinstance(second, list):
        for number in range(max(len(first), len(second))):
            here, there = (side[number] if number < len(side) else ABSENT for side in (first, second))
            yield from differences(here, there, f"{key}[{number}]")
    elif type(first) is not type(second) or first != second:
        yield key or "the whole value", _shown(first), _shown(second)


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"
