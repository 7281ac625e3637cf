"""Pretrained weights into an encoder, with an account of every tensor."""

from collections.abc import Mapping
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


def hand_over(encoder: Encoder, state: Mapping[str, Tensor]) -> Transfer:
    """Copies `state` (from `Pretrainer.transferable`) into `encoder`.

    Raises:
        UserError: A tensor is missing, has another shape, or has no place in the encoder; nothing is copied then.
    """
    wanted = encoder.transferable()
    for name in sorted(wanted.keys() | state.keys()):
        if name not in state:
            raise UserError(f"The pretrained weights lack `{name}`; pretrain again with this `encoder` section.")
        if name not in wanted:
            raise UserError(f"The pretrained weights hold `{name}`, which this encoder does not have; pretrain again.")
        if state[name].shape != wanted[name].shape:
            raise UserError(
                f"`{name}` should have the shape {list(wanted[name].shape)} of this encoder, found "
                f"{list(state[name].shape)} in the pretrained weights; pretrain again with this `encoder` section."
            )
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(state[name])
    everything = encoder.state_dict()
    return Transfer([n for n in everything if n in wanted], [n for n in everything if n not in wanted])
