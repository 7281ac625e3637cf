"""Networks on public tables beside boosted trees and published figures: single tasks, joint training, honest splits.

    python -m benchmarks.tables enb wine             # tables whose raw files are there; without names: all of them
    python -m benchmarks.tables wine --folder runs   # keeps the runs, so that a stopped command goes on

A table is a preset, or a variant of one (see VARIANTS). For each seed the simple models are fitted, every task is
trained alone, and all are trained together by each method. `change` is that of the primary metric in percent against
the simple model that is best on validation data, and against boosted trees whether they are that or not; positive is
better, mean over the tasks, with a 95 % interval over the seeds. aRRMSE is the mean over targets of RMSE / RMSE of the
training mean on the same test rows (Spyromitros-Xioufis et al. 2016, section 4.2). CPU seconds are those of training,
validation and test together.
"""

import json
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from time import process_time
from typing import Any

import yaml

from benchmarks.command import at_least, count, finish, parser, start
from benchmarks.machine import HERE, Result
from mtl.config import Config, parse_config
from mtl.config.metrics import METRICS
from mtl.config.simple import SimpleConfig
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.errors import UserError
from mtl.evaluation.intervals import t_interval
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.simple import run_simple, same_samples
from mtl.files import replace_text
from mtl.paths import PREPARED, RunPath
from mtl.results.record import Run
from mtl.results.statistics import Interval
from mtl.setup import presets

SIMPLE, TREES, ALONE = "simple", "trees", "alone"
PUBLISHED = {"enb": 0.1165, "jura": 0.5874, "atp1d": 0.3732, "oes97": 0.5230, "wq": 0.8994}
"""Better aRRMSE of single-target trees and multi-objective random forests, ten folds (Melki et al. 2017)."""
Raw = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """A preset, and what is changed in it."""

    preset: str
    change: Callable[[Raw], None] = lambda raw: None


def _any_rows(raw: Raw) -> None:
    """Random test rows, whatever else is in them."""
    for source in raw["prepare"]["sources"].values():
        source["split"] = {"kind": "random"}


def _any_recordings(raw: Raw) -> None:
    """Random test rows of people who are in the training part as well; the number of a person is no input. The network
    and its budget are those of wine: there is more to learn than of a new person."""
    _any_rows(raw)
    raw["prepare"]["sources"]["parkinsons"]["ignore"] = ["subject#"]
    wine = yaml.safe_load(presets.render("wine", HERE))
    raw["encoder"], raw["train"] = wine["encoder"], wine["train"]


def _with_relationship(raw: Raw) -> None:
    raw["prepare"]["sources"]["adult"]["ignore"] = []


def _as_ludwig(raw: Raw) -> None:
    """The network and budget of Ludwig 0.17 in its example of wine quality; random test rows."""
    _any_rows(raw)
    del raw["prepare"]["sources"]["wine"]["file_column"]
    raw["encoder"] = {"kind": "mlp", "sizes": [128, 128], "dropout": 0.1}
    raw["train"] |= {"epochs": 30, "batch_size": 128, "lr": 0.001, "weight_decay": 0.0, "schedule": "constant",
                     "average": None, "stopping": raw["train"]["stopping"] | {"patience": None}}  # fmt: skip
    raw["finetune"]["methods"] = {"uncertainty": {"kind": "uncertainty"}}
    for task in raw["tasks"].values():
        del task["linear"]


VARIANTS = {
    "wine": Variant("wine"),
    "wine-random": Variant("wine", _any_rows),
    "wine-ludwig": Variant("wine", _as_ludwig),
    "parkinsons": Variant("parkinsons"),
    "parkinsons-random": Variant("parkinsons", _any_recordings),
    "adult": Variant("adult"),
    "adult-relationship": Variant("adult", _with_relationship),
    "enb": Variant("multi-target"),
    **{name: Variant(f"multi-target-{name}") for name in ("jura", "atp1d", "oes97", "wq", "rf1", "scm20d")},
}


