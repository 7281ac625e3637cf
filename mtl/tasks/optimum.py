"""Rows of a source's known optimum for the samples of a task.

The oracle's row t holds what the best predictor says once rows ≤ t are known; a sample whose last input row is t is
scored with that row. n samples.
"""

from jaxtyping import Int
from torch import Tensor

from mtl.errors import DataError


def oracle_positions(length: int, oracle_from: int, last_rows: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Entries of an oracle of `length` rows, the first for the row `oracle_from`, that belong to samples.

    Raises:
        DataError: the oracle does not reach a sample.
    """
    positions = last_rows - oracle_from
    outside = (positions < 0) | (positions >= length)
    if bool(outside.any()):
        row, last = int(last_rows[outside][0]), oracle_from + length - 1
        raise DataError(f"The optimum is known for rows {oracle_from} to {last}, found a sample that ends at {row}.")
    return positions
