"""Small sources whose windows can be worked out by hand, tasks on them, and everything that a training run needs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mtl.balancing.base import Balancer
from mtl.balancing.weighted import FixedWeights, WeightedSum
from mtl.config import (
    BinaryTask,
    ClassificationTask,
    ForecastTask,
    SamplerConfig,
    StoppingConfig,
    Task,
    TimeDartEncoder,
)
from mtl.config.encoder import EncoderConfig
from mtl.data.inputs.window_samples import Windows
from mtl.data.loading.pools import Pool, Target
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.tasks import TaskSet, build_tasks
from mtl.models.build import MultiTaskModel, build_model
from mtl.results.history import Epoch
from mtl.tasks.base import TaskSpec
from mtl.training.average import Average
from mtl.training.checkpoint import Checkpoint
from mtl.training.fit import fit
from mtl.training.instruments import Instruments
from mtl.training.optimiser import adamw
from mtl.training.state import Budget, Fitted, TrainingData, TrainingState
from mtl.training.stopping import LastEpoch, Selector
from mtl.types import Prepared
from tests.helpers.specs import Kind, a_task

ENCODER = TimeDartEncoder(kind="timedart", patch_len=4, d_model=8, heads=1, layers=1, d_ff=16, dropout=0.1)


def series(values: Tensor, borders: tuple[int, int, int], labels: dict[str, Tensor] | None = None) -> Prepared:
    """A series `line`; every label has the classes that its numbers ask for."""
    labels = labels or {}
    return Prepared(
        name="line",
        values=values.double(),
        columns=[f"c{i}" for i in range(values.shape[1])],
        window=None,
        borders=borders,
        fold=None,
        folds=1,
        labels=labels,
        classes={name: [f"k{i}" for i in range(int(found.max()) + 1)] for name, found in labels.items()},
    )


def counting(rows: int, channels: int = 2) -> Tensor:
    """Row r of channel c holds 100·c + r, so every value tells its place."""
    return torch.arange(rows).double()[:, None] + 100.0 * torch.arange(channels)


def stored(windows: int, length: int, fold: Tensor, labels: dict[str, Tensor], **changes: Any) -> Prepared:
    """Stored windows `cuts`; row r of the flat values holds r in channel 0 and −r in channel 1."""
    place = torch.arange(windows * length).double()
    values: dict[str, Any] = {
        "name": "cuts",
        "values": torch.stack([place, -place], dim=1),
        "columns": ["c0", "c1"],
        "window": length,
        "borders": None,
        "fold": fold,
        "folds": int(fold.max()) + 1,
        "labels": labels,
        "classes": {name: [f"k{i}" for i in range(int(found.max()) + 1)] for name, found in labels.items()},
    }
    return Prepared(**(values | changes))


def forecast(**settings: Any) -> ForecastTask:
    return ForecastTask.model_validate({"kind": "forecast", "source": "line", "input_len": 8, "horizon": 4} | settings)


def classification(**settings: Any) -> ClassificationTask:
    return ClassificationTask.model_validate({"kind": "classification", "source": "line", "input_len": 8} | settings)


def binary(**settings: Any) -> BinaryTask:
    return BinaryTask.model_validate({"kind": "binary", "source": "line", "input_len": 8} | settings)


def spec(kind: Kind, name: str, **settings: Any) -> TaskSpec:
    """A resolved task on windows of 8 rows and 2 channels."""
    return a_task(kind, **({"name": name, "source": "line", "shape": (2, 8), "columns": ["c0", "c1"]} | settings))


def waves(rows: int = 200, borders: tuple[int, int, int] = (120, 160, 200)) -> Prepared:
    """Two sines, and labels that the last row of a window gives away: `phase` (3 classes) and `up` (2)."""
    time = torch.arange(rows).double()
    values = torch.stack([torch.sin(time / 3), torch.cos(time / 5)], dim=1)
    phase = (values[:, 0] > -0.4).long() + (values[:, 0] > 0.4).long()
    return series(values, borders, {"phase": phase, "up": (values[:, 1] > 0).long()})


TASKS: dict[str, Task] = {"next": forecast(), "phase": classification(label="phase"), "up": binary(label="up")}


@dataclass
class Run:
    """A training run over some of the tasks of a task set; `go` runs it to its end."""

    data: TaskSet
    tasks: list[str]
    epochs: int = 3
    seed: int = 0
    batch_size: int = 16
    lr: float = 3e-3
    encoder: EncoderConfig = ENCODER
    balancer: Balancer | None = None
    frozen: bool = False
    clip: float | None = 1.0
    probes: int = 1
    stopping: StoppingConfig = field(default_factory=lambda: StoppingConfig(patience=None))
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    checkpoint: Path | None = None
    only: int | None = None
    """Epochs of the budget that are trained, the last of which is kept without validation; None: all."""
    decay: float | None = None
    """Decay of the average of the weights; None: nothing is averaged."""
    seconds: float = 3600.0
    """Age at which a state is due in the middle of an epoch."""

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        self.specs = {name: self.data.specs[name] for name in self.tasks}
        self.model: MultiTaskModel = build_model(self.encoder, list(self.specs.values()), self.seed)
        if self.frozen:
            self.model.freeze_encoder()
        self.balancer = self.balancer or FixedWeights(list(self.specs.values()))
        heads = self.model.head_parameters(self.tasks)
        self.optimiser = adamw([
            (self.model.shared_parameters(), self.lr, 0.01),
            (heads, self.lr, 0.01),
            (list(self.balancer.parameters()), 1e-2, 0.0),
        ])  # fmt: skip
        self.plan = JointPlan(
            {pool.name: len(pool) for pool in self.data.pools["train"]}, self.batch_size, self.sampler, self.seed
        )
        kind = Selector if self.only is None else LastEpoch
        selector = kind(self.stopping, list(self.specs.values()))
        instruments = Instruments(self.probes)
        average = None if self.decay is None else Average(self.model, self.decay)
        self.state = TrainingState(
            self.specs, self.model, self.balancer, self.optimiser, selector, instruments, average=average
        )

    @property
    def fitted(self) -> Fitted:
        return self.state.fitted

    def records(self) -> Iterator[Epoch]:
        val = self.data.select(self.tasks, "val") if self.only is None else []
        data = TrainingData(self.data.select(self.tasks, "train"), val, self.plan)
        budget = Budget(self.epochs, "onecycle", self.clip, only=self.only)
        yield from fit(self.state, data, budget, Checkpoint(self.checkpoint, "", self.seconds))

    def go(self) -> "Run":
        for _ in self.records():
            pass
        return self


def wave_tasks(seed: int = 0, tasks: dict[str, Task] | None = None) -> TaskSet:
    return build_tasks(tasks or TASKS, {"line": waves()}, seed)


def weighted(data: TaskSet, lam: float = 0.5) -> WeightedSum:
    """λ weighting of all tasks of a task set."""
    return WeightedSum(list(data.specs.values()), lam, "linear")


def same(left: nn.Module | dict[str, Tensor], right: nn.Module | dict[str, Tensor]) -> bool:
    """Bit for bit."""
    a, b = (part.state_dict() if isinstance(part, nn.Module) else part for part in (left, right))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def unlabelled(flat: Tensor, length: int, name: str = "line") -> Pool:
    """Every window of a z-scored series."""
    starts = torch.arange(len(flat) - length + 1)
    return Pool(name, name, Windows(flat, length, starts), {"": Target(None)})


def windows(pool: Pool) -> Windows:
    """The samples of a pool of windows."""
    assert isinstance(pool.samples, Windows)
    return pool.samples
