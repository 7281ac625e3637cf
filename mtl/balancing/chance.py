"""Random numbers of a balancing method's own: restored with its state, and never torch's global ones."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Chance(nn.Module):
    """A stream of random numbers that depends on a seed and on how often it was used.

    The number of uses is a buffer, so that a run which goes on from a saved state draws what it would have drawn. It
    stays on the CPU wherever the method is moved.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.uses: Tensor
        self.register_buffer("uses", torch.zeros((), dtype=torch.int64))

    @contextmanager
    def own(self, device: torch.device | None = None) -> Iterator[None]:
        """Inside, torch's generators (of the CPU, and of `device`) are this stream; afterwards they are as before."""
        on_gpu = device is not None and device.type == "cuda"
        digest = hashlib.sha256(f"{self.seed}/{int(self.uses)}".encode()).digest()
        number = int.from_bytes(digest[:8], "little") % 2**63
        self.uses += 1
        with torch.random.fork_rng(devices=[device] if on_gpu else []):
            torch.default_generator.manual_seed(number)
            if on_gpu:
                torch.cuda.manual_seed(number)
            yield

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Chance":
        del fn, recurse
        return self
