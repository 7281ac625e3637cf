"""Lookahead affinities of tasks (TAG: Fifty et al. 2021, arXiv 2109.04617, eq. 1), measured while a run trains.

At a probe, θ being the shared parameters and L_j the loss of task j on the step's own batch:
θ_i = θ − η·∇L_i(θ) and Z[i→j] = 1 − L_j(θ_i) / L_j(θ), above 0 where a step for task i helps task j. The step is plain
gradient descent at a fixed η: it knows no moments and no clipping, so that Z compares tasks and not states of the
optimiser. Tasks on separate batches are compared as those on one: every L_j is taken on the samples of its own pool.

Cost of a probe: for each of its k tasks one backward pass of the shared part and one forward pass, and memory for
one more copy of the shared parameters. Nothing of the training moves: the passes run on copies of parameters and
buffers, with the random numbers of the step's own pass (so that dropout drops the same), which are put back.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mtl.results.history import LookaheadMeans
from mtl.training.forward import Forward, Forwarded

RandomState = tuple[Tensor, Tensor | None]
"""Random states of the CPU and of the GPU in use, if any."""


class Lookahead(nn.Module):
    """Sums of Z over the probes of an epoch. All that it holds are buffers, which a saved state restores.

    Args:
        tasks: names of the K tasks of the run, in order.
        every: steps from one probe to the next, over the whole run; the first step is one.
        lr: η.
    """

    def __init__(self, tasks: list[str], every: int, lr: float) -> None:
        super().__init__()
        self.tasks, self.every, self.lr = tasks, every, lr
        k = len(tasks)
        self.sums: Float[Tensor, "K K"]
        self.counts: Int[Tensor, "K K"]
        self.register_buffer("sums", torch.zeros(k, k, dtype=torch.float64))
        self.register_buffer("counts", torch.zeros(k, k, dtype=torch.int64))

    def due(self, step: int) -> bool:
        """True when the step with this number in the run, from 0, is a probe."""
        return step % self.every == 0

    def probe(
        self,
        forward: Forward,
        chosen: Mapping[str, Int[Tensor, " b"]],
        epoch: int,
        passed: Forwarded,
        shared: list[nn.Parameter],
        random: RandomState,
    ) -> None:
        """Adds Z of every pair of tasks in one step, between its forward and its backward pass.

        Args:
            forward: what made the pass.
            chosen: the samples of the step.
            epoch: of the step, from 1.
            passed: what the pass gave, with its graph, which is kept.
            shared: θ.
            random: the random numbers before the pass, as `random_state` gave them.
        """
        assert passed.losses is not None
        after = random_state()
        named = {id(p): name for name, p in forward.model.named_parameters()}
        before = passed.losses.detach().double()
        known = before > 0  # a loss of 0 has no relative change
        places = torch.tensor(passed.places, device=before.device)
        for loss, place in zip(passed.losses.unbind(), passed.places, strict=True):
            gradients = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
            with torch.no_grad():
                # Copies of the buffers: batch normalisation writes its running means while it passes.
                tensors = {name: buffer.clone() for name, buffer in forward.model.named_buffers()}
                for parameter, gradient in zip(shared, gradients, strict=True):
                    if gradient is not None:
                        tensors[named[id(parameter)]] = parameter - self.lr * gradient
                set_random_state(random)
                moved = forward(chosen, epoch, tensors).losses
            assert moved is not None
            gained = torch.where(known, 1 - moved.double() / before.where(known, 1.0), 0.0)
            self.sums[place] = self.sums[place].index_add(0, places, gained)
            self.counts[place] = self.counts[place].index_add(0, places, known.long())
        set_random_state(after)

    def end_epoch(self) -> LookaheadMeans:
        """Means over the probes of the epoch that ends, of the pairs that were probed; the sums start anew."""
        sums, counts = self.sums.tolist(), self.counts.tolist()
        self.sums.zero_()
        self.counts.zero_()
        k = range(len(self.tasks))
        return LookaheadMeans(
            affinity={self.tasks[i]: {self.tasks[j]: sums[i][j] / counts[i][j] for j in k if counts[i][j]} for i in k},
            probes={self.tasks[i]: {self.tasks[j]: counts[i][j] for j in k if counts[i][j]} for i in k},
        )


def random_state() -> RandomState:
    """Where torch's random numbers stand."""
    return torch.get_rng_state(), torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None


def set_random_state(state: RandomState) -> None:
    """Takes them back to where they stood."""
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1])
