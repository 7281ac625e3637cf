"""Numbers of result files as metrics of a run in MLflow; their names are explained in `mtl.tracking.records`."""

from dataclasses import dataclass

from mtl.results.history import History, PretrainingHistory
from mtl.results.numbers import TaskMetrics
from mtl.results.record import Pretraining, Run
from mtl.results.statistics import Statistic


@dataclass(frozen=True)
class Point:
    """One value of a metric; `step` is the epoch, 0 for what is measured once."""

    name: str
    value: int | float
    step: int = 0


def training_points(run: Run, history: History) -> list[Point]:
    """Collects every number of a run: by epoch, of the epoch that was kept, and of the test part; of many tasks without
    the cosines of their pairs, which are half a million for a thousand tasks."""
    points: list[Point] = []
    for step, epoch in enumerate(history.epochs, start=1):  # Phases of a sequential method count on.
        points += [
            Point(f"train/{task}/loss", part.loss, step) for task, part in epoch.train.items() if part.loss is not None
        ]
        points += _by_task("val", epoch.val, step)
        points += _by_task("watched_test", epoch.test or {}, step)
        values = {"lr": epoch.lr, "lambda": epoch.lam, "score": epoch.score, "grad_norm": epoch.grad_norm}
        values |= {f"weights/{task}": weight for task, weight in epoch.weights.items()}
        values |= {f"gradient_norm/{task}": norm for task, norm in epoch.gradients.norms.items()}
        cosines = epoch.gradients.cosines
        for pair, cosine in cosines.items() if not cosines.packed else ():
            values[f"gradient_cosine/{pair.replace('|', '-')}"] = cosine
        values["gradient_cosine/surrogate"] = epoch.gradients.surrogate
        points += [Point(name, value, step) for name, value in values.items() if value is not None]
    points += _by_task("best_val", run.val)
    points += _by_task("test", run.test)
    return [*points, Point("parameters", run.parameters.total), Point("best_epoch", run.best_epoch)]


def pretraining_points(run: Pretraining, history: PretrainingHistory) -> list[Point]:
    """Collects every number of a pretraining, whose losses stand where those of a task would."""
    points: list[Point] = []
    for step, epoch in enumerate(history.epochs, start=1):
        points += [
            Point("train/pretrain/loss", epoch.train.loss, step),
            Point("val/pretrain/loss", epoch.val.loss, step),
        ]
    return points + _by_task("best_val", {"pretrain": run.val})


def _by_task(split: str, values: TaskMetrics, step: int = 0) -> list[Point]:
    return [
        Point(f"{split}/{task}/{metric}", value, step)
        for task, metrics in values.items()
        for metric, value in metrics.items()
    ]


def change_points(name: str, change: Statistic) -> list[Point]:
    """A mean and, where there are enough seeds, the ends of its interval."""
    head, _, task = name.partition("/")
    low, high = (f"{head}_{end}/{task}".rstrip("/") for end in ("low", "high"))
    values = {name: change.mean, low: change.low, high: change.high}
    return [Point(full, value) for full, value in values.items() if value is not None]
