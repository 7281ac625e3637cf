"""Cost of an epoch besides its arithmetic, its growth, and the gain by a second core.

    python -m benchmarks.epoch                       # two to three minutes on an idle machine

Loading and tracking are measured on the first joint method of the preset `etth1-har` (`--preset`) where its sources are
prepared in this project, else of `sensors`. Growth is measured on drawn numbers with the default encoder.
Shares are of CPU seconds on one thread; tracking and jobs are wall seconds.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmarks.command import at_least, finish, parser, start
from benchmarks.loop import build
from benchmarks.machine import Result, cpu_seconds
from benchmarks.project import change, last_json, make_project, run_in, seeds, with_data
from benchmarks.reference_timedart import SingleWindows
from mtl import tracking
from mtl.balancing.weighted import WeightedSum
from mtl.config import Config, SamplerConfig, StoppingConfig, TimeDartEncoder, load_config
from mtl.data.inputs.window_samples import Windows
from mtl.data.loading.pools import Pool, Target
from mtl.data.loading.sampling import JointPlan
from mtl.experiment import run_finetune
from mtl.experiment.objects import joint_plan, load_tasks
from mtl.models.build import build_model
from mtl.seeding import make_deterministic
from mtl.tasks.base import TaskSpec
from mtl.tasks.classification import Classification
from mtl.tasks.forecast import Forecast
from mtl.training.checkpoint import Checkpoint
from mtl.training.fit import fit
from mtl.training.instruments import Instruments
from mtl.training.measure import CHUNK
from mtl.training.optimiser import adamw
from mtl.training.state import Budget, TrainingData, TrainingState
from mtl.training.stopping import Selector

ENCODER = TimeDartEncoder(kind="timedart")
COLUMNS = ["a", "b", "c", "d"]


def loading(config: Config, method: str, root: Path) -> list[Result]:
    """Plan, windows and targets of an epoch against the epoch; and one batch against a per-sample loader."""
    make_deterministic(0, 1)
    data, _ = load_tasks(config, 0, root)
    plan = joint_plan(config, data, 0)
    names = config.method_tasks(method)
    train, val = data.select(names, "train"), data.select(names, "val")
    made = build(config, names, config.finetune.methods[method], data, 0, root)
    settings = made.config.train
    selector, probes = Selector(settings.stopping, list(made.specs.values())), Instruments(settings.gradient_probes)

    def epoch() -> None:
        state = TrainingState(made.specs, made.model, made.balancer, made.optimiser, selector, probes)
        budget = Budget(1, settings.schedule, settings.clip)
        list(fit(state, TrainingData(train, val, plan), budget, Checkpoint(None)))

    whole = cpu_seconds(epoch)

    def load() -> None:
        plan.active_steps([pool.name for pool in train], 1)
        for steps in plan.epochs(1):
            for step in steps:
                for pool in train:
                    if pool.name in step:
                        pool.batch(step[pool.name])
        for pool in val:
            for index in torch.split(torch.arange(len(pool)), CHUNK):
                pool.batch(index)

    share = 100 * cpu_seconds(load) / whole
    values = torch.randn(8640, 7)
    starts = torch.arange(8640 - 336 - 96 + 1)
    ours = Pool("p", "p", Windows(values, 336, starts), {"t": Target(None, 96)})
    batches = torch.randint(len(ours), (200, 16))
    fast = cpu_seconds(lambda: [ours.batch(index) for index in batches]) / 200
    loader = DataLoader(SingleWindows(values, 336, 96), batch_size=16, sampler=batches.flatten().tolist())
    slow = cpu_seconds(lambda: list(loader)) / 200
    return [
        Result("an epoch with its validation", whole, "CPU s", note=f"{plan.steps_per_epoch} steps"),
        Result("loading, plan included", share, "% of the epoch", 2.0),
        Result("16 windows of 336+96 rows: ours", 1000 * fast, "CPU ms"),
        Result("the same: one sample at a time, collated", 1000 * slow, "CPU ms"),
    ]


def tracked(method: str, root: Path, epoch_seconds: float) -> list[Result]:
    """Cost that publishing adds to each epoch of a run, once the store is there: in training and in the background."""
    # Publishing depends on the numbers of epochs and metrics, not on the steps: short epochs do.
    short = change(root, {"epoch: largest": "epoch: smallest"} if "epoch: largest" in _params(root) else {})
    folders = [run_finetune(short, method, seed, root) for seed in short.base.seeds[:2]]
    began = perf_counter()
    tracking.publish_stage("finetune", folders[:1], root)
    tracking.settle(root)
    first = perf_counter() - began
    began = perf_counter()
    tracking.publish_stage("finetune", folders[1:], root)
    handed = perf_counter() - began
    tracking.settle(root)
    whole = perf_counter() - began
    epochs = short.train.epochs
    return [
        Result("publishing the first run: start of the publisher, store, MLflow", first, "s, once a project"),
        Result("handing another run over, which training waits for", handed, "s", note=f"{epochs} epochs"),
        Result("until it is published, in the background", whole, "s"),
        Result("tracking: what training waits for", 100 * handed / epochs / epoch_seconds, "% of the epoch", 1.0),
        Result("the same with all that the background does", 100 * whole / epochs / epoch_seconds, "% of the epoch"),
    ]


def _params(root: Path) -> str:
    return (root / "params.yaml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Load:
    """A made-up training load: K tasks, forecasts and labels in turn."""

    tasks: int = 2
    windows: int = 512
    length: int = 64
    shared: bool = True
    """True when all tasks read the same windows, False when each reads its own."""
    batch: int = 32
    """Windows of each pool in a step."""

    def pools(self, windows: int, specs: list[TaskSpec]) -> list[Pool]:
        """Makes one pool for all tasks, or a pool for each."""
        made = []
        for group in [specs] if self.shared else [[spec] for spec in specs]:
            flat = torch.randn(windows + self.length + 6, len(COLUMNS))
            targets = {
                spec.name: Target(None, 6) if spec.kind == "forecast" else Target(torch.randint(3, (windows,)))
                for spec in group
            }
            made.append(Pool(group[0].name, group[0].name, Windows(flat, self.length, torch.arange(windows)), targets))
        return made

    def seconds(self) -> float:
        """CPU seconds of an epoch, the lesser of two."""
        at: dict[str, Any] = {"source": "s", "shape": (len(COLUMNS), self.length), "columns": COLUMNS}
        specs: list[TaskSpec] = [
            Forecast(name=f"t{i}", targets=[0, 1, 2, 3], horizon=6, **at)
            if i % 2 == 0
            else Classification(name=f"t{i}", classes=["x", "y", "z"], **at)
            for i in range(self.tasks)
        ]
        make_deterministic(0, 1)
        model = build_model(ENCODER, specs, 0)
        train, val = self.pools(self.windows, specs), self.pools(8, specs)
        plan = JointPlan({p.name: len(p) for p in train}, self.batch * len(train), SamplerConfig(epoch="largest"), 0)
        balancer = WeightedSum(specs, 0.3, "warmup")
        named = {spec.name: spec for spec in specs}

        def epoch() -> None:
            optimiser = adamw([(list(model.parameters()), 1e-3, 0.01)])
            state = TrainingState(named, model, balancer, optimiser, Selector(StoppingConfig(), specs))
            list(fit(state, TrainingData(train, val, plan), Budget(1, "onecycle", 1.0), Checkpoint(None)))

        epoch()
        return min(cpu_seconds(epoch) for _ in range(2))


def growth(name: str, sizes: list[int], load: Callable[[int], Load], note: str = "", limit: float | None = None) -> (
    list[Result]
):  # fmt: skip
    """Cost at each size, the exponent of the power law through all, and what the last doubling did."""
    print(f"growth with {name} …", flush=True)
    seconds = [load(size).seconds() for size in sizes]
    exponent = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
    shown = ", ".join(f"{size}: {value:.3g}" for size, value in zip(sizes, seconds, strict=True))
    last = float(np.log(seconds[-1] / seconds[-2]) / np.log(sizes[-1] / sizes[-2]))
    return [
        Result(f"growth with {name}: exponent", exponent, "", limit, note=f"CPU s an epoch: {shown}"),
        Result(f"growth with {name}: exponent of the last doubling", last, "", note=note),
    ]


def all_growth(doublings: int) -> list[Result]:
    """Growth with everything that can grow, `doublings` times from its least."""

    def sizes(least: int) -> list[int]:
        return [least * 2**turn for turn in range(doublings + 1)]

    return [
        *growth("windows", sizes(256), lambda n: Load(windows=n), limit=1.1),
        *growth("tasks, each with its own windows", sizes(2), lambda k: Load(tasks=k, windows=128, shared=False),
                limit=1.1),
        *growth("tasks on shared windows", sizes(2), lambda k: Load(tasks=k),
                "the encoder's pass is shared; heads add up", limit=1.1),
        *growth("window length", sizes(64), lambda n: Load(windows=128, length=n),
                "attention grows with the square of the tokens, all else in proportion"),
    ]  # fmt: skip


def jobs(folder: Path, preset: str) -> list[Result]:
    """The same runs one after the other and two at a time."""
    make_project(folder, preset)
    config = seeds(folder, 4)  # two rounds of two
    for name in config.prepare.sources:
        run_in(folder, "-m", "mtl.stages.prepare", name)
    alone, paired = (last_json(run_in(folder, "-m", "benchmarks.jobs", str(n)))["seconds"] for n in (1, 2))
    return [
        Result(f"4 runs of {preset}, one at a time", alone, "s"),
        Result(f"4 runs of {preset}, two at a time", paired, "s"),
        Result("two jobs against one", alone / paired, "×", 1.8, True),
    ]


def main(given: Sequence[str] | None = None) -> int:
    """Measures everything and reports."""
    command = parser("epoch", __doc__)
    command.add_argument("--preset", default="etth1-har", help="whose epoch is measured (default: etth1-har)")
    command.add_argument("--jobs-preset", default="sensors", help="whose runs go side by side (default: sensors)")
    command.add_argument("--doublings", type=at_least(1), default=4, help="of each size, for its growth")
    command.add_argument("--no-jobs", action="store_true", help="leave runs side by side out")
    options = command.parse_args(given)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:  # MLflow may still be at it
        root = Path(scratch) / "data"
        preset = with_data(root, options.preset)
        config = load_config(root / "params.yaml")
        method = next(iter(config.finetune.methods))
        loaded = loading(config, method, root)
        results = [Result(f"{preset}, {method}: {r.name}", r.value, r.unit, r.limit, r.at_least, r.note)
                   for r in loaded + tracked(method, root, loaded[0].value)]  # fmt: skip
        results += all_growth(options.doublings)
        if not options.no_jobs:
            print("jobs …", flush=True)
            results += jobs(Path(scratch) / "jobs", options.jobs_preset)
    return finish(options, results)


if __name__ == "__main__":
    start(main)
