"""From samples in original units to what networks see, in operations that can be traced: for formats that run without
mtl.

n samples, C channels, L rows of a window, F numbers and G categories of a row, W numbers that networks see of a row, Q
quantiles.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, UInt8
from torch import Tensor, nn

from mtl.config.inputs import IMAGES, TOKENS, WINDOWS
from mtl.data.inputs.base import Layout
from mtl.data.inputs.contract import MAX_VALUE
from mtl.data.inputs.images import FULL
from mtl.data.inputs.normal import normal_quantile
from mtl.data.inputs.row_fit import FIRST, LEAST_SHARE, MISSING, UNKNOWN, FittedRows
from mtl.data.inputs.tokens import FittedTokens
from mtl.data.inputs.vocabulary import FIRST as FIRST_TOKEN
from mtl.data.inputs.vocabulary import Vocabulary

NUMBERS, CATEGORIES = "numbers", "categories"
"""Tensors of rows of a table."""
MOST = torch.tensor(MAX_VALUE, dtype=torch.float64)
"""Largest size of a number; a tensor, since a plain number may be narrowed to float32 on the way."""
MISSING_SHARE = 0.1
EXAMPLE = 6
"""Tokens of a text that is drawn as an example."""


@dataclass(frozen=True)
class Asked:
    """One tensor of the samples.

    Args:
        shape: without the samples.
        dtype: of its numbers.
        columns: names of its columns, or channels.
        names: of the codes 2, 3, … of each column of categories; 0 is an unknown one and 1 a missing one.
        may_lack: columns that may be missing: NaN, or the code 1.
        free: the columns hold texts, which no tensor holds: mtl cuts them into tokens.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    columns: list[str]
    names: tuple[tuple[str, ...], ...] = ()
    may_lack: tuple[str, ...] = ()
    free: bool = False

    def texts(self, codes: Int[Tensor, "n G"]) -> np.ndarray:
        """Names that stand for codes of categories: empty for a missing one, and for an unknown one a name that no
        column has."""
        unknown = "?"
        while any(unknown in names for names in self.names):
            unknown += "?"
        tables = [np.array([unknown, "", *names], dtype=object) for names in self.names]
        return np.stack([table[codes[:, place].numpy()] for place, table in enumerate(tables)], axis=1)


class Traced(nn.Module, ABC):
    """From the tensors of `asked`, in their order, to what a network sees of the samples, and whether they are such as
    mtl takes."""

    asked: dict[str, Asked]

    @abstractmethod
    def draw(self, count: int, drawer: torch.Generator) -> dict[str, Tensor]:
        """Random samples that are like those of training, with everything that may be missing or unknown."""

    @abstractmethod
    def given(self, samples: dict[str, Tensor]) -> object:
        """The samples as a user gives them to `Model.predict`."""

    @property
    def spoiling(self) -> tuple[str, tuple[int, ...]] | None:
        """Tensor, and a place in a sample, at which NaN makes the sample one that mtl refuses; None without any."""
        return None


