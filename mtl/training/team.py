"""The processes that share each batch of one training: data-parallel, and exact.

Every process holds the same weights, optimiser state and random state; of each step's samples it takes a part, and
one all-reduce a step adds up the gradients. Losses are weighted by samples, not averaged over processes, so parts may
be unequal. `mtl.models.draws` gives each sample the random numbers that it has in a single process: the number of
processes changes the order of sums and nothing else. Every step is one flat all-reduce instead of torch's
DistributedDataParallel: that one averages over processes and knows one forward pass a step, here there is one for
each pool.
"""

import hashlib
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mtl.errors import UserError
from mtl.models.draws import Part
from mtl.training.checkpoint import Checkpoint, Saved
from mtl.training.lookahead import random_state


class LostProcessError(UserError):
    """Another process of the team has ended or cannot be reached."""


@dataclass(frozen=True)
class Share(Part):
    """The samples of a batch that this process computes."""

    own: int
    """How many of them count: all, or none where the batch has fewer samples than there are processes. Then one is
    computed all the same, with weight 0, since its random numbers must be drawn and its collectives answered."""


@dataclass(frozen=True)
class Team:
    """This process, `rank` of `size`."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """True for the process that writes files and prints."""
        return self.rank == 0

    def share(self, count: int, before: int = 0) -> Share:
        """This process's part of `count` samples, of which `before` others stand earlier in the same step.

        Numbers are dealt out like cards, and the next pool goes on with the next process: over all pools of a step
        nobody has more than one sample more than another.
        """
        each, left = divmod(count, self.size)
        more = [(rank - before) % self.size < left for rank in range(self.size)]
        begin, own = each * self.rank + sum(more[: self.rank]), each + more[self.rank]
        if own == 0:
            begin = min(begin, count - 1)
        return Share(begin, begin + max(own, 1), count, own)

    def add_up(self, parameters: Iterable[nn.Parameter], loss: Tensor) -> None:
        """Sums the gradients and the loss [1] over the processes, in place."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([loss, *(gradient.flatten() for gradient in gradients)])
        with answered():
            dist.all_reduce(flat)
        loss.copy_(flat[:1])
        for gradient, summed in zip(gradients, torch.split(flat[1:], [g.numel() for g in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))

    def total(self, value: Tensor) -> Tensor:
        """The sum of a number over the processes."""
        if self.size > 1:
            with answered():
                dist.all_reduce(value)
        return value

    def agree(self, facts: Mapping[str, str], device: torch.device) -> None:
        """Makes sure that every process starts from the same.

        Raises:
            UserError: in one of them a fact has another value; says in which and which fact.
        """
        mine = torch.tensor([list(hashlib.sha256(value.encode()).digest()) for value in facts.values()])
        for rank, theirs in enumerate(self._gathered(mine.to(device))):
            for name, there, here in zip(facts, theirs, mine.to(device), strict=True):
                if not torch.equal(there, here):
                    raise UserError(
                        f"process {rank} of the pretraining has another {name} than process {self.rank}: every machine "
                        "needs the same code, params.yaml, plugins/, data/prepared and torch."
                    )

    def check_replicas(self, modules: Mapping[str, nn.Module], device: torch.device) -> None:
        """Makes sure that every process still holds the same weights and random state.

        Raises:
            UserError: they have come apart.
        """
        if self.size == 1:
            return
        crc = 0
        for state in random_state():
            crc = zlib.crc32(b"" if state is None else state.numpy().tobytes(), crc)
        for label, module in modules.items():
            for name, tensor in module.state_dict().items():
                crc = zlib.crc32(f"{label}/{name}".encode(), crc)
                crc = zlib.crc32(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes(), crc)
        sums = [int(value) for value in self._gathered(torch.tensor(crc, device=device))]
        if len(set(sums)) > 1:
            other = next(rank for rank, value in enumerate(sums) if value != sums[0])
            raise UserError(
                f"the weights of process {other} are no longer those of process 0: their machines round differently, "
                "as processors of two kinds do (ATEN_CPU_CAPABILITY=avx2 on all of them makes them alike)."
            )

    def load(
        self, checkpoint: Checkpoint, modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer
    ) -> Saved | None:
        """Restores every process from the state file of process 0, the only one that has one."""
        if self.size == 1:
            return checkpoint.load(modules, optimiser)
        saved = checkpoint.load(modules, optimiser) if self.leads else None
        device = next(parameter for module in modules.values() for parameter in module.parameters()).device
        content = b""
        if saved is not None:
            assert checkpoint.path is not None
            content = checkpoint.path.read_bytes()
        content = self._from_first(content, device)
        if content and not self.leads:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "state.safetensors")
                path.write_bytes(content)
                saved = Checkpoint(path, checkpoint.key).load(modules, optimiser)
            assert saved is not None, "process 0 has read the same bytes"
        return saved

    def _gathered(self, mine: Tensor) -> list[Tensor]:
        """The same tensor of every process."""
        tensors = [torch.empty_like(mine) for _ in range(self.size)]
        if self.size == 1:
            return [mine]
        with answered():
            dist.all_gather(tensors, mine)
        return tensors

    def _from_first(self, content: bytes, device: torch.device) -> bytes:
        """The bytes that process 0 has."""
        length = torch.tensor(len(content), device=device)
        with answered():
            dist.broadcast(length, 0)
            if int(length) == 0:
                return b""
            values = torch.frombuffer(bytearray(content or int(length)), dtype=torch.uint8).to(device)
            dist.broadcast(values, 0)
        return values.cpu().numpy().tobytes()


ALONE = Team()
"""One process, without torch.distributed."""


@contextmanager
def answered() -> Iterator[None]:
    """Torch's errors of a collective: a process that is gone."""
    try:
        yield
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise LostProcessError(
            f"a process of the pretraining was ended from outside (killed, or its machine is out of memory or away: "
            f"{reason}). Run it again: it goes on from the last state."
        ) from None
