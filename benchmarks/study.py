"""Time of a fixed study with one worker and with two.

    python -m benchmarks.study                       # some minutes

The trials are those of the sampler `random`, whose draws do not depend on results, so both studies train the same
networks; the time is that of the whole command, its imports and the page of the study included.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from benchmarks.command import count, finish, parser, start
from benchmarks.machine import Result
from benchmarks.project import change, make_project, run_in
from mtl.results.study import read_study

WORKERS = (1, 2)


def trained(folder: Path, name: str) -> list[tuple[str, float]]:
    """(parameters, objective) of every trial, in the order of the parameters."""
    trials = read_study(name, folder).arms["joint"].ended
    return sorted((json.dumps(trial.params, sort_keys=True), trial.values[0]) for trial in trials if trial.values)


def main(given: Sequence[str] | None = None) -> int:
    """Times the study and checks that both ways gave the same trials."""
    command = parser("study", __doc__)
    command.add_argument("--trials", type=count, default=6, help="of each study")
    command.add_argument("--preset", default="sensors", help="on `sensors` data (default: sensors)")
    options = command.parse_args(given)
    with tempfile.TemporaryDirectory() as place:
        folder = make_project(Path(place), options.preset)
        change(folder, {"sampler: tpe": "sampler: random", "  enabled: true": "  enabled: false"})
        run_in(folder, "-m", "pipelines", "repro", "prepare@sensors")
        seconds = {}
        for workers in WORKERS:
            began = perf_counter()
            run_in(folder, "-m", "pipelines", "tune", "--trials", str(options.trials), "--workers", str(workers),
                   "--study", f"with-{workers}")  # fmt: skip
            seconds[workers] = perf_counter() - began
        same = trained(folder, "with-1") == trained(folder, "with-2")
    if not same:
        raise RuntimeError("the two studies should hold the same trials, and do not")
    return finish(options, [
        *(Result(f"{options.trials} trials of `{options.preset}`, workers: {n}", s, "s") for n, s in seconds.items()),
        Result("two workers against one", seconds[2] / seconds[1], "of the time", 0.6),
    ])  # fmt: skip


if __name__ == "__main__":
    start(main)
