"""Shares of a batch, counts of every step, passes through pools, and the pairing of single-task and joint runs."""

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl.config import SamplerConfig
from mtl.data.loading.sampling import JointPlan, shares, shuffled

Step = dict[str, list[int]]


def sampler(**values: Any) -> SamplerConfig:
    return SamplerConfig.model_validate(values)


def plan(sizes: list[int], batch: int = 16, seed: int = 0, **values: Any) -> JointPlan:
    return JointPlan({f"p{i}": n for i, n in enumerate(sizes)}, batch, sampler(**values), seed)


def steps(drawn: JointPlan, number: int, first: int = 0) -> list[list[Step]]:
    return [[{name: index.tolist() for name, index in step.items()} for step in epoch]
            for epoch in drawn.epochs(number, first)]  # fmt: skip


@pytest.mark.parametrize(
    ("settings_", "small", "exact_to"),
    [
        ({"kind": "uniform"}, 0.5, 0),
        ({"kind": "proportional"}, 1 / 1001, 1e-12),
        ({"kind": "temperature", "temperature": 1.0}, 1 / 1001, 1e-12),
        ({"kind": "temperature", "temperature": 2.0}, 0.031, 5e-4),
        ({"kind": "temperature", "temperature": 0.5}, 0.000001, 5e-7),
        ({"kind": "temperature", "temperature": 1e9}, 0.5, 1e-8),
    ],
)
def test_shares(settings_: dict[str, Any], small: float, exact_to: float) -> None:
    assert shares([1_000_000, 1000], sampler(**settings_)) == pytest.approx([1 - small, small], rel=0, abs=exact_to)


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=8), st.floats(0.2, 50))
def test_a_higher_temperature_is_flatter(sizes: list[int], temperature: float) -> None:
    cool, warm = (shares(sizes, sampler(kind="temperature", temperature=t)) for t in (temperature, 1.5 * temperature))
    assert sum(cool) == pytest.approx(1)
    assert max(warm) <= max(cool) + 1e-12 and min(warm) >= min(cool) - 1e-12


SIZES = st.lists(st.integers(1, 300), min_size=1, max_size=6)
KINDS = st.sampled_from([{"kind": "uniform"}, {"kind": "proportional"}, {"kind": "temperature", "temperature": 3.0}])


@settings(deadline=None, max_examples=40)
@given(SIZES, st.integers(2, 24), KINDS)
def test_largest_remainder_keeps_every_total_near_its_quota(sizes: list[int], batch: int, kind: dict[str, Any]) -> None:
    drawn = plan(sizes, batch, **kind)
    quotas = [batch * share for share in shares(sizes, drawn.sampler)]
    totals = [0] * len(sizes)
    done = 0
    for epoch in steps(drawn, 2):
        assert len(epoch) == drawn.steps_per_epoch == math.ceil(sum(sizes) / batch)
        for step in epoch:
            done += 1
            counts = [len(step.get(f"p{i}", [])) for i in range(len(sizes))]
            assert sum(counts) == batch
            assert all(len(index) > 0 for index in step.values()), "a pool without a sample is absent"
            totals = [have + more for have, more in zip(totals, counts, strict=True)]
            assert all(abs(have - done * quota) < 1.25 for have, quota in zip(totals, quotas, strict=True))


def test_no_pool_starves() -> None:
    # A quota of 16 · 10 / 10,010 samples a step: floor would give the small pool nothing, ever.
    drawn = plan([10_000, 10], kind="proportional")
    counts = Counter(name for epoch in steps(drawn, 2) for step in epoch for name in step)
    assert drawn.steps_per_epoch == 626
    assert counts["p1"] == 20
    held = [number for number, step in enumerate(next(iter(steps(drawn, 1)))) if "p1" in step]
    gaps = [later - earlier for earlier, later in pairwise(held)]
    assert max(gaps) - min(gaps) <= 1, "spread evenly over the epoch"


def test_whole_quotas_are_the_same_in_every_step() -> None:
    counts = {tuple(len(step[f"p{i}"]) for i in range(3)) for step in steps(plan([300, 20, 5], 24), 1)[0]}
    assert counts == {(8, 8, 8)}


def test_multinomial_counts_have_the_right_mean_and_spread() -> None:
    drawn = plan([3000, 1000], 20, kind="proportional", allocation="multinomial")
    counts = torch.tensor([len(step.get("p1", [])) for epoch in steps(drawn, 5) for step in epoch]).double()
    assert len(counts) == 1000
    # Binomial(20, ¼): mean 5, variance 3.75; six standard errors either way.
    assert counts.mean().item() == pytest.approx(5, abs=6 * math.sqrt(3.75 / 1000))
    assert counts.var().item() == pytest.approx(3.75, rel=0.3)
    assert all(sum(map(len, step.values())) == 20 for epoch in steps(drawn, 1) for step in epoch)
    first, second = steps(drawn, 2)
    assert [len(step["p0"]) for step in first] != [len(step["p0"]) for step in second]


