"""Cost of a step of every balancing method, beside a plain step with equal weights, in one process on one thread.

    python -m benchmarks.balancing                   # about a quarter of an hour, idle

K binary tasks share an MLP 784 → 256 → 128 with ReLU; each has a linear head, and all heads are one layer. A step
has 128 samples: forward, losses, balanced backward pass, clipping, AdamW. Each method takes turns with the plain step,
and a number is the median of `--rounds` ratios of a step to the plain step of the same round. Torchjd's own way (a
layer a head, `mtl_backward` and `jac_to_grad`) takes its turn with the exact form of ours. Peak memory is what a
process that takes two such steps has at most, less what it had before; for the most tasks alone.
"""

import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from pydantic import TypeAdapter
from torch import Tensor, nn
from torchjd.aggregation import (
    IMTLG,
    MGDA,
    Aggregator,
    AlignedMTL,
    CAGrad,
    ConFIG,
    DualProj,
    FairGrad,
    GradVac,
    GramianWeightedAggregator,
    NashMTL,
    PCGrad,
    UPGrad,
)
from torchjd.autojac import jac_to_grad, mtl_backward

from benchmarks.command import count, finish, parser, start
from benchmarks.machine import HERE, Result, cpu_seconds
from mtl.balancing.base import Pass, Step
from mtl.balancing.build import build_balancer
from mtl.checks import one_of
from mtl.config import Method
from mtl.config.inputs import IMAGES
from mtl.tasks.base import TaskSpec
from mtl.tasks.binary import Binary
from mtl.types import Predictions, Stack

SAMPLES, PIXELS, HIDDEN, WIDTH = 128, 784, 256, 128
LOSS_LIMIT = 1.1
WARM_UP = 5
FEATURE_LIMITS = {"upgrad": 2.5, "mgda": 1.5, "dualproj": 1.5}
"""Limits on the ratios at 100 tasks."""
WEIGHTING = ["fixed", "uncertainty", "dwa", "rlw", "imtl_l", "geometric_mean", "stch", "famo"]
AGGREGATION = [
    "upgrad", "dualproj", "mgda", "pcgrad", "gradvac", "cagrad", "nash_mtl", "imtl_g", "aligned_mtl", "config",
    "fairgrad",
]  # fmt: skip
TORCHJD: dict[str, Callable[[int], Aggregator]] = {
    "upgrad": lambda k: UPGrad(), "dualproj": lambda k: DualProj(), "mgda": lambda k: MGDA(),
    "cagrad": lambda k: CAGrad(0.5), "pcgrad": lambda k: PCGrad(), "gradvac": lambda k: GradVac(),
    "nash_mtl": lambda k: NashMTL(k), "imtl_g": lambda k: IMTLG(), "aligned_mtl": lambda k: AlignedMTL(),
    "config": lambda k: ConFIG(), "fairgrad": lambda k: FairGrad(alpha=1.0),
}  # fmt: skip
"""Method → torchjd's own aggregator for K tasks; our exact form of each is measured beside it."""
PEER = {"upgrad": "29–33", "mgda": "26", "cagrad": "29", "pcgrad": "40"}
"""Ratios at 100 tasks that were read on a like machine with other code around."""


def trunk() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH), nn.ReLU())


def data(count: int) -> tuple[Tensor, Tensor]:
    """Images of ten kinds; a task's label says whether the kind is among its own, so that labels can be learnt."""
    dice = torch.Generator().manual_seed(0)
    kind = torch.randint(10, (SAMPLES,), generator=dice)
    images = torch.randn(10, PIXELS, generator=dice)[kind] + torch.randn(SAMPLES, PIXELS, generator=dice)
    return images, (torch.rand(10, count, generator=dice) < 0.5).float()[kind]


