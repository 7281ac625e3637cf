"""history.json: what every epoch of a run or of a pretraining measured."""

from pydantic import Field

from mtl.results.content import Part, ResultFile, absent
from mtl.results.numbers import Metrics
from mtl.results.pairs import Pairs


class TrainLoss(Part):
    """Training loss of one task in an epoch."""

    loss: float | None
    """Mean over the steps that held a sample of it; None when none did."""


class Gradients(Part):
    """Gradients of the tasks on the shared parameters, means over the epoch's probes; empty when none was made."""

    norms: dict[str, float]
    """Task → norm."""
    cosines: Pairs
    """`a|b`, two tasks in the order of the run → cosine of their gradients; packed when there are many tasks."""
    surrogate: float | None = Field(default=None, exclude_if=absent)
    """Cosine of a surrogate's direction with the exact one; None without a surrogate."""


class LookaheadMeans(Part):
    """Lookahead affinities of an epoch (Fifty et al. 2021, arXiv 2109.04617, eq. 1), task i → task j."""

    affinity: dict[str, dict[str, float]]
    """Mean of Z[i→j] over the probes."""
    probes: dict[str, dict[str, int]]
    """Number of probes in it."""


class Epoch(Part):
    """One epoch of a run."""

    epoch: int
    """Number in its phase, from 1."""
    phase: int | None = Field(default=None, exclude_if=absent)
    """Number of the phase, from 1; None in a run of one phase."""
    steps: int
    lr: float
    """Learning rate of the last step."""
    lam: float | None = Field(validation_alias="lambda", serialization_alias="lambda")
    """λ, share of the label tasks in the objective at the last step; None for methods that have none."""
    weights: dict[str, float]
    """Task → weight of its loss or gradient, mean over the steps."""
    train: dict[str, TrainLoss]
    val: dict[str, Metrics]
    """Task → validation metrics."""
    test: dict[str, Metrics] | None = Field(default=None, exclude_if=absent)
    """Task → test metrics, by which nothing is selected; None unless they are watched."""
    score: float
    """Value that the choice of the epoch minimises."""
    grad_norm: float
    """Norm of the combined gradient before clipping, mean over the steps."""
    gradients: Gradients
    lookahead: LookaheadMeans | None = Field(default=None, exclude_if=absent)
    """None unless the method asks for it."""


class Start(Part):
    """The network of a phase before its first step: epoch 0."""

    val: dict[str, Metrics]
    """Task → validation metrics."""
    score: float
    """Value that the choice of the epoch minimises."""


class History(ResultFile):
    """history.json of a run."""

    starts: list[Start | None] = Field(default=[], exclude_if=lambda starts: not starts)
    """Epoch 0 of each phase; None where the network gave no finite score, empty in files of before it was measured."""
    epochs: list[Epoch]
    """All phases one after the other."""
    best_epoch: int
    """Epoch of the last phase whose weights were kept; 0: none was better than those before its first step."""
    stopped: str
    """`end` of the budget, or `patience`."""


class PretrainingLoss(Part):
    """Pretext loss of one part of the data."""

    loss: float


class PretrainingEpoch(Part):
    """One epoch of a pretraining."""

    epoch: int
    lr: float
    train: PretrainingLoss
    val: PretrainingLoss


class PretrainingHistory(ResultFile):
    """history.json of a pretraining."""

    epochs: list[PretrainingEpoch]
