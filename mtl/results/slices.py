"""results/slices.json: test metrics of parts of the samples, and the worst samples."""

from pydantic import Field

from mtl.results.content import Part, ResultFile
from mtl.results.numbers import Number


class Slice(Part):
    """The test metrics of one arm on the samples of a task that share one value of a slice."""

    by: str
    """A label of the source, `groups` or `class`."""
    value: str
    """Name of a class, or number of a group; empty for samples without that label, or of nobody that is known."""
    task: str
    method: str
    """`stl` for single-task runs; of a simple model its name."""
    start: str
    """Label of the start; empty for a simple model."""
    samples: int
    metrics: dict[str, list[Number]]
    """Metric → its value for each seed; without metrics that some seed's runs leave undefined."""

    def mean(self, metric: str) -> float | None:
        """Over the seeds; None where the samples leave the metric undefined."""
        values = self.metrics.get(metric)
        return sum(values) / len(values) if values else None


class Worst(Part):
    """A test sample with one of the largest losses of a task under an arm's first seed."""

    task: str
    method: str
    start: str
    sample: int
    """Number at its source: the row at which a window begins, an image, a row."""
    loss: Number
    """Unweighted training loss."""
    truth: str
    """Class or number in original units; of a forecast, the value that it missed by most and where it is."""
    prediction: str
    """The same of the prediction."""


class Slices(ResultFile):
    """results/slices.json; without parts where `evaluate.slices` is empty."""

    escaped = False

    by: list[str]
    """`evaluate.slices`."""
    slices: list[Slice] = Field(default_factory=list)
    worst: list[Worst] = Field(default_factory=list)
