"""Texts of a column as numbers of the different ones, found block by block.

R rows.
"""

import numpy as np
import pandas as pd

from mtl.data.inputs import scratch


def factorized(cells: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Number of each of some texts [R] int32, -1 where one is missing, and the different ones in their order."""
    places: dict[str, int] = {}

    def numbers(rows: slice) -> np.ndarray:
        """Numbers of some rows."""
        codes, different = pd.factorize(cells.iloc[rows], use_na_sentinel=True)
        place = [places.setdefault(text, len(places)) for text in different.tolist()]
        return np.array([*place, -1], dtype=np.int32)[codes]

    made = scratch.filled(len(cells), np.int32, numbers)
    return made, list(places)
