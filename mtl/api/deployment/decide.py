"""Decisions on the class that a deployment says, by what mistakes cost on validation samples.

n validation samples of a run, k classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtl.config.decisions import NEGATIVE, POSITIVE
from mtl.errors import SettingError, shown
from mtl.results.decision import Cheapest, Decision, Threshold
from mtl.tasks.base import TaskSpec
from mtl.tasks.decisions import cheapest_threshold


@dataclass(frozen=True)
class Validated:
    """Predictions on validation samples.

    Args:
        spec: the task.
        prediction: calibrated logits of n samples.
        target: theirs.
        share: of them all in a sum of costs.
    """

    spec: TaskSpec
    prediction: Tensor
    target: Tensor
    share: float


def decision_of(costs: Mapping[Any, Any] | None, task: str, validated: Sequence[Validated]) -> Decision | None:
    """The decision of a task with costs; None without any.

    Args:
        costs: section `evaluate.costs.TASK`.
        task: its name.
        validated: of all runs that answer it.

    Raises:
        SettingError: costs name a class that there is not.
    """
    if costs is None:
        return None
    if POSITIVE not in costs:
        return Cheapest(kind="cheapest", costs=_matrix(costs, task, validated[0].spec.class_names))
    wrong, missed = float(costs[POSITIVE]), float(costs[NEGATIVE])
    weight = [torch.full((len(part.target),), part.share / len(part.target), dtype=torch.float64) for part in validated]
    threshold = cheapest_threshold(
        torch.cat([part.prediction for part in validated]).double().sigmoid(),
        torch.cat([part.target for part in validated]) == 1,
        torch.cat(weight),
        wrong,
        missed,
    )
    says = validated[0].spec.class_names[1]
    return Threshold(kind="threshold", says=says, threshold=threshold, false_positive=wrong, false_negative=missed)


def _matrix(costs: Mapping[str, Mapping[str, float]], task: str, classes: list[str]) -> list[list[float]]:
    """Costs [k, k] with the truth in rows: 0 for what is right, 1 for mistakes that are not named."""
    path = f"evaluate.costs.{task}"
    matrix = [[float(truth != said) for said in classes] for truth in classes]
    for truth, by_said in costs.items():
        for said, cost in by_said.items():
            unknown = [name for name in (truth, said) if name not in classes]
            if unknown:
                raise SettingError(path, f"should name classes among {', '.join(classes)}, found {shown(unknown[0])}.")
            if truth == said and cost:
                raise SettingError(f"{path}.{truth}", f"should cost 0 where {truth} is said rightly, found {cost:g}.")
            matrix[classes.index(truth)][classes.index(said)] = float(cost)
    return matrix
