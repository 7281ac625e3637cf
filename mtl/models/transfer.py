"""Pretrained weights into an encoder, with an account of every tensor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtl.errors import UserError
from mtl.models.base import Encoder


@dataclass(frozen=True)
class Transfer:
    """Names of the encoder's tensors that came from pretraining, and of those that keep their first values."""

    handed_over: list[str]
    fresh: list[str]


def hand_over(encoders: Sequence[Encoder], state: Mapping[str, Tensor]) -> Transfer:
    """Copies `state` (from `Pretrainer.transferable`) into every encoder of a trunk.

    An encoder may hold some of the stages only (branched sharing); together they hold all.

    Raises:
        UserError: A tensor is missing, has another shape, or has no place in any encoder; nothing is copied then.
    """
    wanted = [encoder.transferable() for encoder in encoders]
    places = {name for part in wanted for name in part}
    for name in sorted(places | state.keys()):
        if name not in state:
            raise UserError(f"The pretrained weights lack `{name}`; pretrain again with this `encoder` section.")
        if name not in places:
            raise UserError(f"The pretrained weights hold `{name}`, which this encoder does not have; pretrain again.")
        shape = next(part[name].shape for part in wanted if name in part)
        if state[name].shape != shape:
            raise UserError(
                f"`{name}` should have the shape {list(shape)} of this encoder, found "
                f"{list(state[name].shape)} in the pretrained weights; pretrain again with this `encoder` section."
            )
    with torch.no_grad():
        for part in wanted:
            for name, tensor in part.items():
                tensor.copy_(state[name])
    everything = {name: None for encoder in encoders for name in encoder.state_dict()}
    return Transfer([n for n in everything if n in places], [n for n in everything if n not in places])