class OfWindows(Traced):
    """Windows [n, L, C], float64."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        channels, length = layout.shape
        self.asked = {WINDOWS.noun: Asked((length, channels), torch.float64, layout.columns)}
        self.register_buffer("mean", layout.fitted.mean)
        self.register_buffer("std", layout.fitted.std)
        self.register_buffer("most", MOST)
        self.mean: Tensor
        self.std: Tensor
        self.most: Tensor

    def draw(self, count: int, drawer: torch.Generator) -> dict[str, Tensor]:
        (name, asked), *_ = self.asked.items()
        return {name: self.mean + self.std * torch.randn(count, *asked.shape, generator=drawer, dtype=torch.float64)}

    def given(self, samples: dict[str, Tensor]) -> object:
        return samples[WINDOWS.noun]

    @property
    def spoiling(self) -> tuple[str, tuple[int, ...]] | None:
        return WINDOWS.noun, (-1, 0)

    def forward(self, windows: Float64[Tensor, "n L C"]) -> tuple[Float[Tensor, "n C L"], Bool[Tensor, " n"]]:
        usable = (windows.abs() <= self.most).flatten(1).all(dim=1)
        return ((windows - self.mean) / self.std).float().transpose(1, 2).contiguous(), usable


class OfImages(Traced):
    """Images [n, C, Y, X], uint8."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        mean, std = layout.fitted.mean, layout.fitted.std
        self.asked = {IMAGES.noun: Asked(layout.shape, torch.uint8, layout.columns)}
        self.register_buffer("scale", (1 / (FULL * std)).float()[:, None, None])
        self.register_buffer("shift", (-mean / std).float()[:, None, None])
        self.scale: Tensor
        self.shift: Tensor

    def draw(self, count: int, drawer: torch.Generator) -> dict[str, Tensor]:
        shape = self.asked[IMAGES.noun].shape
        return {IMAGES.noun: torch.randint(0, 256, (count, *shape), generator=drawer).to(torch.uint8)}

    def given(self, samples: dict[str, Tensor]) -> object:
        return samples[IMAGES.noun]

    def forward(self, images: UInt8[Tensor, "n C Y X"]) -> tuple[Float[Tensor, "n C Y X"], Bool[Tensor, " n"]]:
        pixels = images.float()
        return pixels * self.scale + self.shift, torch.isfinite(pixels).flatten(1).all(dim=1)


class OfRows(Traced):
    """Rows: numbers [n, F], float64, and codes of categories [n, G], int64.

    Args:
        layout: of the samples of one network.
        names: categories that some network of the deployment knows, of each column.
        may_lack: columns that every network of it may miss.
    """

    def __init__(self, layout: Layout, names: tuple[tuple[str, ...], ...], may_lack: tuple[str, ...]) -> None:
        super().__init__()
        fitted = layout.fitted
        assert isinstance(fitted, FittedRows)
        count = len(fitted.mean)
        numbers, categories = layout.columns[:count], layout.columns[count:]
        lacking = tuple(name for name in numbers if name in may_lack)
        self.asked = {NUMBERS: Asked((count,), torch.float64, numbers, may_lack=lacking)} if numbers else {}
        if categories:
            missing = tuple(name for name in categories if name in may_lack)
            self.asked[CATEGORIES] = Asked((len(categories),), torch.int64, categories, names, missing)
        self.flags = list(fitted.flags)
        for name, tensor in (("mean", fitted.mean), ("std", fitted.std), ("medians", fitted.medians)):
            self.register_buffer(name, tensor)
        self.register_buffer("quantiles", None if fitted.quantiles is None else fitted.quantiles.T.contiguous())
        may = torch.tensor([name in lacking for name in numbers], dtype=torch.bool)
        self.register_buffer("may", may)
        self.register_buffer("most", MOST)
        self.most: Tensor
        self.mean: Tensor
        self.std: Tensor
        self.medians: Tensor
        self.may: Tensor
        self.quantiles: Tensor | None
        self.columns = len(categories)
        for place, (known, every) in enumerate(zip(fitted.names, names, strict=True)):
            own = {name: FIRST + number for number, name in enumerate(known)}
            table = [
                UNKNOWN,
                MISSING if fitted.missing[place] else UNKNOWN,
                *(own.get(name, UNKNOWN) for name in every),
            ]
            self.register_buffer(f"codes_{place}", torch.tensor(table))

    def draw(self, count: int, drawer: torch.Generator) -> dict[str, Tensor]:
        drawn = {}
        if NUMBERS in self.asked:
            numbers = torch.randn(count, len(self.mean), generator=drawer, dtype=torch.float64)
            gone = (torch.rand(numbers.shape, generator=drawer) < MISSING_SHARE) & self.may
            drawn[NUMBERS] = (self.mean + self.std * numbers).masked_fill(gone, torch.nan)
        if self.columns:
            columns = [
                torch.randint(0, FIRST + len(names), (count,), generator=drawer)
                for names in self.asked[CATEGORIES].names
            ]
            drawn[CATEGORIES] = torch.stack(columns, dim=1)
        return drawn

    def given(self, samples: dict[str, Tensor]) -> object:
        import pandas as pd

        columns: dict[str, object] = {}
        for place, name in enumerate(self.asked[NUMBERS].columns if NUMBERS in self.asked else []):
            columns[name] = samples[NUMBERS][:, place].numpy()
        if self.columns:
            texts = self.asked[CATEGORIES].texts(samples[CATEGORIES])
            for place, name in enumerate(self.asked[CATEGORIES].columns):
                columns[name] = [text or None for text in texts[:, place].tolist()]
        return pd.DataFrame(columns)

    @property
    def spoiling(self) -> tuple[str, tuple[int, ...]] | None:
        places = (~self.may).nonzero().flatten().tolist()
        return (NUMBERS, (places[0],)) if places else None

    def forward(self, *given: Tensor) -> tuple[Float[Tensor, "n W"], Bool[Tensor, " n"]]:
        numbers, parts = given[0], []
        usable = torch.ones_like(numbers[:, 0], dtype=torch.bool)
        if len(self.mean):
            gone = numbers.isnan()
            usable = ((numbers.abs() <= self.most) | (gone & self.may)).all(dim=1)
            parts.append(self._scaled(torch.where(gone, self.medians, numbers)).float())
            if self.flags:
                parts.append(gone[:, self.flags].float())
        if self.columns:
            codes = given[-1]
            for place in range(self.columns):
                table = self.get_buffer(f"codes_{place}")
                code = codes[:, place]
                parts.append(table[torch.where((code >= 0) & (code < len(table)), code, 0)].float()[:, None])
        return torch.cat(parts, dim=1), usable

    def _scaled(self, numbers: Float64[Tensor, "n F"]) -> Float64[Tensor, "n F"]:
        if self.quantiles is None:
            return (numbers - self.mean) / self.std
        knots = self.quantiles.expand(numbers.shape[0], -1, -1)
        # From both sides, as `FittedRows` does it.
        below = _interpolated(numbers, knots)
        above = _interpolated(-numbers, -knots.flip(2))
        return normal_quantile(((below + 1 - above) / 2).clamp(LEAST_SHARE, 1 - LEAST_SHARE))


