"""Every kind of input as tensors that can be traced, mixtures of them among others.

n samples, P numbers of all parts of a mixed sample.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mtl.config.inputs import IMAGES, MIXED, PART_KINDS, TOKENS, WINDOWS, InputKind, PartName
from mtl.data.inputs.base import Layout
from mtl.data.inputs.mixed import FittedMixed
from mtl.data.inputs.row_fit import FittedRows
from mtl.data.inputs.traced import OfImages, OfRows, OfTexts, OfWindows, Traced


class OfMixed(Traced):
    """Mixtures: the tensors of all parts, one part after the other.

    Args:
        parts: name → what reads the part, in order.
    """

    def __init__(self, parts: dict[PartName, Traced]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts.values())
        self._parts = list(parts.values())
        self.asked = {name: asked for part in self._parts for name, asked in part.asked.items()}

    def draw(self, count: int, drawer: torch.Generator) -> dict[str, Tensor]:
        return {name: tensor for part in self._parts for name, tensor in part.draw(count, drawer).items()}

    def given(self, samples: dict[str, Tensor]) -> object:
        import pandas as pd

        columns: dict[str, object] = {}
        for part in self._parts:
            own = part.given(samples)
            if isinstance(own, Tensor):
                (asked,) = part.asked.values()
                columns[asked.columns[0]] = pd.Series(list(own.numpy()), dtype=object)
            else:
                assert isinstance(own, pd.DataFrame)
                columns |= {str(name): own[name] for name in own.columns}
        return pd.DataFrame(columns)

    @property
    def spoiling(self) -> tuple[str, tuple[int, ...]] | None:
        return next((part.spoiling for part in self._parts if part.spoiling is not None), None)

    def forward(self, *given: Tensor) -> tuple[Float[Tensor, "n P"], Bool[Tensor, " n"]]:
        seen, usable, waiting = [], [], list(given)
        for part in self._parts:
            own, waiting = waiting[: len(part.asked)], waiting[len(part.asked) :]
            x, whole = part(*own)
            seen.append(x.flatten(1))
            usable.append(whole)
        return torch.cat(seen, dim=1), torch.stack(usable).all(dim=0)


def traced(kind: InputKind, layouts: Sequence[Layout]) -> list[Traced]:
    """A module for each network of a deployment; all of them read the same tensors.

    Args:
        kind: of the samples.
        layouts: of the samples of each network, with what was fitted to its training samples.
    """
    if kind == WINDOWS:
        return [OfWindows(layout) for layout in layouts]
    if kind == TOKENS:
        return [OfTexts(layout) for layout in layouts]
    if kind == IMAGES:
        return [OfImages(layout) for layout in layouts]
    if kind == MIXED:
        names = list(_parts(layouts[0]))
        each = {name: traced(PART_KINDS[name], [_parts(layout)[name] for layout in layouts]) for name in names}
        return [OfMixed({name: each[name][place] for name in names}) for place in range(len(layouts))]
    return list(_of_rows(layouts))


def _parts(layout: Layout) -> dict[PartName, Layout]:
    """Description of each part of mixed samples, in order."""
    assert isinstance(layout.fitted, FittedMixed)
    begin, parts = 0, {}
    for part in layout.fitted.layouts:
        shape = tuple(number for number in part.shape if number is not None)
        columns = layout.columns[begin : begin + part.columns]
        parts[part.name] = Layout(layout.source, shape, columns, layout.fitted.parts[part.name])
        begin += part.columns
    return parts


def _of_rows(layouts: Sequence[Layout]) -> list[OfRows]:
    """A module of rows for each network; all of them read the same categories."""
    fits = [layout.fitted for layout in layouts if isinstance(layout.fitted, FittedRows)]
    columns = layouts[0].columns
    count = len(fits[0].mean)
    names = tuple(
        tuple(sorted({name for fit in fits for name in fit.names[place]})) for place in range(len(columns) - count)
    )
    lacking = [{columns[place] for place in fit.flags} for fit in fits]
    missing = set(columns[count:])  # a missing category is an unknown one where training rows lack none
    return [OfRows(layout, names, tuple(set.intersection(*lacking) | missing)) for layout in layouts]
