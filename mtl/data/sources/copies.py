"""Inputs from which a label or a numeric target can be read off: copies, other names of its values, monotone maps.

R rows, C columns. Every row counts; a few of them decide which columns are worth a look at all rows.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from mtl.errors import DataError
from mtl.types import NO_LABEL

ALIKE = 0.999
"""Correlation from which a column is told of."""
FEW = 1000
"""Rows that decide which columns are looked at whole."""
BLOCK = 64
"""Columns that are looked at together: 50 MB of 100,000 rows."""


def check_copies(
    values: np.ndarray,
    columns: Sequence[str],
    targets: Mapping[str, np.ndarray],
    where: str,
    allow: Collection[str],
    notes: list[str],
) -> None:
    """Refuses inputs that are a target or a label under another name, and notes those that come close.

    Args:
        values: [R, C] inputs of the rows at which the targets are known, NaN where missing.
        columns: their names.
        targets: name → [R] numbers with NaN, or class numbers (integers) with NO_LABEL; columns of the same name are
            not held against it.
        where: the file, for messages.
        allow: columns that may be a copy.
        notes: of the source.

    Raises:
        DataError: a column that `allow` does not name equals a target, or has a value of its own for each value of it.
    """
    for name, target in targets.items():
        classes = target.dtype.kind in "iu"
        known = target != NO_LABEL if classes else ~np.isnan(target)
        y = target[known].astype(np.float64)
        distinct = len(np.unique(y))
        if len(y) < 3 or distinct < 2:
            continue
        what = f"the {'label' if classes else 'target'} `{name}`"
        # Where nearly every value is there once, any two columns are names of each other.
        named = 2 * distinct <= len(y)
        everywhere = bool(known.all())
        for first in range(0, len(columns), BLOCK):
            block = values[:, first : first + BLOCK]
            x = block if everywhere else block[known]
            alike, few = _correlations(x, y), _spread(x, y)
            asked = np.abs(alike) > ALIKE if not classes or distinct == 2 else np.zeros(len(alike), dtype=bool)
            asked |= _may_be_monotone(*few) if not classes else False
            asked |= _may_be_named(*few) if named else False
            for number in np.flatnonzero(asked).tolist():
                column = columns[first + number]
                if column == name:
                    continue
                relation = _relation(x[:, number], y, named, classes)
                if relation is not None and column not in allow:
                    raise DataError(
                        f"{where}, column `{column}`: is {relation} of {what}, which could be read off it: let "
                        f"`values` name the other columns, or say `allow: [{column}]` if it is known before the "
                        f"{'label' if classes else 'target'} is."
                    )
                if relation is not None:
                    notes.append(f"{column}: {relation} of {what} among the inputs, which `allow` lets in.")
                elif not classes and _monotone(x[:, number], y):
                    notes.append(f"{column}: grows or falls strictly with {what} (correlation {alike[number]:.4f}).")
                elif abs(alike[number]) > ALIKE:
                    notes.append(f"{column}: has a correlation of {alike[number]:.4f} with {what}.")


def _correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation of each column of x [R, C] with y [R] over the rows where it is known; 0 where there is none."""
    there = ~np.isnan(x)
    if there.all():
        centred, weight = x - x.mean(axis=0), None
    else:
        count = np.maximum(there.sum(axis=0), 1)
        centred, weight = np.where(there, x - np.where(there, x, 0).sum(axis=0) / count, 0), there.astype(np.float64)
    largest = np.abs(centred).max(axis=0)
    centred = centred / np.where(largest > 0, largest, 1)  # Squares of 1e200 are no numbers.
    level = y - y.mean()
    level = level / np.abs(level).max()
    both = level @ centred
    if weight is None:
        spread = level @ level
    else:
        # Columns are centred where they are known: the level of y there drops out of the product, not of its square.
        spread = level**2 @ weight - (level @ weight) ** 2 / np.maximum(weight.sum(axis=0), 1)
    scale = np.sqrt((centred**2).sum(axis=0) * spread)
    return np.divide(both, scale, out=np.zeros(x.shape[1]), where=scale > 0)


def _spread(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """FEW rows, evenly spread, in the order of y."""
    rows = np.linspace(0, len(y) - 1, min(FEW, len(y))).astype(int)
    rows = rows[np.argsort(y[rows], kind="stable")]
    return x[rows], y[rows]


def _may_be_monotone(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Columns of a few rows, ordered by y, that may grow or fall strictly with it."""
    steps, ties = np.diff(x, axis=0), np.diff(y) == 0
    still = (np.isnan(steps[ties]) | (steps[ties] == 0)).all(axis=0)
    moves = steps[~ties]
    up, down = (np.isnan(moves) | (moves > 0)).all(axis=0), (np.isnan(moves) | (moves < 0)).all(axis=0)
    return still & (up | down) & ~np.isnan(x).all(axis=0)


def _may_be_named(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Columns of a few rows, ordered by y, that may have one value for each value of y."""
    ties = np.diff(y) == 0
    steps = np.diff(x, axis=0)
    changes = np.isnan(steps) | (steps != 0)
    return (np.isnan(steps[ties]) | (steps[ties] == 0)).all(axis=0) & changes[~ties].all(axis=0)


def _relation(x: np.ndarray, y: np.ndarray, named: bool, classes: bool) -> str | None:
    """How a column is the target under another name; None where it is not."""
    both = ~np.isnan(x)
    if 2 * both.sum() < len(y):
        return None
    x, y = x[both], y[both]
    if not classes and np.array_equal(x, y):
        return "an exact copy"
    if not named:
        return None
    of_x, of_y = np.unique(x, return_inverse=True)[1], np.unique(y, return_inverse=True)[1]
    kinds = int(of_y.max()) + 1
    if kinds < 2 or int(of_x.max()) + 1 != kinds or len(np.unique(of_x * kinds + of_y)) != kinds:
        return None
    return "a copy with other names for the values" if not np.array_equal(x, y) else "an exact copy"


def _monotone(x: np.ndarray, y: np.ndarray) -> bool:
    """True where x grows or falls strictly with y."""
    both = ~np.isnan(x)
    if 2 * both.sum() < len(y):
        return False
    order = np.argsort(y[both], kind="stable")
    return bool(_may_be_monotone(x[both][order, None], y[both][order])[0])
