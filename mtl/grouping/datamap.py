"""Data maps (Swayamdipta 2020, arXiv 2009.10795), recorded while a run trains; for tasks: STG-MTL, arXiv 2307.03374.

For each task and training sample, over the times that the sample was seen: *confidence* μ, the mean of p(true label);
*variability* σ, its standard deviation; *correctness*, the share of times it was predicted right. A forecast has no
p(true label): there p = exp(−e/(2s²)) with e the window's MSE and s² the task's median of e in epoch 1, frozen then,
and a window counts as right when e ≤ s².

S samples of a pool, K its tasks (Kl of them labels, F forecasts), B samples of a pass, N draws of epoch 1, E snapshots.
Everything is updated in place on the run's device: memory is O(S·K), whatever the number of epochs, and a snapshot
adds as much again. Buffers only: a run's saved state holds them, so that a resumed run goes on bit for bit.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


class Moments(nn.Module):
    """Running mean and squares of p for some tasks on all samples of a pool; k of the pool's tasks.

    Args:
        samples: S.
        tasks: k.
        valid: which samples each task has; None: all have all.
    """

    def __init__(self, samples: int, tasks: int, valid: Bool[Tensor, "S k"] | None) -> None:
        super().__init__()
        self.mean: Float[Tensor, "S k"]
        self.squares: Float[Tensor, "S k"]
        """Sum of squared differences from the mean: Welford's M2."""
        self.right: Int[Tensor, "S k"]
        """Number of times that a sample was predicted right."""
        self.valid: Bool[Tensor, "S k"] | None
        self.register_buffer("mean", torch.zeros(samples, tasks))
        self.register_buffer("squares", torch.zeros(samples, tasks))
        self.register_buffer("right", torch.zeros(samples, tasks, dtype=torch.int16))
        self.register_buffer("valid", valid, persistent=False)  # known from the data: no state need hold it

    def add(
        self, index: Int[Tensor, " B"], count: Int[Tensor, " B"], p: Float[Tensor, "B k"], right: Bool[Tensor, "B k"]
    ) -> None:
        """Welford's update; `count` is how often each sample has been seen, with this pass.

        Exact as well when a sample stands in a pass twice: the sums over its values are then those of Chan's merge.
        """
        before = p - self.mean.index_select(0, index)
        if self.valid is not None:
            valid = self.valid.index_select(0, index)
            before, right = before.masked_fill(~valid, 0.0), right & valid
        self.mean.index_add_(0, index, before / count[:, None])
        self.squares.index_add_(0, index, before * (p - self.mean.index_select(0, index)))
        self.right.index_add_(0, index, right.to(self.right.dtype))


class PoolMap(nn.Module):
    """The map of one pool: one update a pass for all its tasks.

    Args:
        labels: names of the Kl tasks with a label.
        forecasts: names of the F forecasts.
        samples: S.
        draws: N; forecasts wait for the end of epoch 1 to know s².
        valid: which samples each task has, labels first; None: all have all.
        snapshots: epochs after which the map so far is kept, ascending.
    """

    def __init__(
        self,
        labels: list[str],
        forecasts: list[str],
        samples: int,
        draws: int,
        valid: Bool[Tensor, "S K"] | None = None,
        snapshots: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        k, f = len(labels), len(forecasts)
        self.tasks = [*labels, *forecasts]
        self.labels = Moments(samples, k, None if valid is None else valid[:, :k])
        self.forecasts = Moments(samples, f, None if valid is None else valid[:, k:])
        self.snapshots = snapshots
        self.count: Int[Tensor, " S"]
        """Number of times that each sample was seen."""
        self.scale: Float[Tensor, " F"]
        """s² of each forecast; NaN until epoch 1 has ended."""
        self.log_index: Int[Tensor, " N"]
        self.log_error: Float[Tensor, "N F"]
        self.logged: Int[Tensor, ""]
        self.kept: Float[Tensor, "E 3 S K"]
        """μ, σ, correctness at each snapshot."""
        self.kept_count: Int[Tensor, "E S"]
        self.register_buffer("count", torch.zeros(samples, dtype=torch.int32))
        self.register_buffer("scale", torch.full((f,), torch.nan))
        self.register_buffer("log_index", torch.zeros(draws if f else 0, dtype=torch.int64))
        self.register_buffer("log_error", torch.zeros(draws if f else 0, f))
        self.register_buffer("logged", torch.zeros((), dtype=torch.int64))
        self.register_buffer("kept", torch.zeros(len(snapshots), 3, samples, k + f))
        self.register_buffer("kept_count", torch.zeros(len(snapshots), samples, dtype=torch.int32))

    @torch.no_grad()
    def update(
        self,
        epoch: int,
        index: Int[Tensor, " B"],
        p: Float[Tensor, "B Kl"],
        right: Bool[Tensor, "B Kl"],
        error: Float[Tensor, "B F"],
    ) -> None:
        """Takes in one pass of `epoch` (from 1).

        Args:
            index: sample numbers of the pass.
            p: probability that each label task gave to the true label; any value where a task has no label.
            right: whether it was predicted right.
            error: MSE of each window under each forecast.
        """
        self.count.index_add_(0, index, torch.ones_like(index, dtype=torch.int32))
        count = self.count.index_select(0, index)
        if p.shape[1]:
            self.labels.add(index, count, p, right)
        if error.shape[1] and epoch == 1:
            places = self.logged + torch.arange(len(index), device=index.device)
            self.log_index.index_copy_(0, places, index)
            self.log_error.index_copy_(0, places, error)
            self.logged += len(index)
        elif error.shape[1]:
            self._add_forecasts(index, count, error)

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> None:
        """After epoch 1, freezes s² and takes in what the forecasts saw; keeps a snapshot where one is asked for."""
        seen = int(self.logged)
        if epoch == 1 and seen:
            index, error = self.log_index[:seen], self.log_error[:seen]
            known = error
            if self.forecasts.valid is not None:
                known = error.masked_fill(~self.forecasts.valid.index_select(0, index), torch.nan)
            # A forecast that is exact on half of its windows must not divide by zero.
            self.scale.copy_(known.nanmedian(dim=0).values.clamp(min=torch.finfo(error.dtype).tiny))
            self._add_forecasts(index, self.count.index_select(0, index), error)
        if epoch in self.snapshots:
            place = self.snapshots.index(epoch)
            self.kept[place] = self.values()
            self.kept_count[place] = self.count

    def _add_forecasts(self, index: Tensor, count: Tensor, error: Tensor) -> None:
        self.forecasts.add(index, count, torch.exp(-error / (2 * self.scale)), error <= self.scale)

    def values(self) -> Float[Tensor, "3 S K"]:
        """(confidence, variability, correctness) so far, columns in the order of `tasks`; variability divides by n.
        A sample that a task does not have, or that was never seen, is NaN."""
        seen = self.count[:, None].float()
        statistics = torch.cat(
            [torch.stack([p.mean, (p.squares.clamp(min=0) / seen).sqrt(), p.right / seen]) for p in self.parts], dim=2
        )
        return statistics.masked_fill(~self.known(), torch.nan)

    def known(self) -> Bool[Tensor, "S K"]:
        """Mask of the samples that each task has and has seen."""
        seen = (self.count > 0)[:, None]
        return torch.cat(
            [(seen if p.valid is None else p.valid & seen).expand(p.mean.shape) for p in self.parts], dim=1
        )

    @property
    def parts(self) -> tuple[Moments, Moments]:
        return self.labels, self.forecasts
