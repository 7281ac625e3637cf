"""Runs, time and bytes that `mtl repro` will take, as sentences that are told before anything trains."""

import json
import math
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from mtl.cli.estimate.stale import EVERYTHING, Asked, Stale, needed
from mtl.cli.estimate.timed import Sizes, Timed, group_of
from mtl.cli.preflight import DVC_FILE, LOCK, MEMBERS
from mtl.cli.sample_sizes import sample_bytes
from mtl.config import Config
from mtl.config.yaml_file import read_yaml
from mtl.jobs.cores import workers
from mtl.paths import RunPath, run_paths

VARIABLE = "MTL_ESTIMATE"
"""Variable of the environment that leaves the estimate out when it is `no`, as scripts may want that run often."""
DEADLINE = 20.0
"""Seconds after which the timing is ended wherever it is: it takes five on a machine that has nothing else to do."""
TEXTS = 60_000
"""Bytes of a run's JSON files: its record, curves and examples."""
MLFLOW_RUN = 40_000
"""Bytes of a run in MLflow's database."""
FIXED = 1_500_000
"""Bytes of the report, its tables and an empty database of MLflow."""
OVER = 1.3
"""Factor on the computed time for what is not timed: instruments, saved states, files, processes side by side."""
REPORT = 4.0
"""Time of the stage `evaluate` beside its passes over test samples, in times of a stage's start."""
UNITS = ((1.0, "second", 90.0), (60.0, "minute", 5400.0), (3600.0, "hour", math.inf))
"""Seconds of a unit, its name, and the seconds up to which it is used."""
WORDS = {"baseline": "single-task", "finetune": "joint", "specialise": "of clusters", "pretrain": "of pretraining"}


@dataclass(frozen=True)
class Runs:
    """Runs of one group."""

    name: str
    target: str
    """Target of `mtl repro` that makes them, such as `finetune@joint`."""
    count: int


@dataclass
class Measured:
    """Answer of the process that times networks, as far as it came."""

    sizes: Sizes | None = None
    timed: dict[str, Timed] = field(default_factory=dict)
    problem: str | None = None
    kept: dict[str, int] = field(default_factory=dict)
    """Group of runs → how many of them are there as the settings of now ask for, or are remembered."""


@dataclass(frozen=True)
class Estimate:
    """Counts and bounds of what `mtl repro` will do."""

    sure: Counter[str]
    """Stage → runs that will be made."""
    possible: Counter[str]
    """Stage → runs that will be made unless what they build on comes out as before."""
    up_to_date: int
    """Runs that are there."""
    simple: int
    """Simple models that will be fitted."""
    seconds: tuple[float, float] | None
    """Least and most seconds; None where nothing could be timed."""
    processes: int
    written: tuple[int, int] | None
    """Bytes in the project's folder, DVC's cache and MLflow: (checkpoints, predictions and losses); None: not known."""
    clusters_unknown: bool
    """Models of clusters follow, whose number the stage `cluster` finds."""


class Foreseen(NamedTuple):
    """Runs to come."""

    sentences: list[str]
    """Without a point at the end; none where the variable MTL_ESTIMATE is `no`."""
    nothing: bool
    """DVC found every stage up to date, so that it need not be asked to run any."""


def estimate(config: Config, targets: Collection[str] = (), force: bool = False, root: Path = Path()) -> Foreseen:
    """Runs, time and bytes to come, unless the variable MTL_ESTIMATE is `no`.

    Args:
        config: the whole configuration.
        targets: of `mtl repro`; none is everything.
        force: what is up to date is computed as well.
        root: folder of the project.
    """
    if os.environ.get(VARIABLE) == "no":
        return Foreseen([], nothing=False)
    asked = Asked(root)
    # Where the pipeline has run before, all may be up to date, and nothing is timed beside DVC's look at it.
    timing = None if (root / LOCK).exists() else _start_timing(root)
    stale = asked.answer()
    if force:
        stale = EVERYTHING
    wanted = needed(targets, read_yaml(root / DVC_FILE)["stages"])
    trains = any(stale.may_run(runs.target) and _asked(runs, targets, wanted) for runs in groups(config))
    if timing is not None and not trains:
        timing.kill()
    measured = _collected(timing or _start_timing(root)) if timing is not None or trains else Measured()
    if force:
        measured.kept = {}
    return Foreseen(sentences(counted(config, stale, measured, targets, wanted)), nothing=stale.changed == frozenset())