class OfTexts(Traced):
    """Texts, of which only examples are drawn: their tokens are mtl's own, so that no other runtime can read them."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        assert isinstance(layout.fitted, FittedTokens)
        self.vocabulary: Vocabulary = layout.fitted.vocabulary
        self.asked = {
            TOKENS.noun: Asked((EXAMPLE,), torch.int64, layout.columns, may_lack=tuple(layout.columns), free=True)
        }

    def draw(self, count: int, drawer: torch.Generator) -> dict[str, Tensor]:
        return {TOKENS.noun: torch.randint(FIRST_TOKEN, self.vocabulary.size, (count, EXAMPLE), generator=drawer)}

    def given(self, samples: dict[str, Tensor]) -> object:
        import pandas as pd

        (column,) = self.asked[TOKENS.noun].columns
        return pd.DataFrame({column: [self.vocabulary.words(codes) for codes in samples[TOKENS.noun].tolist()]})

    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError("no tensor holds texts")


def _interpolated(numbers: Float64[Tensor, "n F"], knots: Float64[Tensor, "n F Q"]) -> Float64[Tensor, "n F"]:
    """Place of each number among ascending knots, from 0 at the first to 1 at the last, as numpy.interp gives it."""
    last = knots.shape[2] - 1
    left = ((knots <= numbers[..., None]).long().sum(dim=2) - 1).clamp(0, last - 1)
    low = knots.gather(2, left[..., None])[..., 0]
    high = knots.gather(2, left[..., None] + 1)[..., 0]
    share = torch.where(high > low, (numbers - low) / torch.where(high > low, high - low, 1.0), 1.0).clamp(0.0, 1.0)
    return torch.where(numbers < low, 0.0, left + share) / last
