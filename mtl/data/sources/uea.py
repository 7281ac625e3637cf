"""`kind: uea`: a set of the UEA & UCR archive (Bagnall et al. 2018, arXiv 1811.00075) or of the extrinsic regression
archive (Tan et al. 2021, arXiv 2006.10996): `<stem>_TRAIN.ts` and `<stem>_TEST.ts`.

The given split is kept; folds are dealt from the training cases, every class spread evenly.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mtl.config.sources import UeaSource
from mtl.data.formats.labels import known_class, numbers_in_order
from mtl.data.formats.reading import check_count
from mtl.data.formats.ts_format import TsFile, parse_ts
from mtl.data.sources.folds import group_folds, stratified_folds
from mtl.errors import DataError
from mtl.types import Prepared

LABEL, TARGET = "label", "target"


def read(config: UeaSource, name: str, root: Path) -> Prepared:
    """Training cases, then test cases, in the order of the files; float64, original units.

    Raises:
        DataError: a file is missing or cannot be used; names file, line, channel and value.
    """
    files = [parse_ts(root / path, path) for path in config.files]
    train, test = files
    if bool(train.targets) != bool(test.targets):
        ends = {True: "in a number (`@targetLabel true`)", False: "in a class (`@classLabel true …`)"}
        has, should = ends[bool(test.targets)], ends[bool(train.targets)]
        raise DataError(f"{test.path}: its cases should end {should}, as those of {train.path} do; they end {has}.")
    notes = [*train.notes, *test.notes]
    files[1] = test = _with_classes(test, train, notes)
    channels = len(train.cases[0])
    for file in files:
        for case, line in zip(file.cases, file.lines, strict=True):
            if len(case) != channels:
                raise DataError(f"{file.path}, line {line}: should have {channels} channels, found {len(case)}.")
    cases = [case for file in files for case in _without_gaps(file, config, notes)]
    cases = _of_one_length(files, cases, config, notes)
    measured = _measured(files, config, values_each=cases[0].shape[1])
    labels, numbers, names = {}, {}, numbers_in_order(train.classes)
    trained = len(train.cases)
    if train.targets:
        numbers[TARGET] = torch.tensor([*train.targets, *test.targets], dtype=torch.float64)
        # No classes to spread: every case is a group of its own.
        dealt = group_folds(np.arange(trained), config.folds, config.split_seed, train.path)
    else:
        number = {class_name: i for i, class_name in enumerate(names)}
        classes = np.array([number[label] for file in files for label in file.labels], dtype=np.int64)
        labels[LABEL] = torch.from_numpy(classes)
        dealt = stratified_folds(classes[:trained], names, config.folds, config.split_seed, train.path)
    fold = np.full(len(cases), -1, dtype=np.int64)
    fold[:trained] = dealt
    values = np.stack(cases).transpose(0, 2, 1)
    return Prepared(
        name=name,
        values=torch.from_numpy(np.ascontiguousarray(values).reshape(-1, channels)),
        columns=[f"channel_{n}" for n in range(1, channels + 1)],
        window=values.shape[1],
        borders=None,
        fold=torch.from_numpy(fold),
        folds=config.folds,
        labels=labels,
        classes={LABEL: names} if labels else {},
        notes=notes,
        known=None if measured is None else torch.from_numpy(measured),
        numbers=numbers,
    )


def _with_classes(test: TsFile, train: TsFile, notes: list[str]) -> TsFile:
    """The test file with the names that the training file gives its classes.

    Raises:
        DataError: one of them has a class that the other lacks.
    """
    names = {name: known_class(name, train.classes) for name in test.classes}
    if None in names.values() or set(names.values()) != set(train.classes):
        raise DataError(f"{test.path}: should have the classes of {train.path}, {train.classes}, found {test.classes}.")
    other = {name: known for name, known in names.items() if name != known}
    if other:
        told = ", ".join(f"{name!r} for `{known}`" for name, known in other.items())
        notes.append(f"{test.path}: its classes are spelt otherwise than in {train.path}: {told}.")
    return replace(test, classes=list(train.classes), labels=[str(names[label]) for label in test.labels])


def _without_gaps(file: TsFile, config: UeaSource, notes: list[str]) -> list[np.ndarray]:
    """The cases with every `?` filled, if the config says so."""
    filled, count = [], 0
    for case, line in zip(file.cases, file.lines, strict=True):
        holes = np.isnan(case)
        if holes.any():
            channel, position = (int(n) + 1 for n in np.argwhere(holes)[0])
            place = f"{file.path}, line {line}, channel {channel}, value {position}"
            if config.on_missing == "error":
                raise DataError(f"{place}: is missing (? or NaN); `on_missing` may be interpolate.")
            if holes.all(axis=1).any():
                raise DataError(
                    f"{file.path}, line {line}: every value of a channel is missing, which leaves nothing to "
                    "interpolate between: leave the case out of the file."
                )
            case, count = case.copy(), count + int(holes.sum())
            for row, gaps in zip(case, holes, strict=True):
                row[gaps] = np.interp(np.flatnonzero(gaps), np.flatnonzero(~gaps), row[~gaps])
        filled.append(case)
    if count:
        notes.append(f"{file.path}: {count} missing values are interpolated.")
    return filled


def _measured(files: list[TsFile], config: UeaSource, values_each: int) -> np.ndarray | None:
    """Mask [W · L, C] of the values that stand in the files, not of those filled in or padded; None where all do.

    A case that was resampled counts as measured where a line was drawn between two measured values.
    """
    masks = []
    for file in files:
        for case in file.cases:
            there = ~np.isnan(case)
            short = values_each - case.shape[1]
            if short and config.on_unequal_length == "resample":
                there = np.stack([_resample(row, values_each) for row in there.astype(np.float64)[:, None]])[:, 0] == 1
            elif short:
                there = np.pad(there, ((0, 0), (short, 0)))
            masks.append(there)
    measured = np.stack(masks)
    if measured.all():
        return None
    return np.ascontiguousarray(measured.transpose(0, 2, 1)).reshape(-1, measured.shape[1])


def _of_one_length(
    files: list[TsFile], cases: list[np.ndarray], config: UeaSource, notes: list[str]
) -> list[np.ndarray]:
    """The cases [C, L] with L the longest length of both files."""
    lengths = [case.shape[1] for case in cases]
    longest = max(lengths)
    # One long case stretches all the others.
    check_count(longest * sum(len(case) for case in cases), f"{config.path}, with every case of {longest} values,")
    other = [n for n, length in enumerate(lengths) if length != longest]
    if not other:
        return cases
    if config.on_unequal_length == "error":
        file, position = (
            (files[0], other[0])
            if other[0] < len(files[0].cases)
            else (
                files[1],
                other[0] - len(files[0].cases),
            )
        )
        raise DataError(
            f"{file.path}, line {file.lines[position]}: has {lengths[other[0]]} values a channel, others {longest}; "
            "`on_unequal_length` may be resample or left_pad."
        )
    how = "resampled to" if config.on_unequal_length == "resample" else "padded on the left to"
    notes.append(f"{len(other)} of {len(cases)} cases are {how} {longest} values.")
    if config.on_unequal_length == "resample":
        return [_resample(case, longest) for case in cases]
    return [np.pad(case, ((0, 0), (longest - case.shape[1], 0)), mode="edge") for case in cases]


def _resample(case: np.ndarray, length: int) -> np.ndarray:
    """Linear interpolation between the first and the last value [C, L_i] → [C, length]."""
    if case.shape[1] == length:
        return case
    at = np.linspace(0, case.shape[1] - 1, length)
    return np.stack([np.interp(at, np.arange(case.shape[1]), row) for row in case])
