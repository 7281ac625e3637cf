"""Encoders of images that were trained elsewhere: what transformers itself gives of the pixels, what does not fit."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mtl.config.inputs import IMAGES
from mtl.errors import UserError
from mtl.models.build import build_model
from mtl.models.kept_features import keeping
from mtl.models.pretrained_images import WholeImage, load_images
from tests.helpers.specs import a_task
from tests.helpers.tiny_networks import digest_of, tiny_bert, write_bert

SHAPE = (3, 8, 8)
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.5]
SOURCE_MEAN, SOURCE_STD = torch.tensor([0.3, 0.3, 0.2]).double(), torch.tensor([0.1, 0.2, 0.3]).double()


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny networks of images by their type, with random weights."""
    from transformers import AutoModel, ConvNextConfig, ViTConfig

    home = tmp_path_factory.mktemp("images")
    sections = {
        "vit": ViTConfig(
            hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, image_size=8, patch_size=4
        ),
        "convnext": ConvNextConfig(hidden_sizes=[4, 6], depths=[1, 1], num_stages=2, patch_size=2, drop_path_rate=0.0),
    }
    torch.manual_seed(3)
    for name, section in sections.items():
        AutoModel.from_config(section).save_pretrained(home / name)
        (home / name / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN, "image_std": STD}))
    return {name: home / name for name in sections}


def built(folder: Path, shape: tuple[int, ...] = SHAPE, **changes: Any) -> WholeImage:
    encoder = load_images(tiny_bert(folder, **changes), shape)
    assert isinstance(encoder, WholeImage)
    encoder.brought_from(SOURCE_MEAN, SOURCE_STD, folder)
    return encoder.eval()


def pixels(count: int = 3) -> Tensor:
    return torch.randint(0, 256, (count, *SHAPE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def scored(images: Tensor) -> Tensor:
    """Images as batches hold them."""
    return ((images / 255 - SOURCE_MEAN[:, None, None]) / SOURCE_STD[:, None, None]).float()


@pytest.mark.parametrize(("name", "pool"), [("vit", "mean"), ("vit", "cls"), ("convnext", "mean")])
def test_features_are_what_transformers_gives_of_the_pixels(networks: dict[str, Path], name: str, pool: str) -> None:
    from transformers import AutoModel

    own = AutoModel.from_pretrained(networks[name]).eval()
    wanted = (pixels() / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    with torch.no_grad():
        given = own(pixel_values=wanted).last_hidden_state
    expected = given.mean(dim=(2, 3)) if given.ndim == 4 else given.mean(dim=1) if pool == "mean" else given[:, 0]
    encoder = built(networks[name], pool=pool)
    torch.testing.assert_close(encoder(scored(pixels())).tokens[:, 0, 0], expected, atol=1e-4, rtol=1e-4)
    resting = built(networks[name], pool=pool, train="none")
    torch.testing.assert_close(resting(scored(pixels())).tokens[:, 0, 0], expected, atol=1e-4, rtol=1e-4)


def test_vectors_are_known_by_pixels_whatever_the_fold(networks: dict[str, Path], tmp_path: Path) -> None:
    encoder, other = (built(networks["vit"], train="none") for _ in range(2))
    other.brought_from(SOURCE_MEAN + 0.1, SOURCE_STD, networks["vit"])
    with keeping(tmp_path):
        first = encoder(scored(pixels())).tokens
        shifted = scored(pixels()) - (0.1 / SOURCE_STD[:, None, None]).float()
        assert torch.equal(other(shifted).tokens, first)
    (piece,) = (tmp_path / ".mtl/features").glob("*/*/keys.npy")
    assert piece.stat().st_size == 128 + 3 * 16


@pytest.mark.parametrize("name", ["vit", "convnext"])
def test_the_last_blocks_train(networks: dict[str, Path], name: str) -> None:
    config = tiny_bert(networks[name], train={"top": 1}, sizes=[4])
    task = a_task("binary", name="a", source="s", input=IMAGES, shape=SHAPE, columns=["red", "green", "blue"])
    model = build_model(config, [task], 0)
    model(scored(pixels()), ["a"])["a"].sum().backward()
    trained = {key for key, weight in model.trunk.named_parameters() if weight.grad is not None}
    block = "layers.1." if name == "vit" else "stages.1."
    assert {key for key in trained if ".backbone." in key} == {
        key for key, _ in model.trunk.named_parameters() if ".backbone." in key and block in key
    }


@pytest.mark.parametrize(
    ("name", "shape", "changes", "message"),
    [
        ("vit", (1, 8, 8), {}, r"should read images of 1 channels, found 3 in .*`colour: true`"),
        ("vit", (3, 16, 16), {}, r"images of 16 × 16 pixels, found 8 × 8 in .*`size: \[8, 8\]`"),
        ("convnext", SHAPE, {"pool": "cls"}, r"`encoder.pool` should be mean for convnext"),
        ("convnext", SHAPE, {"train": {"top": 3}}, r"`encoder.train.top` should be at most 2"),
    ],
)
def test_images_that_do_not_fit(
    networks: dict[str, Path], name: str, shape: tuple[int, ...], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        built(networks[name], shape, **changes)


def test_networks_of_texts_and_folders_without_brightness(networks: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"bert reads input_ids, and the samples are pixel_values"):
        built(write_bert(tmp_path / "bert"))
    other = tmp_path / "vit"
    other.mkdir()
    for file in ("config.json", "model.safetensors"):
        (other / file).write_bytes((networks["vit"] / file).read_bytes())
    assert digest_of(other) != digest_of(networks["vit"])
    with pytest.raises(UserError, match=r"preprocessor_config.json should say how bright images should be"):
        built(other)
