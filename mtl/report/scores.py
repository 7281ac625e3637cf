"""Tables of label tasks: every metric, and the published protocol beside the honest one."""

from collections.abc import Sequence

from mtl.config.metrics import METRICS
from mtl.report.read import STL
from mtl.report.select import MOST_PANELS
from mtl.report.table_of_page import Table
from mtl.report.words import (
    DASH,
    confidence_text,
    is_share,
    known,
    metric_title,
    percent_text,
    points_text,
    score_text,
)
from mtl.results.label_scores import ModelName, ModelProtocols, ModelScores
from mtl.results.statistics import Statistic
from mtl.results.verdicts import JudgedTask, Verdicts

OF_CLASSES = {"accuracy", "balanced_accuracy", "macro_f1", "f1", "span_f1"}
"""Metrics that follow from the confusion matrix."""
Model = ModelName | ModelScores | ModelProtocols


def label_tables(verdicts: Verdicts) -> list[Table]:
    """Test metrics of the label tasks, STL and every method: those of the predicted classes of all tasks, then for each
    kind of task those of its probabilities and of the order that they put samples in."""
    tasks = [task for task in verdicts.tasks if any(task.name in entry.tasks for entry in verdicts.labels.entries)]
    tables = [_scores(verdicts, "Predicted classes of label tasks", tasks, OF_CLASSES)]
    for kind in dict.fromkeys(task.kind for task in tasks):
        same = [task for task in tasks if task.kind == kind]
        tables.append(_scores(verdicts, f"Probabilities of {kind} tasks", same, set(METRICS) - OF_CLASSES))
    return [table for table in tables if table is not None]


def _scores(verdicts: Verdicts, title: str, tasks: list[JudgedTask], allowed: set[str]) -> Table | None:
    """A row a task and model, a column a metric that some of them has; a dash for one that some seed has not."""
    entries = verdicts.labels.entries
    there = {metric for entry in entries for task in tasks for metric in entry.tasks.get(task.name, {})}
    metrics = [metric for metric in METRICS if metric in there & allowed]
    rows = [
        [task.name, model_name(entry, entries)]
        + [score_text(metric, entry.tasks[task.name].get(metric)) for metric in metrics]
        for task in tasks
        for entry in entries
        if task.name in entry.tasks
    ]
    head = ["task", "model", *(metric_title(metric) + ", %" * is_share(metric) for metric in metrics)]
    caption = f"{title} on the test part: mean over seeds [{confidence_text(verdicts)} interval]"
    return Table(caption, head, rows) if metrics else None


def published_tables(verdicts: Verdicts) -> list[Table]:
    """The two protocols, and the differences between models under each; none without `train.watch_test`."""
    published = verdicts.published
    if published is None:
        return []
    entries, shown = published.entries, confidence_text(verdicts)
    tasks = list(dict.fromkeys(task for entry in entries for task in entry.tasks))
    named = tasks if len(tasks) <= MOST_PANELS else []
    head = ["model", "tasks", "optimistic", "honest", *(f"{task}, best epoch" for task in named)]
    rows = [
        [model_name(entry, entries), str(len(entry.tasks)), percent_text(entry.best),
         percent_text(entry.honest),
         *(_number(entry.by_task[task].best) if task in entry.by_task else DASH for task in named)]
        for entry in entries
    ]  # fmt: skip
    tables = [
        Table(f"Test accuracy in percent, mean over tasks and seeds [{shown} interval], then of each task at its own "
              "best epoch", head, rows)
    ]  # fmt: skip
    if published.pairs:
        pairs = [
            [f"{model_name(pair.second, entries)} − {model_name(pair.first, entries)}",
             points_text(pair.best), points_text(pair.honest)]
            for pair in published.pairs
        ]  # fmt: skip
        caption = f"Differences in points, paired by seed [{shown} interval, each for itself]"
        tables.append(Table(caption, ["difference", "optimistic", "honest"], pairs))
    return tables


def averages(verdicts: Verdicts) -> dict[str, tuple[str, str, str]]:
    """Method → metric in words, its average over tasks, and that of the single-task models of the same tasks, percent;
    only where every task is judged by a share, since an average over some of the tasks would mislead."""
    if not all(METRICS[task.metric].share for task in verdicts.tasks):
        return {}
    return {
        row.method: (metric_title(row.metric), percent_text(row.joint), percent_text(row.stl))
        for row in verdicts.labels.averages
    }


def model_name(entry: Model, entries: Sequence[Model]) -> str:
    """The method, or STL with its start where there are several."""
    if entry.method is not None:
        return entry.method
    starts = {other.start for other in entries if other.method is None}
    return STL if len(starts) == 1 else f"{STL} ({entry.start})"


def _number(statistic: Statistic) -> str:
    return f"{100 * statistic.mean:.2f}" if known(statistic.mean) else DASH
