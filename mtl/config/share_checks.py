"""`evaluate.tolerance` and `evaluate.margin` against the tasks that they name."""

from mtl.config.common import Problem
from mtl.config.metrics import METRICS
from mtl.config.schema import Config


def tolerance_problems(config: Config) -> list[Problem]:
    """Names of no task, and shares that could never be answered or never be missed."""
    tolerance = config.evaluate.tolerance
    shares = tolerance if isinstance(tolerance, dict) else {}
    problems: list[Problem] = []
    for name, share in shares.items():
        where, task = f"evaluate.tolerance.{name}", config.tasks.get(name)
        if task is None:
            problems.append(("evaluate.tolerance", _no_task(config, name)))
            continue
        metric = METRICS[task.primary_metric]
        if not metric.comparable:
            message = f"should be left out: {name} is judged by {metric.title}, of which a share means nothing."
            problems.append((where, message))
        elif not metric.lower_is_better and share >= 1:
            message = f"should be below 1, at which every {metric.title} is within it, found {share:g}."
            problems.append((where, message))
        if name not in config.baseline_tasks:
            problems.append((where, _no_baseline(name)))
    return problems


def margin_problems(config: Config) -> list[Problem]:
    """Names of no task, and margins of tasks that get no verdict."""
    margin = config.evaluate.margin
    problems: list[Problem] = []
    for name in margin if isinstance(margin, dict) else {}:
        if name not in config.tasks:
            problems.append(("evaluate.margin", _no_task(config, name)))
        elif name not in config.baseline_tasks:
            problems.append((f"evaluate.margin.{name}", _no_baseline(name)))
    return problems


def _no_task(config: Config, name: str) -> str:
    return f"should name tasks among {', '.join(config.tasks)}, found {name!r}."


def _no_baseline(name: str) -> str:
    return f"should be left out, or `baseline.tasks` name {name}, which has no single-task model."
