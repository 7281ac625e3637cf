"""Images: an epoch against a plain DataLoader over a per-sample Dataset, what 100 labels or numbers cost, peak memory.

    python -m benchmarks.images                      # half a minute on an idle machine

Sizes of MNIST (55,000 training images of 28 × 28) with random pixels: no time here
depends on what an image shows. Both loops train the same network (MLP 784 → 64 → 32, hard sharing) from the same
weights with AdamW, batch 128, in one process, in turn, on one thread.
"""

import resource
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.command import at_least, count, finish, parser, start
from benchmarks.machine import Result, interleaved
from mtl.balancing.weighted import FixedWeights
from mtl.config import MlpEncoder, SamplerConfig, StoppingConfig, inputs
from mtl.data.inputs.base import Fitted
from mtl.data.inputs.images import image_samples
from mtl.data.loading.pools import Pool, Target
from mtl.data.loading.sampling import JointPlan
from mtl.models.build import build_model
from mtl.models.multitask import MultiTaskModel
from mtl.seeding import make_deterministic
from mtl.tasks.base import TaskSpec
from mtl.tasks.binary import Binary
from mtl.tasks.regression import Regression
from mtl.training.checkpoint import Checkpoint
from mtl.training.fit import fit
from mtl.training.optimiser import adamw
from mtl.training.state import Budget, TrainingData, TrainingState
from mtl.training.stopping import Selector
from mtl.types import ImageSet

IMAGES, BATCH, EPOCH_IMAGES = 55_000, 128, 12_800
"""Images of an epoch unless `--images` is given: a hundred steps, since its time is in proportion to its steps."""
MEAN, STD = 0.1307, 0.3081
ENCODER = MlpEncoder(kind="mlp", sizes=[64, 32])


class Lean(Dataset[tuple[Tensor, Tensor]]):
    """One image at a time with as little work as a per-sample Dataset can do."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        return (self.images[item].float() / 255 - MEAN) / STD, self.labels[item].float()


class Usual(Lean):
    """One image at a time as the usual MNIST Dataset gives it: a picture, made a tensor, normalised."""

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        picture = Image.fromarray(self.images[item, 0].numpy())
        pixels = torch.from_numpy(np.array(picture, copy=True))[None].float().div(255)
        mean, std = torch.as_tensor([MEAN]), torch.as_tensor([STD])
        return pixels.sub_(mean[:, None, None]).div_(std[:, None, None]), self.labels[item].float()


def tasks(heads: int, numbers: bool) -> list[TaskSpec]:
    """Binary tasks, or regressions."""
    at: dict[str, Any] = {"source": "images", "input": inputs.IMAGES, "shape": (1, 28, 28), "columns": ["grey"]}
    if numbers:
        return [Regression(name=f"t{k}", target=f"t{k}", **at) for k in range(heads)]
    return [Binary(name=f"t{k}", classes=["no", "yes"], **at) for k in range(heads)]


class Load:
    """`heads` binary tasks on `images` random images, or as many regressions."""

    def __init__(self, heads: int, images: int, numbers: bool = False) -> None:
        torch.manual_seed(0)
        self.specs = tasks(heads, numbers)
        self.images = torch.randint(256, (images, 1, 28, 28), dtype=torch.uint8)
        self.labels = torch.randn(images, heads) if numbers else torch.randint(2, (images, heads))
        named = {spec.name: column.contiguous() for spec, column in zip(self.specs, self.labels.unbind(1), strict=True)}
        source = ImageSet("images", self.images, ["grey"], torch.zeros(images, dtype=torch.int64), 2, {}, {})
        fitted = Fitted(torch.tensor([MEAN]).double(), torch.tensor([STD]).double())
        samples = image_samples(source.images, torch.arange(images), fitted)
        self.pool = Pool("images", "images", samples, {n: Target(label) for n, label in named.items()})
        self.val = self.pool.at_most(BATCH)

    def model(self) -> MultiTaskModel:
        return build_model(ENCODER, self.specs, 0)

    def ours(self) -> Callable[[], None]:
        """An epoch of the loop that every run uses."""
        model, specs = self.model(), {spec.name: spec for spec in self.specs}
        optimiser = adamw([(list(model.parameters()), 1e-3, 0.0)])
        plan = JointPlan({"images": len(self.pool)}, BATCH, SamplerConfig(), 0)

        def epoch() -> None:
            balancer, selector = FixedWeights(self.specs), Selector(StoppingConfig(), self.specs)
            state = TrainingState(specs, model, balancer, optimiser, selector)
            data, budget = TrainingData([self.pool], [self.val], plan), Budget(1, "constant", None)
            list(fit(state, data, budget, Checkpoint(None)))

        return epoch

    def plain(self, kind: type[Lean]) -> Callable[[], None]:
        """Epoch of the same network behind a DataLoader, with a loss for each task."""
        model = self.model().train()
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
        loader = DataLoader(kind(self.images, self.labels), batch_size=BATCH, shuffle=True)
        names = [spec.name for spec in self.specs]

        def epoch() -> None:
            for x, y in loader:
                logits = model(x, names)
                loss = torch.stack([
                    functional.binary_cross_entropy_with_logits(logits[name], y[:, k]) for k, name in enumerate(names)
                ]).sum()  # fmt: skip
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()

        return epoch


def gathering(load: Load) -> dict[str, Callable[[], object]]:
    """An epoch's batches alone, by both ways."""
    order = torch.split(torch.randperm(len(load.images)), BATCH)
    loader = DataLoader(Usual(load.images, load.labels), batch_size=BATCH, shuffle=True)
    return {"ours": lambda: [load.pool.batch(index) for index in order], "loader": lambda: list(loader)}


