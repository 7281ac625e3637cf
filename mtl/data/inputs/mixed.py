"""Mixtures: rows of a table with an image, a text or both beside their numbers and categories.

Each part is kept as its own kind of input keeps it, and gathered as that gathers it. A batch is one matrix: the numbers
of a row, then the pixels of its image, then the codes of its text, which end it because a batch is as long as its
longest text. `mtl.config.inputs.PartLayout` tells where the parts lie.

S rows, n samples, B of a batch, P numbers of all parts of a sample.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl.config.inputs import MIXED, PART_KINDS, InputKind, PartLayout, PartName, RowLayout
from mtl.config.tasks import Task
from mtl.data.inputs.base import Fitted, Layout, Sampler, Samples
from mtl.data.inputs.given import check_names, wrong_shape
from mtl.data.inputs.images import ImagesInput, image_samples
from mtl.data.inputs.row_fit import FittedRows
from mtl.data.inputs.row_targets import without_targets
from mtl.data.inputs.rows import RowsInput
from mtl.data.inputs.seen import Columns, row_columns
from mtl.data.inputs.tokens import FittedTokens, TokensInput
from mtl.errors import DataError
from mtl.types import ImageSet, MixedSet, RowSet, TextSet

ROWS, IMAGE, TEXT = PART_KINDS
LEFT_OUT = ("fold", "values")
"""Arrays of a part that are those of the rows."""


@dataclass(frozen=True)
class FittedImages(Fitted):
    """Images of a mixture: mean and deviation of their channels, and their form."""

    pixels: tuple[int, int, int]
    """C, Y, X."""

    def plain(self) -> dict[str, Any]:
        return super().plain() | {"pixels": list(self.pixels)}

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> "FittedImages":
        scale = Fitted.from_plain(content)
        channels, rows, columns = content["pixels"]
        return cls(scale.mean, scale.std, (channels, rows, columns))


FITTED: dict[PartName, type[Fitted]] = {ROWS: FittedRows, IMAGE: FittedImages, TEXT: FittedTokens}
"""Part → class of what is fitted to it."""


@dataclass(frozen=True)
class FittedMixed(Fitted):
    """Fits of all parts, by name and in order; there is no number beside them."""

    parts: dict[PartName, Fitted]

    @classmethod
    def of(cls, parts: Mapping[PartName, Fitted]) -> "FittedMixed":
        """The fits of the parts of a mixture."""
        none = torch.empty(0, dtype=torch.float64)
        return cls(none, none, {name: parts[name] for name in PART_KINDS if name in parts})

    def plain(self) -> dict[str, Any]:
        return super().plain() | {"parts": {name: fitted.plain() for name, fitted in self.parts.items()}}

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> "FittedMixed":
        told = content["parts"]
        return cls.of({name: kind.from_plain(told[name]) for name, kind in FITTED.items() if name in told})

    @property
    def rows(self) -> FittedRows | None:
        """Fit of the numbers and categories; None where none is an input."""
        fitted = self.parts.get(ROWS)
        assert fitted is None or isinstance(fitted, FittedRows)
        return fitted

    @property
    def layouts(self) -> tuple[PartLayout, ...]:
        """The parts of a sample, in order."""
        return tuple(_layout(name, fitted) for name, fitted in self.parts.items())


def _layout(name: PartName, fitted: Fitted) -> PartLayout:
    shape: tuple[int, ...] = (1,)
    layout: RowLayout | None = None
    if isinstance(fitted, FittedRows):
        shape, layout = (fitted.width,), fitted.layout
    elif isinstance(fitted, FittedImages):
        shape = fitted.pixels
    elif isinstance(fitted, FittedTokens):
        layout = fitted.layout
    return PartLayout(name, shape, layout)


@dataclass(frozen=True)
class MixedSamples(Samples):
    """Some of the samples of a mixture, part by part."""

    parts: dict[PartName, Samples]

    def __len__(self) -> int:
        return len(next(iter(self.parts.values())))

    @property
    def numbers(self) -> Int[Tensor, " n"]:
        return next(iter(self.parts.values())).numbers

    @property
    def lengths(self) -> Int[Tensor, " n"] | None:
        return self.parts[TEXT].lengths if TEXT in self.parts else None

    @property
    def of_rows(self) -> Samples:
        return self.parts.get(ROWS, self)

    def gather(self, index: Int[Tensor, " B"], ahead: int) -> tuple[Float[Tensor, "B P"], None]:
        """The parts side by side; nothing follows a sample, so `ahead` is 0."""
        gathered = [part.gather(index, ahead)[0].flatten(1) for part in self.parts.values()]
        return torch.cat(gathered, dim=1), None

    def contents(self, index: Int[Tensor, " B"]) -> Iterator[bytes]:
        of_parts = [part.contents(index) for part in self.parts.values()]
        return (b"".join(parts) for parts in zip(*of_parts, strict=True))

    def pick(self, index: Int[Tensor, " m"]) -> "MixedSamples":
        return MixedSamples({name: part.pick(index) for name, part in self.parts.items()})

    def to(self, device: torch.device) -> "MixedSamples":
        return MixedSamples({name: part.to(device) for name, part in self.parts.items()})


class MixedInput(RowsInput):
    """Rows of a table with an image, a text or both."""

    kind: ClassVar[InputKind] = MIXED
    fitted: ClassVar[type[Fitted]] = FittedMixed
    data: MixedSet

    def __init__(self, data: MixedSet) -> None:
        super().__init__(data)
        # Of the same folds also where these were changed.
        self.image = None if data.image is None else ImagesInput(_dealt(data.image, data))
        self.text = None if data.text is None else TokensInput(_dealt(data.text, data))

    @property
    def files(self) -> dict[PartName, ImagesInput | TokensInput]:
        """The parts beside the rows."""
        named: dict[PartName, ImagesInput | TokensInput | None] = {IMAGE: self.image, TEXT: self.text}
        return {name: part for name, part in named.items() if part is not None}

    def problems(self) -> list[str]:
        told = super().problems()
        for name, part in self.files.items():
            told += [f"{name}: {problem}" for problem in part.form()]
        return told

    def tensors(self) -> dict[str, Tensor]:
        kept = super().tensors()
        for name, part in self.files.items():
            kept |= {f"{name}.{key}": tensor for key, tensor in part.tensors().items() if key not in LEFT_OUT}
        return kept

    def meta(self) -> dict[str, Any]:
        told = {name: part.meta() | {"columns": part.data.columns} for name, part in self.files.items()}
        return super().meta() | told | {"image_column": self.data.image_column}

    @classmethod
    def from_kept(cls, meta: dict[str, Any], tensors: dict[str, Tensor], common: dict[str, Any]) -> "MixedInput":
        rows = RowsInput.from_kept(meta, tensors, common).data
        none: dict[str, Any] = {"labels": {}, "classes": {}, "numbers": {}, "notes": []}
        sets: dict[PartName, Any] = {}
        for name, kind in ((IMAGE, ImagesInput), (TEXT, TokensInput)):
            if name not in meta:
                continue
            own = {key.removeprefix(f"{name}."): part for key, part in tensors.items() if key.startswith(f"{name}.")}
            own |= {"fold": rows.fold, "values": _no_numbers(len(rows.fold))}
            scalers = [{"scaler": split["scaler"]["parts"][name]} for split in meta["splits"]]
            shared = common | none | {"columns": meta[name]["columns"]}
            sets[name] = kind.from_kept(meta[name] | {"splits": scalers}, own, shared).data
        return cls(mixed_set(rows, sets.get(IMAGE), meta["image_column"], sets.get(TEXT)))

    def for_tasks(self, tasks: Sequence[Task]) -> "MixedInput":
        named = {name for task in tasks for name in task.named}
        sorts = {name for task in tasks for name in task.sorts}
        seen = type(self)(without_targets(self.data, named, sorts, alone=False))
        if len(seen.files) + bool(seen._of_rows) < len(PART_KINDS) - 1:
            (name,) = seen.files
            column = seen.columns[0]
            raise DataError(
                f"{self.data.name}: should have two parts of an input at least, found the {name} `{column}` alone: the "
                f"other inputs are targets of tasks ({', '.join(sorted(named))}). Let `inputs` of the source be "
                f"`{{{column}: {name}}}`, which an encoder of {PART_KINDS[name].noun} reads, or name other inputs."
            )
        return seen

    @property
    def _of_rows(self) -> list[str]:
        """Numbers and categories of a row that are inputs."""
        return [*self.data.columns, *self.data.category_columns]

    @property
    def columns(self) -> list[str]:
        """Numbers, categories, the column of images, and that of texts."""
        data = self.data
        image = [] if data.image is None else [data.image_column]
        return [*self._of_rows, *image, *([] if data.text is None else [data.text.text])]

    def _fit(self, fold: int) -> FittedMixed:  # type: ignore[override]
        parts: dict[PartName, Fitted] = {}
        if self._of_rows:
            parts[ROWS] = super()._fit(fold)
        if self.image is not None:
            channels, height, width = self.image.data.images.shape[1:]
            scale = self.image.of_pixels(self.masks(fold)["train"])
            parts[IMAGE] = FittedImages(scale.mean, scale.std, (channels, height, width))
        if self.text is not None:
            parts[TEXT] = self.text.fit(fold)
        return FittedMixed.of(parts)

    def scores_problem(self, fitted: Fitted) -> str | None:
        assert isinstance(fitted, FittedMixed)
        return super().scores_problem(fitted.parts[ROWS]) if ROWS in fitted.parts else None

    def shape(self, length: int, fitted: Fitted) -> tuple[int, ...]:
        return (sum(part.numbers for part in self.parts(fitted)),)

    def layout(self, fitted: Fitted) -> None:
        return None

    def parts(self, fitted: Fitted) -> tuple[PartLayout, ...]:
        assert isinstance(fitted, FittedMixed)
        return fitted.layouts

    def sampler(self, fitted: Fitted, ahead: int) -> Sampler:
        assert isinstance(fitted, FittedMixed)
        samplers: dict[PartName, Sampler] = {}
        if ROWS in fitted.parts:
            samplers[ROWS] = super().sampler(fitted.parts[ROWS], ahead)
        samplers |= {name: part.sampler(fitted.parts[name], ahead) for name, part in self.files.items()}
        return lambda numbers, length: MixedSamples({name: of(numbers, length) for name, of in samplers.items()})

    @classmethod
    def given(cls, values: object, layout: Layout, ahead: int) -> MixedSamples:  # type: ignore[override]
        """A frame with the columns in any order: an image is an array uint8 [C, Y, X], and a text a string."""
        import pandas as pd  # here, since training loads this module and has no use for frames

        assert isinstance(layout.fitted, FittedMixed)
        if not isinstance(values, pd.DataFrame):
            raise wrong_shape(f"a pandas frame with the columns {layout.columns}", type(values).__name__)
        frame = values.set_axis([str(name) for name in values.columns], axis=1)
        fits, columns = layout.fitted.parts, list(layout.columns)
        of_files = {name: columns.pop() for name in reversed(fits) if name != ROWS}
        missing = [name for name in of_files.values() if name not in frame.columns]
        if missing:
            check_names(list(frame.columns), layout.columns)
        parts: dict[PartName, Samples] = {}
        if ROWS in fits:
            rows = frame.drop(columns=list(of_files.values()))
            parts[ROWS] = RowsInput.given(rows, Layout(layout.source, (), columns, fits[ROWS]), ahead)
        elif len(frame.columns) > len(of_files):
            check_names(list(frame.columns), layout.columns)
        if IMAGE in fits:
            parts[IMAGE] = _images_given(frame[of_files[IMAGE]], layout.source, of_files[IMAGE], fits[IMAGE])
        if TEXT in fits:
            own = Layout(layout.source, (1,), [of_files[TEXT]], fits[TEXT])
            parts[TEXT] = TokensInput.given(frame[[of_files[TEXT]]], own, ahead)
        return MixedSamples(parts)

    def describe(self) -> str:
        files = [part.describe() for part in self.files.values()]
        return f"rows × {len(self._of_rows)} columns, {' and '.join(files)}"

    def seen(self, fold: int) -> Columns:
        yield from super().seen(fold)
        if self.image is not None:
            pixels = self.image.data.images[self.masks(fold)["train"]]
            yield from _channels(self.data.image_column, pixels.numpy())
        if self.text is not None:
            yield from self.text.seen(fold)

    @classmethod
    def seen_of(cls, values: object, columns: list[str]) -> Columns:
        import pandas as pd

        frame = cast(Any, values)
        for name in columns:
            cells = frame[name]
            first = None if isinstance(cells.dtype, pd.CategoricalDtype) or not len(cells) else cells.iloc[0]
            if isinstance(first, np.ndarray):
                yield from _channels(name, np.stack(cells.tolist()))
            elif isinstance(first, str):
                yield from TokensInput.seen_of(frame[[name]], [name])
            else:
                yield from row_columns(frame[[name]], [name])


def mixed_set(rows: RowSet, image: ImageSet | None, image_column: str, text: TextSet | None) -> MixedSet:
    """Rows of a table with their images and texts."""
    return MixedSet(**vars(rows), image=image, image_column=image_column, text=text)


def without_columns(rows: RowSet) -> RowSet:
    """The rows with their parts and notes alone."""
    bare: dict[str, Any] = {"categories": None, "category_columns": [], "vocabularies": {}, "units": {}, "aside": []}
    return replace(rows, values=_no_numbers(len(rows.fold)), columns=[], weights=None, **bare)


def _dealt(part: Any, rows: MixedSet) -> Any:
    """A part with the folds of the rows."""
    return replace(part, fold=rows.fold, folds=rows.folds)


def _no_numbers(count: int) -> Float[Tensor, "S 0"]:
    return torch.empty(count, 0, dtype=torch.float64)


def _channels(column: str, pixels: np.ndarray) -> Columns:
    """Each channel of images [n, C, Y, X], as numbers from 0 to 255."""
    for channel in range(pixels.shape[1]):
        yield f"{column} (channel {channel + 1})", pixels[:, channel].ravel()


def _images_given(cells: Any, source: str, column: str, fitted: Fitted) -> Samples:
    """Images that a frame holds, an array a cell."""
    assert isinstance(fitted, FittedImages)
    arrays = cells.tolist()
    form = f"images uint8 {list(fitted.pixels)} in the cells of the column {column!r}"
    for place, array in enumerate(arrays):
        whole = isinstance(array, np.ndarray) and array.dtype == np.uint8
        if not whole or array.shape != fitted.pixels:
            told = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
            raise wrong_shape(form, f"{told} in sample {place} (counted from 0)")
    pixels = torch.from_numpy(np.stack(arrays)) if arrays else torch.empty(0, *fitted.pixels, dtype=torch.uint8)
    return image_samples(pixels, torch.arange(len(pixels)), fitted)


__all__ = ["FittedMixed", "MixedInput", "MixedSamples", "mixed_set", "without_columns"]
