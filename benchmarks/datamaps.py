"""What data maps cost: 100 tasks × 50,000 images, recorded while a small convolutional network trains on them.

    python -m benchmarks.datamaps          # about a minute on an idle machine

`training` values are noted in every step, `evaluation` values in a pass of their own after each epoch; both are shown
as a share of the training steps of an epoch. Memory is that of the maps alone, and of one more for each snapshot.
"""

import torch
from torch import Tensor

from benchmarks.machine import Result, interleaved, report
from mtl.balancing.base import Step
from mtl.balancing.weighted import FixedWeights
from mtl.config.encoder import CnnEncoder
from mtl.config.grouping import DataMapConfig
from mtl.data.images import Images
from mtl.data.pools import Pool, Target
from mtl.models.build import build_model
from mtl.training.forward import Forward
from mtl.training.optimiser import adamw
from mtl.training.recording import Recorder
from mtl.types import TaskSpec

TASKS, SAMPLES, BATCH, SIDE, ROUNDS = 100, 50_000, 128, 32, 30
LIMIT = 3.0
"""Percent of an epoch that `training` may cost."""


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    names = [f"task_{k}" for k in range(TASKS)]
    specs = {
        name: TaskSpec(name, "binary", "images", 0, ["red", "green", "blue"], [], classes=["no", "yes"],
                       image=(SIDE, SIDE))
        for name in names
    }  # fmt: skip
    pixels = torch.randint(0, 256, (SAMPLES, 3, SIDE, SIDE), dtype=torch.uint8)
    images = Images(pixels, torch.arange(SAMPLES), torch.full((3,), 1 / 64), torch.full((3,), -2.0))
    labels = {name: torch.randint(0, 2, (SAMPLES,)) for name in names}
    pool = Pool("images", "images", images, {name: Target(None, 0, labels[name], None) for name in names})
    model = build_model(CnnEncoder(kind="cnn", widths=[16, 32, 64]), list(specs.values()), 0)
    balancer, forward = FixedWeights(list(specs.values())), Forward(model, [pool], specs, {}, False)
    optimiser = adamw([(list(model.parameters()), 1e-3, 0.0)])
    recorder = Recorder(DataMapConfig(), [pool], specs, {"images": SAMPLES})
    order, place = torch.randperm(SAMPLES), 0
    served = forward({"images": order[:BATCH]}, 1).served[0]

    def index() -> Tensor:
        nonlocal place
        place = (place + BATCH) % (SAMPLES - BATCH)
        return order[place : place + BATCH]

    def step() -> None:
        found = forward({"images": index()}, 1)
        assert found.losses is not None
        optimiser.zero_grad(set_to_none=True)
        balancer.backward(Step(found.losses, found.places, 0.0))
        optimiser.step()

    def note() -> None:
        recorder.observe(1, pool.batch(index()), served.predictions)

    def gather() -> None:
        pool.batch(index())

    @torch.no_grad()
    def look() -> None:
        model.eval()
        batch = pool.batch(index())
        recorder.observe(1, batch, model(batch.x, pool.tasks))
        model.train()

    seconds = interleaved({"step": step, "note": note, "gather": gather, "look": look}, ROUNDS, 3)
    noting = seconds["note"] - seconds["gather"]  # the loop has the batch already
    (maps,) = recorder.maps.values()
    size = sum(buffer.numel() * buffer.element_size() for buffer in maps.buffers()) / 1e6
    kept = Recorder(DataMapConfig(snapshots=[1]), [pool], specs, {"images": SAMPLES})
    snapshot = sum(b.numel() * b.element_size() for m in kept.maps.values() for b in m.buffers()) / 1e6 - size
    report("datamaps", [
        Result("training step", 1000 * seconds["step"], "ms CPU", note=f"{TASKS} binary tasks, batch {BATCH}"),
        Result("noting it", 1000 * noting, "ms CPU"),
        Result("`training` map, share of an epoch", 100 * noting / seconds["step"], "%", LIMIT),
        Result("`evaluation` map, share of an epoch", 100 * seconds["look"] / seconds["step"], "%"),
        Result("memory of the maps", size, "MB", note=f"{size * 1e6 / TASKS / SAMPLES:.1f} bytes a task and sample"),
        Result("memory of a snapshot", snapshot, "MB"),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
