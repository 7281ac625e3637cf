"""How often the two intervals of a verdict hold the true change, on `sensors`, whose generator makes new data at will.

    python -m benchmarks.coverage            # 40 pairs of networks, 1,000 histories; a quarter of an hour of one core

Single-task and joint networks of many seeds are trained once on one plant. Its history then goes on for a million rows,
cut into test histories with gaps between them. The true change is the mean over all pairs of networks, each measured on
all histories. An experiment is five pairs drawn at random, with replacement (the trained ones are the population), and
one test history; what it says of the change is held against the truth, by both intervals:

- over seeds alone: the t-interval of the five paired changes;
- for new data: with the variance from the choice of the test data as well (`mtl.evaluation.components`).

Several draws of networks share a history, so that the interval of a coverage runs over the histories. One more line
tells what the t-interval of five pairs covers on endless test data, where the distribution of networks alone decides.
Networks and the sums of their errors stay in the folder `--work`; a command that was stopped goes on from there.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from benchmarks.command import at_least, count, finish, parser, start
from benchmarks.histories import LENGTH, METHOD, PLANT, Key, Measured, Size, all_measured, settings, train
from benchmarks.machine import OUT, Result
from mtl.config.budgets import STL
from mtl.config.metrics import METRICS
from mtl.evaluation.components import MIN_BLOCKS, Components, change_components
from mtl.evaluation.intervals import t_interval
from mtl.results.samples import BlockErrors
from mtl.results.statistics import Interval

LEVEL = 0.95
"""Confidence of the intervals."""
FIRST_SEED = 5
"""First seed of the networks; results that are shown use those before it."""
DRAWN = 5
"""Pairs of networks in an experiment."""
ASKED = (93.0, 97.0)
"""Percent; the interval of the coverage for new data should meet it."""


@dataclass(frozen=True)
class Said:
    """The change by one experiment."""

    over_seeds: Interval
    new_data: Interval
    data_share: float


@dataclass(frozen=True)
class Coverage:
    """Share of the experiments whose interval holds the truth, in percent, with its own 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """The interval, for a note."""
        return f"[{self.low:.1f}, {self.high:.1f}]"


def changes(before: Sequence[float], after: Sequence[float], lower_is_better: bool) -> list[float]:
    """Paired changes in percent, positive is better."""
    sign = -100 if lower_is_better else 100
    return [sign * (b / a - 1) for a, b in zip(before, after, strict=True)]


@dataclass(frozen=True)
class Arms:
    """Both sides of one comparison.

    Args:
        alone, together: each network on all histories, the two sides paired.
        block: of the samples of a history.
        lower_is_better: direction of the metric.
    """

    alone: Sequence[Measured]
    together: Sequence[Measured]
    block: Int[np.ndarray, " R"]
    lower_is_better: bool

    @property
    def of_pairs(self) -> list[float]:
        """Change of each pair on all histories."""
        before, after = ([network.whole for network in side] for side in (self.alone, self.together))
        return changes(before, after, self.lower_is_better)

    def on(self, history: int) -> list[tuple[BlockErrors, BlockErrors]]:
        """Errors of each pair on one history."""
        numbers, sizes = np.arange(self.block[-1] + 1), np.bincount(self.block)
        pairs = zip(self.alone, self.together, strict=True)
        return [
            (BlockErrors(numbers, a.sums[history], sizes), BlockErrors(numbers, b.sums[history], sizes))
            for a, b in pairs
        ]

    def judged(self, pairs: Sequence[tuple[BlockErrors, BlockErrors]]) -> Said:
        """Intervals of the change by pairs of networks on one history."""
        alone, together = ([pair[side] for pair in pairs] for side in (0, 1))
        components = change_components(alone, together, self.lower_is_better)
        assert isinstance(components, Components), components
        rows = len(self.block)
        means = ([float(run.sums.sum()) / rows for run in side] for side in (alone, together))
        before, after = (values if self.lower_is_better else [1 - value for value in values] for values in means)
        over_seeds = t_interval(changes(before, after, self.lower_is_better), LEVEL)
        return Said(over_seeds, components.interval(LEVEL), components.data_share)


