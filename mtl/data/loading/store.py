"""A prepared source on disk: arrays.safetensors and meta.json, the same bytes for the same data.

safetensors is byte-stable with at most one metadata key (here: none), JSON with sorted keys. The folder is
written beside its place and renamed, so that a stopped run leaves the old one or the new one, never half.
"""

import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mtl.data.inputs import scratch
from mtl.data.inputs.base import Input
from mtl.data.inputs.every import input_of, kept
from mtl.data.loading.tensor_file import write_tensors
from mtl.errors import DataError
from mtl.tasks.base import known
from mtl.types import SourceData, Split

PREPARED = Path("data/prepared")
ARRAYS, META = "arrays.safetensors", "meta.json"
FORMAT = 1


def write_prepared(prepared: SourceData, folder: Path, hashes: dict[str, str]) -> None:
    """Writes `folder`/arrays.safetensors and `folder`/meta.json, replacing what was there as a whole.

    Args:
        prepared: a source that `mtl.data.inputs.every.check_prepared` let through.
        folder: data/prepared/NAME.
        hashes: source file → sha256, kept in the meta.
    """
    source = input_of(prepared)
    meta = source.meta() | {
        "format": FORMAT,
        "name": prepared.name,
        "columns": prepared.columns,
        "folds": prepared.folds,
        "labels": list(prepared.labels),
        "classes": prepared.classes,
        "notes": prepared.notes,
        "splits": describe_splits(source),
        "source_files": hashes,
    }
    if prepared.numbers:
        meta["numbers"] = list(prepared.numbers)
    fresh, old = (folder.parent / f".{folder.name}.{word}-{os.getpid()}" for word in ("new", "old"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh.mkdir()
        meta["sha256"] = {ARRAYS: write_tensors(fresh / ARRAYS, _tensors(source))}
        text = json.dumps(meta, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
        (fresh / META).write_text(text + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError as error:
        if old.exists():
            old.rename(folder)
        raise DataError(f"{folder} cannot be written: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def load_prepared(name: str, root: Path = PREPARED) -> SourceData:
    """The source `name` as `prepare` wrote it.

    Args:
        name: key of `prepare.sources`.
        root: folder that holds one folder a source.

    Raises:
        DataError: it is missing, was written by another version, or its bytes are not those that were written.
    """
    folder = root / name
    scratch.beside(root)
    again = f"run `dvc repro prepare@{name}`"
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        if not isinstance(meta, dict) or meta.get("format") != FORMAT:
            raise DataError(f"{folder / META} was written by another version: {again}.")
        digest = _sha256(folder / ARRAYS)
    except FileNotFoundError as error:
        raise DataError(f"{error.filename} is missing: {again}.") from None
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read ({error.strerror}): {again}.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{folder / META} is not valid JSON ({error}): {again}.") from None
    try:
        if digest != meta["sha256"][ARRAYS]:
            raise DataError(f"{folder / ARRAYS} is damaged: its sha256 is not the one in {META}; {again}.")
        tensors = load_file(folder / ARRAYS)  # by pages of the file, which processes share
        return kept(meta, tensors, _common(meta, tensors)).data
    except (KeyError, TypeError, AttributeError, ValueError, SafetensorError) as error:
        raise DataError(f"{folder} is not what `prepare` writes ({type(error).__name__}: {error}): {again}.") from None


SETTLED = 2.0
"""Seconds after which another change of a file surely has another time."""
_hashed: dict[tuple[int, int, int, int], str] = {}
"""sha256 of files that this process has read, by device, inode, size and time of the last change (ns): a worker makes
many runs on one source, and reading a large one takes as long as many a run."""


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        facts = os.fstat(opened.fileno())
        key = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_ctime_ns)
        if key in _hashed:
            return _hashed[key]
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        if abs(time.time() - facts.st_ctime) > SETTLED:
            _hashed[key] = digest
    return digest


def _common(meta: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The fields that every source has."""
    return {
        "name": meta["name"],
        "columns": meta["columns"],
        "folds": meta["folds"],
        "labels": {label: tensors[f"labels.{label}"] for label in meta["labels"]},
        "classes": {label: meta["classes"][label] for label in meta["labels"]},
        "numbers": {name: tensors[f"numbers.{name}"] for name in meta.get("numbers", [])},
        "notes": meta["notes"],
    }


def part_sizes(source: Input[SourceData], fold: int) -> dict[str, int]:
    """Rows of each part when a fold is held out, and of none (`unused`)."""
    size = {str(part): int(mask.sum()) for part, mask in source.masks(fold).items()}
    return size | {"unused": source.size - sum(size.values())}


def describe_splits(source: Input[SourceData]) -> list[dict[str, Any]]:
    """Description of each fold: size, class counts and numeric targets of every part, and the scaler of its training
    rows.

    Sizes count rows of a series, stored windows, images or rows; `unused` are a series' rows after the test part.
    """
    splits = []
    for fold in range(source.data.folds):
        masks = source.masks(fold)
        fitted = source.fit(fold)
        problem = source.scores_problem(fitted)
        if problem is not None:
            raise DataError(f"prepare.sources.{source.data.name}: {problem}")
        classes = {
            label: {part: _count(values[masks[part]], source.data.classes[label]) for part in masks}
            for label, values in source.data.labels.items()
        }
        facts: dict[str, Any] = {
            "count": part_sizes(source, fold),
            "classes": classes,
            "scaler": fitted.plain(),
        }
        if source.data.numbers:
            facts["numbers"] = _numbers(source, masks)
        splits.append(facts)
    return splits


def _numbers(source: Input[SourceData], masks: dict[Split, Tensor]) -> dict[str, Any]:
    """Numeric target → part → how many are known and missing, and their mean."""
    described: dict[str, Any] = {}
    for name, values in source.data.numbers.items():
        parts = {part: values[mask] for part, mask in masks.items()}
        described[name] = {
            part: {
                "known": int(known(of_part).sum()),
                "missing": int((~known(of_part)).sum()),
                "mean": float(of_part[known(of_part)].mean()) if bool(known(of_part).any()) else None,
            }
            for part, of_part in parts.items()
        }
    return described


def _count(labels: Tensor, names: list[str]) -> dict[str, int]:
    """Class name → samples; under the empty name, those without a label."""
    counts = {name: int((labels == number).sum()) for number, name in enumerate(names)}
    return counts | {"": int((labels < 0).sum())}


def _tensors(source: Input[SourceData]) -> dict[str, Tensor]:
    labels = {f"labels.{name}": values for name, values in source.data.labels.items()}
    numbers = {f"numbers.{name}": values for name, values in source.data.numbers.items()}
    return source.tensors() | labels | numbers


__all__ = ["PREPARED", "describe_splits", "load_prepared", "part_sizes", "write_prepared"]
