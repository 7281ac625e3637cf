"""The state of a training: all that its steps change, and so all that a saved state holds."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mtl.balancing.base import Balancer
from mtl.data.loading.pools import Pool
from mtl.data.loading.sampling import JointPlan, Steps
from mtl.errors import UserError
from mtl.models.multitask import MultiTaskModel
from mtl.results.history import Epoch, Start
from mtl.tasks.base import TaskSpec
from mtl.training.augment import Augmentation
from mtl.training.average import Average
from mtl.training.checkpoint import Checkpoint
from mtl.training.instruments import Instruments
from mtl.training.optimiser import LrSchedule
from mtl.training.stopping import Selector
from mtl.training.tally import Tally


@dataclass(frozen=True)
class Budget:
    """How long and how a training goes on."""

    epochs: int
    schedule: LrSchedule
    """Schedule of the learning rate."""
    clip: float | None
    """Largest norm of the combined gradient; None: it is not clipped."""
    decay: float = 1.0
    """Factor on the learning rate after each epoch; schedule `exponential` of a pretraining only."""
    only: int | None = None
    """Epochs that are trained at most; what goes by progress (the learning rate, λ) goes as in all `epochs` of them.
    None: all."""

    @property
    def trained(self) -> int:
        """Epochs that are trained at most."""
        return self.epochs if self.only is None else self.only


@dataclass(frozen=True)
class TrainingData:
    """Pools of a training and its validation, and the order of the training samples."""

    train: list[Pool]
    val: list[Pool]
    plan: JointPlan
    """The samples of every step, drawn for all configured tasks; a training takes its part of them."""
    starts: Mapping[str, int] = field(default_factory=dict)
    """Task → first epoch that trains it, from 1; a task that is absent starts at once."""
    augment: Augmentation | None = None
    """Random changes of training images; None: they are seen as they are."""

    def steps_of_epochs(self, epochs: int) -> list[int]:
        """For each epoch, how many steps hold a sample of the training pools.

        Raises:
            UserError: in some epoch the sampler draws none.
        """
        names = [pool.name for pool in self.train]
        lengths = self.plan.active_steps(names, epochs)
        if 0 in lengths:
            raise UserError(
                f"`train.sampler` draws no sample of {' or '.join(names)} in epoch {lengths.index(0) + 1}; "
                "a larger `batch_size` or a flatter `kind` gives it some."
            )
        return lengths

    def epochs(self, number: int, first: int = 0) -> Iterator[Steps]:
        """Yields, for epochs `first` to `number` − 1, the steps that hold a sample of the training pools."""
        return self.plan.epochs(number, first, [pool.name for pool in self.train])


@dataclass
class Fitted:
    """Result of the loop, filled while it runs."""

    start: Start | None = None
    """Metrics of the network before the first step; None while nothing was measured, and without finite score."""
    epochs: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights of the selected epoch."""
    best_epoch: int = 0
    """0: the weights before the first step."""
    stopped: str = "end"
    steps: int = 0
    samples: dict[str, int] = field(default_factory=dict)
    """Task → training samples drawn for it so far."""

    def add_step(self, chosen: Mapping[str, Tensor], train: list[Pool]) -> None:
        """Counts a step, and its samples for every task of their pools."""
        self.steps += 1
        for pool in train:
            if pool.name in chosen:
                drawn = len(chosen[pool.name])
                for name in pool.tasks:
                    self.samples[name] = self.samples.get(name, 0) + drawn


@dataclass
class TrainingState:
    """A training between two of its steps.

    Args:
        specs: the tasks that are trained, in order; the network may hold others besides.
        model: the network, trained in place.
        balancer: how the losses of the tasks are weighed, or their gradients combined.
        optimiser: of the network and of what the balancer learns.
        selector: which epoch is kept.
        instruments: what watches.
        fitted: what was done so far.
        average: of the network over the steps, which is measured and kept in its place; None: the network itself is.
    """

    specs: dict[str, TaskSpec]
    model: MultiTaskModel
    balancer: Balancer
    optimiser: torch.optim.Optimizer
    selector: Selector
    instruments: Instruments = field(default_factory=Instruments)
    fitted: Fitted = field(default_factory=Fitted)
    average: Average | None = None

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Name in a saved state → module whose tensors the state holds."""
        held: dict[str, nn.Module] = {"model": self.model, "balancer": self.balancer}
        if self.average is not None:
            held["average"] = self.average
        return held | self.instruments.modules

    def step_taken(self) -> None:
        """Lets the average take in the weights after a step of the optimiser."""
        if self.average is not None:
            self.average.update()

    def averaged(self) -> AbstractContextManager[None]:
        """Context in which the network carries the weights that are measured and kept."""
        return nullcontext() if self.average is None else self.average.in_place()

    def keep(self, epoch: int) -> None:
        """Keeps the network as it is now, after an epoch (0: before the first step), as the best so far."""
        self.fitted.best_epoch = epoch
        self.fitted.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def save(self, checkpoint: Checkpoint, epoch: int, tally: Tally | None = None) -> None:
        """Saves everything.

        Args:
            checkpoint: where.
            epoch: how many epochs are whole.
            tally: sums of the one that was begun; None: none was.

        Raises:
            UserError: the file cannot be written.
        """
        record = {
            "epoch": epoch,
            "best_epoch": self.selector.best_epoch,
            "best": list(self.selector.best),
            "best_trained": self.selector.best_trained,
            "least": list(self.selector.least),
            "start": None if self.fitted.start is None else self.fitted.start.plain(),
            "epochs": [epoch.plain() for epoch in self.fitted.epochs],
            "stopped": self.fitted.stopped,
            "steps": self.fitted.steps,
            "samples": self.fitted.samples,
        }
        sums = None if tally is None else tally.state()
        checkpoint.save(self.modules, self.optimiser, record, self.fitted.best, sums)

    def resume(self, checkpoint: Checkpoint) -> tuple[int, dict[str, Tensor]]:
        """Puts everything back as it was when the state was saved, if one was.

        Returns:
            How many epochs are whole, and the sums of the one that was begun (none, if none was).
        """
        saved = checkpoint.load(self.modules, self.optimiser)
        if saved is None:
            return 0, {}
        record, fitted, selector = saved.record, self.fitted, self.selector
        selector.best_epoch, selector.best = record["best_epoch"], tuple(record["best"])
        selector.best_trained, selector.least = record["best_trained"], tuple(record["least"])
        fitted.best, fitted.best_epoch = saved.best, record["best_epoch"]
        fitted.start = None if record["start"] is None else Start.model_validate(record["start"])
        fitted.epochs = [Epoch.model_validate(epoch) for epoch in record["epochs"]]
        fitted.stopped = record["stopped"]
        fitted.steps, fitted.samples = record["steps"], record["samples"]
        return int(record["epoch"]), saved.tally
