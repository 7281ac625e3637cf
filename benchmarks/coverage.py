"""How often the two intervals of a verdict hold the true change, on `sensors`, whose generator makes new data at will.

    python -m benchmarks.coverage            # 40 pairs of networks, 1,000 histories; a quarter of an hour of one core

Single-task and joint networks of many seeds are trained once on one plant. Its history then goes on for a million rows,
cut into test histories with gaps between them. The true change is the mean over all pairs of networks, each measured on
all histories. An experiment is five pairs drawn at random, with replacement (the trained ones are the population), and
one test history; what it says of the change is held against the truth, by both intervals:

- over seeds alone: the t-interval of the five paired changes;
- for new data: with the variance from the choice of the test data as well (`mtl.evaluation.components`).

Several draws of networks share a history, so that the interval of a coverage runs over the histories. Networks and the
sums of their errors stay in the folder `--work`; a command that was stopped goes on from there.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.numpy import load_file, save_file
from torch import Tensor

from benchmarks.command import at_least, count, finish, parser, start
from benchmarks.machine import OUT, Result
from mtl.config import Config, parse_config
from mtl.config.budgets import STL
from mtl.config.metrics import METRICS
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.data.loading.tasks import TaskSet
from mtl.evaluation.components import MIN_BLOCKS, Components, change_components
from mtl.evaluation.intervals import t_interval
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import Recipe, joint, single_task
from mtl.experiment.saved import load_network
from mtl.files import replaced
from mtl.paths import PREPARED
from mtl.results.samples import BlockErrors
from mtl.results.statistics import Interval
from mtl.tasks.base import TaskSpec
from mtl.training.measure import outputs

SOURCE, METHOD = "sensors", "equal"
PLANT = 1
"""Seed of the source; that of the default preset is 0."""
SHORTEST = 800
"""Rows of the test part that the networks are trained beside; a longer one leaves the rows before it as they are."""
LENGTH, AHEAD = 32, 6
"""Rows of a window, and rows that are forecast."""
GAP = 190
"""Rows from the last start of a window in a history to the first one in the next: 150 rows lie between the windows of
both, in which the regime stays the same once in twenty times."""
LEVEL = 0.95
"""Confidence of the intervals."""
FIRST_SEED = 5
"""First seed of the networks; results that are shown use those before it."""
DRAWN = 5
"""Pairs of networks in an experiment."""
CHUNK = 4096
"""Windows in one pass of a network."""
JUDGED = (("next_6h", "mse"), ("fault", "accuracy"), ("fault", "auc"))
"""Task and metric of each comparison."""
ASKED = (93.0, 97.0)
"""Percent; the interval of the coverage for new data should meet it."""
Key = tuple[str, str]


@dataclass(frozen=True)
class Size:
    """Number of everything in the benchmark."""

    networks: int
    """Pairs of networks."""
    histories: int
    rows: int
    """Windows of a test history."""
    draws: int
    """Experiments on each history."""

    @property
    def test_rows(self) -> int:
        """Rows after the training and validation parts."""
        return max(SHORTEST, self.histories * (self.rows + GAP) + LENGTH + AHEAD)

    @property
    def starts(self) -> Int[Tensor, "M R"]:
        """Windows of each history, by their distance from the first one of the test part."""
        begin = torch.arange(self.histories) * (self.rows + GAP)
        return begin[:, None] + torch.arange(self.rows)


@dataclass(frozen=True)
class Measured:
    """One network on all histories, by one metric."""

    whole: float
    """The metric of all samples together."""
    sums: Float[np.ndarray, "M B"]
    """Errors of each history, added up over its blocks."""


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


def settings(seeds: Sequence[int], test_rows: int | None) -> Config:
    """The default plant's kind with small networks."""
    window = {"source": SOURCE, "input_len": LENGTH}
    return parse_config({
        "base": {"seeds": list(seeds), "device": "cpu"},
        "prepare": {"sources": {SOURCE: {"kind": "sensors", "seed": PLANT, "max_horizon": AHEAD,
                                         "test_rows": test_rows}}},
        "tasks": {"next_6h": {"kind": "forecast", "horizon": AHEAD, "targets": ["vibration", "temperature", "flow"],
                              **window},
                  "fault": {"kind": "binary", "label": "fault", **window}},
        "encoder": {"kind": "timedart", "patch_len": LENGTH, "d_model": 8, "heads": 1, "layers": 1, "d_ff": 16,
                    "classification": {"hidden": None}},
        "train": {"epochs": 8, "lr": 5e-3},
        "finetune": {"methods": {METHOD: {"kind": "equal"}}},
    })  # fmt: skip


