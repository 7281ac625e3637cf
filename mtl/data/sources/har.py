"""`kind: har`: Human Activity Recognition Using Smartphones (Anguita et al. 2013), the nine inertial signals.

Windows of 128 rows (2.56 s at 50 Hz, half of each shared with the next) of 9 channels; 30 people, 6 activities. The
official split by person is kept; folds are whole training people, for neighbouring windows overlap.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mtl.config.sources import HarSource
from mtl.data.formats.archives import MAX_UNPACKED, Archive
from mtl.data.formats.reading import read_bytes
from mtl.data.sources.folds import group_folds
from mtl.errors import DataError
from mtl.types import Prepared

CHANNELS = [f"{signal}_{axis}" for signal in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"]
LABEL = "activity"
SPLITS = ("train", "test")
LANDMARK = "train/y_train.txt"


@dataclass(frozen=True)
class HarFiles:
    """The classic layout, wherever it lies; files go by their path below `UCI HAR Dataset/`."""

    where: str
    read: Callable[[str], bytes]

    def label(self, relative: str) -> str:
        return f"{self.where}: {relative}"


def signal_files() -> list[str]:
    """Every file that is read, in a fixed order."""
    files = ["activity_labels.txt"]
    for split in SPLITS:
        files += [f"{split}/y_{split}.txt", f"{split}/subject_{split}.txt"]
        files += [f"{split}/Inertial Signals/{channel}_{split}.txt" for channel in CHANNELS]
    return files


def open_har(path: Path, where: str) -> HarFiles:
    """Finds the layout in a folder, a zip, or a zip inside a zip (as the UCI site serves it).

    Raises:
        DataError: nothing there, or no HAR layout in it.
    """
    if path.is_dir():
        for base in (path, path / "UCI HAR Dataset"):
            if (base / LANDMARK).is_file():
                return _in_folder(base, where)
        raise DataError(f"{where}: should hold {LANDMARK}; is it the unzipped UCI HAR Dataset?")
    if not path.is_file():
        raise DataError(f"{where} is missing.")
    outer = Archive(path, where)
    inner = [name for name in outer.names if name.lower().endswith(".zip")]
    for name in ["", *inner]:
        archive = Archive(outer.read(name), f"{where}: {name}") if name else outer
        bases = [n.removesuffix(LANDMARK) for n in archive.names if n == LANDMARK or n.endswith("/" + LANDMARK)]
        if bases:
            return _in_archive(archive, min(bases, key=len))
    raise DataError(f"{where}: should hold {LANDMARK}, found {', '.join(outer.names[:5]) or 'nothing'}.")


def read(config: HarSource, name: str, root: Path) -> Prepared:
    """Training windows, then test windows, in the order of the files; float64, g and rad/s.

    Raises:
        DataError: a file of the layout is missing or cannot be used; names file, line and column.
    """
    files = open_har(root / config.path, config.path)
    classes = _class_names(files)
    windows, labels, people = [], [], []
    for split in SPLITS:
        labels.append(_integers(files, f"{split}/y_{split}.txt"))
        people.append(_integers(files, f"{split}/subject_{split}.txt"))
        signals = [_table(files, f"{split}/Inertial Signals/{channel}_{split}.txt") for channel in CHANNELS]
        _same_rows(files, split, [labels[-1], people[-1], *signals])
        _in_range(files, f"{split}/y_{split}.txt", labels[-1], len(classes))
        windows.append(np.stack(signals, axis=2))
    length = windows[0].shape[1]
    if windows[1].shape[1] != length:
        raise DataError(f"{files.where}: train windows have {length} rows, test windows {windows[1].shape[1]}.")
    fold = np.full(len(labels[0]) + len(labels[1]), -1, dtype=np.int64)
    fold[: len(labels[0])] = group_folds(people[0], config.folds, config.split_seed, files.where)
    both = set(people[0].tolist()) & set(people[1].tolist())
    return Prepared(
        name=name,
        values=torch.from_numpy(np.concatenate(windows).reshape(-1, len(CHANNELS))),
        columns=list(CHANNELS),
        window=length,
        borders=None,
        fold=torch.from_numpy(fold),
        folds=config.folds,
        labels={LABEL: torch.from_numpy(np.concatenate(labels) - 1)},
        classes={LABEL: classes},
        groups=torch.from_numpy(np.concatenate(people)),
        units={channel: "rad/s" if "gyro" in channel else "g" for channel in CHANNELS},
        notes=[f"People {sorted(both)} are in train and in test."] if both else [],
    )


def _in_folder(base: Path, where: str) -> HarFiles:
    def read_file(relative: str) -> bytes:
        return read_bytes(base / relative, f"{where}: {relative}", MAX_UNPACKED)

    return HarFiles(where, read_file)


def _in_archive(archive: Archive, base: str) -> HarFiles:
    def read_member(relative: str) -> bytes:
        if base + relative not in archive.names:
            raise DataError(f"{archive.label}: {base}{relative} is missing.")
        return archive.read(base + relative)

    return HarFiles(archive.label, read_member)


def _class_names(files: HarFiles) -> list[str]:
    """Activities in the order of their numbers 1…k."""
    text = files.read("activity_labels.txt").decode("ascii", errors="replace").split("\n")
    pairs = [line.split() for line in text if line.strip()]
    for number, pair in enumerate(pairs, 1):
        if len(pair) != 2 or pair[0] != str(number):
            place = f"{files.label('activity_labels.txt')}, line {number}"
            raise DataError(f"{place}: should be `{number} NAME`, found {' '.join(pair)!r}.")
    return [pair[1] for pair in pairs]


def _table(files: HarFiles, relative: str) -> np.ndarray:
    """Numbers in columns, float64 [windows, columns]."""
    data = files.read(relative)
    try:
        table = pd.read_csv(io.BytesIO(data), sep=r"\s+", header=None, dtype=np.float64).to_numpy()
    except (ValueError, pd.errors.ParserError) as error:
        raise _locate(data, files.label(relative), str(error)) from None
    if not np.isfinite(table).all():
        raise _locate(data, files.label(relative), "not a finite number")
    return table


def _locate(data: bytes, where: str, reason: str) -> DataError:
    """The error that names line and column; only after the fast reading failed."""
    lines = data.decode("latin-1").split("\n")
    width = len(lines[0].split())
    for number, line in enumerate(lines, 1):
        cells = line.split()
        for column, cell in enumerate(cells, 1):
            try:
                fine = bool(np.isfinite(float(cell)))
            except ValueError:
                fine = False
            if not fine:
                return DataError(f"{where}, line {number}, column {column}: should be a finite number, found {cell!r}.")
        if cells and len(cells) != width:
            return DataError(f"{where}, line {number}: should have {width} columns, found {len(cells)}.")
    return DataError(f"{where}: {reason}")


def _integers(files: HarFiles, relative: str) -> np.ndarray:
    table = _table(files, relative)
    # Beyond 2^53, whole numbers are not told apart.
    wrong = np.flatnonzero((table[:, 0] != np.round(table[:, 0])) | (np.abs(table[:, 0]) > 2**53))
    if table.shape[1] != 1 or len(wrong):
        line = int(wrong[0]) + 1 if len(wrong) else 1
        raise DataError(f"{files.label(relative)}, line {line}: should be one whole number.")
    return table[:, 0].astype(np.int64)


def _in_range(files: HarFiles, relative: str, labels: np.ndarray, classes: int) -> None:
    wrong = np.flatnonzero((labels < 1) | (labels > classes))
    if len(wrong):
        place = f"{files.label(relative)}, line {wrong[0] + 1}"
        raise DataError(f"{place}: should be an activity from 1 to {classes}, found {labels[wrong[0]]}.")


def _same_rows(files: HarFiles, split: str, tables: list[np.ndarray]) -> None:
    names = [f"y_{split}.txt", f"subject_{split}.txt"] + [f"Inertial Signals/{c}_{split}.txt" for c in CHANNELS]
    for name, table in zip(names, tables, strict=True):
        if len(table) != len(tables[0]):
            label = files.label(f"{split}/{name}")
            raise DataError(f"{label}: should have {len(tables[0])} rows as y_{split}.txt has, found {len(table)}.")
        if table.ndim == 2 and table.shape[1] != tables[2].shape[1]:
            label = files.label(f"{split}/{name}")
            raise DataError(f"{label}: should have {tables[2].shape[1]} columns, found {table.shape[1]}.")
