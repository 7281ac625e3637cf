"""results/importance.json: what each task loses on test samples when an input is permuted among them, or when a part of
mixed inputs is left out.
"""

from pydantic import Field

from mtl.results.content import Part, ResultFile
from mtl.results.numbers import Number
from mtl.results.statistics import Interval


class Lost(Part):
    """Loss of the primary metric when an input is permuted, or a part left out."""

    input: str
    """Column, channel, or the date that several columns are made from; or a part of mixed inputs."""
    lost: Interval
    """Over the seeds, of the mean over permutations; above 0 the metric is worse without the input."""
    values: list[Number]
    """In the order of the seeds."""


class Arm(Part):
    """The models of all seeds that were trained or fitted in one way, on one task."""

    task: str
    metric: str
    method: str
    """`stl` for single-task runs, `simple` for the simple models that validation data chose."""
    start: str
    usual: list[Number]
    """The metric on the same samples with every input in its place, in the order of the seeds."""
    inputs: list[Lost]
    """In the order of the columns."""


class Importance(ResultFile):
    """results/importance.json; without arms where `evaluate.importance` is 0, and without parts where the encoder joins
    none."""

    escaped = False

    permutations: int
    """`evaluate.importance`."""
    most: int
    """Test samples that are looked at, at most."""
    arms: list[Arm] = []
    parts: list[Arm] = Field(default=[], exclude_if=lambda parts: not parts)
    """Parts of mixed inputs, whose features are replaced by their mean over training samples; on all test samples."""
