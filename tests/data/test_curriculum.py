"""Curriculum: pacing, the order by difficulty, and a plan that keeps its numbers and draws only what is in use."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl.config import SamplerConfig
from mtl.config.methods import Curriculum
from mtl.data.loading.curriculum import Easing, easiest_first, shares_in_use
from mtl.data.loading.sampling import JointPlan

curricula = st.builds(
    Curriculum,
    pacing=st.sampled_from(["linear", "root", "step"]),
    start=st.floats(0.05, 1.0),
    full=st.floats(0.1, 1.0),
    levels=st.integers(1, 6),
)


@settings(deadline=None)
@given(curricula, st.integers(1, 40))
def test_shares_begin_at_the_start_never_fall_and_reach_all(curriculum: Curriculum, epochs: int) -> None:
    shares = shares_in_use(curriculum, epochs)
    assert len(shares) == epochs and shares[0] == pytest.approx(curriculum.start)
    assert all(a <= b + 1e-12 for a, b in itertools.pairwise(shares)) and shares[-1] <= 1
    for epoch, share in enumerate(shares):
        if epoch >= curriculum.full * epochs:
            assert share == pytest.approx(1.0)


def test_pacing_by_hand() -> None:
    def shares(**settings: object) -> tuple[float, ...]:
        return shares_in_use(Curriculum.model_validate({"start": 0.2, "full": 0.8} | settings), 5)

    assert shares(pacing="linear") == pytest.approx((0.2, 0.4, 0.6, 0.8, 1.0))
    assert shares(pacing="root") == pytest.approx([math.sqrt(0.04 + 0.96 * t) for t in (0, 0.25, 0.5, 0.75, 1)])
    assert shares(pacing="step", levels=2) == pytest.approx((0.2, 0.2, 0.6, 0.6, 1.0))


def test_the_order_is_by_the_mean_rank_over_tasks_whatever_their_scale() -> None:
    nan = torch.nan
    # Ranks: task 0: 0, 1/3, 2/3, 1; task 1 (two samples): 1, 0. Means: 0, 2/3, 1/3, 1; the last has no target.
    losses = torch.tensor([[0.1, nan], [0.2, 1000.0], [0.3, 5.0], [9.0, nan], [nan, nan]])
    assert easiest_first(losses).tolist() == [0, 2, 1, 3, 4]
    assert easiest_first(torch.zeros(4, 2)).tolist() == [0, 1, 2, 3], "ties go by number"
    scaled = losses * torch.tensor([1e-6, 1e6])
    assert easiest_first(scaled).tolist() == easiest_first(losses).tolist()


@settings(deadline=None)
@given(st.integers(3, 60), st.integers(3, 60), st.integers(2, 16), st.integers(0, 5))
def test_an_eased_plan_keeps_its_numbers_and_draws_evenly_from_what_is_in_use(
    left: int, right: int, batch: int, seed: int
) -> None:
    sizes = {"left": left, "right": right}
    order = torch.randperm(left, generator=torch.Generator().manual_seed(seed))
    shares = (0.3, 0.65, 1.0)
    plain = JointPlan(sizes, batch, SamplerConfig(kind="proportional"), seed)
    eased = JointPlan(sizes, batch, SamplerConfig(kind="proportional"), seed, {"left": Easing(order, shares)})
    for epoch, (before, after) in enumerate(zip(plain.epochs(3), eased.epochs(3), strict=True)):
        assert [{k: len(v) for k, v in step.items()} for step in before] == [
            {k: len(v) for k, v in step.items()} for step in after
        ]
        assert all(torch.equal(a["right"], b["right"]) for a, b in zip(before, after, strict=True) if "right" in a), (
            "a pool without an easing is drawn as before"
        )
        drawn = torch.cat([step["left"] for step in after if "left" in step])
        used = math.ceil(shares[epoch] * left - 1e-9)
        assert set(drawn.tolist()) <= set(order[:used].tolist())
        counts = torch.bincount(drawn, minlength=left)[order[:used]]
        assert counts.max() - counts.min() <= 1
    assert [len(steps) for steps in eased.epochs(3)] == [len(steps) for steps in plain.epochs(3)]
    later = next(iter(eased.epochs(3, first=2)))
    assert all(
        torch.equal(a["left"], b["left"]) for a, b in zip(later, list(eased.epochs(3))[2], strict=True) if "left" in a
    )
