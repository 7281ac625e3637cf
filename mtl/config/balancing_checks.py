"""Settings of a method that are each fine and do not go with its tasks, its sharing or the sampler."""

from mtl.config.balancing import (
    AlignedMtlMethod,
    ConFigMethod,
    DualProjMethod,
    FixedMethod,
    GradientMethod,
    GradNormMethod,
    Method,
    StchMethod,
    Surrogate,
    UpGradMethod,
)
from mtl.config.training import SamplerConfig

Problem = tuple[str, str]
"""(key of the method, message)."""


def balancing_problems(method: Method, tasks: list[str], sources: list[str], sampler: SamplerConfig) -> list[Problem]:
    """Problems of a method.

    Args:
        method: section of the method.
        tasks: tasks of the method.
        sources: source of each task.
        sampler: how a step divides its batch.
    """
    problems = _lengths(method, len(tasks))
    if isinstance(method, GradientMethod | GradNormMethod):
        if method.freeze == "encoder":
            problems.append(("freeze", f"should be none for `kind: {method.kind}`, which combines gradients on it."))
        if method.sharing.kind in ("separate", "soft"):
            message = f"should be hard, branched or cross_stitch for `kind: {method.kind}`, which needs weights that "
            problems.append(("sharing.kind", f"{message}tasks share, found {method.sharing.kind!r}."))
    if isinstance(method, GradNormMethod) and method.sharing.kind == "branched" and method.sharing.shared_stages == 0:
        message = "should be at least 1 for `kind: gradnorm`, which measures on a layer that all tasks train, found 0."
        problems.append(("sharing.shared_stages", message))
    apart = sorted(set(sources))
    if isinstance(method, Surrogate) and method.features == "features":
        if len(apart) > 1:
            message = "should be exact for tasks that do not read the same samples, found 'features' for tasks of "
            problems.append(("features", message + f"{', '.join(apart)}."))
        elif method.sharing.kind != "hard":
            message = (
                f"should be exact for `sharing: {method.sharing.kind}`, where no tensor holds the features of all "
            )
            problems.append(("features", f"{message}tasks, found 'features'."))
    if isinstance(method, GradientMethod) and len(apart) > 1 and sampler.allocation == "multinomial":
        message = f"should not be {method.kind!r} with `train.sampler.allocation: multinomial`, which may leave a task "
        problems.append(
            ("kind", f"{message}out of a step: a method that combines gradients needs all of them in each.")
        )
    return problems


def _lengths(method: Method, count: int) -> list[Problem]:
    """Vectors that should have a number for each task."""
    match method:
        case FixedMethod():
            key, given = "weights", len(method.weights)
        case StchMethod() | UpGradMethod() | DualProjMethod() | AlignedMtlMethod() | ConFigMethod():
            key, given = "preferences", count if method.preferences is None else len(method.preferences)
        case _:
            return []
    if given == count:
        return []
    return [(key, f"should have a number for each of the method's {count} tasks, found {given}.")]
