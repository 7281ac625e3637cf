"""Cost of data maps: 100 tasks × 50,000 images, recorded while a small convolutional network trains on them.

    python -m benchmarks.datamaps          # about a minute on an idle machine

`training` values are noted in every step, `evaluation` values in a pass of their own after each epoch; both are shown
as a share of the training steps of an epoch. Memory is that of the maps alone, and of one more for each snapshot.
"""

from collections.abc import Iterator, Sequence
from itertools import cycle, repeat

import torch
from torch import Tensor

from benchmarks.command import at_least, count, finish, parser, start
from benchmarks.loop import Loop
from benchmarks.machine import Result, interleaved
from mtl.balancing.weighted import FixedWeights
from mtl.config.encoder import CnnEncoder
from mtl.config.grouping import DataMapConfig
from mtl.config.inputs import IMAGES
from mtl.data.inputs.images import Images
from mtl.data.loading.pools import Pool, Target
from mtl.models.build import build_model
from mtl.tasks.binary import Binary
from mtl.training.optimiser import adamw
from mtl.training.recording import Recorder

TASKS, SAMPLES, BATCH, SIDE, WARM_UP = 100, 50_000, 128, 32, 3
LIMIT = 3.0
"""Percent of an epoch that `training` may cost."""


def drawn(samples: int) -> Iterator[Tensor]:
    """Batch after batch of one shuffle, over and over."""
    order = torch.randperm(samples)
    for _ in repeat(None):
        yield from torch.split(order[: samples - samples % BATCH], BATCH)


def main(given: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    command = parser("datamaps", __doc__)
    command.add_argument("--rounds", type=count, default=30, help="timed steps")
    command.add_argument("--images", type=at_least(BATCH), default=SAMPLES, help="in the data")
    options = command.parse_args(given)
    samples: int = options.images
    torch.set_num_threads(1)
    torch.manual_seed(0)
    names = [f"task_{k}" for k in range(TASKS)]
    specs = {
        name: Binary(name=name, source="images", input=IMAGES, shape=(3, SIDE, SIDE),
                     columns=["red", "green", "blue"], classes=["no", "yes"])
        for name in names
    }  # fmt: skip
    pixels = torch.randint(0, 256, (samples, 3, SIDE, SIDE), dtype=torch.uint8)
    images = Images(pixels, torch.arange(samples), torch.full((3,), 1 / 64), torch.full((3,), -2.0))
    labels = {name: torch.randint(0, 2, (samples,)) for name in names}
    pool = Pool("images", "images", images, {name: Target(labels[name]) for name in names})
    model = build_model(CnnEncoder(kind="cnn", widths=[16, 32, 64]), list(specs.values()), 0)
    balancer, optimiser = FixedWeights(list(specs.values())), adamw([(list(model.parameters()), 1e-3, 0.0)])
    index = drawn(samples)
    step = Loop(model, balancer, optimiser, [pool], specs, ({"images": chosen} for chosen in index), 1.0)
    recorder = Recorder(DataMapConfig(), [pool], specs, {"images": samples})
    served = step.forward({"images": next(index)}, 1).served[0]
    ready = cycle([pool.batch(next(index)) for _ in range(options.rounds + WARM_UP)])

    def note() -> None:
        recorder.observe(1, next(ready), served.predictions)  # the loop has the batch already

    @torch.no_grad()
    def look() -> None:
        model.eval()
        batch = pool.batch(next(index))
        recorder.observe(1, batch, model(batch.x, pool.tasks))
        model.train()

    seconds = interleaved({"step": step, "note": note, "look": look}, options.rounds, WARM_UP)
    (maps,) = recorder.maps.values()
    size = sum(buffer.numel() * buffer.element_size() for buffer in maps.buffers()) / 1e6
    kept = Recorder(DataMapConfig(snapshots=[1]), [pool], specs, {"images": samples})
    snapshot = sum(b.numel() * b.element_size() for m in kept.maps.values() for b in m.buffers()) / 1e6 - size
    return finish(options, [
        Result("training step", 1000 * seconds["step"], "ms CPU", note=f"{TASKS} binary tasks, batch {BATCH}"),
        Result("noting it", 1000 * seconds["note"], "ms CPU"),
        Result("`training` map, share of an epoch", 100 * seconds["note"] / seconds["step"], "%", LIMIT),
        Result("`evaluation` map, share of an epoch", 100 * seconds["look"] / seconds["step"], "%"),
        Result("memory of the maps", size, "MB", note=f"{size * 1e6 / TASKS / samples:.1f} bytes a task and sample"),
        Result("memory of a snapshot", snapshot, "MB"),
    ])  # fmt: skip


if __name__ == "__main__":
    start(main)
