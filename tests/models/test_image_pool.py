"""Pixels of the last stage as features: their mean, or each of them in its place."""

import pytest
import torch

from mtl.config.encoder import CnnEncoder, ResNetEncoder
from mtl.models.base import StagedEncoder
from mtl.models.cnn import Cnn
from mtl.models.resnet import ResNet

SHAPE = (3, 17, 30)


def built(kind: str, pool: str) -> StagedEncoder:
    torch.manual_seed(0)
    if kind == "cnn":
        return Cnn(CnnEncoder.model_validate({"kind": "cnn", "widths": [4, 8], "pool": pool}), SHAPE)
    config = {"kind": "resnet", "widths": [4, 8, 8], "stride": 3, "pool": pool}
    return ResNet(ResNetEncoder.model_validate(config), SHAPE)


@pytest.mark.parametrize(("kind", "pixels"), [("cnn", 4 * 7), ("resnet", 2 * 3)])
def test_flattened_pixels_have_the_mean_as_their_mean(kind: str, pixels: int) -> None:
    mean, flat = built(kind, "mean").eval(), built(kind, "flatten").eval()
    assert (mean.width, flat.width) == (8, 8 * pixels)
    x = torch.rand(5, *SHAPE)
    whole = flat(x).tokens
    assert whole.shape == (5, 1, 1, 8 * pixels)
    torch.testing.assert_close(whole.view(5, 8, pixels).mean(dim=2), mean(x).tokens.view(5, 8))


def test_only_flattened_pixels_tell_two_halves_apart() -> None:
    """Two patches far from the border and from each other, and the same two in each other's place."""
    x = torch.zeros(2, 1, 16, 32)
    draw = torch.Generator().manual_seed(1)
    first, second = (torch.rand(4, 4, generator=draw) for _ in range(2))
    x[0, 0, 4:8, 4:8], x[0, 0, 4:8, 20:24] = first, second
    x[1, 0, 4:8, 4:8], x[1, 0, 4:8, 20:24] = second, first
    for pool, told in (("mean", False), ("flatten", True)):
        torch.manual_seed(0)
        encoder = Cnn(CnnEncoder.model_validate({"kind": "cnn", "widths": [4, 8], "pool": pool}), (1, 16, 32)).eval()
        a, b = encoder(x).tokens.flatten(1)
        assert torch.allclose(a, b, atol=1e-5) is not told