def prepare(config: Config, root: Path) -> None:
    """Generates the source, where that was not done before."""
    if not (root / PREPARED / SOURCE / "meta.json").exists():
        write_prepared(read_source(SOURCE, config.prepare.sources[SOURCE], Path()), root / PREPARED / SOURCE, {})


def recipes(config: Config, seed: int) -> dict[str, Recipe]:
    """Name → the runs of a seed: one for each task alone, and the joint one."""
    alone = {task: single_task(config, task, config.baseline.starts[0], seed) for task in config.tasks}
    return alone | {METHOD: joint(config, METHOD, seed)}


def train(config: Config, root: Path) -> None:
    """Trains all networks that are not there yet."""
    prepare(config, root)
    for seed in config.base.seeds:
        for name, recipe in recipes(config, seed).items():
            if not (root / recipe.where.folder / "run.json").exists():
                if name == METHOD:
                    run_finetune(config, METHOD, seed, root)
                else:
                    run_baseline(config, name, recipe.start, seed, root)
        print(f"trained: seed {seed}", flush=True)


def block_sums(errors: Float[np.ndarray, "M R"], block: Int[np.ndarray, " R"]) -> Float[np.ndarray, "M B"]:
    """Errors of each history, added up over its blocks, which are stretches on end."""
    return np.add.reduceat(errors, np.searchsorted(block, np.arange(block[-1] + 1)), axis=1)


def measure(recipe: Recipe, data: TaskSet, size: Size, root: Path) -> dict[Key, Measured]:
    """(task, metric) → what a finished network reaches on all histories."""
    (pool,) = data.pools["test"]
    index = size.starts.flatten() + 1  # the first window of the test part has a forecast and no label yet
    targets: dict[str, list[Tensor]] = {task: [] for task in recipe.judged}

    def windows() -> Iterator[Tensor]:
        for chunk in index.split(CHUNK):
            batch = pool.batch(chunk)
            for task in recipe.judged:
                targets[task].append(batch.target(task))
            yield batch.x

    predictions = outputs(load_network(recipe, root).model, windows(), recipe.judged)
    block = blocks(data, size)
    measured = {}
    for task, metric in JUDGED:
        if task in recipe.judged:
            spec = replace(data.specs[task], metric=metric)
            prediction, target = predictions[task], torch.cat(targets[task])
            mean = float(errors_of(spec, prediction, target).mean())
            pairs = zip(prediction.split(size.rows), target.split(size.rows), strict=True)
            errors = torch.stack([errors_of(spec, *pair) for pair in pairs]).numpy()
            measured[task, metric] = Measured(mean if spec.lower_is_better else 1 - mean, block_sums(errors, block))
    return measured


def errors_of(spec: TaskSpec, prediction: Tensor, target: Tensor) -> Tensor:
    """Errors of samples by the metric of their task, as losses.parquet holds them."""
    errors = spec.judged_errors(prediction, target)
    assert errors is not None, "every history has samples of both classes"
    return errors


def blocks(data: TaskSet, size: Size) -> Int[np.ndarray, " R"]:
    """Blocks of the samples of a history, as the pipeline makes them."""
    return data.sources[SOURCE].blocks(torch.arange(size.rows), LENGTH, AHEAD).numpy()


def all_measured(
    config: Config, size: Size, root: Path
) -> tuple[dict[Key, dict[str, list[Measured]]], Int[np.ndarray, " R"]]:
    """(task, metric) → arm → its networks on all histories, read again where they were measured before; and the blocks
    of a history."""
    further = settings(config.base.seeds, size.test_rows)
    long = root / f"histories-{size.histories}-{size.rows}"
    prepare(further, long)
    data, _ = load_tasks(further, config.base.seeds[0], long)
    by_arm: dict[Key, dict[str, list[Measured]]] = {key: {STL: [], METHOD: []} for key in JUDGED}
    for seed in config.base.seeds:
        for name, recipe in recipes(config, seed).items():
            kept = long / f"{name}-{seed}.safetensors"
            if not kept.exists():
                measured = measure(recipe, data, size, root)
                columns = {f"{task} {metric}": value for (task, metric), value in measured.items()}
                whole = {f"{name} whole": np.array([value.whole]) for name, value in columns.items()}
                with replaced(kept) as fresh:
                    save_file(whole | {name: value.sums for name, value in columns.items()}, fresh)
            arrays = load_file(kept)
            for task, metric in JUDGED:
                if (column := f"{task} {metric}") in arrays:
                    value = Measured(float(arrays[f"{column} whole"][0]), arrays[column])
                    by_arm[task, metric][METHOD if name == METHOD else STL].append(value)
        print(f"measured: seed {seed}", flush=True)
    return by_arm, blocks(data, size)