def groups(config: Config) -> list[Runs]:
    """Runs of the configuration, in groups that differ in their seeds alone; models of clusters are not known here."""
    places: dict[str, list[RunPath]] = {}
    for where in run_paths(config):
        if where.stage != "pretrain" or config.pretrain.objective.kind != "none":
            places.setdefault(group_of(where), []).append(where)
    return [Runs(name, wheres[0].target, len(wheres)) for name, wheres in places.items()]


def counted(
    config: Config, stale: Stale, measured: Measured, targets: Collection[str] = (), wanted: set[str] | None = None
) -> Estimate:
    """Counts and bounds from DVC's status and the times of networks.

    Args:
        config: the whole configuration.
        stale: stages that will run.
        measured: times and sizes.
        targets: of `mtl repro`; none is everything.
        wanted: kinds of stages that these build on; None: all.
    """
    asked = [runs for runs in groups(config) if _asked(runs, targets, wanted)]
    seeds = len(config.base.seeds)
    models = measured.sizes.models if measured.sizes is not None else None
    specialises = config.specialise.weights is not None and (wanted is None or "specialise" in wanted)
    if specialises and models is not None:
        asked.append(Runs("specialise", "specialise", models * seeds))
    todo, certain = [], []
    sure = Counter[str]()
    possible = Counter[str]()
    for runs in asked:
        least, most = _to_make(runs, stale, measured)
        todo += [replace(runs, count=most)] * (most > 0)
        if runs.target != "simple":
            certain += [replace(runs, count=least)] * (least > 0)
            sure += Counter({_stage(runs): least})
            possible += Counter({_stage(runs): most - least})
    trained = [runs for runs in todo if runs.target != "simple"]
    waiting = specialises and models is None and stale.may_run("specialise")
    processes = workers(config.base)
    passed = [runs for runs in asked if runs.target not in ("simple", "pretrain")]  # by `evaluate`, there or not
    shortest = _seconds(certain, passed, stale, measured, processes, "least")
    longest = _seconds(trained, passed, stale, measured, processes, "most")
    return Estimate(
        sure, possible,
        sum(runs.count for runs in asked if runs.target != "simple") - sum(runs.count for runs in trained),
        sum(runs.count for runs in todo if runs.target == "simple"),
        None if shortest is None or longest is None else (shortest, longest * OVER),
        processes,
        _bytes(config, trained, stale, measured),
        waiting,
    )  # fmt: skip


def _to_make(runs: Runs, stale: Stale, measured: Measured) -> tuple[int, int]:
    """(runs that will be made, those and the ones that will unless what they build on comes out as before)."""
    if not stale.may_run(runs.target):
        return 0, 0
    if _stage(runs) not in MEMBERS:
        return (runs.count, runs.count) if stale.runs(runs.target) else (0, runs.count)
    lacking = runs.count - measured.kept.get(runs.name, 0)
    return lacking if stale.runs(runs.target) else 0, runs.count if _stage(runs) in stale.behind else lacking


def _stage(runs: Runs) -> str:
    return runs.target.partition("@")[0]


def _asked(runs: Runs, targets: Collection[str], wanted: set[str] | None) -> bool:
    kind = runs.target.partition("@")[0]
    return wanted is None or (kind in wanted and not (f"{kind}@" in "".join(targets) and runs.target not in targets))


def _seconds(
    todo: list[Runs], passed: list[Runs], stale: Stale, measured: Measured, processes: int, which: str
) -> float | None:
    """Seconds of some runs, stage after stage, and of `evaluate`, which passes test samples; None where no network was
    timed."""
    if measured.sizes is None or (todo and not measured.timed):
        return None
    startup = measured.sizes.startup
    total = 0.0
    for stage in dict.fromkeys(map(_stage, todo)):
        here = [runs for runs in todo if _stage(runs) == stage]
        count = sum(runs.count for runs in here)
        work = sum(runs.count * _of(runs, measured, which) for runs in here)
        total += startup + work / min(processes, count) * _uneven(count, processes)
    if stale.may_run("evaluate"):
        total += (1 + REPORT) * startup + sum(runs.count * _of(runs, measured, "test") for runs in passed)
    return total


def _uneven(count: int, processes: int) -> float:
    """Time of a number of like runs side by side, in times of what it would be if no process ever waited."""
    side = min(processes, count)
    return math.ceil(count / side) * side / count


def _of(runs: Runs, measured: Measured, which: str) -> float:
    """A number of one of the runs; of a network that was not timed, the mean of those of its stage, else of all."""
    timed = [entry for entry in measured.timed.values() if entry.group == runs.name]
    stage = runs.name.partition("/")[0]
    alike = timed or [entry for entry in measured.timed.values() if entry.group.partition("/")[0] == stage]
    chosen = alike or list(measured.timed.values())
    return sum(float(getattr(entry, which)) for entry in chosen) / len(chosen) if chosen else 0.0