def experiments(arms: Arms, size: Size) -> list[list[Said]]:
    """History → what each draw of five pairs of networks says of the change."""
    dice = np.random.default_rng(0)
    said = []
    for history in range(size.histories):
        pairs = arms.on(history)
        drawn = dice.integers(0, size.networks, (size.draws, DRAWN)).tolist()
        said.append([arms.judged([pairs[place] for place in places]) for places in drawn])
    return said


def endless_data(arms: Arms, count: int) -> list[list[Interval]]:
    """Intervals over five pairs that were measured on all histories together: what seeds alone do to a coverage."""
    values = arms.of_pairs
    drawn = np.random.default_rng(1).integers(0, len(values), (count, DRAWN)).tolist()
    return [[t_interval([values[place] for place in places], LEVEL)] for places in drawn]


def coverage(intervals: Sequence[Sequence[Interval]], truth: float) -> Coverage:
    """The coverage by intervals, of several experiments on each history."""
    shares = []
    for history in intervals:
        inside = [i.low is not None and i.high is not None and i.low <= truth <= i.high for i in history]
        shares.append(100 * float(np.mean(inside)))
    mean, half = float(np.mean(shares)), 1.96 * float(np.std(shares, ddof=1)) / sqrt(len(shares))
    return Coverage(mean, mean - half, mean + half)


def results_of(key: Key, arms: Arms, size: Size) -> list[Result]:
    """Rows of the table of one comparison."""
    name, truth = f"{key[0]}, {METRICS[key[1]].title}", float(np.mean(arms.of_pairs))
    said = experiments(arms, size)
    new = coverage([[draw.new_data for draw in history] for history in said], truth)
    covered = {
        "interval over seeds": coverage([[draw.over_seeds for draw in history] for history in said], truth),
        "interval for new data": new,
        "interval over seeds, if test data were endless": coverage(endless_data(arms, 10 * size.histories), truth),
    }
    share = float(np.median([draw.data_share for history in said for draw in history]))
    beyond = max(0.0, ASKED[0] - new.high, new.low - ASKED[1])
    return [
        Result(f"{name}: true change", truth, "%"),
        *(Result(f"{name}: covered by the {which}", share_held.mean, "%", note=share_held.words)
          for which, share_held in covered.items()),
        Result(f"{name}: for new data, distance from {ASKED[0]:g} to {ASKED[1]:g} %", beyond, "points", 0),
        Result(f"{name}: share of the test data in the variance, median", 100 * share, "%"),
    ]  # fmt: skip


def main(given: Sequence[str] | None = None) -> int:
    """Trains, measures on all histories, and reports both coverages."""
    command = parser("coverage", __doc__)
    command.add_argument("--networks", type=at_least(2), default=40, help="pairs that are trained")
    command.add_argument("--histories", type=at_least(2), default=1000, help="that are tested on")
    command.add_argument("--rows", type=at_least(MIN_BLOCKS * LENGTH), default=800, help="of a history")
    command.add_argument("--draws", type=count, default=4, help="of five pairs, on each history")
    command.add_argument("--work", type=Path, default=OUT / "coverage", metavar="FOLDER", help="of what is kept")
    options = command.parse_args(given)
    size = Size(options.networks, options.histories, options.rows, options.draws)
    torch.set_num_threads(1)
    seeds = range(FIRST_SEED, FIRST_SEED + size.networks)
    config = settings(seeds, None)
    told = settings([0], None).model_dump_json()
    root = options.work / hashlib.sha256(told.encode()).hexdigest()[:12]
    train(config, root)
    measured, block = all_measured(config, size, root)
    results = []
    for key, sides in measured.items():
        arms = Arms(sides[STL], sides[METHOD], block, METRICS[key[1]].lower_is_better)
        results += results_of(key, arms, size)
    return finish(options, results, {"size": vars(size), "seeds": list(seeds), "plant": PLANT})


if __name__ == "__main__":
    start(main)
