"""Plan of the samples of each pool that make up each joint step.

The plan is drawn for *all* pools of the configured tasks; a run over some of the tasks takes its own part of it.
So a single-task run sees the same samples, in the same number and order, as every joint run it is paired with.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import numpy as np
import torch
from jaxtyping import Int, Int64
from numpy import ndarray
from torch import Tensor

from mtl.config import SamplerConfig
from mtl.data.loading.curriculum import Easing
from mtl.errors import ConfigError
from mtl.seeding import generator


def shares(sizes: list[int], sampler: SamplerConfig) -> list[float]:
    """Expected share of each pool in a batch; sums to 1.

    Temperature: p ∝ n^(1/T) (Arivazhagan 2019, arXiv 1907.05019): T = 1 is proportional, T → ∞ uniform, so T > 1
    raises the share of small sets. (Some write-ups state the direction the wrong way round.)
    """
    match sampler.kind:
        case "uniform":
            weights = [1.0] * len(sizes)
        case "proportional":
            weights = [float(n) for n in sizes]
        case "temperature":
            # In the log domain relative to the largest, so that a small T cannot overflow.
            largest = math.log(max(sizes))
            weights = [math.exp((math.log(n) - largest) / sampler.temperature) for n in sizes]
    total = sum(weights)
    return [weight / total for weight in weights]


def shuffled(size: int, sampler: SamplerConfig, dice: torch.Generator) -> Int[Tensor, " n"]:
    """One pass through `size` samples: an order of all, each as likely as any other, or of blocks; int32 where it can.

    `blocks`: the blocks are put in random order, and the samples of each `buffer` of them in turn. Whoever reads
    samples in this order reads the file of a large source in stretches, and goes back to none.
    """
    kind = torch.int32 if size <= torch.iinfo(torch.int32).max else torch.int64
    if sampler.shuffle == "exact" or size <= sampler.block:
        return torch.randperm(size, generator=dice, dtype=kind)
    begins = sampler.block * torch.randperm(math.ceil(size / sampler.block), generator=dice)
    order, end = torch.empty(size, dtype=kind), 0
    for some in torch.split(begins, sampler.buffer):
        samples = (some[:, None] + torch.arange(sampler.block)).flatten()
        samples = samples[samples < size]  # the last block is shorter
        order[end : end + len(samples)] = samples[torch.randperm(len(samples), generator=dice)]
        end += len(samples)
    return order


@dataclass(frozen=True)
class Steps(Sequence[dict[str, Int[Tensor, " b"]]]):
    """Steps of an epoch, each pool → int64 numbers of samples in it; beside the samples of all, nothing is held of any.

    Args:
        drawn: pool → samples of the epoch, step by step.
        ends: pool → place in them behind the last one of each step.
        places: steps that are meant.
    """

    drawn: Mapping[str, Int[Tensor, " n"]]
    ends: Mapping[str, Int64[ndarray, " s"]]
    places: Int64[ndarray, " t"]

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, at: int) -> dict[str, Int[Tensor, " b"]]: ...
    @overload
    def __getitem__(self, at: slice) -> "Steps": ...
    def __getitem__(self, at: int | slice) -> "dict[str, Int[Tensor, ' b']] | Steps":
        if isinstance(at, slice):
            return replace(self, places=self.places[at])
        step, chosen = int(self.places[at]), {}
        for name, ends in self.ends.items():
            begin, end = int(ends[step - 1]) if step else 0, int(ends[step])
            if begin < end:
                chosen[name] = self.drawn[name][begin:end].long()
        return chosen


@dataclass(frozen=True)
class JointPlan:
    """The samples of every step: step s of epoch e holds b_k ≥ 0 samples of pool k, Σ b_k = batch size.

    `largest_remainder` spreads the quotas B·p_k over the steps: each step gives the places to the pools that lag
    most behind their quota, so after every step each pool's total is within about one sample of its share and no
    pool, however small, starves. `multinomial` draws the b_k at random. A pool is passed through in a fresh
    permutation each time it is used up, across epochs; one with an `easing` passes, in each epoch anew, through the
    samples that are in use in it. The numbers b_k are the same with and without.

    With `bucket_steps` the samples of so many steps of an epoch are sorted by length and dealt among these steps, which
    take their turns in a random order (as in Khomenko et al. 2016, arXiv 1708.05604): the longest of a batch is hardly
    longer than the others. Numbers b_k, and the samples of an epoch, are the same.
    """

    sizes: dict[str, int]
    batch_size: int
    sampler: SamplerConfig
    seed: int
    easing: Mapping[str, Easing] = field(default_factory=dict)
    """Pool → the order in which its samples come into use."""
    lengths: Mapping[str, Int[Tensor, " n"]] = field(default_factory=dict)
    """Pool of texts → length of each of its samples."""

    @property
    def steps_per_epoch(self) -> int:
        """Stated by the sampler: `total` draws as many samples as all pools hold; `largest` and `smallest` pass
        once through the pool that takes the most or the fewest steps.

        Raises:
            ConfigError: a temperature so low that a pool's share vanishes.
        """
        quotas = [self.batch_size * share for share in shares(list(self.sizes.values()), self.sampler)]
        starved = [name for name, quota in zip(self.sizes, quotas, strict=True) if quota == 0]
        if starved:
            raise ConfigError(
                f"params.yaml: `train.sampler.temperature` should leave every pool a share, found "
                f"{self.sampler.temperature}, which leaves {starved[0]} none."
            )
        passes = [math.ceil(n / quota - 1e-9) for n, quota in zip(self.sizes.values(), quotas, strict=True)]
        match self.sampler.epoch:
            case "total":
                return math.ceil(sum(self.sizes.values()) / self.batch_size)
            case "largest":
                return max(passes)
            case "smallest":
                return min(passes)

    def epochs(self, number: int, first: int = 0, only: Collection[str] | None = None) -> Iterator[Steps]:
        """Yields, for epochs `first` to `number` − 1, the steps: pool → sample numbers in the pool.

        Args:
            number: of epochs.
            first: epoch, from 0.
            only: pools whose samples are wanted, and the steps that hold some of them; None: all.
        """
        columns = {name: k for k, name in enumerate(self.sizes) if only is None or name in only}
        drawn = np.zeros(len(self.sizes), dtype=np.int64)
        for epoch in range(number):
            counts, begin = self._counts(epoch, drawn), drawn
            drawn = drawn + counts.sum(axis=0)
            if epoch < first:
                continue
            streams, ends = {}, {}
            for name, k in columns.items():
                samples = self._drawn(name, epoch, int(begin[k]), int(drawn[k]))
                ends[name] = counts[:, k].cumsum()
                streams[name] = self._dealt(name, epoch, samples, ends[name])
            wanted = (counts[:, list(columns.values())] > 0).any(axis=1)
            yield Steps(streams, ends, np.flatnonzero(wanted))

    def active_steps(self, pools: list[str], number: int) -> list[int]:
        """Number of steps of each epoch that hold a sample of one of `pools`: the length of that run's schedule."""
        columns = [k for k, name in enumerate(self.sizes) if name in pools]
        drawn = np.zeros(len(self.sizes), dtype=np.int64)
        lengths = []
        for epoch in range(number):
            counts = self._counts(epoch, drawn)
            lengths.append(int((counts[:, columns] > 0).any(axis=1).sum()))
            drawn = drawn + counts.sum(axis=0)
        return lengths

    def first_gap(self, pools: list[str], number: int) -> tuple[int, int, str] | None:
        """(epoch, step, pool), from 1, of the first of `number` epochs' steps that holds nothing of one of `pools`."""
        columns = {k: name for k, name in enumerate(self.sizes) if name in pools}
        drawn = np.zeros(len(self.sizes), dtype=np.int64)
        for epoch in range(number):
            counts = self._counts(epoch, drawn)
            gaps = np.argwhere(counts[:, list(columns)] == 0)
            if len(gaps):
                step, place = gaps[0].tolist()
                return epoch + 1, step + 1, list(columns.values())[place]
            drawn = drawn + counts.sum(axis=0)
        return None

    def _counts(self, epoch: int, drawn: Int64[ndarray, " K"]) -> Int64[ndarray, "s K"]:
        """How many samples of each pool each step of the epoch holds."""
        expected = shares(list(self.sizes.values()), self.sampler)
        if self.sampler.allocation == "multinomial":
            dice = generator(self.seed, "allocation", epoch)
            places = torch.multinomial(
                torch.tensor(expected, dtype=torch.float64).expand(self.steps_per_epoch, -1),
                self.batch_size,
                replacement=True,
                generator=dice,
            )
            return np.stack([np.bincount(row, minlength=len(expected)) for row in places.numpy()])
        quotas = [self.batch_size * share for share in expected]
        if all(abs(quota - round(quota)) < 1e-9 for quota in quotas):
            same = np.array([round(quota) for quota in quotas], dtype=np.int64)
            return np.broadcast_to(same, (self.steps_per_epoch, len(same)))
        total = drawn.tolist()
        counts = np.empty((self.steps_per_epoch, len(quotas)), dtype=np.int64)
        for place, step in enumerate(range(epoch * self.steps_per_epoch, (epoch + 1) * self.steps_per_epoch)):
            lag = [(step + 1) * quota - have for quota, have in zip(quotas, total, strict=True)]
            # Lags of 1 and more are served first anyway, so their whole parts are given at once.
            whole = [max(0, math.floor(value)) for value in lag]
            row = whole if sum(whole) <= self.batch_size else [0] * len(lag)
            lag = [value - given for value, given in zip(lag, row, strict=True)]
            for _ in range(self.batch_size - sum(row)):
                neediest = max(range(len(lag)), key=lag.__getitem__)
                row[neediest] += 1
                lag[neediest] -= 1
            counts[place] = row
            total = [have + more for have, more in zip(total, row, strict=True)]
        return counts

    def _dealt(self, name: str, epoch: int, drawn: Int[Tensor, " n"], ends: Int64[ndarray, " s"]) -> Int[Tensor, " n"]:
        """The samples of an epoch, step by step.

        Args:
            name: of the pool.
            epoch: from 0.
            drawn: samples of the epoch.
            ends: place behind the last one of each step.
        """
        several = self.sampler.bucket_steps
        if several is None or name not in self.lengths:
            return drawn
        dealt = torch.empty_like(drawn)
        begins = np.concatenate([[0], ends]).tolist()
        for first in range(0, len(ends), several):
            last = min(first + several, len(ends))
            some = drawn[begins[first] : begins[last]]
            some = some[self.lengths[name][some.long()].argsort(stable=True)]
            turns = torch.randperm(last - first, generator=generator(self.seed, name, "turns", epoch, first)).tolist()
            begin = 0
            for step in (first + turn for turn in turns):
                end = begin + begins[step + 1] - begins[step]
                dealt[begins[step] : begins[step + 1]] = some[begin:end]
                begin = end
        return dealt

    def _drawn(self, name: str, epoch: int, begin: int, end: int) -> Int[Tensor, " n"]:
        """The samples of one epoch."""
        if name not in self.easing:
            return self._stream(name, begin, end)
        used = self.easing[name].in_use(epoch)
        turns = range(max(1, math.ceil((end - begin) / len(used))))
        dice = [generator(self.seed, name, "eased", epoch, turn) for turn in turns]
        return torch.cat([used[shuffled(len(used), self.sampler, die).long()] for die in dice])[: end - begin]

    def _stream(self, name: str, begin: int, end: int) -> Int[Tensor, " n"]:
        """Samples `begin` to `end` of the endless shuffled passes through a pool."""
        size = self.sizes[name]
        passes = range(begin // size, max(begin // size + 1, math.ceil(end / size)))
        orders = [shuffled(size, self.sampler, generator(self.seed, name, turn)) for turn in passes]
        order = torch.cat(orders) if len(orders) > 1 else orders[0]
        return order[begin - passes[0] * size : end - passes[0] * size]
