"""outputs/specialise/models.json: the models that were trained, and which of them serve which tasks."""

from typing import Literal

from pydantic import Field

from mtl.results.content import Part, ResultFile
from mtl.results.numbers import TaskMetrics

Form = Literal["stl", "together", "hard", "soft", "branched", "random", "partition"]


class Model(Part):
    """One network to train: its tasks with the weights of their losses."""

    tasks: list[str]
    weights: list[float]
    groups: list[list[str]] | None = None
    """Branched sharing by these groups; None: one trunk."""


class Candidate(Part):
    """A way to serve all tasks: each by one model (hard), or by several, weighted (soft)."""

    name: str
    kind: Form
    serve: dict[str, dict[str, float]]
    """Task → model → its share in the prediction."""


class Serving(ResultFile):
    """Models and candidates that the groups found led to."""

    models: dict[str, Model]
    tasks: list[str]
    candidates: list[Candidate]
    weights: Literal["raw", "mean_one"]
    """Form of the weights of the losses."""
    soft: dict[str, dict[str, TaskMetrics]]
    """Seed → part of the data → metrics of soft serving."""


class NoServing(ResultFile):
    """models.json when no model was asked for."""

    candidates: list[Candidate] = Field(default=[], max_length=0)
