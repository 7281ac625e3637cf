"""Measures of predicted classes, all from the table of true against predicted classes; k classes."""

import numpy as np
from jaxtyping import Int
from torch import Tensor

from mtl.tasks.undefined import Undefined


def confusion_table(truth: Int[Tensor, " n"], predicted: Int[Tensor, " n"], classes: int) -> Int[np.ndarray, "k k"]:
    """Number of samples of each true class (row) with each predicted class (column)."""
    cells = truth.cpu().numpy() * classes + predicted.cpu().numpy()
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def accuracy(table: Int[np.ndarray, "k k"]) -> float:
    """Share of samples whose class is predicted."""
    return float(table.diagonal().sum() / table.sum())


def balanced_accuracy(table: Int[np.ndarray, "k k"]) -> float | Undefined:
    """Mean recall of the classes that occur; undefined where only one does: naming it always would be right."""
    hits, occurs = table.diagonal(), table.sum(axis=1)
    if (occurs > 0).sum() < 2:
        return one_class(int(table.sum()))
    return float(np.mean(hits[occurs > 0] / occurs[occurs > 0]))


def macro_f1(table: Int[np.ndarray, "k k"], over: tuple[int, ...] | None = None) -> float | Undefined:
    """Mean F1 of the classes that occur or are predicted; undefined where only one occurs.

    Args:
        table: true against predicted classes.
        over: classes that the mean is over; undefined where one neither occurs nor is predicted. None: all that do.
    """
    hits, occurs, guessed = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
    if (occurs > 0).sum() < 2:
        return one_class(int(table.sum()))
    if over is not None and any(occurs[place] + guessed[place] == 0 for place in over):
        return Undefined(f"of {int(table.sum())} samples none is of a class of `f1_over`, and none is predicted to be")
    of_class = 2 * hits / np.maximum(occurs + guessed, 1)
    return float(np.mean(of_class[occurs + guessed > 0] if over is None else of_class[list(over)]))


def one_class(samples: int) -> Undefined:
    """The reason why a mean over classes says nothing of samples of a single one."""
    return Undefined(f"all {samples} samples belong to one class")


def f1(table: Int[np.ndarray, "2 2"]) -> float | Undefined:
    """F1 of class 1: the harmonic mean of its precision and recall, 2·TP / (2·TP + FP + FN).

    Undefined where class 1 neither occurs nor is predicted.
    """
    either = int(table[1].sum() + table[:, 1].sum())
    if either == 0:
        return Undefined(f"of {int(table.sum())} samples none is positive and none is predicted to be")
    return 2 * int(table[1, 1]) / either
