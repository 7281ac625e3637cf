"""Parts of verdicts.json: label tasks by every metric, and by the protocol of published tables."""

from mtl.results.content import Part
from mtl.results.statistics import Summary


class ModelScores(Part):
    """Test metrics of the single-task models of a start, or of a method."""

    method: str | None
    """None for the single-task models."""
    start: str
    tasks: dict[str, dict[str, Summary]]
    """Task → metric → its values over seeds."""


class AverageScore(Part):
    """One metric of a method, averaged over its label tasks."""

    method: str
    metric: str
    """Metric that all of the tasks are judged by; accuracy where they differ."""
    tasks: list[str]
    joint: Summary
    stl: Summary | None
    """Average over the single-task models of the same tasks; None unless there is one for each."""


class LabelScores(Part):
    """Test metrics of the label tasks, and their averages."""

    entries: list[ModelScores]
    averages: list[AverageScore]


class Protocols(Part):
    """One quantity by two protocols."""

    best: Summary
    """At the epoch that is best on the test part, which is optimistic."""
    honest: Summary
    """At the epoch that validation data chose."""


class ModelProtocols(Protocols):
    """Means over the label tasks of the single-task models of a start, or of a method."""

    method: str | None
    """None for the single-task models."""
    start: str
    tasks: list[str]
    by_task: dict[str, Protocols]
    """Task → its metric; `best` is at the task's own best epoch."""


class ModelName(Part):
    """A method, or the single-task models of a start."""

    method: str | None
    start: str


class PairOfModels(Protocols):
    """Differences between two models of the same tasks, `second` − `first`, seed by seed."""

    first: ModelName
    second: ModelName


class Published(Part):
    """The published protocol beside the honest one, which only `train.watch_test` measures."""

    entries: list[ModelProtocols]
    pairs: list[PairOfModels]
