"""Dealing training windows or images into folds, so that validation never touches the test part.

W windows or images, F folds. Neighbouring windows of one person overlap: people are held out whole. With one fold, fold
0 is the validation part of every seed, and fold 1 always trains: the first and the others of five parts.
"""

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from mtl.config.common import parts_dealt
from mtl.errors import DataError


def group_folds(groups: Int64[ndarray, " W"], folds: int, seed: int, where: str) -> Int64[ndarray, " W"]:
    """Fold of each window: whole groups, dealt so that the folds hold about equally many windows.

    Groups are shuffled by the seed, then the largest goes first to the fold with fewest windows so far.

    Raises:
        DataError: fewer groups than folds, or a single one.
    """
    names, sizes = np.unique(groups, return_counts=True)
    if folds == 1:
        if len(names) < 2:
            raise DataError(f"{where}: a validation part needs at least 2 groups in train, found {len(names)}.")
        return _fixed(group_folds(groups, min(parts_dealt(folds), len(names)), seed, where))
    if len(names) < folds:
        raise DataError(f"{where}: {folds} folds need at least as many groups in train, found {len(names)}.")
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    filled = np.zeros(folds, dtype=np.int64)
    fold_of = np.zeros(len(names), dtype=np.int64)
    for group in order:
        fold_of[group] = np.argmin(filled)
        filled[fold_of[group]] += sizes[group]
    return fold_of[np.searchsorted(names, groups)]


def stratified_folds(
    labels: Int64[ndarray, " W"], classes: list[str], folds: int, seed: int, where: str
) -> Int64[ndarray, " W"]:
    """Fold of each window or image, every class spread evenly; those without a label (-1) are dealt out in turn.

    Raises:
        DataError: a class has fewer training samples than there are folds, or parts for a single fold.
    """
    from sklearn.model_selection import StratifiedKFold

    parts = parts_dealt(folds)
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    for name, count in zip(classes, counts.tolist(), strict=True):
        if count < parts:
            raise DataError(
                f"{where}: class `{name}` has {count} training samples, too few for {parts} folds; "
                f"{_remedy(name, count, folds)}."
            )
    if not len(counts):
        raise DataError(f"{where}: no training sample has a label.")
    fold = np.zeros(len(labels), dtype=np.int64)
    known, unknown = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    splitter = StratifiedKFold(n_splits=parts, shuffle=True, random_state=seed)
    for number, (_, held_out) in enumerate(splitter.split(known, labels[known])):
        fold[known[held_out]] = number
    fold[np.random.default_rng(seed).permutation(unknown)] = np.arange(len(unknown)) % parts
    return fold if folds > 1 else _fixed(fold)


def _remedy(name: str, count: int, folds: int) -> str:
    """The remedy for a class of too few training samples."""
    if count < 2:
        hint = " (`missing_label: -1` of an .npz, if -1 stands for none)" if name == "-1" else ""
        return f"give it more, or its samples no label{hint}"
    return "lower `folds`" if folds > 1 else "the first of them is the validation part of `folds: 1`"


def _fixed(parts: Int64[ndarray, " W"]) -> Int64[ndarray, " W"]:
    """The first of several parts as the only fold; the others always train."""
    return (parts > 0).astype(np.int64)