def true_change(arms: Mapping[str, Sequence[Measured]], lower_is_better: bool) -> float:
    """Mean change of all pairs on all histories, in percent, positive is better."""
    sign = -100 if lower_is_better else 100
    pairs = zip(arms[STL], arms[METHOD], strict=True)
    return float(np.mean([sign * (together.whole / alone.whole - 1) for alone, together in pairs]))


def experiments(
    arms: Mapping[str, Sequence[Measured]], lower_is_better: bool, block: Int[np.ndarray, " R"], size: Size
) -> list[list[Said]]:
    """History → what each draw of five pairs of networks says of the change."""
    dice = np.random.default_rng(0)
    numbers, sizes = np.arange(block[-1] + 1), np.bincount(block)
    sign = -1 if lower_is_better else 1
    said = []
    for history in range(size.histories):
        alone, together = (
            [BlockErrors(numbers, network.sums[history], sizes) for network in arms[arm]] for arm in (STL, METHOD)
        )
        draws = []
        for _ in range(size.draws):
            chosen = dice.integers(0, size.networks, DRAWN)
            pairs = [(alone[place], together[place]) for place in chosen]
            components = change_components([pair[0] for pair in pairs], [pair[1] for pair in pairs], lower_is_better)
            assert isinstance(components, Components), components
            means = [[run.sums.sum() / size.rows for run in pair] for pair in pairs]
            values = means if lower_is_better else [[1 - a, 1 - b] for a, b in means]
            changes = [100 * sign * (b / a - 1) for a, b in values]
            draws.append(Said(t_interval(changes, LEVEL), components.interval(LEVEL), components.data_share))
        said.append(draws)
    return said


def coverage(intervals: Sequence[Sequence[Interval]], truth: float) -> Coverage:
    """The coverage by intervals, of several experiments on each history."""
    shares = []
    for history in intervals:
        inside = [i.low is not None and i.high is not None and i.low <= truth <= i.high for i in history]
        shares.append(100 * float(np.mean(inside)))
    mean, half = float(np.mean(shares)), 1.96 * float(np.std(shares, ddof=1)) / sqrt(len(shares))
    return Coverage(mean, mean - half, mean + half)


def results_of(key: Key, arms: Mapping[str, Sequence[Measured]], said: list[list[Said]]) -> list[Result]:
    """Rows of the table of one comparison."""
    task, metric = key
    name, lower = f"{task}, {METRICS[metric].title}", METRICS[metric].lower_is_better
    truth = true_change(arms, lower)
    seeds, new = (coverage([[getter(draw) for draw in history] for history in said], truth)
                  for getter in (lambda draw: draw.over_seeds, lambda draw: draw.new_data))  # fmt: skip
    share = float(np.median([draw.data_share for history in said for draw in history]))
    beyond = max(0.0, ASKED[0] - new.high, new.low - ASKED[1])
    return [
        Result(f"{name}: true change", truth, "%"),
        Result(f"{name}: covered by the interval over seeds", seeds.mean, "%", note=seeds.words),
        Result(f"{name}: covered by the interval for new data", new.mean, "%", note=new.words),
        Result(f"{name}: distance of that coverage from {ASKED[0]:g} to {ASKED[1]:g} %", beyond, "points", 0),
        Result(f"{name}: share of the test data in the variance, median", 100 * share, "%"),
    ]


def main(given: Sequence[str] | None = None) -> int:
    """Trains, measures on all histories, and reports both coverages."""
    command = parser("coverage", __doc__)
    command.add_argument("--networks", type=at_least(2), default=40, help="pairs that are trained")
    command.add_argument("--histories", type=at_least(2), default=1000, help="that are tested on")
    command.add_argument("--rows", type=at_least(MIN_BLOCKS * LENGTH), default=800, help="of a history")
    command.add_argument("--draws", type=count, default=10, help="of five pairs, on each history")
    command.add_argument("--work", type=Path, default=OUT / "coverage", metavar="FOLDER", help="of what is kept")
    options = command.parse_args(given)
    size = Size(options.networks, options.histories, options.rows, options.draws)
    torch.set_num_threads(1)
    seeds = range(FIRST_SEED, FIRST_SEED + size.networks)
    config = settings(seeds, None)
    told = settings([0], None).model_dump_json()
    root = options.work / hashlib.sha256(told.encode()).hexdigest()[:12]
    train(config, root)
    arms, block = all_measured(config, size, root)
    results = []
    for key in JUDGED:
        lower = METRICS[key[1]].lower_is_better
        results += results_of(key, arms[key], experiments(arms[key], lower, block, size))
    return finish(options, results, {"size": vars(size), "seeds": list(seeds), "plant": PLANT})


if __name__ == "__main__":
    start(main)