def _bytes(config: Config, todo: list[Runs], stale: Stale, measured: Measured) -> tuple[int, int] | None:
    """(bytes of checkpoints and the texts beside them, of predictions and losses), each as often as it is kept."""
    if measured.sizes is None or (todo and not measured.timed):
        return None
    tracked = config.tracking.enabled
    copies = 2 + tracked  # the folder, DVC's cache, MLflow
    runs = sum(entry.count for entry in todo)
    weights = round(sum(entry.count * _of(entry, measured, "weights") for entry in todo))
    checkpoints = weights * (2 + (tracked and config.tracking.log_weights))
    checkpoints += runs * (copies * TEXTS + tracked * MLFLOW_RUN) + FIXED
    predicted = copies * sample_bytes(config, measured.sizes.tests) if stale.may_run("evaluate") else 0
    return checkpoints, predicted


def sentences(told: Estimate) -> list[str]:
    """The estimate in words, without a point at the end."""
    sure, possible = sum(told.sure.values()), sum(told.possible.values())
    if not sure + possible:
        said = [f"nothing trains: all {told.up_to_date} training runs are there" if told.up_to_date else
                "nothing trains"]  # fmt: skip
        return said + _clusters(told)
    both = told.sure + told.possible
    kinds = ", ".join(f"{count} {WORDS[stage]}" for stage, count in both.items())
    count = f"{sure}" if not possible else f"{sure} to {sure + possible}"
    text = f"{count} training run{'' if count == '1' else 's'} ({kinds})"
    if told.simple:
        text += f" and {told.simple} simple model{'' if told.simple == 1 else 's'}"
    if told.up_to_date:
        text += f"; {told.up_to_date} more {'is' if told.up_to_date == 1 else 'are'} there"
    said = [text]
    if possible:
        said.append("how many depends on whether what they build on comes out otherwise than before")
    said.append(_time(told))
    if told.written is not None:
        checkpoints, predictions = told.written
        said.append(
            f"about {_size(checkpoints + predictions)} on the disk: checkpoints with their records "
            f"{_size(checkpoints)}, predictions and losses {_size(predictions)}, with the copies in DVC's cache and "
            f"MLflow"
        )
    return said + _clusters(told)


def _time(told: Estimate) -> str:
    if told.seconds is None:
        return "how long it takes is told once the data are prepared (`mtl repro index`)"
    side = "one process" if told.processes == 1 else f"{told.processes} processes side by side"
    beside = ", and the simple models beside it" if told.simple else ""
    return f"about {duration(*told.seconds)} if {side} {'has' if told.processes == 1 else 'have'} a core each{beside}"


def _clusters(told: Estimate) -> list[str]:
    return ["models of clusters follow; how many is known once stage `cluster` has run"] * told.clusters_unknown


def duration(least: float, most: float) -> str:
    """A range of seconds in the unit that suits its longer end: `20 to 40 seconds`, `1.5 to 3 hours`, `2 minutes`."""
    unit, word = next((size, name) for size, name, reach in UNITS if most < reach)
    first, last = _rounded(least / unit), _rounded(most / unit)
    text = last if first == last else f"{first} to {last}"
    return f"{text} {word}{'' if text == '1' else 's'}"


def _rounded(value: float) -> str:
    """Two digits at most; what is below 1 counts as 1, since nothing is told that exactly."""
    if value >= 10:
        digits = 10 ** (len(str(int(value))) - 2)
        return f"{round(value / digits) * digits:,}"
    return f"{max(1.0, round(value * 2) / 2 if value < 3 else round(value)):g}"


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{_rounded(count / size)} {unit}"
    return f"{max(1, round(count / 1e3))} kB"


def _start_timing(root: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "mtl.cli.estimate.steps"], cwd=root, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def _collected(process: "subprocess.Popen[str]") -> Measured:
    """Lines of the process that times, until it ends or the deadline ends it."""
    measured = Measured()
    clock = threading.Timer(DEADLINE, process.kill)
    clock.start()
    assert process.stdout is not None
    try:
        for line in process.stdout:
            content = json.loads(line) if line.startswith("{") and line.endswith("}\n") else {}
            match content:
                case {"sizes": sizes}:
                    measured.sizes = Sizes.read(sizes)
                case {"kept": kept}:
                    measured.kept = dict(kept)
                case {"timed": timed}:
                    measured.timed[timed["group"]] = Timed(**timed)
                case {"problem": problem}:
                    measured.problem = str(problem)
    finally:
        clock.cancel()
        process.kill()
        process.stdout.close()
        process.wait()
    return measured
