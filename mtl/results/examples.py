"""examples.json: a few test windows of every forecast, to look at."""

from pydantic import ConfigDict, Field

from mtl.results.content import Part, ResultFile


class Window(Part):
    """One test window in original units; C channels, L rows of input, H rows ahead."""

    input: list[list[float]]
    """[C, L]"""
    truth: list[list[float]]
    """[C, H]"""
    prediction: list[list[float]]
    """[C, H]"""


class Example(Part):
    """The windows of one forecast."""

    columns: list[str]
    """Names of the C channels."""
    units: dict[str, str]
    """Column → unit, where it is known."""
    windows: list[Window]


class Examples(ResultFile):
    """examples.json, whose keys are tasks; empty for seeds that keep no windows."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Example] = Field(init=False)

    @property
    def by_task(self) -> dict[str, Example]:
        """Task → its windows."""
        return dict(self.__pydantic_extra__)
