"""examples.json: a few test windows of every forecast, to look at."""

import math
from typing import Any

from pydantic import ConfigDict, Field

from mtl.results.content import Part, ResultFile, absent


def shown_values(values: Any) -> Any:
    """Nested lists of a tensor's numbers, None for those that are none."""
    rows = values.tolist()

    def plain(part: Any) -> Any:
        return [plain(inner) for inner in part] if isinstance(part, list) else part if math.isfinite(part) else None

    return plain(rows) if bool(values.isnan().any()) else rows


class Window(Part):
    """One test window in original units; C channels, L rows of input, H rows ahead, Q quantiles."""

    input: list[list[float]]
    """[C, L]"""
    truth: list[list[float | None]]
    """[C, H]; None for what was not measured."""
    prediction: list[list[float]]
    """[C, H]; of a forecast of quantiles the median."""
    quantiles: list[list[list[float]]] | None = Field(default=None, exclude_if=absent)
    """[Q, C, H], ascending; None unless quantiles are predicted."""


class Example(Part):
    """The windows of one forecast."""

    columns: list[str]
    """Names of the C channels."""
    units: dict[str, str]
    """Column → unit, where it is known."""
    windows: list[Window]
    levels: list[float] | None = Field(default=None, exclude_if=absent)
    """The Q levels of the quantiles; None unless they are predicted."""


class Examples(ResultFile):
    """examples.json, whose keys are tasks; empty for seeds that keep no windows."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Example] = Field(init=False)

    @property
    def by_task(self) -> dict[str, Example]:
        """Task → its windows."""
        return dict(self.__pydantic_extra__)