def network_alone(load: Load) -> Callable[[], None]:
    """Cost that no loop can save: forward, backward and optimiser on a batch that lies ready."""
    model = load.model().train()
    optimiser = adamw([(list(model.parameters()), 1e-3, 0.0)])
    batch = load.pool.batch(torch.arange(BATCH))
    labels = batch.tables[0].values.float()

    def steps() -> None:
        for _ in range(len(load.images) // BATCH):
            logits = model(batch.x, load.pool.tasks).stacks["binary"].values
            assert isinstance(logits, Tensor)
            loss = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(0).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(list(model.parameters()), torch.inf)
            optimiser.step()

    return steps


def main(given: Sequence[str] | None = None) -> int:
    """Measures everything and reports."""
    command = parser("images", __doc__)
    command.add_argument("--rounds", type=count, default=7, help="timed epochs of each loop")
    command.add_argument("--images", type=at_least(BATCH), default=EPOCH_IMAGES, help="in an epoch")
    options = command.parse_args(given)
    images: int = options.images
    make_deterministic(0, 1)
    two, single, hundred = Load(2, images), Load(1, images), Load(100, images)
    number, numbers = Load(1, images, numbers=True), Load(100, images, numbers=True)
    seconds = interleaved({
        "ours": two.ours(), "usual": two.plain(Usual), "lean": two.plain(Lean),
        "one head": single.ours(), "100 heads": hundred.ours(), "one number": number.ours(),
        "100 numbers": numbers.ours(),
        "network": network_alone(two), **{f"batches {k}": work for k, work in gathering(two).items()},
    }, options.rounds)  # fmt: skip
    per_second = {name: images / value for name, value in seconds.items()}
    return finish(options, [
        Result("images a second, 2 tasks, hard sharing: ours", per_second["ours"], "1/CPU s"),
        Result("the same network, DataLoader, the usual Dataset", per_second["usual"], "1/CPU s"),
        Result("ours against it", seconds["usual"] / seconds["ours"], "×", 5.0, True),
        Result("ours against a DataLoader, the leanest Dataset", seconds["lean"] / seconds["ours"], "×"),
        Result("gathering and normalising alone: ours against the DataLoader",
               seconds["batches loader"] / seconds["batches ours"], "×"),
        Result("the loop against forward, backward and optimiser alone", seconds["ours"] / seconds["network"], "×"),
        Result("100 binary heads against one", seconds["100 heads"] / seconds["one head"], "×", 1.3),
        Result("100 regressions against one", seconds["100 numbers"] / seconds["one number"], "×", 1.3),
        Result("an epoch of MNIST (55,000 images)", seconds["ours"] * IMAGES / images, "CPU s"),
        Result("peak memory of this process", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, "GB"),
    ])  # fmt: skip


if __name__ == "__main__":
    start(main)
