"""One training step of TimeDART in the form its authors published against ours, in one process on one thread.

    python -m benchmarks.step                        # about two minutes on an idle machine

The sizes are the published ones for ETTh1: 16 windows of 336 rows and 7 channels, width 32, 16 heads, feed-forward
64, 2 encoder blocks and 1 decoder block, dropout .2, the head that flattens, patches of 2 and of 8 rows; fine-tuning
forecasts 96 rows. A step is: read a batch, forward, backward, update. Both networks have the same weights' shapes and
compute the same losses (tests/benchmarks/test_reference.py). Ours does not drop attention weights unless asked to.
Times are CPU seconds, medians of steps that take turns; peak memory is of a process that does nothing else.
"""

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.command import count, finish, parser, start
from benchmarks.loop import Loop, drawn
from benchmarks.machine import HERE, Result, interleaved
from benchmarks.reference_timedart import Reference, SingleWindows
from mtl.balancing.weighted import FixedWeights
from mtl.config import DiffusionObjective, TimeDartEncoder
from mtl.data.inputs.window_samples import Windows
from mtl.data.loading.pools import Pool, Target
from mtl.models.build import build_model, build_pretrainer
from mtl.tasks.forecast import Forecast
from mtl.training.optimiser import adamw

BATCH, CHANNELS, LENGTH, HORIZON = 16, 7, 336, 96
PUBLISHED_HEADS, DEFAULT_HEADS = 16, 4
ROWS = 8640
"""Training rows of ETTh1."""
PEER_SECONDS = {("pretrain", 2): (6.8, 7.1), ("pretrain", 8): (0.29, 0.39), ("finetune", 2): (2.85, 2.85),
                ("finetune", 8): (0.19, 0.19)}  # fmt: skip
"""CPU seconds a step of the authors' own code, on a like machine."""
ASKED = {("pretrain", 2): 8.0, ("pretrain", 8): 2.5, ("finetune", 2): 4.0, ("finetune", 8): 2.2}
ASKED_DEFAULT = {2: 15.0, 8: 4.5}
MEMORY_GB = 0.7
LR, CLIP = 1e-4, 1.0


def series() -> Tensor:
    """A random walk as long as ETTh1's training part, z-scored."""
    walk = torch.randn(ROWS, CHANNELS, generator=torch.Generator().manual_seed(0)).cumsum(0)
    return (walk - walk.mean(0)) / walk.std(0)


def reference_step(kind: str, patch_len: int, windows: int) -> Callable[[], object]:
    """A step of the published form, with its per-sample loader and Adam."""
    horizon = None if kind == "pretrain" else HORIZON
    network = Reference(LENGTH, horizon, patch_len, 32, PUBLISHED_HEADS, 2, 1, 64, 0.2, 1000).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=LR)
    loader = DataLoader(SingleWindows(series(), LENGTH, HORIZON), batch_size=windows, shuffle=True, drop_last=True)

    def endless() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    batches = endless()

    def step() -> None:
        past, future = next(batches)
        optimiser.zero_grad()
        network.loss(past, future).backward()
        optimiser.step()

    return step


def our_step(
    kind: str, patch_len: int, heads: int, attention_dropout: float = 0.0, windows: int = BATCH
) -> Callable[[], object]:
    """A training step of ours, as the training loops take it."""
    config = TimeDartEncoder(
        kind="timedart", patch_len=patch_len, d_model=32, heads=heads, layers=2, d_ff=64, dropout=0.2,
        attention_dropout=attention_dropout, recipe="published",
    )  # fmt: skip
    columns = [f"column {i}" for i in range(CHANNELS)]
    spec = Forecast(
        name="etth1", source="etth1", shape=(CHANNELS, LENGTH), columns=columns, targets=list(range(CHANNELS)),
        horizon=HORIZON,
    )  # fmt: skip
    starts = torch.arange(ROWS - LENGTH - HORIZON + 1)
    pool = Pool("etth1", "etth1", Windows(series(), LENGTH, starts), {"etth1": Target(None, HORIZON)})
    batches = drawn([pool], windows)
    if kind == "finetune":
        model = build_model(config, [spec], 0)
        optimiser = adamw([(list(model.parameters()), LR, 0.0)])
        return Loop(model, FixedWeights([spec]), optimiser, [pool], {"etth1": spec}, batches, CLIP)
    objective = DiffusionObjective(kind="diffusion", head="flatten", condition_on_step=False)
    pretrainer = build_pretrainer(config, objective, [LENGTH], 0).train()
    optimiser = adamw([(list(pretrainer.parameters()), LR, 0.0)])

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        pretrainer.loss(pool.batch(next(batches)["etth1"]).x).backward()
        nn.utils.clip_grad_norm_(pretrainer.parameters(), CLIP)
        optimiser.step()

    return step


