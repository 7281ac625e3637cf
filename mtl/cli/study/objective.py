"""A trial: runs of an arm by the same code as a stage, judged on validation data by fixed rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

from mtl.cli.study.search_space import STL, start_of
from mtl.config import Choice, Config, Dimension, Start, TuneObjective
from mtl.config.metrics import METRICS, summed
from mtl.errors import UserError
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.execution import OnEpoch
from mtl.experiment.identity import run_identity
from mtl.experiment.recipe import joint, single_task
from mtl.paths import RunPath
from mtl.results.history import Epoch
from mtl.results.numbers import TaskMetrics
from mtl.results.reading import RUN, read_run
from mtl.results.record import Run

Report = Callable[[int, TaskMetrics], None]
"""Told after every epoch: its place among the epochs of the trial, from 1, and how every judged task stands then."""
MAXIMISED: tuple[TuneObjective, ...] = ("accuracy",)


@dataclass(frozen=True)
class Goal:
    """The rules by which the trials of one arm are judged, taken from the configuration before any trial changes it."""

    objectives: tuple[TuneObjective, ...]
    errors: Mapping[str, str]
    """Main tasks of the arm that predict numbers → the metric that each is judged by, z-scored."""
    labels: Mapping[str, str]
    """Its other main tasks → the metric that each is judged by."""
    untrained: Mapping[str, Mapping[str, float]]
    """Task → how it stands while a trial has not trained it yet: the same in all trials, which is what matters."""
    default_lambda: float
    tolerance: float | None
    baseline: dict[str, dict[str, float]]
    """Label of a start → task of numbers → validation error of the single-task runs; empty without a tolerance."""
    epochs: int
    """Most epochs of a run, or of a phase of one, in any trial."""

    @property
    def judged(self) -> tuple[str, ...]:
        return (*self.errors, *self.labels)

    @property
    def directions(self) -> list[Literal["minimize", "maximize"]]:
        return ["maximize" if objective in MAXIMISED else "minimize" for objective in self.objectives]

    def values(self, val: TaskMetrics) -> list[float]:
        """One value for each objective."""
        error = fmean(val[name][metric] for name, metric in self.errors.items()) if self.errors else None
        accuracy = fmean(_accuracy(val[name], metric) for name, metric in self.labels.items()) if self.labels else None
        values = []
        for objective in self.objectives:
            match objective:
                case "error":
                    assert error is not None
                    values.append(error)
                case "accuracy":
                    assert accuracy is not None
                    values.append(accuracy)
                case "combined":
                    values.append(self._combined(error, accuracy))
        return values

    def _combined(self, error: float | None, accuracy: float | None) -> float:
        if error is None or accuracy is None:
            assert error is not None or accuracy is not None
            return error if accuracy is None else 1 - accuracy  # type: ignore[return-value]
        return (1 - self.default_lambda) * error + self.default_lambda * (1 - accuracy)

    def constraints(self, val: TaskMetrics, start: str) -> dict[str, float]:
        """Name → how far the error of a task of numbers lies above what is allowed; feasible up to 0."""
        if self.tolerance is None:
            return {}
        allowed = {name: (1 + self.tolerance) * self.baseline[start][name] for name in self.errors}
        return {f"{name}_{metric}": val[name][metric] - allowed[name] for name, metric in self.errors.items()}


def _accuracy(values: Mapping[str, float], metric: str) -> float:
    """A label's metric, turned so that higher is better: an error counts as 1 less it, as in the choice of an epoch."""
    return 1 - values[metric] if METRICS[metric].lower_is_better else values[metric]


def goal_of(config: Config, arm: str, seeds: list[int], root: Path) -> Goal:
    """How an arm's trials are judged.

    Raises:
        UserError: the arm trains no task that an objective is about, or a tolerance is given and a single-task run is
            missing or was made with other settings, data or code.
    """
    tasks = config.baseline_tasks if arm == STL else config.judged_tasks(arm)
    main = [name for name in tasks if config.tasks[name].role == "main"] or tasks
    metrics = {name: summed(config.tasks[name].primary_metric) for name in main}
    errors = {name: metric for name, metric in metrics.items() if config.tasks[name].family == "regression"}
    labels = {name: metric for name, metric in metrics.items() if name not in errors}
    tune = config.tune
    for objective, there in (("error", errors), ("accuracy", labels)):
        if objective in tune.objectives and not there:
            what = "forecast or regression" if objective == "error" else "label"
            raise UserError(f"`tune.objectives` has {objective}, and {arm} trains no main task that is a {what}.")
    if tune.tolerance is not None and not errors:
        raise UserError(f"`tune.tolerance` should be null: {arm} trains no main task that is a forecast or regression.")
    baseline: dict[str, dict[str, float]] = {}
    if tune.tolerance is not None:
        moved = {f"finetune.methods.{arm}.{key}" for key in ("init", "freeze", "width")} & set(tune.space or {})
        starts = config.baseline.starts if moved else [start_of(config, arm)]
        for start in starts:
            baseline[start.label] = {
                name: fmean(_baseline_error(config, name, metric, start, seed, root) for seed in seeds)
                for name, metric in errors.items()
            }
    most = _most(config.train.epochs, (tune.space or {}).get("train.epochs"))
    untrained = {name: config.tasks[name].untrained for name in main}
    weight = config.train.stopping.default_lambda
    return Goal(tuple(tune.objectives), errors, labels, untrained, weight, tune.tolerance, baseline, most)


