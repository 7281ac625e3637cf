"""Columns that are no inputs although they stand in a table: row numbers, ids, and copies of what is to be predicted.

The same for every source that reads a table. R rows, C columns, k classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtl.data.columns.names import COUNTER_NAME, has_id_name, may_be_read
from mtl.errors import DataError

SURE = 100
"""Rows in which a column that counts is a row number, whatever its name: in a shorter table it may be a ramp."""
MOSTLY = 0.9
"""Share of the steps of a row number that are one step, where rows were taken out of a table."""


@dataclass(frozen=True)
class NoInput:
    """A column that is left out of the inputs.

    Args:
        reason: a clause that completes "left out: …".
        sure: its name says so as well.
    """

    reason: str
    sure: bool


def no_inputs(frame: pd.DataFrame, candidates: Sequence[str]) -> dict[str, NoInput]:
    """The columns among the candidates that tell a row from the others and nothing else: row numbers and ids.

    A column that counts is taken for a row number if it has no name, the name of one, or 100 rows and more; whole
    numbers that differ in every row for an id if they have no name or the name of an id, or are the row numbers in
    another order; text for an id if it differs in every row.

    Args:
        frame: [R] rows, cells as they were read.
        candidates: columns that nothing else is asked of.
    """
    left_out = {}
    for column in candidates:
        cells = frame[column]
        if pd.api.types.is_bool_dtype(cells):
            continue
        if pd.api.types.is_numeric_dtype(cells):
            verdict = _of_numbers(column, cells.to_numpy(dtype=np.float64, na_value=np.nan))
        else:
            verdict = _of_text(column, cells)
        if verdict is not None:
            left_out[column] = verdict
    return left_out


def _of_numbers(column: str, values: np.ndarray) -> NoInput | None:
    named = has_id_name(column)
    known = np.isfinite(values)
    # A cell of a row number that was lost is missing, not infinite.
    if not known.all():
        return _of_known(column, values, known, named)
    count = len(values)
    if count < 3:
        return None
    if _even_steps(values[:SURE]) and _even_steps(values):
        step = (values[-1] - values[0]) / (count - 1)
        by = "" if step == 1 else f" in steps of {step:g}"
        counter = named or COUNTER_NAME.fullmatch(column.strip().lower()) is not None
        return NoInput(f"it counts the rows{by}", named) if counter or count >= SURE else None
    if not _whole(values[:SURE]) or not _whole(values):
        return None
    renumbered = values.max() - values.min() == count - 1
    if not named and count >= SURE and _counts_with_gaps(values):
        return NoInput("it counts the rows, some of which are not there", False)
    if not (named or (renumbered and count >= SURE)):
        return None
    if len(np.unique(values)) == count:
        return NoInput("it is a number of its own in every row", named)
    if (np.diff(values) == 1).mean() > 0.5:
        return NoInput("it counts the rows, several times from the start", named)
    return None


def _of_known(column: str, values: np.ndarray, known: np.ndarray, named: bool) -> NoInput | None:
    """The verdict on a column with missing cells: it may count the rows in all others."""
    rows = np.flatnonzero(known)
    if np.isinf(values).any() or len(rows) < max(SURE, len(values) / 2):
        return None
    steps = np.diff(values[rows]) / np.diff(rows)
    if steps[0] == 0 or np.abs(steps - steps[0]).max() > 1e-9 * abs(steps[0]):
        return None
    return NoInput("it counts the rows" + ("" if steps[0] == 1 else f" in steps of {steps[0]:g}"), named)


def _counts_with_gaps(values: np.ndarray) -> bool:
    """True for whole numbers that grow, or fall, by one step nearly always and by more where rows were taken out."""
    steps = np.diff(values)
    if not ((steps > 0).all() or (steps < 0).all()):
        return False
    sizes = np.abs(steps)
    return bool((sizes == sizes.min()).mean() >= MOSTLY and (sizes % sizes.min() == 0).all())


def _of_text(column: str, cells: pd.Series) -> NoInput | None:
    known = cells.dropna()
    if len(known) < 3 or not all(isinstance(cell, str) for cell in known.iloc[:SURE]):
        return None
    few = known.iloc[:SURE].astype(str)
    if few.duplicated().any() or few.map(may_be_read).any():
        return None
    text = known.astype(str)
    if text.duplicated().any() or text.map(may_be_read).any():
        return None
    return NoInput("it is a text of its own in every row", True)


def _even_steps(values: np.ndarray) -> bool:
    """True for numbers that grow or fall by the same step in every row, but for rounding."""
    steps = np.diff(values)
    rounding = 8 * np.finfo(np.float64).eps * np.abs(values).max()
    return bool(steps[0] != 0 and np.abs(steps - steps[0]).max() <= max(1e-9 * abs(steps[0]), rounding))


def _whole(values: np.ndarray) -> bool:
    return bool((values == np.floor(values)).all())


def input_columns(
    frame: pd.DataFrame, candidates: Sequence[str], where: str, notes: list[str], remedy: str = "`values` takes it in"
) -> list[str]:
    """The candidates without row numbers and ids; each that is left out is added to the notes.

    A column that counts without the name of a row number stays where no other is left.

    Args:
        frame: the table.
        candidates: columns that nothing else is asked of.
        where: the file, for messages.
        notes: of the source.
        remedy: clause that says how a column is kept.

    Raises:
        DataError: no candidate is left.
    """
    left_out = no_inputs(frame, candidates)
    if candidates and len(left_out) == len(candidates):
        kept = [column for column in candidates if not left_out[column].sure]
        if not kept:
            column = candidates[0]
            raise DataError(
                f"{where}: should have a column to learn from beside row numbers and ids, found `{column}`, of which "
                f"{left_out[column].reason}; {remedy}."
            )
        for column in kept:
            verdict = left_out.pop(column)
            notes.append(f"{column}: {verdict.reason}, and stays only because there is no other input.")
    for column, verdict in left_out.items():
        name = column.strip() or "the column without a name"
        notes.append(f"{name}: left out of the inputs, for {verdict.reason}; {remedy}.")
    return [column for column in candidates if column not in left_out]


__all__ = ["NoInput", "has_id_name", "input_columns", "no_inputs"]
