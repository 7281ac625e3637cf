"""Numbers that may stand for missing values."""

import numpy as np
import pytest

from mtl.data.columns.markers import likely_markers


@pytest.mark.parametrize(
    ("others", "told"),
    [
        pytest.param([19.0, 20.0, 21.5], True, id="far below"),
        pytest.param([-1500.0, 20.0, 1500.0], False, id="within the others"),
        pytest.param([20.0, 20.0, 20.0], False, id="a switch of two values"),
    ],
)
def test_a_marker_is_far_from_others_that_differ(others: list[float], told: bool) -> None:
    values = np.array([*others, -999.0, -999.0, np.nan])[:, None]
    assert [(marker.number, list(marker.rows)) for marker in likely_markers(values, ["t"])] == (
        [(-999.0, [3, 4])] if told else []
    )
