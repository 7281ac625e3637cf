"""Label tasks by every metric, and the average over them, as published tables have it."""

from collections.abc import Sequence

from mtl.evaluation.comparison import Comparison
from mtl.results.label_scores import AverageScore, LabelScores, ModelScores
from mtl.results.record import Run
from mtl.results.statistics import Summary


def label_tasks(made: Comparison, names: Sequence[str]) -> list[str]:
    """Tasks of the classification family, which all have the metrics of a label."""
    return [name for name in names if made.config.tasks[name].family == "classification"]


def used_starts(made: Comparison) -> list[str]:
    """Starts of the single-task runs that some method is compared with, in the order of `baseline.starts`."""
    used = {method.label for method in made.config.finetune.methods.values()}
    return [start.label for start in made.config.baseline.starts if start.label in used]


def label_scores(made: Comparison) -> LabelScores:
    """Test metrics of the label tasks, without those that some seed's samples leave undefined.

    Averages are made for each method whose tasks include labels, of the metric that all of these are judged by;
    accuracy where they differ.
    """
    config = made.config
    entries, averages = [], []
    for start in used_starts(made):
        alone = {task: made.stl(task, start) for task in label_tasks(made, config.baseline_tasks)}
        entries.append(ModelScores(method=None, start=start, tasks=_scores(made, alone)))
    for name, method in config.finetune.methods.items():
        tasks = label_tasks(made, config.judged_tasks(name))
        joint = dict.fromkeys(tasks, made.joint(name))
        entries.append(ModelScores(method=name, start=method.label, tasks=_scores(made, joint)))
        if tasks:
            alone = {task: made.stl(task, method.label) for task in tasks if made.alone(task)}
            metrics = {config.tasks[task].primary_metric for task in tasks}
            metric = metrics.pop() if len(metrics) == 1 else "accuracy"
            averages.append(
                AverageScore(
                    method=name,
                    metric=metric,
                    tasks=tasks,
                    joint=_average(made, joint, metric),
                    stl=_average(made, alone, metric) if len(alone) == len(tasks) else None,
                )
            )
    return LabelScores(entries=[entry for entry in entries if entry.tasks], averages=averages)


def _scores(made: Comparison, runs: dict[str, list[Run]]) -> dict[str, dict[str, Summary]]:
    """Task → metric → its values over seeds."""
    scores = {}
    for task, seeds in runs.items():
        there = [name for name in made.config.tasks[task].metrics if all(name in run.test[task] for run in seeds)]
        scores[task] = {m: made.summary([run.value(task, m) for run in seeds], m) for m in there}
    return scores


def _average(made: Comparison, runs: dict[str, list[Run]], metric: str) -> Summary:
    by_task = [[run.value(task, metric) for run in seeds] for task, seeds in runs.items()]
    return made.summary([sum(seed) / len(seed) for seed in zip(*by_task, strict=True)], metric)