@dataclass
class Arm:
    """Test metrics and cost of one side: the simple models, boosted trees, the tasks alone, or a method."""

    runs: list[dict[str, dict[str, float]]] = field(default_factory=list)
    """Task → metrics for each seed."""
    seconds: float = 0.0
    """CPU seconds of all seeds."""

    def of(self, task: str, metric: str) -> list[float]:
        """Values of a metric, one a seed."""
        return [run[task][metric] for run in self.runs]

    def arrmse(self) -> list[float]:
        """aRRMSE of each seed."""
        return [fmean(metrics["rrmse"] for metrics in run.values()) for run in self.runs]


def settings(name: str, seeds: int | None = None, epochs: int | None = None) -> Config:
    """Configuration of a table, with its own seeds or the first so many, and its own epochs or so many."""
    variant = VARIANTS[name]
    raw = yaml.safe_load(presets.render(variant.preset, HERE))
    variant.change(raw)
    if seeds is not None:
        raw["base"]["seeds"] = raw["base"]["seeds"][:seeds]
    if epochs is not None:
        raw["train"]["epochs"] = epochs
    return parse_config(raw, f"table {name}")


def prepare(config: Config, raw: Path, root: Path) -> None:
    """Reads the sources that are not prepared yet.

    Raises:
        UserError: a raw file is missing, or a source cannot be used.
    """
    for name, section in config.prepare.sources.items():
        if not (root / PREPARED / name).exists():
            write_prepared(read_source(name, section, raw), root / PREPARED / name, {})


