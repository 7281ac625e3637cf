"""Inputs from which a label or a numeric target can be read off: copies, other names of its values, monotone maps.

R rows, C columns. Every row counts; a few of them decide which columns are worth a look at all rows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mtl.data.inputs import scratch
from mtl.data.inputs.label_hints import label_hints
from mtl.errors import CopyError
from mtl.types import NO_LABEL

ALIKE = 0.999
"""Correlation from which a column is told of."""
FEW = 1000
"""Rows that decide which columns are looked at whole."""
BLOCK, ROWS = 64, 1 << 16
"""Columns and rows that are looked at together: 32 MB."""
REMEDY = "let `values` name the other columns, or say `allow: [{column}]` if it is known before the {what} is"


class Behind(str):
    """Name of a column that a label is made from by a rule, and that no task learns as it is: a copy of it gives the
    label away."""


def check_copies(
    values: np.ndarray,
    columns: Sequence[str],
    targets: Mapping[str, np.ndarray],
    where: str,
    allow: Collection[str],
    notes: list[str],
    remedy: str = REMEDY,
    named: Collection[str] = (),
) -> None:
    """Refuses inputs that are a target or a label under another name, and notes those that come close.

    Args:
        values: [R, C] inputs of the rows at which the targets are known, NaN where missing.
        columns: their names.
        targets: name → [R] numbers with NaN, or class numbers (integers) with NO_LABEL; columns of the same name are
            not held against it. Of a name that is a `Behind`, copies alone are looked for.
        where: the file, for messages.
        allow: columns that may be a copy.
        notes: of the source.
        remedy: clause on what to do, with the fields `column` and `what` (label or target).
        named: columns whose numbers are names, so that their order and size mean nothing.

    Raises:
        CopyError: a column that `allow` does not name equals a target or a column behind a label, or has a value of its
            own for each value of it.
    """
    asked = [target for name, of_row in targets.items() if (target := _Target.of(name, of_row)) is not None]
    if not asked:
        return
    judged = {target.name: {target.name, *allow} for target in asked}
    for first in range(0, len(columns), BLOCK):
        block = values[:, first : first + BLOCK]
        for target, alike in zip(asked, _correlations(block, asked), strict=True):
            for number in np.flatnonzero(target.may_be(block, alike)).tolist():
                column = columns[first + number]
                if column != target.name:
                    x = block[target.known, number]
                    relation = _relation(x, target)
                    if relation is not None and column not in allow:
                        what = "label" if target.classes or target.behind else "target"
                        raise CopyError(
                            f"{where}, column `{column}`: is {relation} of {target.words}, which could be read off it: "
                            f"{remedy.format(column=column, what=what)}.",
                            column,
                            f"{relation} of {target.words}",
                        )
                    told = _remark(column, x, target, float(alike[number]), relation, column in named)
                    if told:
                        notes += told
                        judged[target.name].add(column)
    for target in asked:
        if target.classes and not target.behind:
            notes += label_hints(values, columns, target.name, targets[target.name], judged[target.name], named)


@dataclass(frozen=True)
class _Target:
    """A label or a numeric target that inputs are held against."""

    name: str
    classes: bool
    rows: np.ndarray
    """[R] values as they were given."""
    known: np.ndarray
    """[R] mask."""
    y: np.ndarray
    """Its values where it is known."""
    kinds: int
    """Different values."""
    behind: bool
    """No target itself: a label is made from it."""

    @classmethod
    def of(cls, name: str, target: np.ndarray) -> "_Target | None":
        """None for one that no column could be held against."""
        classes = target.dtype.kind in "iu"
        known = target != NO_LABEL if classes else ~np.isnan(target)
        y = target[known].astype(np.float64)
        kinds = len(np.unique(y))
        return (
            None if len(y) < 3 or kinds < 2 else cls(name, classes, target, known, y, kinds, isinstance(name, Behind))
        )

    @property
    def words(self) -> str:
        if self.behind:
            return f"the column `{self.name}`, which a label is made from"
        return f"the {'label' if self.classes else 'target'} `{self.name}`"

    @property
    def nameable(self) -> bool:
        """Several rows share a value: where nearly each is there once, any two columns are names of each other."""
        return 2 * self.kinds <= len(self.y)

    @cached_property
    def _mean_and_size(self) -> tuple[float, float]:
        """Mean of the values, and the largest distance of one from it."""
        mean = self.y.mean()
        return mean, max(self.y.max() - mean, mean - self.y.min())

    def levels(self, rows: slice) -> np.ndarray:
        """Values of some rows less the mean of all, at most 1 in size; 0 where missing."""
        mean, size = self._mean_and_size
        known = self.known[rows]
        levels = np.zeros(len(known))
        levels[known] = (self.rows[rows][known].astype(np.float64) - mean) / size
        return levels

    def may_be(self, block: np.ndarray, alike: np.ndarray) -> np.ndarray:
        """Columns of a block [R, C] that are worth a look, by their correlations and a few rows."""
        few = _spread(block, self.known, self.y)
        # The numbers of more than two classes have no size that a correlation could be with.
        asked = np.abs(alike) > ALIKE if not self.classes or self.kinds == 2 else np.zeros(len(alike), dtype=bool)
        asked |= _may_be_monotone(*few) if not self.classes else False
        return asked | (_may_be_named(*few) if self.nameable else False)


def _remark(column: str, x: np.ndarray, target: _Target, alike: float, relation: str | None, named: bool) -> list[str]:
    """At most one sentence, on a column that is the target under another name, as `allow` says, or that comes close."""
    if relation is not None:
        return [f"{column}: {relation} of {target.words} among the inputs, which `allow` lets in."]
    if target.behind or (named and len(np.unique(x[~np.isnan(x)])) > 2):
        return []
    if not target.classes and _monotone(x, target.y):
        return [f"{column}: grows or falls strictly with {target.words} (correlation {alike:.4f})."]
    if abs(alike) > ALIKE:
        return [f"{column}: has a correlation of {alike:.4f} with {target.words}."]
    return []


def _correlations(x: np.ndarray, targets: Sequence[_Target]) -> np.ndarray:
    """Correlations [T, C] of columns [R, C] with targets over the rows where both are known; 0 where there is none."""
    holes, count, total = False, np.zeros(x.shape[1]), np.zeros(x.shape[1])
    low, high = np.full(x.shape[1], np.nan), np.full(x.shape[1], np.nan)
    for rows in scratch.blocks(len(x), ROWS):
        part = x[rows]
        missing = np.isnan(part)
        holes |= bool(missing.any())
        count += len(part) - missing.sum(axis=0)
        total = total + np.where(missing, 0, part).sum(axis=0)
        low, high = np.fmin(low, np.fmin.reduce(part, axis=0)), np.fmax(high, np.fmax.reduce(part, axis=0))
    mean = total / np.maximum(count, 1)
    largest = np.nan_to_num(np.maximum(high - mean, mean - low))
    size = np.where(largest > 0, largest, 1)  # Squares of 1e200 are no numbers.
    together = of_x = of_y = both = squares = levelled = np.zeros((len(targets), 1))
    for rows in scratch.blocks(len(x), ROWS):
        part = x[rows]
        there = ~np.isnan(part)
        centred = np.where(there, (np.where(there, part, 0) - mean) / size, 0)
        known = np.stack([target.known[rows] for target in targets]).astype(np.float64)
        levels = np.stack([target.levels(rows) for target in targets])
        ones = there.astype(np.float64) if holes else np.ones((len(part), 1))
        together, of_x, of_y = together + known @ ones, of_x + known @ centred, of_y + levels @ ones
        both = both + levels @ centred
        squares, levelled = squares + known @ centred**2, levelled + levels**2 @ ones
    pairs = np.maximum(together, 1)
    both = both - of_x * of_y / pairs
    spread = (squares - of_x**2 / pairs) * (levelled - of_y**2 / pairs)
    correlations: np.ndarray = np.divide(
        both, np.sqrt(np.maximum(spread, 0)), out=np.zeros(both.shape), where=spread > 1e-18
    )
    return correlations


def _spread(x: np.ndarray, known: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """FEW of the known rows, evenly spread, in the order of y."""
    few = np.linspace(0, len(y) - 1, min(FEW, len(y))).astype(int)
    few = few[np.argsort(y[few], kind="stable")]
    return x[np.flatnonzero(known)[few]], y[few]


def _may_be_monotone(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Columns of a few rows, ordered by y, that may grow or fall strictly with it."""
    steps, ties = np.diff(x, axis=0), np.diff(y) == 0
    still = (np.isnan(steps[ties]) | (steps[ties] == 0)).all(axis=0)
    moves = steps[~ties]
    up, down = (np.isnan(moves) | (moves > 0)).all(axis=0), (np.isnan(moves) | (moves < 0)).all(axis=0)
    may_be: np.ndarray = still & (up | down) & ~np.isnan(x).all(axis=0)
    return may_be


def _may_be_named(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Columns of a few rows, ordered by y, that may have one value for each value of y."""
    ties = np.diff(y) == 0
    steps = np.diff(x, axis=0)
    changes = np.isnan(steps) | (steps != 0)
    may_be: np.ndarray = (np.isnan(steps[ties]) | (steps[ties] == 0)).all(axis=0) & changes[~ties].all(axis=0)
    return may_be


def _relation(x: np.ndarray, target: _Target) -> str | None:
    """The way in which a column is the target under another name, in words; None where it is not."""
    both, y = ~np.isnan(x), target.y
    if 2 * both.sum() < len(y):
        return None
    x, y = x[both], y[both]
    if not target.classes and np.array_equal(x, y):
        return "an exact copy"
    if not target.nameable:
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
