"""How the interval for new data was chosen: its coverage on invented numbers, beside that of other rules.

    python -m benchmarks.variance            # ten seconds of one core

First, five seeds and 16 independent blocks of test data, by what varies most. Beside the estimator of the pipeline
(`mtl.evaluation.components`) stand the interval over seeds alone, and the plain sum of the spread between seeds and the
spread between blocks, which counts their interaction twice. Second, one long series whose errors depend on each other
over some 50 rows, as where a regime lasts, cut into more or fewer blocks.

S seeds, B blocks, n rows.
"""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from jaxtyping import Float
from scipy import signal, stats

from benchmarks.command import at_least, finish, parser, start
from benchmarks.machine import Result
from mtl.data.inputs.windows import MOST_BLOCKS
from mtl.evaluation.components import Components, change_components
from mtl.evaluation.intervals import t_interval
from mtl.results.samples import BlockErrors
from mtl.results.statistics import Interval

SEEDS, BLOCKS, ROWS = 5, 16, 10_000
MEMORY = 0.98
"""Correlation of the errors of neighbouring rows: 1 / e after 50 rows."""
TRUTH = 5.0
"""Percent."""
LEVEL = 0.95
SPREADS = {
    "seeds lead": (3.0, 0.3, 0.3),
    "seeds and test data alike": (1.0, 1.0, 0.3),
    "test data lead": (0.3, 3.0, 0.3),
    "their interaction leads": (0.3, 0.3, 3.0),
}
"""Standard deviation of the mean change, in percent, from seeds, from blocks and from both at once."""


def said(table: Float[np.ndarray, "S B"]) -> dict[str, Interval]:
    """Intervals by three rules from the change of each seed in each block, in percent."""
    numbers, sizes = np.arange(table.shape[1]), np.ones(table.shape[1], dtype=int)
    alone = [BlockErrors(numbers, np.ones(table.shape[1]), sizes)] * len(table)
    components = change_components(alone, [BlockErrors(numbers, 1 - row / 100, sizes) for row in table], True)
    assert isinstance(components, Components)
    of_seed, of_block = table.mean(axis=1), table.mean(axis=0)
    parts = of_seed.var(ddof=1) / len(of_seed), of_block.var(ddof=1) / len(of_block)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(of_seed) - 1) + parts[1] ** 2 / (len(of_block) - 1))
    half = float(stats.t.isf((1 - LEVEL) / 2, freedom)) * sqrt(sum(parts))
    mean = float(table.mean())
    return {
        "seeds alone": t_interval(of_seed.tolist(), LEVEL),
        "both spreads added": Interval(mean=mean, low=mean - half, high=mean + half, n=len(of_seed)),
        "crossed components": components.interval(LEVEL),
    }


def of_spreads(spreads: tuple[float, float, float], repetitions: int) -> dict[str, float]:
    """Rule → coverage in percent."""
    dice = np.random.default_rng(0)
    by_seed, by_block, by_both = spreads
    inside: dict[str, int] = {}
    for _ in range(repetitions):
        # A mean over B blocks has the spread that is asked for, and so has one over seeds and blocks.
        table = TRUTH + by_seed * sqrt(SEEDS) * dice.normal(size=(SEEDS, 1))
        table = table + by_block * sqrt(BLOCKS) * dice.normal(size=BLOCKS)
        table = table + by_both * sqrt(SEEDS * BLOCKS) * dice.normal(size=(SEEDS, BLOCKS))
        for rule, interval in said(table).items():
            assert interval.low is not None and interval.high is not None
            inside[rule] = inside.get(rule, 0) + (interval.low <= TRUTH <= interval.high)
    return {rule: 100 * count / repetitions for rule, count in inside.items()}


def of_blocks(counts: Sequence[int], repetitions: int) -> dict[int, float]:
    """Number of blocks → coverage in percent of the t-interval of a mean of dependent errors from its blocks."""
    dice = np.random.default_rng(0)
    begin = 10 * round(1 / (1 - MEMORY))
    inside = dict.fromkeys(counts, 0)
    for _ in range(repetitions):
        errors = signal.lfilter([1.0], [1.0, -MEMORY], dice.normal(size=begin + ROWS))[begin:]
        for count in counts:
            means = [float(block.mean()) for block in np.array_split(errors, count)]
            interval = t_interval(means, LEVEL)
            inside[count] += interval.sign == 0
    return {count: 100 * held / repetitions for count, held in inside.items()}


def main(given: Sequence[str] | None = None) -> int:
    """Reports the coverage of every rule and every number of blocks."""
    command = parser("variance", __doc__)
    command.add_argument("--repetitions", type=at_least(2), default=4000, help="of each case")
    options = command.parse_args(given)
    results = []
    for name, spreads in SPREADS.items():
        for rule, coverage in of_spreads(spreads, options.repetitions).items():
            results.append(Result(f"{name}: {rule}", coverage, "%"))
    for count, coverage in of_blocks((156, 50, MOST_BLOCKS, 8), options.repetitions).items():
        results.append(Result(f"{count} blocks of {ROWS // count} rows", coverage, "%"))
    return finish(options, results)


if __name__ == "__main__":
    start(main)
