"""Inputs that matter to the answers of a deployment, as the evaluation has measured them."""

from pathlib import Path

from mtl.config import Config
from mtl.config.budgets import STL
from mtl.evaluation.choose import Choice
from mtl.experiment.recipe import SIMPLE
from mtl.paths import IMPORTANCE
from mtl.results.deployment import InputLoss
from mtl.results.importance import Importance, Lost

MOST = 5
"""Inputs of a task that a card lists."""


def input_losses(config: Config, choices: dict[str, Choice], root: Path) -> dict[str, list[InputLoss]]:
    """Task → the inputs without which its answer loses most, where a network of all tasks or of its own, or a
    simple model, gives it.

    Raises:
        UserError: importance is asked for, and the evaluation has not measured it yet.
    """
    if not config.evaluate.importance:
        return {}
    importance = Importance.read(root / IMPORTANCE)
    return {task: _of_task(importance, config, task, choice) for task, choice in choices.items()}


def _of_task(importance: Importance, config: Config, task: str, choice: Choice) -> list[InputLoss]:
    match choice.how:
        case "joint":
            start = config.finetune.methods[choice.name].label
            here, alone = _losses(importance, task, choice.name, start), _losses(importance, task, STL, start)
        case "single-task":
            here, alone = _losses(importance, task, STL, choice.name), {}
        case "simple":
            start = config.baseline.starts[0].label
            here = _losses(importance, task, SIMPLE, None)
            alone = _losses(importance, task, STL, start)
        case "cluster":
            return []
    ranked = sorted(here.values(), key=lambda entry: -(entry.lost.mean or 0.0))
    return [
        InputLoss(name=entry.input, here=entry.lost, alone=alone[entry.input].lost if entry.input in alone else None)
        for entry in ranked[:MOST]
    ]


def _losses(importance: Importance, task: str, method: str, start: str | None) -> dict[str, Lost]:
    """Input → its loss, of one arm; None for simple models, which have no start."""
    arms = [arm for arm in importance.arms if (arm.task, arm.method) == (task, method) and start in (None, arm.start)]
    return {entry.input: entry for arm in arms for entry in arm.inputs}