class Runs:
    """Runs below a folder, each made once, with the CPU seconds that it took.

    Args:
        root: folder of the project.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "cpu_seconds.json"
        self.seconds: dict[str, float] = json.loads(self.file.read_text()) if self.file.exists() else {}

    def made(self, where: RunPath, make: Callable[[], object]) -> float:
        """Makes a run unless it is there; returns its CPU seconds."""
        key = where.folder.as_posix()
        if key not in self.seconds:
            began = process_time()
            make()
            self.seconds[key] = process_time() - began
            replace_text(self.file, json.dumps(self.seconds, indent=1, sort_keys=True) + "\n")
        return self.seconds[key]

    def test(self, where: RunPath) -> dict[str, dict[str, float]]:
        """Task → test metrics of a run."""
        return dict(Run.read(self.root / where.folder / "run.json").test)


def simple_arm(config: Config, root: Path) -> Arm:
    """Fits the simple models of every seed."""
    runs, arm = Runs(root), Arm()
    for seeds in same_samples(config, root):
        arm.seconds += runs.made(RunPath("simple", None, None, seeds[0]), partial(run_simple, config, seeds, root))
    for seed in config.base.seeds:
        arm.runs.append({task: runs.test(RunPath("simple", task, None, seed))[task] for task in config.tasks})
    return arm


def tree_arm(config: Config, root: Path) -> Arm:
    """Fits boosted trees in every case, in a folder of their own with the same samples."""
    folder = root / TREES
    folder.mkdir(exist_ok=True)
    if not (folder / "data").exists():
        (folder / "data").symlink_to(Path("..") / "data", target_is_directory=True)
    return simple_arm(config.model_copy(update={"simple": SimpleConfig(models=["boosting"])}), folder)


def arms_of(config: Config, root: Path) -> dict[str, Arm]:
    """Trains everything, seed by seed; arm → what came out."""
    arms = {SIMPLE: simple_arm(config, root), TREES: tree_arm(config, root)}
    arms |= {name: Arm() for name in (ALONE, *config.finetune.methods)}
    runs, begin = Runs(root), config.baseline.starts[0]
    for seed in config.base.seeds:
        print(f"seed {seed}", flush=True)
        alone = {}
        for task in config.tasks:
            where = RunPath("baseline", task, begin.label, seed)
            arms[ALONE].seconds += runs.made(where, partial(run_baseline, config, task, begin, seed, root))
            alone[task] = runs.test(where)[task]
        arms[ALONE].runs.append(alone)
        for method in config.finetune.methods:
            where = RunPath("finetune", method, None, seed)
            arms[method].seconds += runs.made(where, partial(run_finetune, config, method, seed, root))
            arms[method].runs.append(runs.test(where))
    return arms


def changes(config: Config, arm: Arm, simple: Arm) -> list[float]:
    """Change of the primary metrics against the simple models in percent, mean over the tasks, one a seed."""
    by_task = []
    for task, section in config.tasks.items():
        metric = section.primary_metric
        sign = -100 if METRICS[metric].lower_is_better else 100
        pairs = zip(arm.of(task, metric), simple.of(task, metric), strict=True)
        by_task.append([sign * (value - base) / base for value, base in pairs])
    return [fmean(seed) for seed in zip(*by_task, strict=True)]


def _words(interval: Interval, form: str) -> str:
    ends = "" if interval.low is None else f" [{interval.low:{form}}, {interval.high:{form}}]"
    return f"{interval.mean:{form}}{ends}"


def lines(name: str, config: Config, arms: dict[str, Arm]) -> Iterator[Result]:
    """Results of one table."""
    for arm_name, arm in arms.items():
        for task, section in list(config.tasks.items())[:4]:
            values = arm.of(task, section.primary_metric)
            yield Result(f"{name}: {arm_name}: {task}", fmean(values), section.primary_metric)
        note = f"{arm.seconds / len(arm.runs):.1f} CPU s a seed"
        if all(section.kind == "regression" for section in config.tasks.values()):
            ratio = t_interval(arm.arrmse(), 0.95)
            bound = f"; published {PUBLISHED[name]}" if name in PUBLISHED else ""
            yield Result(f"{name}: {arm_name}: aRRMSE", fmean(arm.arrmse()), "", note=_words(ratio, ".4f") + bound)
        if arm_name in (SIMPLE, TREES):
            yield Result(f"{name}: {arm_name}: time", arm.seconds / len(arm.runs), "CPU s a seed")
            continue
        for other in (SIMPLE, TREES):
            change = t_interval(changes(config, arm, arms[other]), 0.95)
            shown = f"{_words(change, '+.1f')}; {note}"
            yield Result(f"{name}: {arm_name}: change against {other}", float(change.mean or 0), "%", note=shown)


def measured(name: str, options: Namespace) -> tuple[Config, dict[str, Arm]]:
    """Runs a table below `--folder`, or in a folder that is deleted."""
    config = settings(name, options.seeds, options.epochs)
    if options.folder is not None:
        root = options.folder / name
        root.mkdir(parents=True, exist_ok=True)
        prepare(config, options.raw, root)
        return config, arms_of(config, root)
    with tempfile.TemporaryDirectory() as folder:
        prepare(config, options.raw, Path(folder))
        return config, arms_of(config, Path(folder))


def main(given: Sequence[str] | None = None) -> int:
    """Prints a few lines for each table, and writes all values to tables.json."""
    command = parser("tables", __doc__)
    command.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(VARIANTS)} (default: all)")
    command.add_argument("--seeds", type=at_least(2), help="the first so many of the preset's")
    command.add_argument("--epochs", type=count, help="train so long instead, for a first look")
    command.add_argument("--raw", type=Path, default=Path(), help="project in which data/raw lies (default: here)")
    command.add_argument("--folder", type=Path, help="keep the runs of each table below this folder, and go on there")
    options = command.parse_args(given)
    unknown = [name for name in options.tables if name not in VARIANTS]
    if unknown:
        raise UserError(f"`{unknown[0]}` is no table; tables: {', '.join(VARIANTS)}.")
    results: list[Result] = []
    values = {}
    for name in options.tables or VARIANTS:
        try:
            config, arms = measured(name, options)
        except UserError as error:
            print(f"{name}: left out: {error}", flush=True)
            continue
        results += lines(name, config, arms)
        values[name] = {arm: {"runs": of.runs, "seconds": of.seconds} for arm, of in arms.items()}
    return finish(options, results, {"values": values})


if __name__ == "__main__":
    start(main)
