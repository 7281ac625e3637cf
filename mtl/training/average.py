"""An exponential moving average of the weights over the steps: the network that is validated, kept and tested.

θ̄ ← d·θ̄ + (1 − d)·θ after step t = 1, 2, …, with d = min(decay, (1 + t)/(10 + t)), so that the first weights, which are
random, are soon forgotten (as in TensorFlow's ExponentialMovingAverage). Such an average often generalises as several
networks do together, at the price of one (Polyak & Juditsky 1992; Izmailov et al. 2018, arXiv 1803.05407).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average(nn.Module):
    """The averaged copy of a network, which is trained without knowing of it. All that it holds are buffers.

    Running statistics, as those of batch norm, are averaged like weights; what is no float is copied.

    Args:
        model: the network, on its device.
        decay: d once the average is long; the larger, the longer.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        # Not the network itself: as a submodule its weights would be this one's too. These tensors are its own.
        self._trained = list(model.state_dict().values())
        for name, tensor in model.state_dict().items():
            self.register_buffer(name.replace(".", "/"), tensor.detach().clone())
        # On the CPU, where nobody waits for an accelerator to read it.
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def _pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(average, what the network holds)."""
        averages = (tensor for name, tensor in self.named_buffers() if name != "steps")
        return zip(averages, self._trained, strict=True)

    @torch.no_grad()
    def update(self) -> None:
        """Takes in the weights after a step."""
        step = int(self.steps.add_(1))
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        floats = [pair for pair in self._pairs() if pair[0].is_floating_point()]
        torch._foreach_lerp_([average for average, _ in floats], [trained for _, trained in floats], share)
        for average, trained in self._pairs():
            if not average.is_floating_point():
                average.copy_(trained)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Context in which the network carries the averaged weights."""
        kept = [tensor.clone() for tensor in self._trained]
        for average, trained in self._pairs():
            trained.copy_(average)
        try:
            yield
        finally:
            for trained, weights in zip(self._trained, kept, strict=True):
                trained.copy_(weights)
