"""Can processes share a batch of this pretrainer? Asked once, before the first step."""

import math

import torch
from torch import Tensor

from mtl.data.loading.pools import Pool
from mtl.errors import UserError
from mtl.models.draws import Part, drawing_for
from mtl.models.pretraining import Pretrainer
from mtl.training.lookahead import random_state, set_random_state

SAME_LOSS = 1e-4
"""Relative difference up to which two sums of the same float32 numbers are the same loss."""


def check_divides(pretrainer: Pretrainer, pool: Pool, device: torch.device) -> None:
    """Makes sure that the loss of two windows is the mean of the loss of each: that a batch can be shared.

    Raises:
        UserError: an encoder of the user's mixes the samples of a batch, or draws random numbers by itself.
    """
    x = pool.batch((torch.arange(2) % len(pool)).to(device)).x
    random = random_state()
    with torch.no_grad():
        whole, after = float(pretrainer.loss(x)), random_state()
        apart = []
        for number in range(2):
            set_random_state(random)
            with drawing_for(Part(number, number + 1, 2)):
                apart.append(float(pretrainer.loss(x[number : number + 1])))
    drew_alike = all(map(_same, after, random_state()))
    set_random_state(random)
    mean = math.isclose(whole, sum(apart) / 2, rel_tol=SAME_LOSS, abs_tol=1e-9)
    if math.isfinite(whole) and not (drew_alike and mean):
        raise UserError(
            "`pretrain.processes` should be 1 for this encoder: its loss of two windows is not the mean of theirs, as "
            "with batch statistics, or with dropout other than mtl.models.dropout.drop."
        )


def _same(first: Tensor | None, second: Tensor | None) -> bool:
    """Compares two random states of a CPU or a GPU; each may be absent."""
    return first is second if first is None or second is None else torch.equal(first, second)
