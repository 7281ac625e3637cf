"""`mtl init` with a table of image files, and with a folder of images for each class."""

import shutil
from pathlib import Path

import pytest

from mtl.cli.init.init import init
from mtl.config import load_config
from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.errors import UserError
from mtl.types import ImageSet
from tests.helpers.pictures import GREEN, RED, colours_table, plain, put, written


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    colours_table(tmp_path, 48)
    return tmp_path


def made(folder: Path, name: str) -> tuple[TableSource, ImageSet]:
    source = load_config(folder / "params.yaml").prepare.sources[name]
    assert isinstance(source, TableSource)
    images = read_source(name, source, folder)
    assert isinstance(images, ImageSet)
    return source, images


def test_a_table_of_image_files_becomes_a_project(here: Path) -> None:
    given = ["images={folder: photos, size: [8, 8]}", "ignore=[site]"]
    init(Path("made"), Path("labels.csv"), "colour,bright:regression", given=given)
    source, images = made(here / "made", "labels")
    assert source.inputs == {"photo": "image"} and source.images is not None
    assert (source.images.folder, source.images.size) == ("data/raw/photos", (8, 8))
    assert images.images.shape == (48, 3, 8, 8)
    config = load_config(here / "made/params.yaml")
    assert config.encoder.kind == "resnet" and config.train.augment is not None
    assert set(config.tasks) == {"colour", "bright"}
    assert sorted(path.name for path in here.iterdir()) == ["labels.csv", "made", "photos"]


def test_a_group_keeps_its_rows_together(here: Path) -> None:
    init(Path("made"), Path("labels.csv"), "colour", group="site", given=["images={folder: photos, size: [8, 8]}"])
    _, images = made(here / "made", "labels")
    assert images.beside is not None and images.beside.groups is not None


def test_the_folder_beside_the_table_that_holds_the_files_is_taken(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("others").mkdir()
    init(Path("made"), Path("labels.csv"), "colour", given=["images={size: [8, 8]}", "ignore=[site]"])
    source, images = made(here / "made", "labels")
    assert source.images is not None and source.images.folder == "data/raw/photos" and len(images.images) == 48
    assert "photo names image files in photos, which are the input" in " ".join(capsys.readouterr().out.split())


def test_without_the_folder_both_remedies_are_named_and_nothing_is_written(here: Path) -> None:
    remedies = r"--option 'images=\{folder: DIR\}'.*ignore=\[photo\]"
    shutil.copytree("photos", "copies")
    with pytest.raises(UserError, match=rf"`photo` names image files, and copies and photos hold them: {remedies}"):
        init(Path("made"), Path("labels.csv"), "colour")
    shutil.rmtree("copies")
    Path("photos").rename(here.parent / f"{here.name}-photos")
    with pytest.raises(UserError, match=rf"and no folder beside the table holds them: {remedies}"):
        init(Path("made"), Path("labels.csv"), "colour")
    Path(here.parent / f"{here.name}-photos").rename("photos")
    assert not Path("made").exists()
    with pytest.raises(UserError, match="`folder` should be the folder of the image files, found 'nowhere'"):
        init(Path("made"), Path("labels.csv"), "colour", given=["images={folder: nowhere}"])
    with pytest.raises(UserError, match=r"`size\.0` should be greater than or equal to 4"):
        init(Path("made"), Path("labels.csv"), "colour", given=["images={folder: photos, size: [1, 8]}"])
    assert not Path("made").exists()


def test_the_other_columns_are_learnt_from_where_the_images_are_ignored(here: Path) -> None:
    init(Path("made"), Path("labels.csv"), "colour", given=["ignore=[photo]"])
    source = load_config(here / "made/params.yaml").prepare.sources["labels"]
    assert isinstance(source, TableSource) and source.images is None


def test_a_folder_for_each_class_becomes_a_project(here: Path) -> None:
    for name, (red, green, blue) in (("cat", RED), ("dog", GREEN)):  # no two alike, else they would be copies
        shades = {f"{number}.png": written(plain((red, green, blue + 8 * number))) for number in range(20)}
        put(here / "pets" / name, shades)
    init(Path("made"), Path("pets"), "class", given=["images={size: [8, 8]}"])
    source, images = made(here / "made", "pets")
    assert source.path == "data/raw/pets" and source.images is not None and source.images.folder is None
    assert images.images.shape == (40, 3, 8, 8)
