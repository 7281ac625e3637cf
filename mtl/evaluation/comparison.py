"""The runs of one config side by side: single-task (STL) and joint, paired by seed, with what is measured in them."""

from collections.abc import Iterable, Sequence

from mtl.config import Config
from mtl.config.metrics import METRICS
from mtl.errors import UserError
from mtl.evaluation.family import percent_changes
from mtl.evaluation.intervals import t_interval
from mtl.paths import RunPath
from mtl.results.record import Run
from mtl.results.statistics import Interval, Summary
from mtl.tasks.no_skill import no_skill

OTHER_PREDICTOR = ("balanced_accuracy", "macro_f1", "f1", "ece", "mae")
"""Metrics that are best for another predictor than the one whose metrics are taken for the optimum: other thresholds,
no sharpness at all, the median instead of the mean."""


class Comparison:
    """The runs of one config, by key, and the quantities that verdicts are made of."""

    def __init__(self, config: Config, runs: Iterable[Run]) -> None:
        self.config = config
        self.seeds = config.base.seeds
        self.confidence = config.evaluate.confidence
        self.by_path = {run.path: run for run in runs}
        self._alone = frozenset(config.baseline_tasks)

    def run(self, path: RunPath) -> Run:
        if path not in self.by_path:
            raise UserError(f"{path.folder / 'run.json'} is missing; run `mtl repro {path.target}`.")
        return self.by_path[path]

    def stl(self, task: str, start: str) -> list[Run]:
        """The task's single-task runs, in the order of the seeds."""
        return [self.run(RunPath("baseline", task, start, seed)) for seed in self.seeds]

    def simple(self, task: str) -> list[Run]:
        """The task's simple models, in the order of the seeds; none where no simple models were asked for."""
        paths = [RunPath("simple", task, None, seed) for seed in self.seeds]
        return [self.by_path[path] for path in paths if path in self.by_path]

    def joint(self, method: str) -> list[Run]:
        return [self.run(RunPath("finetune", method, None, seed)) for seed in self.seeds]

    def values(self, runs: Sequence[Run], task: str) -> list[float]:
        """The task's primary test metric in each run."""
        return [run.value(task, self.config.tasks[task].primary_metric) for run in runs]

    def interval(self, values: Sequence[float]) -> Interval:
        return t_interval(values, self.confidence)

    def summary(self, values: Sequence[float], metric: str | None = None) -> Summary:
        """The mean over the seeds with its interval, and the values themselves, at least one.

        Args:
            values: one a seed.
            metric: whose values these are, beyond which no interval reaches; None: they are differences.
        """
        interval = self.interval(values)
        assert interval.mean is not None, "there is at least one seed"
        ends = interval if metric is None else interval.inside(*METRICS[metric].range)
        return Summary(mean=interval.mean, low=ends.low, high=ends.high, values=list(values))

    def changes(self, task: str, before: Sequence[float], after: Sequence[float]) -> list[float]:
        """Paired changes in percent, positive is better; empty where a baseline of zero leaves them undefined."""
        return percent_changes(before, after, self.config.tasks[task].lower_is_better)

    def alone(self, task: str) -> bool:
        """Says whether the task has single-task models."""
        return task in self._alone

    def first_run(self, task: str) -> Run | None:
        """A run that measured the task, for what is the same in all of them; None when none does."""
        if self.alone(task):
            return self.stl(task, self.config.baseline.starts[0].label)[0]
        methods = [name for name in self.config.finetune.methods if task in self.config.judged_tasks(name)]
        return self.joint(methods[0])[0] if methods else None

    def no_input(self, run: Run, task: str) -> float | None:
        """Test value of the task's primary metric that a predictor reaches which has seen no input: of a label by the
        frequencies of its classes, of numbers by the mean of the training targets. None where it means nothing or was
        not measured."""
        spec = self.config.tasks[task]
        if spec.family == "classification":
            counts = class_counts(run, task)
            return no_skill(spec.primary_metric, counts) if counts and spec.judges_all else None
        return (run.guess or {}).get(task, {}).get(spec.primary_metric)

    def gain_over_no_input(self, runs: Sequence[Run], task: str) -> Interval:
        """How far the runs lie above such a predictor, in the metric's unit, positive is better; without a mean where
        there is none."""
        sign = -1 if self.config.tasks[task].lower_is_better else 1
        pairs = [(value, self.no_input(run, task)) for value, run in zip(self.values(runs, task), runs, strict=True)]
        return self.interval([sign * (value - least) for value, least in pairs if least is not None])

    def optimum(self, task: str) -> float | None:
        """Best achievable primary metric on the task's test samples; None where it is not known.

        Sources know the probabilities of classes and the mean of numbers: the predictors with the highest accuracy and
        the least squared error, which are not those with the best of the metrics in `OTHER_PREDICTOR`.
        """
        metric = self.config.tasks[task].primary_metric
        if metric in OTHER_PREDICTOR:
            return None
        first = self.first_run(task)
        return None if first is None else first.optimum.get(task, {}).get(metric)


def class_counts(run: Run, task: str) -> list[int]:
    """[k] samples of each class in the test part; empty for a task that has no classes."""
    return [sum(row) for row in run.detail[task].confusion or []]
