"""Choice of the epoch that is kept, on validation data with weights that do not change during training.

**Why not the training objective**: while λ(t) rises, the weighted training loss of different epochs are different
objectives, and its minimum is epoch 1. So validation always uses fixed weights.
"""

import math
from dataclasses import dataclass

from mtl.balancing.weighted import task_weights
from mtl.config import StoppingConfig
from mtl.config.metrics import summed
from mtl.results.numbers import TaskMetrics
from mtl.tasks.base import TaskSpec


@dataclass
class Selector:
    """Keeps the best epoch and says when to stop.

    A task counts by its metric where lower is better (MSE), else by 1 − its metric (accuracy: the error rate), and by
    the z-scored one where its metric has a unit (RMSE: by the MSE); ties go to the lower loss. A run of one family of
    tasks is judged by those tasks alone. Auxiliary tasks do not count unless there is nothing else.

    Args:
        config: criterion, patience and tolerance.
        specs: the tasks of the run.
        lam: the method's final λ; None takes `config.default_lambda`.
        reference: task of family regression → validation metric of the paired single-task run; needed by `constrained`
            in a joint run.
    """

    config: StoppingConfig
    specs: list[TaskSpec]
    lam: float | None = None
    reference: dict[str, float] | None = None
    best_epoch: int = 0
    best: tuple[float, ...] = (math.inf,)
    best_trained: int = 0
    """Best epoch from 1 on, from which patience counts: an untrained network that is lucky should end no training."""
    least: tuple[float, ...] = (math.inf,)
    """Score of that epoch."""

    def score(self, val: TaskMetrics) -> tuple[float, ...]:
        """Values to be minimised over the epochs, compared element by element."""
        counted = [spec for spec in self.specs if spec.role == "main"] or self.specs
        errors = [spec for spec in counted if spec.family == "regression"]
        labels = [spec for spec in counted if spec.family == "classification"]
        if not errors or not labels:
            return _mean(counted, val), _mean_loss(counted, val)
        match self.config.criterion:
            case "forecast":
                return (_mean(errors, val),)
            case "combined":
                weights = task_weights(counted, self.config.default_lambda if self.lam is None else self.lam)
                score = sum(weights[spec.name] * _error(spec, val) for spec in counted)
                return score, _mean_loss(counted, val)
            case "constrained":
                assert self.reference is not None, "constrained needs the single-task validation MSE"
                excess = max(
                    val[spec.name][spec.metric] / ((1 + self.config.tolerance) * self.reference[spec.name]) - 1
                    for spec in errors
                )
                # Among epochs that keep those errors the error of the labels counts; before any does, the excess.
                return max(0.0, excess), _mean(labels, val), _mean_loss(labels, val)

    def update(self, epoch: int, val: TaskMetrics) -> bool:
        """Records an epoch (0: before the first step); True when it is the best so far."""
        score = self.score(val)
        if epoch > 0 and score < self.least:
            self.least, self.best_trained = score, epoch
        better = score < self.best
        if better:
            self.best, self.best_epoch = score, epoch
        return better

    def exhausted(self, epoch: int) -> bool:
        """True when `patience` epochs in a row were no better than those before them."""
        return self.config.patience is not None and epoch - self.best_trained >= self.config.patience


@dataclass
class LastEpoch(Selector):
    """Keeps the last epoch that was trained, the weights before the first step where none was, and never stops.

    For a training whose number of epochs is known: there is no validation part that could choose, and what is trained
    on must not. Every epoch has the same score.
    """

    def score(self, val: TaskMetrics) -> tuple[float, ...]:
        return (0.0,)

    def update(self, epoch: int, val: TaskMetrics) -> bool:
        self.best, self.best_epoch = self.score(val), epoch
        return True

    def exhausted(self, epoch: int) -> bool:
        return False


def _error(spec: TaskSpec, val: TaskMetrics) -> float:
    value = val[spec.name][summed(spec.metric)]
    return value if spec.lower_is_better else 1 - value


def _mean(specs: list[TaskSpec], val: TaskMetrics) -> float:
    return sum(_error(spec, val) for spec in specs) / len(specs)


def _mean_loss(specs: list[TaskSpec], val: TaskMetrics) -> float:
    return sum(val[spec.name][spec.loss_metric] for spec in specs) / len(specs)
