"""Error rates of `mtl advise` where the truth is known."""

import pytest

from benchmarks.advice import measure


@pytest.mark.slow
@pytest.mark.parametrize("relatedness", [0.0, 1.0])
def test_joint_training_is_recommended_on_related_plants_and_on_no_other(relatedness: float) -> None:
    """On none of five unrelated plants, though it helps on them by what it teaches the encoder; on all related ones."""
    found = measure(relatedness)
    assert [one.joint for one in found] == [relatedness == 1.0] * len(found), [one.advice for one in found]
    assert [bool(one.together) for one in found] == [relatedness == 1.0] * len(found)