class Ours:
    """A step of ours, as the training loop takes it."""

    def __init__(self, config: dict[str, object], count: int) -> None:
        self.images, self.labels = data(count)
        self.trunk, self.head = trunk(), nn.Linear(WIDTH, count)
        self.names = tuple(f"t{k}" for k in range(count))
        specs: list[TaskSpec] = [
            Binary(name=name, source="images", input=IMAGES, shape=(1, 28, 28), columns=["grey"], classes=["no", "yes"])
            for name in self.names
        ]
        self.balancer = build_balancer(TypeAdapter(Method).validate_python(config), specs)
        self.places = {name: place for place, name in enumerate(self.names)}
        self.shared, self.heads = list(self.trunk.parameters()), list(self.head.parameters())
        self.trained = [*self.shared, *self.heads, *self.balancer.parameters()]
        self.optimiser = torch.optim.AdamW(self.trained, lr=1e-3, fused=True)
        self.steps = 0

    def __call__(self) -> None:
        features = self.trunk(self.images)
        logits = self.head(features)
        losses = F.binary_cross_entropy_with_logits(logits, self.labels, reduction="none").mean(dim=0)
        passes = []
        if self.balancer.needs_passes:
            predictions = Predictions({}, {"binary": Stack(self.names, logits)}, (features,))
            passes = [Pass(self.places, predictions, {self.names: self.head.weight.detach()})]
        self.optimiser.zero_grad(set_to_none=True)
        step = Step(losses, tuple(range(len(self.names))), 0.5, passes, self.shared, self.heads, 1 + self.steps // 10)
        self.balancer.backward(step)
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimiser.step()
        self.steps += 1


class Torchjd:
    """The same with torchjd's own calls, each task with a layer of its own as head."""

    def __init__(self, aggregator: Aggregator, count: int) -> None:
        self.images, self.labels = data(count)
        self.trunk, self.heads = trunk(), nn.ModuleList(nn.Linear(WIDTH, 1) for _ in range(count))
        self.aggregator = aggregator
        self.trained = [*self.trunk.parameters(), *self.heads.parameters()]
        self.optimiser = torch.optim.AdamW(self.trained, lr=1e-3, fused=True)

    def __call__(self) -> None:
        features = self.trunk(self.images)
        losses = [
            F.binary_cross_entropy_with_logits(head(features).squeeze(1), self.labels[:, k])
            for k, head in enumerate(self.heads)
        ]
        self.optimiser.zero_grad(set_to_none=True)
        mtl_backward(losses, features=features)
        through_gramian = isinstance(self.aggregator, GramianWeightedAggregator)
        jac_to_grad(self.trunk.parameters(), self.aggregator, optimize_gramian_computation=through_gramian)  # type: ignore[call-overload]
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimiser.step()


def config(kind: str, count: int) -> dict[str, object]:
    return {"kind": kind} | ({"weights": [1.0] * count} if kind == "fixed" else {})


Maker = Callable[[], Callable[[], object]]


def works(count: int, slow: bool) -> dict[str, Maker]:
    """Name → maker of a step; `slow` selects the exact gradients of many tasks."""

    def ours(kind: str, **options: object) -> Maker:
        return lambda: Ours(config(kind, count) | options, count)

    if slow:
        timed = {f"{kind}, exact": ours(kind) for kind in TORCHJD}
        theirs: dict[str, Maker] = {
            f"{kind}, torchjd": lambda make=make: Torchjd(make(count), count)  # type: ignore[misc]
            for kind, make in TORCHJD.items()
        }
        return timed | theirs | {"gradnorm": ours("gradnorm")}
    timed = {kind: ours(kind) for kind in WEIGHTING}
    return timed | {f"{kind}, on features": ours(kind, features="features") for kind in AGGREGATION}


def by_turns(makers: Sequence[Maker], count: int, rounds: int) -> list[tuple[float, ...]]:
    """CPU seconds of a plain step and of each maker's step, round by round, so that all find the caches as the others
    left them and a slow moment of the machine meets all."""
    steps: list[Callable[[], object]] = [Ours({"kind": "equal"}, count), *(make() for make in makers)]
    return [tuple(cpu_seconds(step) for step in steps) for _ in range(WARM_UP + rounds)][WARM_UP:]


def median_ratio(taken: list[tuple[float, ...]], of: int, to: int = 0) -> float:
    """Median over the rounds of the ratio of one step's time to another's; 0 is the plain step."""
    return median(times[of] / times[to] for times in taken)


def peak_memory(name: str, count: int) -> float:
    """MB at the peak of a process that takes two steps."""
    command = [sys.executable, "-m", "benchmarks.balancing", "--memory", name, "--tasks", str(count)]
    return float(subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout)


def print_memory(name: str, count: int) -> None:
    """The child's part of `peak_memory`: what two steps need beyond imports, network and data."""
    if name == "plain":
        step: Callable[[], object] = Ours({"kind": "equal"}, count)
    else:
        step = (works(count, False) | works(count, True))[name]()
    # `ru_maxrss` would hold the peak of the parent, whose child this is; the kernel's own mark can be set back.
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    for _ in range(2):
        step()
    print((resident("VmHWM") - before) / 1e3)


def resident(field: str) -> int:
    """kB of this process: VmRSS now, VmHWM at most (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def limit(name: str, count: int) -> float | None:
    """Limit on a ratio."""
    if name in WEIGHTING:
        return LOSS_LIMIT
    kind, _, form = name.partition(", ")
    return FEATURE_LIMITS.get(kind) if form == "on features" and count == 100 else None


def compared(tasks: int, rounds: int, memory: bool) -> list[Result]:
    """Every method at one number of tasks."""
    fast, slow = works(tasks, False), works(tasks, True)
    results: list[Result] = []

    def report(name: str, taken: list[tuple[float, ...]], place: int = 1) -> None:
        peak = f"{peak_memory(name, tasks):.0f} MB, " if memory else ""
        note = f"{peak}{median(times[place] for times in taken) * 1e3:.2f} ms"
        ratio = median_ratio(taken, place)
        results.append(Result(f"K = {tasks}: {name}", ratio, "× plain", limit(name, tasks), note=note))

    for name, maker in [*fast.items(), ("gradnorm", slow["gradnorm"])]:
        report(name, by_turns([maker], tasks, rounds))
    for kind in TORCHJD:
        names = [f"{kind}, exact", f"{kind}, torchjd"]
        taken = by_turns([slow[name] for name in names], tasks, rounds)
        for place, name in enumerate(names, start=1):
            report(name, taken, place)
        note = f"peer {PEER[kind]} × plain" if tasks == 100 and kind in PEER else ""
        pair = median_ratio(taken, 1, 2)
        results.append(Result(f"K = {tasks}: {kind}, exact, to torchjd's own", pair, "×", 1.0, note=note))
    if memory:
        results.append(Result(f"K = {tasks}: plain step, peak memory", peak_memory("plain", tasks), "MB"))
    return results


def main(given: Sequence[str] | None = None) -> int:
    """Times every method and reports."""
    command = parser("balancing", __doc__)
    command.add_argument("--rounds", type=count, default=30, help="pairs of steps of each method")
    command.add_argument("--tasks", type=count, nargs="+", default=[2, 10, 100], metavar="K", help="numbers of tasks")
    command.add_argument("--no-memory", action="store_true", help="leave the peak memory out")
    command.add_argument("--memory", metavar="NAME", help="print the peak memory of one of them, in MB")
    options = command.parse_args(given)
    counts: list[int] = options.tasks
    torch.set_num_threads(1)
    # Torchjd's Nash-MTL has cvxpy compile its problem in every step, and its solver end where it is not sure.
    for message in ("You are solving a parameterized problem that is not DPP", "Solution may be inaccurate"):
        warnings.filterwarnings("ignore", message, UserWarning)
    if options.memory:
        one_of("--memory", options.memory, ["plain", *works(counts[0], False), *works(counts[0], True)])
        print_memory(options.memory, counts[0])
        return 0
    results: list[Result] = []
    for tasks in counts:
        results += compared(tasks, options.rounds, not options.no_memory and tasks == max(counts))
    return finish(options, results)


if __name__ == "__main__":
    start(main)
