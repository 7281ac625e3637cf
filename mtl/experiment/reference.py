"""Errors of single-task runs that a joint run of their seed is held against, from outputs/reference.json."""

from pathlib import Path

from mtl.experiment.recipe import Phase, Recipe
from mtl.paths import REFERENCE
from mtl.results.reference import Reference


def reference_of(recipe: Recipe, phase: Phase, root: Path) -> dict[str, float] | None:
    """Task of the regression family → validation MSE of the single-task run with the same seed and start, which
    `constrained` holds a phase with tasks of both families against; None for other phases and criteria.

    Raises:
        UserError: the stage `reference` has not written them.
    """
    config = recipe.config
    families = {name: config.tasks[name].family for name in phase.tasks}
    if recipe.again is not None or config.train.stopping.criterion != "constrained" or len(set(families.values())) < 2:
        return None
    reference = Reference.read(root / REFERENCE, "mtl repro reference")
    numbers = [name for name, family in families.items() if family == "regression"]
    return {name: reference.error(name, recipe.start.label, recipe.seed) for name in numbers}
