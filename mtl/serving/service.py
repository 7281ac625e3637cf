"""A finished model as a service sees it: columns or an array in, a table of answers out.

n samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch

from mtl.data.inputs.date_parts import DAYS, EPOCH, dates_behind
from mtl.data.inputs.traced import Asked, Traced
from mtl.data.inputs.traced_every import traced
from mtl.data.pictures.decode import Form
from mtl.errors import UserError
from mtl.serving.asked import section_of
from mtl.serving.deployed import DeployedModel
from mtl.serving.model import LoadedModel, Model
from mtl.serving.new_data.pictures import Wanted
from mtl.serving.predictions import table_of
from mtl.tasks.answers import Classes, Tags

Kind = Literal["number", "text", "date", "words", "image"]
"""`text` is a category, `words` a text of any words."""
USUAL_DAY = 8000.0
"""Days since 1 January 2000 of a date of which the model reads other parts alone."""
PICTURE = 3
"""Axes of an image: channels, rows and columns."""
EXAMPLES = 2
"""Samples of an example: with one alone, a mixture of rows and samples would not show."""


@dataclass(frozen=True)
class Column:
    """A column that a model reads.

    Args:
        name: of it.
        kind: of its cells.
        may_lack: cells may be empty.
        names: categories that are known.
    """

    name: str
    kind: Kind
    may_lack: bool
    names: tuple[str, ...] = ()


class Service:
    """The tasks of a model that read the same samples.

    Args:
        model: finished.
        tasks: names; None: all.

    Raises:
        UserError: the tasks do not read the same samples.
    """

    def __init__(self, model: Model, tasks: Sequence[str] | None = None) -> None:
        try:
            self.specs = model.asked(tasks)
        except UserError as error:
            raise UserError(
                f"{error} A service answers tasks that read the same samples: name them by --tasks."
            ) from None
        self.model = model
        self.tasks = [spec.name for spec in self.specs]
        members = _members(model, self.tasks)
        self._first: Traced = traced(self.specs[0].input, [member.layout_of(task) for task, member in members])[0]
        self.tabular = self.specs[0].input.tabular
        self.names = self.specs[0].columns
        self.dates = _dates(model, self.specs[0].source, self.names) if self.tabular else {}

    @property
    def columns(self) -> list[Column]:
        """Columns of a row, in order; a date stands in the place of its parts."""
        known = {name: asked for asked in self._first.asked.values() for name in asked.columns}
        columns: dict[str, Column] = {}
        for name in self.names:
            date = self.dates.get(name)
            if date is not None:
                columns.setdefault(date, Column(date, "date", name in known[name].may_lack))
            else:
                columns[name] = _column(name, known[name])
        return list(columns.values())

    @property
    def array(self) -> Asked:
        """The array of samples that are no rows."""
        (asked,) = self._first.asked.values()
        return asked

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a sample that is no row."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the numbers of samples that are no rows."""
        return np.dtype(str(self.array.dtype).removeprefix("torch."))

    @property
    def pictured(self) -> Form | None:
        """Form of image files that a request may hold; None where samples hold no images."""
        spec = self.specs[0]
        shape = next((part.shape for part in spec.parts or () if part.kind.pictured), spec.shape)
        if len(shape) < PICTURE:
            return None
        model = self.model
        origin = model.deployment.sources.get(spec.source) if isinstance(model, DeployedModel) else None
        section = None if origin is None or origin.section is None else section_of(origin)
        return Wanted.of(section, [number for number in shape if number is not None]).form

    def draw(self, count: int, drawer: torch.Generator) -> pd.DataFrame | np.ndarray:
        """Random samples like those of training, with everything that may be missing or unknown."""
        drawn = self._first.given(self._first.draw(count, drawer))
        if isinstance(drawn, torch.Tensor):
            return drawn.numpy()
        assert isinstance(drawn, pd.DataFrame)
        frame = pd.DataFrame(index=drawn.index)
        for column in self.columns:
            if column.kind == "date":
                days = drawn.get(f"{column.name} ({DAYS})", pd.Series(np.full(count, USUAL_DAY)))
                frame[column.name] = pd.Timestamp(EPOCH) + pd.to_timedelta(days.round(), unit="D")
            elif column.kind == "text":
                frame[column.name] = drawn[column.name].astype(object)
            else:
                frame[column.name] = drawn[column.name]
        return frame

    def example(self) -> pd.DataFrame | np.ndarray:
        """Samples like those of training: a frame of rows, else an array."""
        drawn = self.draw(64, torch.Generator().manual_seed(0))
        if isinstance(drawn, np.ndarray):
            return drawn[:EXAMPLES].round(4) if drawn.dtype.kind == "f" else drawn[:EXAMPLES]
        frame = pd.DataFrame(index=pd.RangeIndex(EXAMPLES))
        for column in self.columns:
            cells = drawn[column.name].dropna()[:EXAMPLES].tolist()
            if column.kind == "text":
                cells = [column.names[place % len(column.names)] if column.names else "?" for place in frame.index]
            elif column.kind == "number":
                cells = [float(f"{cell:.4g}") for cell in cells]
            frame[column.name] = pd.Series(cells, dtype=object) if column.kind == "image" else cells
        return frame

    def predict(self, samples: object) -> pd.DataFrame:
        """The answers: a row a sample, or a row for each of the rows ahead, as `mtl predict` writes them.

        Raises:
            UserError: the samples do not fit the model.
        """
        answers = self.model.predict(samples, self.tasks)
        first = next(iter(answers.values()))
        return table_of(answers, len(first.predicted) if isinstance(first, Classes | Tags) else len(first.values))


def _members(model: Model, tasks: Sequence[str]) -> list[tuple[str, LoadedModel]]:
    return [(task, member) for task in tasks for member in model.members_of(task)]


def _dates(model: Model, source: str, names: Sequence[str]) -> dict[str, str]:
    """Part of a date → its column, of the dates that the source is known to have had."""
    origin = model.deployment.sources.get(source) if isinstance(model, DeployedModel) else None
    known = {} if origin is None else origin.date_forms
    return {part: date for part, date in dates_behind(names, []).items() if date in known}


def _column(name: str, asked: Asked) -> Column:
    if asked.free:
        return Column(name, "words", True)
    if len(asked.shape) == PICTURE:
        return Column(name, "image", False)
    if not asked.names:
        return Column(name, "number", name in asked.may_lack)
    return Column(name, "text", True, asked.names[asked.columns.index(name)])
