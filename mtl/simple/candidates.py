"""Candidates for a task: fitted simple models with what they predict on the validation part."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.models.simple.build import build_simple
from mtl.models.simple.network import SimpleNetwork
from mtl.results.simple import SimpleFit
from mtl.tasks.base import TaskSpec
from mtl.types import Split


@dataclass(frozen=True)
class Candidate:
    """A fitted simple model of a task."""

    model: str
    """Its name as readers are shown it."""
    about: str
    """Its settings in words."""
    fit: SimpleFit
    network: SimpleNetwork
    prediction: Tensor
    """Predictions of the validation samples of the task, in its own form."""


def part_of(data: TaskSet, task: str, split: Split) -> Pool:
    """Samples of a part that hold all those of one task, narrowed to it."""
    (pool,) = data.select([task], split)
    return pool


def make_network(fit: SimpleFit, spec: TaskSpec, arrays: dict[str, Tensor]) -> SimpleNetwork:
    """The module of a fit with its numbers.

    Args:
        fit: what model.json says.
        spec: the task.
        arrays: name below the body → numbers.
    """
    network = build_simple(fit, spec)
    network.body.load_state_dict(arrays)
    return network.eval()


def spread_errors(network: SimpleNetwork, point: Float[Tensor, "n *S"], target: Float[Tensor, "n *S"]) -> None:
    """Gives a network the quantiles of its errors on validation samples, where its task wants quantiles.

    Errors on the training part would be too small for a model that fits it closely.

    Args:
        network: whose numbers are point predictions.
        point: those of validation samples.
        target: theirs.
    """
    if network.spread is None:
        return
    if bool(target.isnan().any()):
        errors, shares = (target - point).double(), torch.tensor(network.spread.levels, dtype=torch.float64)
        of_place = torch.stack([errors.nanquantile(share, dim=0) for share in shares])
        of_all = torch.stack([errors.nanquantile(share) for share in shares]).reshape(-1, *[1] * (errors.ndim - 1))
        quantiles = torch.where(of_place.isnan(), of_all, of_place)
        network.spread.errors.copy_(quantiles.movedim(0, -1).float())
        return
    ordered = (target - point).double().sort(dim=0).values
    places = torch.tensor(network.spread.levels, dtype=torch.float64) * (len(ordered) - 1)
    low = places.floor().long()
    high = (low + 1).clamp(max=len(ordered) - 1)
    share = (places - low).reshape(-1, *[1] * (ordered.ndim - 1))
    quantiles = torch.lerp(ordered[low], ordered[high], share)  # [Q, ...]
    network.spread.errors.copy_(quantiles.movedim(0, -1).float())
