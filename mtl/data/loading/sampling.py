"""Plan of the samples of each pool that make up each joint step.

The plan is drawn for *all* pools of the configured tasks; a run over some of the tasks takes its own part of it.
So a single-task run sees the same samples, in the same number and order, as every joint run it is paired with.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import torch
from jaxtyping import Int
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
    """One pass through `size` samples: an order of all, each as likely as any other, or of blocks.

    `blocks`: the blocks are put in random order, and the samples of each `buffer` of them in turn. Whoever reads
    samples in this order reads the file of a large source in stretches, and goes back to none.
    """
    if sampler.shuffle == "exact" or size <= sampler.block:
        return torch.randperm(size, generator=dice)
    begins = sampler.block * torch.randperm(math.ceil(size / sampler.block), generator=dice)
    parts = []
    for some in torch.split(begins, sampler.buffer):
        samples = (some[:, None] + torch.arange(sampler.block)).flatten()
        samples = samples[samples < size]  # the last block is shorter
        parts.append(samples[torch.randperm(len(samples), generator=dice)])
    return torch.cat(parts)


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

    def epochs(self, number: int, first: int = 0) -> Iterator[list[dict[str, Int[Tensor, " b"]]]]:
        """Yields, for epochs `first` to `number` − 1, the list of steps: pool → sample numbers in the pool."""
        names = list(self.sizes)
        drawn = [0] * len(names)
        for epoch in range(number):
            counts = self._counts(epoch, drawn)
            begin = drawn
            drawn = [have + sum(column) for have, column in zip(drawn, zip(*counts, strict=True), strict=True)]
            if epoch < first:
                continue
            streams = {
                name: self._dealt(name, epoch, self._drawn(name, epoch, begin[k], drawn[k]), [row[k] for row in counts])
                for k, name in enumerate(names)
            }
            yield [
                {name: streams[name][step] for k, name in enumerate(names) if row[k] > 0}
                for step, row in enumerate(counts)
            ]

    def active_steps(self, pools: list[str], number: int) -> list[int]:
        """Number of steps of each epoch that hold a sample of one of `pools`: the length of that run's schedule."""
        columns = [k for k, name in enumerate(self.sizes) if name in pools]
        drawn = [0] * len(self.sizes)
        lengths = []
        for epoch in range(number):
            counts = self._counts(epoch, drawn)
            lengths.append(sum(any(row[k] > 0 for k in columns) for row in counts))
            drawn = [have + sum(column) for have, column in zip(drawn, zip(*counts, strict=True), strict=True)]
        return lengths

    def first_gap(self, pools: list[str], number: int) -> tuple[int, int, str] | None:
        """(epoch, step, pool), from 1, of the first of `number` epochs' steps that holds nothing of one of `pools`."""
        columns = {name: k for k, name in enumerate(self.sizes) if name in pools}
        drawn = [0] * len(self.sizes)
        for epoch in range(number):
            counts = self._counts(epoch, drawn)
            for step, row in enumerate(counts):
                for name, k in columns.items():
                    if row[k] == 0:
                        return epoch + 1, step + 1, name
            drawn = [have + sum(column) for have, column in zip(drawn, zip(*counts, strict=True), strict=True)]
        return None

    def _counts(self, epoch: int, drawn: list[int]) -> list[list[int]]:
        """[steps][pools] how many samples of each pool each step of the epoch holds."""
        expected = shares(list(self.sizes.values()), self.sampler)
        if self.sampler.allocation == "multinomial":
            dice = generator(self.seed, "allocation", epoch)
            places = torch.multinomial(
                torch.tensor(expected, dtype=torch.float64).expand(self.steps_per_epoch, -1),
                self.batch_size,
                replacement=True,
                generator=dice,
            )
            return [torch.bincount(row, minlength=len(expected)).tolist() for row in places]
        quotas = [self.batch_size * share for share in expected]
        if all(abs(quota - round(quota)) < 1e-9 for quota in quotas):
            return [[round(quota) for quota in quotas]] * self.steps_per_epoch
        total = list(drawn)
        counts = []
        for step in range(epoch * self.steps_per_epoch, (epoch + 1) * self.steps_per_epoch):
            lag = [(step + 1) * quota - have for quota, have in zip(quotas, total, strict=True)]
            # Lags of 1 and more are served first anyway, so their whole parts are given at once.
            whole = [max(0, math.floor(value)) for value in lag]
            row = whole if sum(whole) <= self.batch_size else [0] * len(lag)
            lag = [value - given for value, given in zip(lag, row, strict=True)]
            for _ in range(self.batch_size - sum(row)):
                neediest = max(range(len(lag)), key=lag.__getitem__)
                row[neediest] += 1
                lag[neediest] -= 1
            counts.append(row)
            total = [have + more for have, more in zip(total, row, strict=True)]
        return counts

    def _dealt(self, name: str, epoch: int, drawn: Int[Tensor, " n"], counts: list[int]) -> Sequence[Int[Tensor, " b"]]:
        """The samples of each step of an epoch.

        Args:
            name: of the pool.
            epoch: from 0.
            drawn: samples of the epoch.
            counts: number of them in each step.
        """
        several = self.sampler.bucket_steps
        if several is None or name not in self.lengths:
            return torch.split(drawn, counts)
        dealt: list[Int[Tensor, " b"]] = []
        ends = [0, *accumulate(counts)]
        for first in range(0, len(counts), several):
            last = min(first + several, len(counts))
            some = drawn[ends[first] : ends[last]]
            some = some[self.lengths[name][some].argsort(stable=True)]
            turns = torch.randperm(last - first, generator=generator(self.seed, name, "turns", epoch, first)).tolist()
            parts = dict(zip(turns, torch.split(some, [counts[first + turn] for turn in turns]), strict=True))
            dealt += [parts[turn] for turn in range(last - first)]
        return dealt

    def _drawn(self, name: str, epoch: int, begin: int, end: int) -> Int[Tensor, " n"]:
        """The samples of one epoch."""
        if name not in self.easing:
            return self._stream(name, begin, end)
        used = self.easing[name].in_use(epoch)
        turns = range(max(1, math.ceil((end - begin) / len(used))))
        dice = [generator(self.seed, name, "eased", epoch, turn) for turn in turns]
        return torch.cat([used[shuffled(len(used), self.sampler, die)] for die in dice])[: end - begin]

    def _stream(self, name: str, begin: int, end: int) -> Int[Tensor, " n"]:
        """Samples `begin` to `end` of the endless shuffled passes through a pool."""
        size = self.sizes[name]
        passes = range(begin // size, max(begin // size + 1, math.ceil(end / size)))
        order = torch.cat([shuffled(size, self.sampler, generator(self.seed, name, turn)) for turn in passes])
        return order[begin - passes[0] * size : end - passes[0] * size]
