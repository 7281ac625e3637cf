"""What an epoch costs besides its arithmetic, how the cost grows, and what a second core brings.

    python -m benchmarks.epoch                       # about two minutes on an idle machine

Loading and tracking are measured on the joint method `constant` of the preset `etth1-har` where its sources are
prepared in this project, else on `joint` of `sensors`. Growth is measured on drawn numbers with the default encoder.
Shares are of CPU seconds on one thread; tracking and jobs are wall seconds.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmarks.machine import Result, cpu_seconds, report
from benchmarks.project import change, last_json, make_project, run_in, with_data
from mtl import tracking
from mtl.balancing.build import build_balancer
from mtl.balancing.weighted import WeightedSum
from mtl.config import Config, SamplerConfig, StoppingConfig, TimeDartEncoder, load_config
from mtl.data.pools import Pool, Target
from mtl.data.sampling import JointPlan
from mtl.data.windows import Windows
from mtl.experiment import run_finetune
from mtl.experiment.objects import build_optimiser, joint_plan, load_tasks
from mtl.models.build import build_model
from mtl.seeding import make_deterministic
from mtl.training.checkpoint import Checkpoint
from mtl.training.fit import Budget, Fitted, fit
from mtl.training.measure import CHUNK
from mtl.training.optimiser import adamw
from mtl.training.stopping import Selector
from mtl.types import TaskSpec

ENCODER = TimeDartEncoder(kind="timedart")
COLUMNS = ["a", "b", "c", "d"]


def loading(config: Config, method: str, root: Path) -> list[Result]:
    """Plan, windows and targets of an epoch against the epoch; and one batch against a per-sample loader."""
    make_deterministic(0, 1)
    data, _ = load_tasks(config, 0, root)
    plan = joint_plan(config, data, 0)
    names = config.method_tasks(method)
    specs = {name: data.specs[name] for name in names}
    train, val = data.select(names, "train"), data.select(names, "val")
    model = build_model(config.encoder, list(specs.values()), 0)
    balancer = build_balancer(config.finetune.methods[method], list(specs.values()))
    optimiser = build_optimiser(config, model, names, balancer, config.finetune.methods[method])
    budget = Budget(1, config.train.schedule, config.train.clip, config.train.gradient_probes)
    selector = Selector(config.train.stopping, list(specs.values()))
    whole = cpu_seconds(
        lambda: list(
            fit(model, balancer, optimiser, train, val, plan, specs, budget, selector, Checkpoint(None), Fitted())
        )
    )

    def load() -> None:
        plan.active_steps([pool.name for pool in train], 1)
        for steps in plan.epochs(1):
            for step in steps:
                for pool in train:
                    if pool.name in step:
                        pool.batch(step[pool.name])
        for pool in val:
            for index in torch.arange(len(pool)).split(CHUNK):
                pool.batch(index)

    share = 100 * cpu_seconds(load) / whole
    values = torch.randn(8640, 7)
    starts = torch.arange(8640 - 336 - 96 + 1)
    ours = Pool("p", "p", Windows(values, 336, starts), {"t": Target(None, 96, None, None)})
    batches = torch.randint(len(ours), (200, 16))
    fast = cpu_seconds(lambda: [ours.batch(index) for index in batches]) / 200
    loader = DataLoader(Windows(values, 336, 96), batch_size=16, sampler=batches.flatten().tolist())
    slow = cpu_seconds(lambda: list(loader)) / 200
    return [
        Result("an epoch with its validation", whole, "CPU s", note=f"{plan.steps_per_epoch} steps"),
        Result("loading, plan included", share, "% of the epoch", 2.0),
        Result("16 windows of 336+96 rows: ours", 1000 * fast, "CPU ms"),
        Result("the same: one sample at a time, collated", 1000 * slow, "CPU ms"),
    ]


def tracked(method: str, root: Path, epoch_seconds: float) -> list[Result]:
    """What publishing a run adds to each of its epochs, once the store is there: to training, and in the background."""
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
    """Whether all tasks read the same windows, or each its own."""
    batch: int = 32
    """Windows of each pool in a step."""

    def pools(self, windows: int, specs: list[TaskSpec]) -> list[Pool]:
        """One pool, or one a task."""
        found = []
        for group in [specs] if self.shared else [[spec] for spec in specs]:
            flat = torch.randn(windows + self.length + 6, len(COLUMNS))
            targets = {
                spec.name: Target(None, 6, None, None)
                if spec.kind == "forecast"
                else Target(None, 0, torch.randint(3, (windows,)), None)
                for spec in group
            }
            found.append(Pool(group[0].name, group[0].name, Windows(flat, self.length, torch.arange(windows)), targets))
        return found

    def seconds(self) -> float:
        """CPU seconds of an epoch, the lesser of two."""
        specs = [
            TaskSpec(f"t{i}", "forecast", "s", self.length, COLUMNS, [0, 1, 2, 3], horizon=6)
            if i % 2 == 0
            else TaskSpec(f"t{i}", "classification", "s", self.length, COLUMNS, [], classes=["x", "y", "z"])
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
            budget, selector = Budget(1, "onecycle", 1.0, 0), Selector(StoppingConfig(), specs)
            list(fit(model, balancer, optimiser, train, val, plan, named, budget, selector, Checkpoint(None), Fitted()))

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


def jobs(folder: Path) -> list[Result]:
    """The same runs one after the other and two at a time."""
    make_project(folder, "sensors")
    change(folder, {"seeds: [0, 1, 2, 3, 4]": "seeds: [0, 1, 2, 3]"})  # two rounds of two
    run_in(folder, "-m", "stages.prepare", "sensors")
    one, two = (last_json(run_in(folder, "-m", "benchmarks.jobs", str(n)))["seconds"] for n in (1, 2))
    return [
        Result("4 runs of sensors, one at a time", one, "s"),
        Result("4 runs of sensors, two at a time", two, "s"),
        Result("two jobs against one", one / two, "×", 1.8, True),
    ]


def main() -> None:
    """Measures everything and reports."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "data"
        preset = with_data(root, "etth1-har")
        method = "constant" if preset == "etth1-har" else "joint"
        loaded = loading(load_config(root / "params.yaml"), method, root)
        results = [Result(f"{preset}, {method}: {r.name}", r.value, r.unit, r.limit, r.at_least, r.note)
                   for r in loaded + tracked(method, root, loaded[0].value)]  # fmt: skip
        results += growth("windows", [256, 512, 1024, 2048, 4096], lambda n: Load(windows=n), limit=1.1)
        results += growth("tasks, each with its own windows", [2, 4, 8, 16, 32],
                          lambda k: Load(tasks=k, windows=128, shared=False), limit=1.1)  # fmt: skip
        results += growth("tasks on shared windows", [2, 4, 8, 16, 32], lambda k: Load(tasks=k),
                          "the encoder's pass is shared; heads add up", limit=1.1)  # fmt: skip
        results += growth("window length", [64, 128, 256, 512, 1024], lambda n: Load(windows=128, length=n),
                          "attention grows with the square of the tokens, all else in proportion")  # fmt: skip
        print("jobs …", flush=True)
        results += jobs(Path(scratch) / "jobs")
    report("epoch", results)


if __name__ == "__main__":
    main()
