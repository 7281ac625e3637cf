"""Predictions for samples whose targets are known, of one model or of two on the samples that they share.

n samples of a task.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from mtl.errors import DataError
from mtl.tasks.base import TaskSpec


@dataclass(frozen=True)
class Known:
    """Predictions of a model for the samples of a task whose target is known.

    Args:
        spec: the task.
        samples: numbers by which the file knows them, ascending: the row, the last row of a window, the place in an
            array.
        prediction: of these.
        target: theirs.
        blocks: number of the block of each; those of different blocks count as independent.
        missing: samples that were left out for they have no target.
        judged: names of the metrics that a task of the kind may be judged by.
    """

    spec: TaskSpec
    samples: Int[np.ndarray, " n"]
    prediction: Tensor
    target: Tensor
    blocks: Int[np.ndarray, " n"]
    missing: int
    judged: tuple[str, ...]

    def cost_note(self) -> str | None:
        """A clause on what mistakes cost here; None where the model knows no costs."""
        costs = self.spec.mean_costs(self.prediction, self.target)
        if costs is None:
            return None
        usual = f"{costs.usual:.4g} where the most probable class is said"
        return f"{self.spec.name}: mistakes cost {costs.chosen:.4g} a sample here ({usual})"


def on_common(first: Known, other: Known) -> tuple[Known, Known]:
    """Predictions of two models for the samples that both have, the other's predictions on the scale of the first.

    Raises:
        DataError: they have none in common.
    """
    common, left, right = np.intersect1d(first.samples, other.samples, assume_unique=True, return_indices=True)
    if not len(common):
        raise DataError(f"{first.spec.name}: the two models have no sample in common.")
    places = torch.from_numpy(left), torch.from_numpy(right)
    prediction = first.spec.taken_from(other.spec, other.prediction[places[1]])
    spec = first.spec.decided_as(other.spec)
    target, blocks = first.target[places[0]], first.blocks[left]
    common_of = replace(first, samples=common, target=target, blocks=blocks)
    of_other = replace(common_of, spec=spec, prediction=prediction)
    return replace(common_of, prediction=first.prediction[places[0]]), of_other


def comparable(first: TaskSpec, other: TaskSpec) -> str | None:
    """A clause on why the answers of two models to a task cannot be compared; None where they can."""
    if first.kind != other.kind:
        return f"one model takes it for a {first.kind}, the other for a {other.kind}"
    if first.input != other.input:
        return f"one model reads {first.input.noun}, the other {other.input.noun}"
    same = ("classes", "horizon", "target", "levels")
    odd = next((name for name in same if getattr(first, name, None) != getattr(other, name, None)), None)
    return None if odd is None else f"the models differ in its {odd}"
