"""Encoders of images that were trained elsewhere, of the package transformers, run as a whole.

B images, C channels of Y × X pixels, D width.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor, nn

from mtl.config.pretrained import PretrainedEncoder
from mtl.data.inputs.images import FULL
from mtl.data.inputs.pretrained import wanted_brightness
from mtl.errors import SettingError
from mtl.models.backbone import checked_folder, network_of, set_rate, used_blocks
from mtl.models.pretrained import Pretrained

OF_ONE_SIZE = ("vit", "deit", "beit")
"""Networks of images of one size: they have a vector for each place of it."""


class WholeImage(Pretrained):
    """A network of images. Those of a batch are z-scored by the training images, and brought here to the means and
    deviations that the network was trained with."""

    def __init__(self, config: PretrainedEncoder, backbone: nn.Module, blocks: list[str], channels: int) -> None:
        super().__init__(config, backbone, blocks)
        for name in ("mean", "wanted_mean"):
            self.register_buffer(name, torch.zeros(channels, 1, 1))
        for name in ("std", "wanted_std"):
            self.register_buffer(name, torch.ones(channels, 1, 1))
        self.mean: Float[Tensor, "C 1 1"]
        self.std: Float[Tensor, "C 1 1"]
        self.wanted_mean: Float[Tensor, "C 1 1"]
        self.wanted_std: Float[Tensor, "C 1 1"]

    def brought_from(self, mean: Float64[Tensor, " C"], std: Float64[Tensor, " C"], folder: Path) -> None:
        """Takes the mean and standard deviation by which images are z-scored, shares of full brightness, and those that
        the network of a folder wants."""
        wanted_mean, wanted_std = (torch.tensor(values, dtype=torch.float64) for values in wanted_brightness(folder))
        of_buffers = (self.mean, mean), (self.std, std), (self.wanted_mean, wanted_mean), (self.wanted_std, wanted_std)
        for buffer, values in of_buffers:
            buffer.copy_(values.expand(len(buffer))[:, None, None])

    def each(self, x: Float[Tensor, "B C Y X"]) -> Sequence[Tensor]:
        """Pixels as they were, whatever the training images of a fold are."""
        pixels = ((x * self.std + self.mean) * FULL).round().clamp(0, FULL).to(torch.uint8)
        return torch.split(pixels, 1)

    def alone(self, sample: Shaped[Tensor, "1 C Y X"]) -> Float[Tensor, "1 D"]:
        return self._pooled(sample / FULL, 0.0)

    def vector(self, x: Float[Tensor, "B C Y X"], rate: float) -> Float[Tensor, "B D"]:
        return self._pooled(x * self.std + self.mean, rate)

    def _pooled(self, shares: Float[Tensor, "B C Y X"], rate: float) -> Float[Tensor, "B D"]:
        """Vectors of images, given as shares of full brightness."""
        set_rate(self.backbone, rate)
        pixels = (shares - self.wanted_mean) / self.wanted_std
        given: Tensor = self.backbone(pixel_values=pixels).last_hidden_state
        if given.ndim == 4:  # a map of vectors
            return given.mean(dim=(2, 3))
        return given[:, 0] if self.pool == "cls" else given.mean(dim=1)


def load_images(config: PretrainedEncoder, shape: tuple[int, ...]) -> Pretrained:
    """The encoder of images (C, Y, X) with its pretrained weights. Arguments and errors as in `load_pretrained`."""
    folder = checked_folder(config)
    backbone = network_of(str(folder), "pixel_values")
    settings: Any = backbone.config
    if settings.num_channels != shape[0]:
        message = (
            f"should read images of {shape[0]} channels, found {settings.num_channels} in {folder}: let `images` of "
        )
        raise SettingError("encoder.model", f"{message}the source have `colour: {str(shape[0] == 1).lower()}`.")
    size = _size(settings)
    if size is not None and shape[1:] != size:
        message = f"should read images of {shape[1]} × {shape[2]} pixels, found {size[0]} × {size[1]} in {folder}: let "
        raise SettingError("encoder.model", f"{message}`images` of the source have `size: {list(size)}`.")
    if config.pool == "cls" and not hasattr(settings, "hidden_size"):
        message = f"should be mean for {settings.model_type}, which has no first token, found 'cls'."
        raise SettingError("encoder.pool", message)
    names = used_blocks(config, backbone, folder, in_turn=False)
    if config.checkpointing:
        backbone.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
    return WholeImage(config, backbone, names, shape[0])


def _size(settings: Any) -> tuple[int, ...] | None:
    """Rows and columns of pixels that a network takes; None where it takes any."""
    if settings.model_type not in OF_ONE_SIZE:
        return None
    size = settings.image_size
    return (size, size) if isinstance(size, int) else tuple(size)