@settings(deadline=None, max_examples=25)
@given(SIZES, st.integers(2, 24), KINDS, st.sampled_from(["largest_remainder", "multinomial"]))
def test_every_pass_through_a_pool_is_a_permutation(
    sizes: list[int], batch: int, kind: dict[str, Any], allocation: str
) -> None:
    drawn = plan(sizes, batch, allocation=allocation, **kind)
    for name, size in drawn.sizes.items():
        stream = [i for epoch in steps(drawn, 3) for step in epoch for i in step.get(name, [])]
        for begin in range(0, len(stream) - size + 1, size):
            assert sorted(stream[begin : begin + size]) == list(range(size))
        rest = stream[len(stream) - len(stream) % size :]
        assert len(set(rest)) == len(rest)


def test_passes_pools_and_seeds_differ_and_a_seed_repeats() -> None:
    def streams(seed: int) -> dict[str, list[int]]:
        epochs = steps(plan([64, 64], 16, seed), 2)
        return {name: [i for epoch in epochs for step in epoch for i in step[name]] for name in ("p0", "p1")}

    found = streams(0)
    assert len(found["p0"]) == 128
    assert found["p0"][:64] != found["p0"][64:]
    assert found["p0"] != found["p1"]
    assert found["p0"] != streams(1)["p0"]
    assert found == streams(0)


@pytest.mark.parametrize("allocation", ["largest_remainder", "multinomial"])
@pytest.mark.parametrize("sizes", [[100, 40, 7], [64, 32]])
def test_later_epochs_do_not_depend_on_where_the_plan_is_taken_up(sizes: list[int], allocation: str) -> None:
    drawn = plan(sizes, 9, kind="temperature", allocation=allocation)
    whole = steps(drawn, 5)
    for first in range(6):
        assert steps(drawn, 5, first) == whole[first:]
    assert steps(drawn, 3) == whole[:3], "a longer plan begins like a shorter one"


@settings(deadline=None, max_examples=30)
@given(SIZES, st.integers(2, 24), KINDS, st.data())
def test_a_run_over_some_pools_gets_their_part_of_the_plan(
    sizes: list[int], batch: int, kind: dict[str, Any], data: st.DataObject
) -> None:
    drawn = plan(sizes, batch, **kind)
    chosen = data.draw(st.lists(st.sampled_from(list(drawn.sizes)), min_size=1, unique=True))
    whole = steps(drawn, 2)
    held = [sum(any(name in step for name in chosen) for step in epoch) for epoch in whole]
    assert drawn.active_steps(chosen, 2) == held
    assert drawn.active_steps(list(drawn.sizes), 2) == [drawn.steps_per_epoch] * 2


@pytest.mark.parametrize(
    ("kind", "epoch", "expected"),
    [
        ("uniform", "total", 70),  # 1120 samples in batches of 16
        ("uniform", "largest", 125),  # 1000 at 8 a step
        ("uniform", "smallest", 15),  # 120 at 8 a step
        ("proportional", "total", 70),
        ("proportional", "largest", 70),  # proportional shares use all pools up together
        ("proportional", "smallest", 70),
    ],
)
def test_the_sampler_states_the_length_of_an_epoch(kind: str, epoch: str, expected: int) -> None:
    drawn = plan([1000, 120], kind=kind, epoch=epoch)
    assert drawn.steps_per_epoch == expected
    assert len(steps(drawn, 1)[0]) == expected


def test_the_last_pass_of_the_largest_pool_is_whole() -> None:
    (epoch,) = steps(plan([100, 30], epoch="largest"), 1)
    assert {i for step in epoch for i in step["p0"]} == set(range(100))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 500), st.integers(1, 40), st.integers(1, 6))
