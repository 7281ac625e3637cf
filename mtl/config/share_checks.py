"""`evaluate.tolerance`, `margin`, `calibration` and `costs` against the tasks that they name."""

from mtl.config.common import Problem
from mtl.config.decisions import NEGATIVE, POSITIVE
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


def calibration_problems(config: Config) -> list[Problem]:
    """Names of no task, and tasks that have no probabilities."""
    wish, path = config.evaluate.calibration, "evaluate.calibration"
    able = [name for name, task in config.tasks.items() if task.probabilities]
    if isinstance(wish, dict):
        problems = [(path, _no_task(config, name)) for name in wish if name not in config.tasks]
        return problems + [
            (f"{path}.{name}", f"should be left out: {name} has no classes, and so no probabilities.")
            for name in wish
            if name in config.tasks and name not in able
        ]
    if wish != "none" and not able:
        return [(path, f"should be none: no task has classes, and so probabilities, found {wish!r}.")]
    return []


def costs_problems(config: Config) -> list[Problem]:
    """Names of no task, and costs of another form than the task has classes."""
    problems: list[Problem] = []
    for name, costs in config.evaluate.costs.items():
        where, task = f"evaluate.costs.{name}", config.tasks.get(name)
        by_name = POSITIVE in costs
        if task is None:
            problems.append(("evaluate.costs", _no_task(config, name)))
        elif not task.probabilities:
            problems.append((where, f"should be left out: {name} has no classes."))
        elif task.two_classes and not by_name:
            problems.append((where, f"should be {{{POSITIVE}: 1, {NEGATIVE}: 20}} for a task of two classes."))
        elif not task.two_classes and by_name:
            message = "should be by true and said class, as {high: {low: 5}}, for a task of several classes."
            problems.append((where, message))
    return problems


def _no_task(config: Config, name: str) -> str:
    return f"should name tasks among {', '.join(config.tasks)}, found {name!r}."


def _no_baseline(name: str) -> str:
    return f"should be left out, or `baseline.tasks` name {name}, which has no single-task model."
