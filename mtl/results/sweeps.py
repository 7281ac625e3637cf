"""Parts of verdicts.json: curves of a test metric over a swept setting."""

from pydantic import Field

from mtl.results.content import Part, absent
from mtl.results.statistics import Summary


class WidthPoint(Summary):
    """A test metric at one width of the encoder."""

    width: float
    parameters: int
    """Numbers in the whole network."""


class SharePoint(Summary):
    """A test metric at one share of the training labels."""

    task: str
    """Task that has this share."""
    share: float
    samples: int


class Curve(Part):
    """A curve of the single-task models of one start, which has no `name` and no `methods`, or of methods."""

    name: str | None
    """Common beginning of the names of the methods."""
    start: str | None = Field(default=None, exclude_if=absent)
    """Label of the start; None for methods."""
    methods: list[str] | None = Field(default=None, exclude_if=absent)


class WidthCurve(Curve):
    """Points by growing width."""

    points: list[WidthPoint]


class ShareCurve(Curve):
    """Points by growing share."""

    points: list[SharePoint]


class Capacity(Part):
    """Test metric of one task against the size of the network."""

    task: str
    metric: str
    curves: list[WidthCurve]


class LabelFractions(Part):
    """Test metric against the share of the training labels, of tasks that differ in nothing else."""

    tasks: list[str]
    """By growing share."""
    metric: str
    curves: list[ShareCurve]
    mixed: list[str]
    """Methods that train on several of these shares at once, and are left out."""