def test_a_pass_of_blocks_holds_each_sample_once_and_mixes_a_buffer_at_a_time(
    size: int, block: int, buffer: int
) -> None:
    """Every stretch of `buffer` blocks' worth of samples comes from so many blocks alone."""
    config = sampler(shuffle="blocks", block=block, buffer=buffer)
    order = shuffled(size, config, torch.Generator().manual_seed(5)).tolist()
    assert sorted(order) == list(range(size))
    visited = [number // block for number in order]
    groups, left = [], list(dict.fromkeys(visited))
    while left:
        some = set(left[:buffer])
        count = sum(number in some for number in visited)
        groups.append((some, count))
        left = [number for number in left if number not in some]
    begin = 0
    for some, count in groups if size > block else []:
        assert set(visited[begin : begin + count]) == some, "a block is read in one stretch, and never again"
        begin += count


def test_orders_of_blocks_differ_by_pass_and_not_by_run() -> None:
    drawn = plan([400], batch=100, shuffle="blocks", block=10, buffer=3)
    first, second = ([number for step in epoch for number in step["p0"]] for epoch in steps(drawn, 2))
    assert sorted(first) == sorted(second) == list(range(400)) and first != second
    again = plan([400], batch=100, shuffle="blocks", block=10, buffer=3)
    assert [number for step in steps(again, 2, first=1)[0] for number in step["p0"]] == second
    assert first[:10] != sorted(first[:10]), "samples of a buffer are mixed"


def test_where_a_pool_is_one_block_its_order_is_the_exact_one() -> None:
    exact, blocks = plan([50], batch=10), plan([50], batch=10, shuffle="blocks", block=50)
    assert steps(exact, 2) == steps(blocks, 2)


LENGTHS = {"p0": torch.randint(1, 90, (230,), generator=torch.Generator().manual_seed(0)), "p1": torch.arange(40)}


def bucketed(several: int | None) -> JointPlan:
    return JointPlan({"p0": 230, "p1": 40}, 16, sampler(bucket_steps=several, kind="proportional"), 3, lengths=LENGTHS)


@pytest.mark.parametrize("several", [2, 5, 100])
def test_buckets_hold_the_same_samples_in_the_same_numbers(several: int) -> None:
    plain, sorted_ = steps(bucketed(None), 3), steps(bucketed(several), 3)
    assert sorted_ != plain
    for before, after in zip(plain, sorted_, strict=True):
        assert [{name: len(own) for name, own in step.items()} for step in before] == [
            {name: len(own) for name, own in step.items()} for step in after
        ]
        for first in range(0, len(before), several):
            for name in ("p0", "p1"):
                some, dealt = (
                    [sample for step in epoch[first : first + several] for sample in step.get(name, [])]
                    for epoch in (before, after)
                )
                assert sorted(some) == sorted(dealt)


def test_buckets_spare_most_of_the_padding() -> None:
    def places(plan_: JointPlan) -> int:
        own = LENGTHS["p0"]
        return sum(int(own[step["p0"]].max()) * len(step["p0"]) for epoch in plan_.epochs(2) for step in epoch)

    tokens = sum(int(LENGTHS["p0"][step["p0"]].sum()) for epoch in bucketed(None).epochs(2) for step in epoch)
    assert places(bucketed(18)) - tokens < (places(bucketed(None)) - tokens) / 4


def test_buckets_take_their_turns_at_random_and_a_run_resumes_in_them() -> None:
    whole = steps(bucketed(18), 3)
    longest = [[max(LENGTHS["p0"][step["p0"]].tolist()) for step in epoch] for epoch in whole]
    assert longest[0] != sorted(longest[0]) and longest[0] != longest[1]
    assert steps(bucketed(18), 3, first=1) == whole[1:]


def test_samples_of_one_shape_are_not_sorted() -> None:
    alone = JointPlan({"p0": 230}, 16, sampler(bucket_steps=5), 3)
    assert steps(alone, 1) == steps(JointPlan({"p0": 230}, 16, sampler(), 3), 1)


@pytest.mark.parametrize("shuffle", [{}, {"shuffle": "blocks", "block": 7, "buffer": 3}])
def test_an_order_takes_four_bytes_a_sample(shuffle: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """And is that of eight, which a pool of more samples than four bytes can number has."""
    narrow = shuffled(100, sampler(**shuffle), torch.Generator().manual_seed(1))
    assert narrow.dtype == torch.int32 and sorted(narrow.tolist()) == list(range(100))
    if not shuffle:
        assert narrow.tolist() == torch.randperm(100, generator=torch.Generator().manual_seed(1)).tolist()


def test_steps_are_looked_up_one_by_one() -> None:
    drawn = plan([50, 20], batch=8, kind="proportional")
    steps_ = next(drawn.epochs(1))
    assert len(steps_) == len(steps_[2:]) + 2 == drawn.steps_per_epoch
    assert {index.dtype for step in steps_ for index in step.values()} == {torch.int64}
    assert all(torch.equal(a[name], b[name]) for a, b in zip(steps_[2:], list(steps_)[2:], strict=True) for name in a)


def test_a_run_takes_the_steps_and_samples_of_its_own_pools() -> None:
    drawn = plan([500, 3], batch=8, kind="proportional", allocation="multinomial")
    every = [step for step in next(drawn.epochs(1)) if "p1" in step]
    own = next(drawn.epochs(1, only=["p1"]))
    assert 0 < len(own) < drawn.steps_per_epoch
    assert [step["p1"].tolist() for step in own] == [step["p1"].tolist() for step in every]
    assert all(set(step) == {"p1"} for step in own)
