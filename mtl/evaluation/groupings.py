"""Does grouping help? Every way to serve all tasks, against single-task models, at its number of models.

Serving is *hard* (a task asks one model) or *soft* (it asks every model that has it, weighted by membership). The two
cost different inference budgets, so both stand there: passes for one task, and passes for all tasks of one sample.
"""

from collections.abc import Sequence
from pathlib import Path

from mtl.config import Config
from mtl.evaluation.comparison import Comparison
from mtl.paths import GROUPS, MODELS, RunPath
from mtl.results.groupings import GroupingRow, Groupings
from mtl.results.groups import Groups
from mtl.results.numbers import Split
from mtl.results.reading import read_run
from mtl.results.record import Run
from mtl.results.serving import Candidate, Serving
from mtl.results.statistics import Interval

BASELINE = "baseline/"


def read_groups(config: Config, root: Path = Path()) -> Groups | None:
    """The groups that were found; None when no groups were asked for.

    Raises:
        UserError: it is missing or damaged.
    """
    return None if config.cluster.source is None else Groups.read(root / GROUPS, "mtl repro cluster")


def compare_groupings(config: Config, finished: Sequence[Run], root: Path = Path()) -> Groupings | None:
    """Groupings that were trained; None when no model was asked for.

    Args:
        config: the settings.
        finished: the config's runs, with those of single tasks.
        root: folder of the project.

    Returns:
        A row for each candidate, and where random groupings or all partitions were trained, summaries of them.

    Raises:
        UserError: a file is missing or damaged.
    """
    if config.specialise.weights is None or config.cluster.source is None:
        return None
    plan = Serving.read(root / MODELS, "mtl repro specialise")
    made = Comparison(config, finished)
    paths = {name: [RunPath("specialise", name, None, seed) for seed in made.seeds] for name in plan.models}
    runs = {name: [read_run(path, root) for path in places] for name, places in paths.items()}
    table = _Table(made, plan, config.finetune.methods[config.cluster.source].label, runs)
    alone = [table.row(candidate) for candidate in plan.candidates]
    chance = [row for row in alone if row.kind == "random"]
    rows = [row.model_copy(update={"over_random": table.over(row, chance)}) for row in alone]
    for kind, name in (("random", "random, mean of draws"), ("partition", "every partition, mean")):
        some = [row for row in rows if row.kind == kind]
        if some:
            rows.append(table.mean(name, kind, some))
    partitions = [row for row in rows if row.kind == "partition"]
    if partitions:
        best = max(partitions, key=lambda row: sum(row.per_seed_val))
        chosen = {"name": "best partition, chosen on validation data", "kind": "best"}
        rows.append(best.model_copy(update=chosen))
    return Groupings(rows=rows, weights=plan.weights)


class _Table:
    def __init__(self, made: Comparison, plan: Serving, start: str, runs: dict[str, list[Run]]) -> None:
        self.made, self.plan, self.start, self.runs = made, plan, start, runs
        alone = [task for task in plan.tasks if task in made.config.baseline_tasks]
        self.main = [task for task in alone if made.config.tasks[task].role == "main"] or alone

    def row(self, candidate: Candidate) -> GroupingRow:
        """One candidate, not yet held against random ones."""
        serve = candidate.serve
        models = sorted({model for shares in serve.values() for model in shares})
        splits: tuple[Split, ...] = ("val", "test")
        values = {split: {t: self._values(candidate, t, split) for t in serve} for split in splits}
        per_seed = {split: self._delta(values[split], split) for split in values}
        groups = {tuple(task for task in serve if model in serve[task]) for model in models}
        return GroupingRow(
            name=candidate.name,
            kind=candidate.kind,
            models=len(models),
            passes_a_task=max(len(shares) for shares in serve.values()),
            passes_all_tasks=len(models),
            parameters=sum(self._of(model)[0].parameters.total for model in models),
            groups=[list(group) for group in sorted(groups)],
            metrics={t: sum(seeds) / len(seeds) for t, seeds in values["test"].items()},
            delta_m=self.made.interval(per_seed["test"]),
            over_random=None,
            per_seed=per_seed["test"],
            per_seed_val=per_seed["val"],
        )

    def mean(self, name: str, kind: str, rows: list[GroupingRow]) -> GroupingRow:
        """Several candidates as one: seed by seed the mean of them."""
        first = rows[0]
        per_seed = [sum(column) / len(rows) for column in zip(*(row.per_seed for row in rows), strict=True)]
        return GroupingRow(
            name=f"{name} ({len(rows)})",
            kind=f"{kind}_mean",
            models=first.models,
            passes_a_task=first.passes_a_task,
            passes_all_tasks=first.passes_all_tasks,
            parameters=sum(row.parameters for row in rows) / len(rows),
            groups=[],
            metrics={t: sum(row.metrics[t] for row in rows) / len(rows) for t in first.metrics},
            delta_m=self.made.interval(per_seed),
            over_random=None,
            per_seed=per_seed,
            per_seed_val=first.per_seed_val,
        )

    def over(self, row: GroupingRow, chance: list[GroupingRow]) -> Interval | None:
        """Δm of a candidate less the mean of random groupings with its number of models, seed by seed; None where a
        baseline of zero leaves Δm undefined."""
        alike = [other.per_seed for other in chance if other.models == row.models]
        if row.kind == "random" or not alike or not row.per_seed:
            return None
        means = [sum(seed) / len(alike) for seed in zip(*alike, strict=True)]
        return self.made.interval([own - mean for own, mean in zip(row.per_seed, means, strict=True)])

    def _of(self, model: str) -> list[Run]:
        """The model's runs, in the order of the seeds."""
        if model.startswith(BASELINE):
            return self.made.stl(model.removeprefix(BASELINE), self.start)
        return self.runs[model]

    def _values(self, candidate: Candidate, task: str, split: Split) -> list[float]:
        """The task's primary metric in each seed."""
        metric = self.made.config.tasks[task].primary_metric
        if candidate.kind == "soft":
            return [float(self.plan.soft[str(seed)][split][task][metric]) for seed in self.made.seeds]
        (model,) = candidate.serve[task]
        return [run.value(task, metric, split) for run in self._of(model)]

    def _delta(self, values: dict[str, list[float]], split: Split) -> list[float]:
        """Δm of each seed, percent; empty where a baseline of zero leaves it undefined."""
        changes: list[Sequence[float]] = []
        for task in self.main:
            metric = self.made.config.tasks[task].primary_metric
            stl = [run.value(task, metric, split) for run in self.made.stl(task, self.start)]
            if 0.0 in stl:
                return []
            sign = -1 if self.made.config.tasks[task].lower_is_better else 1
            changes.append([100 * sign * (b - a) / a for a, b in zip(stl, values[task], strict=True)])
        return [sum(seed) / len(changes) for seed in zip(*changes, strict=True)]
