"""Numbers for a part of a batch are those of the same samples in the whole batch, bit for bit."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mtl.models.draws import Part, drawing_for, drawn
from mtl.models.dropout import drop
from mtl.models.pretraining import noise_like

WHOLE = 7
CUTS = [(0, 1), (1, 4), (4, 7)]
SEQUENCES = 3
"""Rows for each sample, as channels are."""


def masks(x: Tensor) -> Tensor:
    return drop(torch.ones_like(x), 0.3)


def noise(x: Tensor) -> Tensor:
    return noise_like(x, None)


def seeded_noise(x: Tensor) -> Tensor:
    return noise_like(x, torch.Generator().manual_seed(5))


@pytest.mark.parametrize("draw", [masks, noise, seeded_noise])
def test_the_parts_make_the_whole(draw: Callable[[Tensor], Tensor]) -> None:
    x = torch.zeros(WHOLE * SEQUENCES, 5, 2)
    torch.manual_seed(1)
    whole = draw(x)
    after = torch.get_rng_state()
    parts = []
    for begin, end in CUTS:
        torch.manual_seed(1)
        with drawing_for(Part(begin, end, WHOLE)):
            parts.append(draw(x[: (end - begin) * SEQUENCES]))
        assert torch.equal(torch.get_rng_state(), after), "the generator goes on as if it had drawn for all"
    assert torch.equal(torch.cat(parts), whole)
    assert len(whole.unique()) > 1


def test_a_part_that_is_the_whole_draws_as_ever_and_parts_end() -> None:
    shapes: list[tuple[int, ...]] = []

    def note(shape: tuple[int, ...]) -> Tensor:
        shapes.append(tuple(shape))
        return torch.zeros(shape)

    with drawing_for(Part(0, WHOLE, WHOLE)):
        drawn((WHOLE, 2), note)
    with pytest.raises(RuntimeError, match="inside"), drawing_for(Part(0, 2, WHOLE)):
        assert drawn((4, 2), note).shape == (4, 2)
        raise RuntimeError("inside")
    drawn((3, 2), note)
    assert shapes == [(WHOLE, 2), (2 * WHOLE, 2), (3, 2)]
