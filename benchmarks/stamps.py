"""Reading a column of time stamps: every form that all rows prove, beside pandas that guesses cell by cell.

    python -m benchmarks.stamps              # a minute of one core

Each form is written for the same quarters of an hour and read by `mtl.data.timeline.readings`, which keeps the forms
that read every row; beside it `pandas.to_datetime` without a format, which takes the form of the first cell where it
can guess it, and else that of each cell. Medians of calls that take turns in one process; the same times where both
read them.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.command import at_least, finish, parser, start
from benchmarks.machine import Result, interleaved
from mtl.data.timeline.readings import read_every_form

FORMS = ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%y %H:%M", "%m/%d/%Y %I:%M %p", "%d-%b-%y %H:%M:%S")
FASTER = 12
"""Least ratio to pandas where pandas reads cell by cell."""


def guessed(cells: list[str]) -> np.ndarray:
    """Times in nanoseconds as pandas reads each cell by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        when = pd.to_datetime(pd.Series(cells), errors="coerce", utc=True, format="mixed")
    times: np.ndarray = when.astype("int64").to_numpy()
    return times


def main(given: Sequence[str] | None = None) -> int:
    """Measures every form."""
    made = parser("stamps", __doc__)
    made.add_argument("--rows", type=at_least(2), default=200_000)
    made.add_argument("--rounds", type=at_least(1), default=3)
    options = made.parse_args(given)
    quarters = pd.date_range("2015-01-01", periods=options.rows, freq="15min")
    results = []
    for form in FORMS:
        cells = quarters.strftime(form).tolist()
        works: dict[str, Callable[[], object]] = {
            "ours": partial(read_every_form, cells),
            "pandas": partial(guessed, cells),
        }
        taken = interleaved(works, options.rounds)
        # pandas has a reader of its own for ISO 8601.
        least = None if form.startswith("%Y-") else FASTER
        results += [
            Result(f"{form}: proved", taken["ours"], "CPU s"),
            Result(f"{form}: pandas", taken["pandas"], "CPU s"),
            Result(f"{form}: ratio", taken["pandas"] / taken["ours"], "times", least, at_least=True),
        ]
    return finish(options, results)


if __name__ == "__main__":
    start(main)
