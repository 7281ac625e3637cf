"""`Prepared` or `ImageSet` on disk: arrays.safetensors and meta.json, the same bytes for the same data.

safetensors is byte-stable with at most one metadata key (here: none), JSON with sorted keys. The folder is
written beside its place and renamed, so that a stopped run leaves the old one or the new one, never half.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from mtl.data.loading.scaling import fit_scaler
from mtl.data.loading.validate import part_masks
from mtl.errors import DataError
from mtl.types import ImageSet, Prepared, SourceData

PREPARED = Path("data/prepared")
ARRAYS, META = "arrays.safetensors", "meta.json"
FORMAT = 1
IMAGES = "images"
"""The `kind` in the meta of a set of images; that of a series or of stored windows has none."""
MAX_SCORE = 1e15
"""A sum of 10^8 squares stays below float32's 3.4e38."""


def write_prepared(prepared: SourceData, folder: Path, hashes: dict[str, str]) -> None:
    """Writes `folder`/arrays.safetensors and `folder`/meta.json, replacing what was there as a whole.

    Args:
        prepared: a source that `mtl.data.loading.validate.check_prepared` let through.
        folder: data/prepared/NAME.
        hashes: source file → sha256, kept in the meta.
    """
    arrays = save(_tensors(prepared))
    meta = _meta_of_images(prepared) if isinstance(prepared, ImageSet) else _meta(prepared)
    meta |= {
        "format": FORMAT,
        "name": prepared.name,
        "columns": prepared.columns,
        "folds": prepared.folds,
        "labels": list(prepared.labels),
        "classes": prepared.classes,
        "notes": prepared.notes,
        "splits": describe_splits(prepared),
        "source_files": hashes,
        "sha256": {ARRAYS: hashlib.sha256(arrays).hexdigest()},
    }
    fresh, old = (folder.parent / f".{folder.name}.{word}-{os.getpid()}" for word in ("new", "old"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh.mkdir()
        (fresh / ARRAYS).write_bytes(arrays)
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
    again = f"run `dvc repro prepare@{name}`"
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        if not isinstance(meta, dict) or meta.get("format") != FORMAT:
            raise DataError(f"{folder / META} was written by another version: {again}.")
        arrays = (folder / ARRAYS).read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{error.filename} is missing: {again}.") from None
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read ({error.strerror}): {again}.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{folder / META} is not valid JSON ({error}): {again}.") from None
    try:
        if hashlib.sha256(arrays).hexdigest() != meta["sha256"][ARRAYS]:
            raise DataError(f"{folder / ARRAYS} is damaged: its sha256 is not the one in {META}; {again}.")
        tensors = load(arrays)
        return _images_from_meta(meta, tensors) if meta.get("kind") == IMAGES else _from_meta(meta, tensors)
    except (KeyError, TypeError, AttributeError, ValueError, SafetensorError) as error:
        raise DataError(f"{folder} is not what `prepare` writes ({type(error).__name__}: {error}): {again}.") from None


def _meta(p: Prepared) -> dict[str, Any]:
    return {
        "units": p.units,
        "window": p.window,
        "borders": p.borders,
        "oracle_from": p.oracle_from,
        "oracle_labels": list(p.oracle_labels),
        "rows": p.rows,
    }


def _meta_of_images(p: ImageSet) -> dict[str, Any]:
    return {"kind": IMAGES, "rows": len(p.images), "shape": list(p.images.shape[1:]), "mean": p.mean, "std": p.std}


def _from_meta(meta: dict[str, Any], tensors: dict[str, Tensor]) -> Prepared:
    return Prepared(
        name=meta["name"],
        values=tensors["values"],
        columns=meta["columns"],
        window=meta["window"],
        borders=None if meta["borders"] is None else tuple(meta["borders"]),
        fold=tensors.get("fold"),
        folds=meta["folds"],
        labels={label: tensors[f"labels.{label}"] for label in meta["labels"]},
        classes={label: meta["classes"][label] for label in meta["labels"]},
        groups=tensors.get("groups"),
        units=meta["units"],
        oracle_forecast=tensors.get("oracle_forecast"),
        oracle_from=meta["oracle_from"],
        oracle_labels={label: tensors[f"oracle_labels.{label}"] for label in meta["oracle_labels"]},
        notes=meta["notes"],
    )


def _images_from_meta(meta: dict[str, Any], tensors: dict[str, Tensor]) -> ImageSet:
    return ImageSet(
        name=meta["name"],
        images=tensors["images"],
        columns=meta["columns"],
        fold=tensors["fold"],
        folds=meta["folds"],
        labels={label: tensors[f"labels.{label}"] for label in meta["labels"]},
        classes={label: meta["classes"][label] for label in meta["labels"]},
        mean=None if meta["mean"] is None else tuple(meta["mean"]),
        std=None if meta["std"] is None else tuple(meta["std"]),
        notes=meta["notes"],
    )


def size_of(prepared: SourceData) -> int:
    """Rows of a series, stored windows, or images."""
    return len(prepared.fold) if prepared.fold is not None else prepared.rows


def describe_splits(prepared: SourceData) -> list[dict[str, Any]]:
    """For each fold: size and class counts of every part, and the scaler of its training rows.

    Sizes count rows of a series, stored windows, or images; `unused` are a series' rows after the test part.
    """
    found = []
    for fold in range(prepared.folds):
        masks = part_masks(prepared, fold)
        mean, std = fit_scaler(prepared, fold)
        if isinstance(prepared, Prepared):
            _check_scores(prepared, mean, std)
        size = {part: int(mask.sum()) for part, mask in masks.items()}
        classes = {
            label: {part: _count(values[masks[part]], prepared.classes[label]) for part in masks}
            for label, values in prepared.labels.items()
        }
        found.append(
            {
                "count": size | {"unused": size_of(prepared) - sum(size.values())},
                "classes": classes,
                "scaler": {"mean": mean.tolist(), "std": std.tolist()},
            }
        )
    return found


def _check_scores(p: Prepared, mean: Tensor, std: Tensor) -> None:
    """Raises a DataError if a z-score is so large that its square, in float32, is not finite."""
    largest = torch.maximum(p.values.amax(dim=0) - mean, mean - p.values.amin(dim=0)) / std
    if bool((largest > MAX_SCORE).any()):
        column = int((largest > MAX_SCORE).nonzero()[0])
        raise DataError(
            f"prepare.sources.{p.name}: column `{p.columns[column]}` should have values within {MAX_SCORE:g} standard "
            f"deviations of its training rows, found one {float(largest[column]):g} away."
        )


def _count(labels: Tensor, names: list[str]) -> dict[str, int]:
    """Class name → samples; under the empty name, those without a label."""
    counts = {name: int((labels == number).sum()) for number, name in enumerate(names)}
    return counts | {"": int((labels < 0).sum())}


def _tensors(p: SourceData) -> dict[str, Tensor]:
    labels = {f"labels.{k}": v for k, v in p.labels.items()}
    if isinstance(p, ImageSet):
        found = {"images": p.images, "fold": p.fold} | labels
    else:
        optional = {"fold": p.fold, "groups": p.groups, "oracle_forecast": p.oracle_forecast}
        optimum = {f"oracle_labels.{k}": v for k, v in p.oracle_labels.items()}
        present = {name: tensor for name, tensor in optional.items() if tensor is not None}
        found = {"values": p.values} | present | labels | optimum
    # Own copies: safetensors refuses tensors that share memory (a label used twice, a view of a larger array).
    return {k: v.detach().contiguous().clone() for k, v in found.items()}


__all__ = ["IMAGES", "PREPARED", "describe_splits", "load_prepared", "size_of", "write_prepared"]
