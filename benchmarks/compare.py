"""`mtl.compare` of a small table in one process: how long all its runs take.

    python -m benchmarks.compare --rows 300 --epochs 20 --seeds 5

Two tasks (a number, yes or no) and two methods (`equal`, `upgrad`) with an MLP; simple models are ridge and logistic
regression. With five seeds these are 10 single-task and 10 joint runs. The first comparison warms the process up and is
not counted; the others are, and the medians are reported.
"""

from collections.abc import Sequence
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd

import mtl
from benchmarks.command import at_least, count, finish, parser, start
from benchmarks.machine import Result


def table(rows: int) -> pd.DataFrame:
    """Eight numbers, two of which tell a third, and whether that is above 0."""
    drawn = np.random.default_rng(0)
    x = drawn.normal(size=(rows, 8))
    y = x[:, 0] + x[:, 1] * x[:, 2] + 0.3 * drawn.normal(size=rows)
    return pd.DataFrame(x, columns=[f"x{place}" for place in range(8)]).assign(y=y, high=np.where(y > 0, "yes", "no"))


def seconds(frame: pd.DataFrame, epochs: int, seeds: int) -> float:
    """Time of one comparison, from the frame to its verdicts."""
    began = perf_counter()
    mtl.compare(
        frame,
        {"y": "regression", "high": "binary"},
        methods=["equal", "upgrad"],
        seeds=seeds,
        epochs=epochs,
        encoder={"kind": "mlp", "sizes": [32, 16]},
        settings={"simple.models": ["ridge", "logistic"]},
    )
    return perf_counter() - began


def main(given: Sequence[str] | None = None) -> int:
    """Compares, and reports."""
    command = parser("compare", __doc__)
    command.add_argument("--rows", type=at_least(60), default=300, help="of the table (default: 300)")
    command.add_argument("--epochs", type=count, default=20, help="of a run (default: 20)")
    command.add_argument("--seeds", type=count, default=5, help="of the comparison (default: 5)")
    command.add_argument("--repeats", type=count, default=3, help="comparisons that count (default: 3)")
    options = command.parse_args(given)
    frame = table(options.rows)
    seconds(frame, 1, 1)
    seen = [seconds(frame, options.epochs, options.seeds) for _ in range(options.repeats)]
    runs = 4 * options.seeds
    results = [
        Result("a comparison", median(seen), "s", note=f"{runs} runs, from the frame to its verdicts"),
        Result("a run", median(seen) / runs, "s", note="with its share of everything else"),
    ]
    return finish(options, results, {"seconds": seen})


if __name__ == "__main__":
    start(lambda: main())
