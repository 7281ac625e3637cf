"""Reasons against putting a deployment to use, and its verdicts in words."""

from collections.abc import Iterator

from mtl.config.metrics import METRICS
from mtl.results.deployment import LOSES, Beside, Deployment, Served

HURT, SIMPLE = "HURT", "simple: "
"""Beginnings of a verdict, and of the name of a simple model."""


def doubts(deployment: Deployment) -> list[str]:
    """A reason for each task whose answer the comparisons speak against: joint training hurt it, or its network loses
    to a simple model."""
    return list(_doubts(deployment))


def _doubts(deployment: Deployment) -> Iterator[str]:
    for task in deployment.order:
        served = deployment.tasks[task]
        own = _own(served)
        if own is None:
            continue
        if own.verdict.startswith(HURT):
            yield f"{task} is answered by {served.label}, which hurt it ({own.verdict})"
        if own.name.endswith(LOSES):
            simple = next(
                (other.name for other in served.beside if other.name.startswith("simple: ")), "a simple model"
            )
            yield f"{task} is answered by {served.label}, which loses to {simple.removeprefix('simple: ')}"


def verdict_tags(deployment: Deployment) -> dict[str, str]:
    """Name of a tag → model, verdict and test value of each task."""
    tags = {}
    for task in deployment.order:
        served = deployment.tasks[task]
        own = _own(served)
        tags[f"{task}.model"] = served.label
        tags[f"{task}.verdict"] = served.why if own is None or not own.verdict else own.verdict
        value = None if served.test is None else served.test.get(served.metric)
        if value is not None:
            tags[f"{task}.test"] = f"{METRICS[served.metric].title} {value:.4g}"
    return tags


def _own(served: Served) -> Beside | None:
    """The row of the way that answers a task, among those that were compared; None for a simple model or a
    cluster's."""
    match served.how:
        case "joint":
            name = served.name
        case "single-task":
            name = f"trained alone ({served.name})"
        case "simple" | "cluster":
            return None
    return next((other for other in served.beside if other.name.removesuffix(LOSES) == name), None)
