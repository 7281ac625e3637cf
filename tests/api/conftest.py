"""A comparison on a small table, made once for all tests of the Python API."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtl
from mtl.api.result import Result

ROWS = 120
QUICK: dict[str, Any] = {
    "epochs": 1,
    "seeds": 2,
    "encoder": {"kind": "mlp", "sizes": [8]},
    "settings": {"simple.models": ["ridge"], "tracking.enabled": False, "base.device": "cpu"},
}
"""Arguments with which a comparison takes a moment."""


def unchecked(function: Any) -> Any:
    """The function as users have it, without the checks of argument types that tests add."""
    return getattr(function, "__wrapped__", function)


def wines() -> pd.DataFrame:
    """Numbers, names, yes and no, dates and a row number; a quality, and whether it is good."""
    drawn = np.random.default_rng(0)
    x = drawn.normal(size=(ROWS, 3))
    quality = x[:, 0] + x[:, 1] + 0.2 * drawn.normal(size=ROWS)
    sold = pd.Timestamp("2024-01-01") + pd.to_timedelta(drawn.integers(0, 300, ROWS), unit="D")
    return pd.DataFrame({
        "acid": x[:, 0], "sugar (g)": x[:, 1], "ash": x[:, 2], "grape": drawn.choice(["red", "white", "rosé"], ROWS),
        "organic": drawn.choice([True, False], ROWS), "sold": sold, "number": np.arange(ROWS),
        "quality": quality, "good": np.where(quality > 0, "yes", "no"),
    })  # fmt: skip


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    return wines()


@pytest.fixture(scope="session")
def result(frame: pd.DataFrame) -> Result:
    """Two tasks, two methods, two seeds."""
    return mtl.compare(frame, {"quality": "regression", "good": "binary"}, methods=["equal", "upgrad"], **QUICK)
