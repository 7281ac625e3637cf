"""Data maps: Welford's updates against the plain formulas, masks, forecasts, snapshots, and a state half-way."""

import copy

import pytest
import torch
from torch import Tensor

from mtl.grouping.datamap import PoolMap

LABELS, FORECASTS = ["up", "phase"], ["next"]
SAMPLES, EPOCHS = 37, 6


def passes(seed: int = 0, repeats: bool = False) -> list[list[tuple[Tensor, Tensor, Tensor, Tensor]]]:
    """For each epoch its passes: (index, p, right, error); with `repeats` samples come twice, in a pass as well."""
    dice = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(EPOCHS):
        order = torch.randperm(SAMPLES, generator=dice)
        if repeats:
            order = torch.cat([order, order[:5], order[:3]])
        chunks = order.split(16)
        found.append([
            (i, torch.rand(len(i), 2, generator=dice), torch.rand(len(i), 2, generator=dice) < 0.5,
             torch.rand(len(i), 1, generator=dice) * 3)
            for i in chunks
        ])  # fmt: skip
    return found


def recorded(found: PoolMap, epochs: list[list[tuple[Tensor, Tensor, Tensor, Tensor]]]) -> PoolMap:
    for number, steps in enumerate(epochs, start=1):
        for step in steps:
            found.update(number, *step)
        found.end_epoch(number)
    return found


def draws(epochs: list[list[tuple[Tensor, Tensor, Tensor, Tensor]]]) -> int:
    return sum(len(step[0]) for step in epochs[0])


@pytest.mark.parametrize("repeats", [False, True], ids=["once_an_epoch", "twice_in_a_pass"])
def test_a_map_is_the_mean_and_the_deviation_of_what_each_sample_got(repeats: bool) -> None:
    epochs = passes(repeats=repeats)
    found = recorded(PoolMap(LABELS, FORECASTS, SAMPLES, draws(epochs)), epochs)
    errors = torch.cat([step[3][:, 0] for step in epochs[0]])
    scale = errors.median()
    assert found.scale.tolist() == pytest.approx([scale.item()])
    assert found.tasks == ["up", "phase", "next"]
    values = found.values()
    for sample in range(SAMPLES):
        mine = [(p[i], right[i], error[i]) for steps in epochs for index, p, right, error in steps
                for i in (index == sample).nonzero().squeeze(1).tolist()]  # fmt: skip
        p = torch.stack([torch.cat([p, torch.exp(-error / (2 * scale))]) for p, _, error in mine]).double()
        right = torch.stack([torch.cat([right, error <= scale]) for _, right, error in mine]).double()
        torch.testing.assert_close(values[0, sample].double(), p.mean(dim=0), rtol=0, atol=1e-6)
        torch.testing.assert_close(values[1, sample].double(), p.std(dim=0, correction=0), rtol=0, atol=1e-6)
        torch.testing.assert_close(values[2, sample].double(), right.mean(dim=0), rtol=0, atol=1e-6)


def test_a_task_has_no_value_where_it_has_no_sample_and_that_moves_nothing() -> None:
    epochs = passes()
    valid = torch.ones(SAMPLES, 3, dtype=torch.bool)
    valid[::2, 2] = False  # the forecast
    valid[:20, 0] = False
    whole = recorded(PoolMap(LABELS, FORECASTS, SAMPLES, SAMPLES), epochs).values()
    found = recorded(PoolMap(LABELS, FORECASTS, SAMPLES, SAMPLES, valid), epochs)
    values = found.values()
    assert torch.isnan(values[:, ~valid]).all()
    assert torch.equal(values[:, :, :2][:, valid[:, :2]], whole[:, :, :2][:, valid[:, :2]])
    known = torch.cat([error[valid[index, 2]] for index, _, _, error in epochs[0]])
    assert found.scale.item() == known.median().item()


def test_a_sample_that_was_never_seen_is_masked() -> None:
    epochs = [[tuple(part[step[0] != 3] for part in step) for step in steps] for steps in passes()]
    found = recorded(PoolMap(LABELS, FORECASTS, SAMPLES, SAMPLES), epochs)  # type: ignore[arg-type]
    assert torch.isnan(found.values()[:, 3]).all()
    assert not found.known()[3].any() and found.known().sum() == (SAMPLES - 1) * 3


def test_snapshots_are_the_maps_of_shorter_trainings() -> None:
    epochs = passes()
    found = recorded(PoolMap(LABELS, FORECASTS, SAMPLES, SAMPLES, snapshots=(1, 4)), epochs)
    for place, length in enumerate((1, 4)):
        shorter = recorded(PoolMap(LABELS, FORECASTS, SAMPLES, SAMPLES), epochs[:length])
        assert torch.equal(found.kept[place], shorter.values())
        assert torch.equal(found.kept_count[place], shorter.count)


@pytest.mark.parametrize("stop", [(1, 0), (1, 2), (2, 1), (4, 0)])
def test_a_state_goes_on_bit_for_bit(stop: tuple[int, int]) -> None:
    epochs = passes(repeats=True)

    def fresh() -> PoolMap:
        return PoolMap(LABELS, FORECASTS, SAMPLES, draws(epochs), snapshots=(1, 3))

    whole, cut = recorded(fresh(), epochs), fresh()
    for number, steps in enumerate(epochs, start=1):
        for position, step in enumerate(steps):
            if (number, position) == stop:
                state = copy.deepcopy(cut.state_dict())
                cut = fresh()
                cut.load_state_dict(state)
            cut.update(number, *step)
        cut.end_epoch(number)
    assert all(torch.equal(a, b) or a.isnan().any() for a, b in zip(cut.buffers(), whole.buffers(), strict=True))
    torch.testing.assert_close(cut.values(), whole.values(), rtol=0, atol=0, equal_nan=True)


def test_a_forecast_that_is_exact_divides_by_nothing() -> None:
    found = PoolMap([], FORECASTS, 4, 4)
    index, nothing = torch.arange(4), torch.zeros(4, 0)
    for epoch in (1, 2):
        found.update(epoch, index, nothing, nothing.bool(), torch.tensor([[0.0], [0.0], [0.0], [1.0]]))
        found.end_epoch(epoch)
    assert found.values()[0, :, 0].tolist() == [1, 1, 1, 0]
    assert found.values()[1].eq(0).all()
