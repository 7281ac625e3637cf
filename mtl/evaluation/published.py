"""The published protocol beside the honest one: the best epoch chosen on the test part, which is optimistic.

Many published tables give the best test accuracy over the epochs. With `train.watch_test` it can be computed here, for
comparison with them: a joint run is taken at the epoch with the best mean over its label tasks, a single-task model at
its own best epoch, and so is each task of a sequential run that never trains all labels in one phase. The honest
numbers are those of the epoch that validation data chose. Tasks of numbers are left out.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from mtl.errors import UserError
from mtl.evaluation.comparison import Comparison
from mtl.evaluation.scores import label_tasks, used_starts
from mtl.paths import RunPath
from mtl.results.history import History
from mtl.results.label_scores import ModelName, ModelProtocols, PairOfModels, Protocols, Published
from mtl.results.record import Run
from mtl.results.statistics import Summary

Histories = dict[RunPath, History]


def published(made: Comparison, histories: Iterable[tuple[Run, History]]) -> Published | None:
    """Best test accuracies; None without `train.watch_test` and without label tasks.

    Raises:
        UserError: a history holds no test metrics.
    """
    config = made.config
    if not config.train.watch_test:
        return None
    known = {run.path: history for run, history in histories}
    entries = []
    for start in used_starts(made):
        alone = {task: made.stl(task, start) for task in label_tasks(made, config.baseline_tasks)}
        if alone:
            own = {task: _own_best(known, runs, task) for task, runs in alone.items()}
            entries.append(_entry(made, None, start, alone, own, _mean_of(own.values())))
    for name, method in config.finetune.methods.items():
        tasks = label_tasks(made, config.judged_tasks(name))
        if tasks:
            runs = made.joint(name)
            curves = [_watched(known, run, tasks) for run in runs]
            if all(curves):
                own = {task: [max(seed[number]) for seed in curves] for number, task in enumerate(tasks)}
                best = [max(_mean_of(seed)) for seed in curves]
            else:
                own = {task: _own_best(known, runs, task) for task in tasks}
                best = _mean_of(own.values())
            entries.append(_entry(made, name, method.label, dict.fromkeys(tasks, runs), own, best))
    if not entries:
        return None
    pairs = [_pair(made, first, second) for first, second in combinations(entries, 2) if first.tasks == second.tasks]
    return Published(entries=entries, pairs=pairs)


def _watched(known: Histories, run: Run, tasks: Sequence[str]) -> list[list[float]]:
    """[tasks][epochs]: test accuracies after each epoch of the last phase that trained all of `tasks`; empty where none
    did."""
    watched = [(row.phase, row.test) for row in known[run.path].epochs if row.test is not None]
    watched = [(phase, test) for phase, test in watched if all(task in test for task in tasks)]
    if not watched:
        return []
    last = watched[-1][0]
    return [[test[task]["accuracy"] for phase, test in watched if phase == last] for task in tasks]


def _own_best(known: Histories, runs: Sequence[Run], task: str) -> list[float]:
    """Best test accuracy of a task over the epochs of the last phase that trained it, for each run.

    Raises:
        UserError: a history holds no test metrics of it.
    """
    best = []
    for run in runs:
        curves = _watched(known, run, [task])
        if not curves:
            file = run.path.folder / "history.json"
            raise UserError(f"{file} holds no test metrics; run `mtl repro {run.path.target} --force`.")
        best.append(max(curves[0]))
    return best


def _mean_of(curves: Iterable[Sequence[float]]) -> list[float]:
    """Position by position."""
    return [sum(values) / len(values) for values in zip(*curves, strict=True)]


def _entry(
    made: Comparison, method: str | None, start: str, runs: dict[str, list[Run]], own: dict[str, list[float]],
    best: list[float],
) -> ModelProtocols:  # fmt: skip
    honest = {task: [run.value(task, "accuracy") for run in seeds] for task, seeds in runs.items()}
    return ModelProtocols(
        method=method,
        start=start,
        tasks=list(runs),
        best=made.summary(best, "accuracy"),
        honest=made.summary(_mean_of(honest.values()), "accuracy"),
        by_task={
            task: Protocols(best=made.summary(own[task], "accuracy"), honest=made.summary(values, "accuracy"))
            for task, values in honest.items()
        },
    )


def _pair(made: Comparison, first: ModelProtocols, second: ModelProtocols) -> PairOfModels:
    """Differences of the two protocols' means, seed by seed."""

    def difference(before: Summary, after: Summary) -> Summary:
        return made.summary([b - a for a, b in zip(before.values, after.values, strict=True)])

    names = [ModelName(method=entry.method, start=entry.start) for entry in (first, second)]
    return PairOfModels(
        first=names[0],
        second=names[1],
        best=difference(first.best, second.best),
        honest=difference(first.honest, second.honest),
    )