def _most(value: int, searched: Dimension | None) -> int:
    """The largest of what is searched, else the value in the configuration."""
    match searched:
        case None:
            return value
        case Choice():
            return max(number for number in searched.values if isinstance(number, int))
        case _:
            return int(searched.high)


def _baseline_error(config: Config, task: str, metric: str, start: Start, seed: int, root: Path) -> float:
    where = RunPath("baseline", task, start.label, seed)
    again = f"run `mtl repro {where.target}`, or set `tune.tolerance: null`."
    if not (root / where.folder / RUN).exists():
        raise UserError(f"`tune.tolerance` needs the single-task run {where.folder}, which is missing: {again}")
    run = read_run(where, root)
    if run.identity != run_identity(single_task(config, task, start, seed), root):
        raise UserError(f"{where.folder} was made with other settings or data than those of now: {again}")
    return run.value(task, metric, "val")


def train(
    config: Config, arm: str, goal: Goal, seeds: list[int], root: Path, out: Path, report: Report
) -> list[TaskMetrics]:
    """Trains an arm for every seed; the metrics of the kept epoch, by seed.

    What was finished or begun below `out` before goes on from its state there.

    Args:
        config: the configuration with a trial's values.
        arm: a method, or STL: every task that is judged, alone.
        goal: what is judged.
        seeds: the arm is trained once for each.
        root: folder of the project, with prepared data and pretrained weights.
        out: folder of the trial.
        report: told after every epoch, also of runs that go on; what it raises ends the trial.

    Raises:
        UserError: as a stage would.
    """
    finished: list[TaskMetrics] = []
    parts = parts_of(config, arm, goal)

    def hearing(first: int) -> OnEpoch:
        """Hears the epochs of one run, whose first phase is part `first` of the trial."""
        part, last = first, 0

        def on_epoch(record: Epoch) -> None:
            nonlocal part, last
            part += record.epoch <= last  # Each phase counts from 1.
            last = record.epoch
            known.update(record.val)
            # An early stop leaves places out: a place is the same epoch of the same part in every trial.
            report(part * goal.epochs + last, standing(goal, [*finished, known]))

        return on_epoch

    for number, seed in enumerate(seeds):
        known: TaskMetrics = {}
        first = number * parts
        if arm == STL:
            for place, task in enumerate(goal.judged, start=first):
                start = start_of(config, arm)
                folder = run_baseline(config, task, start, seed, root, out=out, on_epoch=hearing(place))
                known |= Run.read(folder / RUN).val
        else:
            folder = run_finetune(config, arm, seed, root, out=out, on_epoch=hearing(first))
            known = Run.read(folder / RUN).val
        finished.append(known)
    return finished


def parts_of(config: Config, arm: str, goal: Goal) -> int:
    """How often an arm spends `train.epochs` for one seed: once, once for each task alone, or once for each phase of a
    sequential method or one with a target."""
    return len(goal.judged) if arm == STL else len(joint(config, arm, config.base.seeds[0]).phases)


def standing(goal: Goal, several: list[TaskMetrics]) -> TaskMetrics:
    """How every judged task stands by what was last measured for each seed; the same comparison in every trial.

    A task that no seed has trained yet counts as `Goal.untrained` says, so that trials of several runs (STL) or phases
    (sequential) can be compared, and pruned, before all of it is known.
    """
    return {name: dict(metrics) for name, metrics in goal.untrained.items()} | mean_metrics(several)


def mean_metrics(several: list[TaskMetrics]) -> TaskMetrics:
    """Means over the seeds that have measured a task, of the metrics that all of these have."""
    means: TaskMetrics = {}
    for task in dict.fromkeys(task for metrics in several for task in metrics):
        first, *others = [metrics[task] for metrics in several if task in metrics]
        means[task] = {
            name: fmean([value, *(other[name] for other in others)])
            for name, value in first.items()
            if all(name in other for other in others)
        }
    return means
