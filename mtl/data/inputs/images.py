"""Images of a source: kept as uint8, normalised batch by batch where they are used."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Float64, Int, UInt8
from torch import Tensor

from mtl.config.inputs import IMAGES, InputKind
from mtl.config.tasks import Task
from mtl.data.inputs import beside
from mtl.data.inputs.base import Fitted, Input, Layout, Sampler, Samples
from mtl.data.inputs.contract import columns_problem, fold_tensor_problem, folds_problem, targets_problems
from mtl.data.inputs.given import array_of, wrong_shape
from mtl.data.inputs.rows import RowsInput
from mtl.data.inputs.seen import Columns, channels_of
from mtl.types import ImageSet, Split

FULL = 255.0
"""Full brightness of a pixel."""
LEVELS = 256
"""Values that a pixel can have."""
CHUNK = 4096
"""Images that are counted together."""


@dataclass(frozen=True)
class Images(Samples):
    """Some of the images of a source."""

    pixels: UInt8[Tensor, "S C Y X"]
    """All images of the source; pools share the one tensor."""
    rows: Int[Tensor, " n"]
    """Indices of the images that are the samples."""
    scale: Float[Tensor, " C"]
    shift: Float[Tensor, " C"]
    """Pixel → pixel · scale + shift, so that each channel has mean 0 and standard deviation 1."""

    @cached_property
    def only_channel(self) -> tuple[float, float] | None:
        """Scale and shift of the only channel; None when there are several."""
        return (float(self.scale), float(self.shift)) if len(self.scale) == 1 else None

    def __len__(self) -> int:
        return self.rows.shape[0]

    @property
    def numbers(self) -> Int[Tensor, " n"]:
        return self.rows

    def gather(self, index: Int[Tensor, " B"], ahead: int) -> tuple[Float[Tensor, "B C Y X"], None]:
        """Normalised images; nothing follows an image, so `ahead` is 0."""
        assert ahead == 0
        x = self.pixels.index_select(0, self.rows.index_select(0, index)).float()
        if self.only_channel is not None:  # plain numbers: a fifth of the time that broadcasting takes
            return x.mul_(self.only_channel[0]).add_(self.only_channel[1]), None
        return x.mul_(self.scale[:, None, None]).add_(self.shift[:, None, None]), None

    def pick(self, index: Int[Tensor, " m"]) -> "Images":
        return replace(self, rows=self.rows[index])

    def to(self, device: torch.device) -> "Images":
        return Images(*(part.to(device) for part in (self.pixels, self.rows, self.scale, self.shift)))


def image_samples(images: UInt8[Tensor, "S C Y X"], rows: Int[Tensor, " n"], fitted: Fitted) -> Images:
    """Samples from `rows` of all images, normalised by mean and deviation, shares of full brightness."""
    mean, std = fitted.mean, fitted.std
    return Images(images, rows, (1 / (FULL * std)).float(), (-mean / std).float())


class ImagesInput(Input[ImageSet]):
    """A set of images."""

    kind: ClassVar[InputKind] = IMAGES

    @property
    def place(self) -> str:
        return "image"

    def problems(self) -> list[str]:
        form = self.form()
        if form:
            return form
        parts = None if self.crossed else folds_problem(self.data, self.place)
        told = beside.problems(self.data.beside)
        return [*([] if parts is None else [parts]), *told, *targets_problems(self, parts is None and not told)]

    def for_tasks(self, tasks: Sequence[Task]) -> "ImagesInput":
        if self.data.beside is None:
            return self
        return type(self)(replace(self.data, **beside.targets(self.data.beside, tasks)))

    @property
    def crossed(self) -> bool:
        return self.data.beside is not None and self.data.beside.crossed

    def masks(self, fold: int) -> dict[Split, Bool[Tensor, " S"]]:
        if self.data.beside is None:
            return super().masks(fold)
        return RowsInput(replace(self.data.beside, fold=self.data.fold)).masks(fold)

    @property
    def groups(self) -> Int[Tensor, " S"] | None:
        return beside.groups(self.data.beside)

    @property
    def weights(self) -> Float64[Tensor, " S"] | None:
        return beside.weights(self.data.beside)

    @property
    def units(self) -> dict[str, str]:
        return beside.units(self.data.beside)

    def tensors(self) -> dict[str, Tensor]:
        return {"images": self.data.images, "fold": self.data.fold} | beside.tensors(self.data.beside)

    def meta(self) -> dict[str, Any]:
        p = self.data
        return {
            "kind": self.kind.name,
            "rows": len(p.images),
            "shape": list(p.images.shape[1:]),
            "mean": p.mean,
            "std": p.std,
        } | beside.meta(p.beside)

    @classmethod
    def from_kept(cls, meta: dict[str, Any], tensors: dict[str, Tensor], common: dict[str, Any]) -> "ImagesInput":
        mean, std = (None if meta[key] is None else tuple(meta[key]) for key in ("mean", "std"))
        table = beside.from_kept(meta, tensors, common)
        pixels, fold = tensors["images"], tensors["fold"]
        return cls(ImageSet(**common, images=pixels, fold=fold, mean=mean, std=std, beside=table))

    def _fit(self, fold: int) -> Fitted:
        """Over the pixels of training images, in shares of full brightness, or as the source gives it."""
        p = self.data
        if p.mean is not None and p.std is not None:
            return Fitted(torch.tensor(p.mean, dtype=torch.float64), torch.tensor(p.std, dtype=torch.float64))
        return self.of_pixels(self.masks(fold)["train"])

    @cached_property
    def _counts(self) -> dict[int, Int[Tensor, "C V"]]:
        """Fold → images that are dealt to it, counted by the V values of a pixel in each channel, in one pass."""
        fold, channels = self.data.fold, self.data.images.shape[1]
        counts = {number: torch.zeros(channels, LEVELS, dtype=torch.int64) for number in torch.unique(fold).tolist()}
        for number, of_fold in counts.items():
            for chosen in torch.split((fold == number).nonzero().squeeze(1), CHUNK):
                images = self.data.images[chosen]
                for channel in range(channels):
                    of_fold[channel] += torch.bincount(images[:, channel].reshape(-1), minlength=LEVELS)
        return counts

    def of_pixels(self, train: Bool[Tensor, " S"]) -> Fitted:
        """Mean and deviation from the counts of the 256 values in each channel: exact, and no pixel becomes a
        float."""
        counts = torch.stack([self._counts[number] for number in torch.unique(self.data.fold[train]).tolist()]).sum(
            dim=0
        )
        value = torch.arange(LEVELS, dtype=torch.float64) / FULL
        share = counts.double() / counts.sum(dim=1, keepdim=True)
        mean = share @ value
        std = (share * (value - mean[:, None]) ** 2).sum(dim=1).sqrt()
        std[(counts > 0).sum(dim=1) == 1] = 1.0
        return Fitted(mean, std)

    def length(self, name: str, task: Task) -> int:
        return 0

    def shape(self, length: int, fitted: Fitted) -> tuple[int, ...]:
        return tuple(self.data.images.shape[1:])

    def numbers_of(self, split: Split, fold: int, length: int, ahead: int) -> Int[Tensor, " n"]:
        return self.masks(fold)[split].nonzero().squeeze(1)

    def places(self, numbers: Int[Tensor, " n"], length: int) -> Int[Tensor, " n"]:
        return numbers

    def sampler(self, fitted: Fitted, ahead: int) -> Sampler:
        return lambda numbers, length: image_samples(self.data.images, numbers, fitted)

    @classmethod
    def given(cls, values: object, layout: Layout, ahead: int) -> Images:
        """Images uint8 [n, C, Y, X]."""
        channels, height, width = layout.shape
        form = (
            f"images uint8 [n, {channels}, {height}, {width}] of channels ({', '.join(layout.columns)}), rows, columns"
        )
        pixels = array_of(values, form)
        if pixels.ndim != 4 or pixels.shape[1:] != layout.shape:
            last = pixels.ndim == 4 and pixels.shape[1:] == (height, width, channels)
            remedy = "; `x.transpose(0, 3, 1, 2)` puts the channels first" if last else ""
            raise wrong_shape(form, list(pixels.shape), remedy)
        if pixels.dtype != torch.uint8:
            remedy = "; values from 0 to 255 are wanted, as `(255 * x).round().astype('uint8')` makes of shares"
            raise wrong_shape(form, str(pixels.dtype).removeprefix("torch."), remedy)
        if not len(pixels):
            raise wrong_shape("at least one image", 0)
        return image_samples(pixels, torch.arange(len(pixels)), layout.fitted)

    def seen(self, fold: int) -> Columns:
        return self.seen_of(self.data.images[self.masks(fold)["train"]], self.columns)

    @classmethod
    def seen_of(cls, values: object, columns: list[str]) -> Columns:
        return channels_of(values, columns, 1)

    def describe(self) -> str:
        y, x = self.data.images.shape[2:]
        return f"images of {y} × {x} pixels ({', '.join(self.data.columns)})"

    def turned(self, which: Bool[Tensor, " n"]) -> "ImagesInput":
        images = self.data.images.clone()
        images[which] = images[which].flip(2)
        return ImagesInput(replace(self.data, images=images))

    def form(self) -> list[str]:
        """Everything that is wrong with the form of the arrays, in whole sentences."""
        p = self.data
        is_tensor = isinstance(p.images, Tensor)
        if not is_tensor or p.images.ndim != 4 or p.images.dtype != torch.uint8 or not p.images.numel():
            actual = f"{p.images.dtype} {list(p.images.shape)}" if is_tensor else type(p.images).__name__
            return [f"`images` should be a uint8 tensor of images × channels × rows × columns, found {actual}."]
        count, channels = p.images.shape[:2]
        problems = [columns_problem(p.columns, channels), fold_tensor_problem(p.fold, count, "image")]
        if (p.mean is None) != (p.std is None):
            problems.append("`mean` and `std` should be given together, or neither of them.")
        for name, given in (("mean", p.mean), ("std", p.std)):
            least = 0 if name == "mean" else 1e-6
            if given is not None and (len(given) != channels or not all(least <= number <= 1 for number in given)):
                should = f"be {channels} shares of full brightness, from {least:g} to 1"
                problems.append(f"`{name}` should {should}, found {given}.")
        return [problem for problem in problems if problem is not None]
