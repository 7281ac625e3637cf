"""The step of the training loop by itself, so that it can be timed: each call takes one step of a run's parts.

A step: batches of every pool, forward, losses, balanced backward pass, the penalty of soft sharing, clipping, AdamW. It
leaves the weights that `mtl.training.fit` leaves (tests/benchmarks/test_loop.py). Left out is what the loop does
besides: rates, sums for the records, probes, data maps, validation, states.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import torch
from torch import Tensor

from mtl.balancing.base import Balancer
from mtl.balancing.build import build_balancer
from mtl.balancing.weighted import WeightedSum
from mtl.config import Config, Method, TimeDartEncoder
from mtl.data.inputs.window_samples import Windows
from mtl.data.loading.pools import Pool, Target
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.tasks import TaskSet
from mtl.experiment.objects import build_optimiser, start_from
from mtl.experiment.recipe import trained_by
from mtl.experiment.saved import build_network
from mtl.models.build import build_model
from mtl.models.multitask import MultiTaskModel
from mtl.paths import RunPath
from mtl.tasks.base import TaskSpec
from mtl.tasks.classification import Classification
from mtl.tasks.forecast import Forecast
from mtl.training.descent import Descent
from mtl.training.forward import Forward
from mtl.training.optimiser import adamw

Chosen = Mapping[str, Tensor]
"""Pool → numbers of the samples that a step holds, on the CPU."""


class Loop:
    """The steps of a run, one at a call.

    Args:
        model: the network.
        balancer: the method.
        optimiser: updates the weights of both.
        pools: training samples, on the model's device.
        specs: the tasks of the run, in order.
        batches: what the steps hold, without end.
        clip: global norm of the combined gradient; None: no clipping.
    """

    def __init__(
        self, model: MultiTaskModel, balancer: Balancer, optimiser: torch.optim.Optimizer, pools: list[Pool],
        specs: Mapping[str, TaskSpec], batches: Iterator[Chosen], clip: float | None,
    ) -> None:  # fmt: skip
        self.model, self.batches = model, batches
        self.forward = Forward(model.train(), pools, specs, {}, balancer.needs_passes)
        self.descent = Descent(model, balancer, optimiser, clip)

    def __call__(self) -> None:
        self.descent.backward(self.forward(next(self.batches), 1), 0.5, 1)
        self.descent.step(self.descent.gradient_norm())


@dataclass(frozen=True)
class Built:
    """Parts of a run of a method that training needs, on the CPU, as `mtl.experiment` builds them."""

    config: Config
    """Configuration with the method's own settings of training."""
    specs: dict[str, TaskSpec]
    model: MultiTaskModel
    balancer: Balancer
    optimiser: torch.optim.Optimizer


def build(config: Config, tasks: list[str], method: Method, data: TaskSet, seed: int, root: Path = Path()) -> Built:
    """Network, balancer and optimiser of a run; pretrained weights are read below `root`."""
    recipe = trained_by(config, method, RunPath("finetune", "timed", None, seed), tasks)
    specs = {name: data.specs[name] for name in tasks}
    model = build_network(recipe, data)
    start_from(model, recipe, root)
    balancer = build_balancer(method, list(specs.values()), seed)
    optimiser = build_optimiser(recipe.config.train, model, tasks, balancer, method)
    return Built(recipe.config, specs, model, balancer, optimiser)


def planned(plan: JointPlan, names: list[str], epochs: int) -> Iterator[Chosen]:
    """The steps of a run that hold a sample of one of its pools, over and over."""
    for _ in repeat(None):
        for steps in plan.epochs(epochs):
            yield from (chosen for chosen in steps if any(name in chosen for name in names))


def drawn(pools: list[Pool], samples: int) -> Iterator[Chosen]:
    """`samples` samples of each pool in every step, drawn at random."""
    for _ in repeat(None):
        yield {pool.name: torch.randint(len(pool), (samples,)) for pool in pools}


def etth1_har(windows: int, device: torch.device) -> Loop:
    """A joint step of ETTh1 and HAR: `windows` windows of each, drawn numbers, and the Transformer that the preset
    `etth1-har` trained before its networks started at ridge regression."""
    encoder = TimeDartEncoder(kind="timedart", patch_len=16, d_model=64, heads=4, layers=2, d_ff=128)
    loads, axes = [f"column {i}" for i in range(7)], [f"axis {i}" for i in range(9)]
    forecast = Forecast(
        name="etth1", source="etth1", shape=(7, 336), columns=loads, targets=list(range(7)), horizon=96, dropout=0.3
    )
    label = Classification(name="har", source="har", shape=(9, 128), columns=axes, classes=list("abcdef"))
    rows, stored = 8640, 5881
    series = Windows(torch.randn(rows, 7), 336, torch.arange(rows - 336 - 96 + 1))
    cuts = Windows(torch.randn(stored * 128, 9), 128, 128 * torch.arange(stored))
    pools = [
        Pool("etth1", "etth1", series, {"etth1": Target(None, 96)}).to(device),
        Pool("har", "har", cuts, {"har": Target(torch.randint(6, (stored,)))}).to(device),
    ]
    model = build_model(encoder, [forecast, label], 0).to(device)
    balancer = WeightedSum([forecast, label], 0.2, "constant").to(device)
    optimiser = adamw([(list(model.parameters()), 2e-3, 0.01)])
    specs = {"etth1": forecast, "har": label}
    return Loop(model, balancer, optimiser, pools, specs, drawn(pools, windows), 1.0)
