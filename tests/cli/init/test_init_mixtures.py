"""`mtl init` with inputs of several kinds: a column of image files and one of texts beside numbers and categories."""

from pathlib import Path

import pytest

from mtl.cli.init.init import init
from mtl.config import load_config
from mtl.config.encoder import FusionEncoder
from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.errors import UserError
from mtl.project.places import TEMPLATE
from mtl.setup.overlay import load_text
from mtl.types import MixedSet
from tests.helpers.mixtures import goods_table

INPUTS = "inputs={weight: number, shop: category, photo: image, note: text}"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    goods_table(tmp_path, 60)
    return tmp_path


def test_a_table_with_an_image_and_a_text_beside_numbers_becomes_a_project(here: Path) -> None:
    given = [INPUTS, "images={size: [8, 8], colour: false}", "texts={longest: 12}"]
    init(Path("made"), Path("goods.csv"), "odd,price:regression", given=given)
    config = load_config(here / "made/params.yaml")
    source = config.prepare.sources["goods"]
    assert isinstance(source, TableSource) and isinstance(config.encoder, FusionEncoder)
    assert source.inputs == {"weight": "number", "shop": "category", "photo": "image", "note": "text"}
    assert source.images is not None and source.images.folder == "data/raw/photos" and source.texts.longest == 12
    assert set(config.tasks) == {"odd", "price"}
    mixed = read_source("goods", source, here / "made")
    assert isinstance(mixed, MixedSet) and mixed.image is not None and mixed.text is not None


def test_a_text_alone_beside_numbers_and_wrong_names(here: Path) -> None:
    init(Path("made"), Path("goods.csv"), "odd", given=["inputs={weight: number, note: text}", "ignore=[photo]"])
    source = load_config(here / "made/params.yaml").prepare.sources["goods"]
    assert isinstance(source, TableSource) and source.inputs == {"weight": "number", "note": "text"}
    for inputs, told in (
        ("odd: category", "found `odd`: a task learns it"),
        ("gone: number", "no column `gone`"),
    ):
        with pytest.raises(UserError, match=told):
            init(Path("other"), Path("goods.csv"), "odd", given=[f"inputs={{{inputs}, note: text}}", "ignore=[photo]"])
    assert not Path("other").exists()


def test_the_template_has_every_setting_of_the_encoder() -> None:
    sections = load_text((TEMPLATE / "own/mixtures.yaml").read_text(encoding="utf-8"), "mixtures")
    encoder = FusionEncoder.model_validate(sections["encoder"])
    assert set(sections["encoder"]) == set(FusionEncoder.model_fields)
    assert set(sections["encoder"]["parts"]) == set(type(encoder.parts).model_fields)
