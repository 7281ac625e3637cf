"""A table with a column of every sort, in a folder that is the current one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROWS = 200


def own_table() -> pd.DataFrame:
    """Three numbers, groups, names, whole numbers, and columns that are no inputs or give a target away."""
    drawn = np.random.default_rng(0)
    x = drawn.normal(size=(ROWS, 3))
    grade = np.clip(np.round(x[:, 1] * 1.5 + 3), 1, 5).astype(int)
    return pd.DataFrame({
        "a": x[:, 0], "width (cm)": x[:, 1], "c,d": x[:, 2],
        "patient_id": drawn.integers(0, 30, ROWS),
        "smoker": np.where(x[:, 0] > 0.3, "yes", "no"),
        "town": drawn.choice(["Ulm", "Jena", "Bonn, West"], ROWS),
        "grade": grade, "copy": [f"grade {2 * value}" for value in grade],
        "price": x @ [1, 2, 3] + drawn.normal(size=ROWS), "count": drawn.integers(0, 10**6, ROWS),
        "id": np.arange(ROWS), "same": 1, "note": [f"some words of a sentence {row} here" for row in range(ROWS)],
    })  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, with own.csv."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTL_ESTIMATE", "no")
    own_table().to_csv("own.csv", index=False)
    return tmp_path
