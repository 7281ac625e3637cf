"""metrics.json: test metrics as means over seeds, which `dvc metrics` shows."""

from pydantic import ConfigDict

from mtl.results.content import ResultFile
from mtl.results.numbers import TaskMetrics


class Means(ResultFile):
    """Method → task → test metric; `simple` is the simple models, `stl` the single-task models of the first start,
    `stl_<start>` of another."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, TaskMetrics]

    @property
    def by_method(self) -> dict[str, TaskMetrics]:
        """Everything that the file holds."""
        return dict(self.__pydantic_extra__)