def peak_memory(who: str, windows: int) -> float:
    """GB at the peak of a process that takes two pretraining steps at patch 2."""
    command = [sys.executable, "-m", "benchmarks.step", "--memory", who, "--windows", str(windows)]
    return float(subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout)


def print_memory(who: str, windows: int) -> None:
    """The child's part of `peak_memory`."""
    if who == "reference":
        step = reference_step("pretrain", 2, windows)
    else:
        step = our_step("pretrain", 2, PUBLISHED_HEADS, windows=windows)
    for _ in range(2):
        step()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def compared(kind: str, patch_len: int, rounds: int, windows: int) -> list[Result]:
    """One kind of step: the published form against ours."""
    works = {
        "published form": reference_step(kind, patch_len, windows),
        "ours": our_step(kind, patch_len, PUBLISHED_HEADS, windows=windows),
        "ours, 4 heads": our_step(kind, patch_len, DEFAULT_HEADS, windows=windows),
    }
    if patch_len == 8:
        works["ours, dropping weights"] = our_step(kind, patch_len, PUBLISHED_HEADS, 0.2, windows)
    seconds = interleaved(works, rounds)
    reference = seconds["published form"]
    name = f"{kind}, patch {patch_len}"
    low, high = PEER_SECONDS[kind, patch_len]
    off = reference / high - 1 if reference > high else min(reference / low - 1, 0.0)
    peers = f"{low:g}" if low == high else f"{low:g}–{high:g}"
    asked = ASKED_DEFAULT[patch_len] if kind == "pretrain" else None
    results = [
        Result(f"{name}: published form", reference, "CPU s a step", note=f"authors' code {peers}: {100 * off:+.0f} %"),
        Result(f"{name}: ours", seconds["ours"], "CPU s a step"),
        Result(f"{name}: times as fast", reference / seconds["ours"], "×", ASKED[kind, patch_len], True),
        Result(f"{name}: with 4 heads of width 8", reference / seconds["ours, 4 heads"], "×", asked, True),
    ]
    if patch_len == 8:
        ratio = reference / seconds["ours, dropping weights"]
        results.append(Result(f"{name}: with dropout on attention weights", ratio, "×"))
    return results


def main(given: Sequence[str] | None = None) -> int:
    """Times every pair and reports."""
    command = parser("step", __doc__)
    command.add_argument("--rounds", type=count, nargs=2, default=[3, 15], metavar=("AT_PATCH_2", "AT_PATCH_8"),
                         help="timed steps")  # fmt: skip
    command.add_argument("--windows", type=count, default=BATCH, help="in a step (published: 16)")
    command.add_argument("--memory", choices=["reference", "ours"], help="print the peak memory of one of them, in GB")
    options = command.parse_args(given)
    windows: int = options.windows
    torch.set_num_threads(1)
    if options.memory:
        print_memory(options.memory, windows)
        return 0
    # First of all: a child begins with its parent's peak on its account.
    memory = [
        Result("peak memory, pretrain, patch 2: published form", peak_memory("reference", windows), "GB"),
        Result("peak memory, pretrain, patch 2: ours", peak_memory("ours", windows), "GB", MEMORY_GB),
    ]
    rounds = dict(zip((2, 8), options.rounds, strict=True))
    results: list[Result] = []
    for kind, patch_len in PEER_SECONDS:
        results += compared(kind, patch_len, rounds[patch_len], windows)
    return finish(options, results + memory)


if __name__ == "__main__":
    start(main)
