"""outputs/cluster/groups.json: which tasks belong together, and what that was found by. K tasks, C groups."""

from typing import Literal

from pydantic import Field

from mtl.config.grouping import Algorithm, Relation
from mtl.config.methods import Start
from mtl.results.content import Part, ResultFile, absent

Matrix = list[list[float]]


class Stability(Part):
    """Mean adjusted Rand index between groupings; 1 when all are the same, None when there is one."""

    runs: float | None
    """Groupings of single runs."""
    starts: float | None
    """Groupings from other first centroids."""


class Facts(Part):
    """Measured quantities that the report shows; each belongs to one relation."""

    samples: list[int] | None = Field(default=None, exclude_if=absent)
    """Number of samples that all tasks have, of each run."""
    cosines: Matrix | None = Field(default=None, exclude_if=absent)
    """[K, K] mean gradient cosines."""
    lookahead: Matrix | None = Field(default=None, exclude_if=absent)
    """[K, K] mean lookahead affinities, of a step for the row's task onto the column's."""


class Groups(ResultFile):
    """Groups of the tasks of one joint method."""

    source: str
    """Method whose runs were looked at."""
    relation: Relation
    algorithm: Algorithm
    choose_by: str | None
    """Score that chose the number of clusters; None when it was given."""
    seeds: list[int]
    start: Start
    """Start of the runs."""
    tasks: list[str]
    clusters: int
    """C"""
    memberships: Matrix
    """[K, C]; for a network selection 1 in every group that trains the task, and 0 elsewhere."""
    labels: list[int]
    """[K] group of each task, or the one that it belongs to most."""
    groups: list[list[str]]
    """[C] names of the tasks."""
    scores: dict[str, dict[str, float]]
    """Number of clusters → score → value."""
    stability: Stability
    labels_of_runs: dict[str, list[int]]
    """Seed → [K] labels of its run grouped alone."""
    distances: Matrix
    """[K, K]"""
    linkage: Matrix
    """[K − 1, 4] in the form of SciPy; empty for one task."""
    facts: Facts


class NoGroups(ResultFile):
    """groups.json when no grouping was asked for."""

    source: Literal[None] = None
