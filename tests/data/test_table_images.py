"""A column of image files as the input of a table: every row's pixels and targets, faults, parts, and folders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from mtl.config import Task
from mtl.config.sources import Source
from mtl.data.build import read_source
from mtl.data.inputs.every import input_of
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.data.loading.tasks import build_tasks
from mtl.data.pictures.decode import Form
from mtl.data.pictures.files import read_pictures
from mtl.errors import DataError, SettingError
from mtl.stages.prepare import describe
from mtl.types import ImageSet
from tests.helpers.pictures import BLUE, GREEN, RED, bomb, colours_table, plain, put, written

COLOURS = [RED, GREEN, BLUE]


def source(**changes: object) -> Source:
    whole: dict[str, object] = {
        "kind": "table", "path": "labels.csv", "inputs": {"photo": "image"},
        "images": {"folder": "photos", "size": [8, 8]}, "split": {"kind": "group", "column": "site"}, "folds": 3,
    }  # fmt: skip
    return TypeAdapter(Source).validate_python(whole | changes)


def read(root: Path, **changes: object) -> ImageSet:
    images = read_source("own", source(**changes), root)
    assert isinstance(images, ImageSet)
    return images


def tasks(**sections: dict[str, object]) -> dict[str, Task]:
    return {name: TypeAdapter(Task).validate_python({"source": "own", **section}) for name, section in sections.items()}


COLOUR: dict[str, object] = {"kind": "classification", "label": "colour"}
BRIGHT: dict[str, object] = {"kind": "regression", "target": "bright"}


def test_pixels_targets_and_groups_are_those_of_the_rows(tmp_path: Path) -> None:
    colours_table(tmp_path)
    images = read(tmp_path)
    assert images.images.shape == (24, 3, 8, 8) and images.columns == ["red", "green", "blue"]
    assert images.beside is not None and images.beside.columns == ["bright"]
    assert images.beside.category_columns == ["colour"]
    white = (images.images == 255).all(dim=1).flatten(1).sum(dim=1)
    assert torch.equal(white.double(), images.beside.values[:, 0])
    darkest = images.images.flatten(2).min(dim=2).values  # of a colour, 255 in its own channel
    names = np.array(images.beside.vocabularies["colour"])
    assert images.beside.categories is not None
    told = names[images.beside.categories[:, 0].numpy()]
    assert [["red", "green", "blue"][int(channel)] for channel in darkest.argmax(dim=1)] == told.tolist()
    assert images.beside.groups is not None and images.beside.group_names == [f"s{number}" for number in range(8)]
    assert images.beside.groups.tolist() == [number % 8 for number in range(24)]
    for group in range(8):
        assert len(torch.unique(images.fold[images.beside.groups == group])) == 1


def test_it_is_kept_and_loaded_whole_and_maps_its_pixels(tmp_path: Path) -> None:
    colours_table(tmp_path)
    (tmp_path / "data").mkdir()
    images = read(tmp_path)
    for folder in ("first", "second"):
        write_prepared(images, tmp_path / folder / "own", {})
    loaded = load_prepared("own", tmp_path / "first")
    assert isinstance(loaded, ImageSet) and loaded.beside is not None and images.beside is not None
    assert torch.equal(loaded.images, images.images) and torch.equal(loaded.fold, images.fold)
    assert torch.equal(loaded.beside.values, images.beside.values)
    assert loaded.beside.vocabularies == images.beside.vocabularies
    for file in ("arrays.safetensors", "meta.json"):
        assert (tmp_path / "first/own" / file).read_bytes() == (tmp_path / "second/own" / file).read_bytes()
    assert "24 images of 8 × 8 pixels" in describe(loaded)
    assert not list((tmp_path / "data").iterdir())  # nothing is left of the pixels' first place


def test_tasks_learn_columns_of_names_of_numbers_and_of_whole_numbers_as_classes(tmp_path: Path) -> None:
    colours_table(tmp_path)
    level: dict[str, object] = {"kind": "binary", "label": {"column": "bright", "at_least": 15}}
    built = build_tasks(tasks(colour=COLOUR, bright=BRIGHT, level=level), {"own": read(tmp_path)}, seed=0)
    (pool,) = built.pools["train"]
    assert pool.tasks == ("colour", "bright", "level")
    border = {"at_least(15) of bright": ["below 15", "at least 15"]}
    assert built.sources["own"].data.classes == {"colour": ["blue", "green", "red"]} | border
    batch = pool.batch(torch.arange(len(pool)))
    assert batch.x.shape == (len(pool), 3, 8, 8)
    assert abs(float(batch.x.mean())) < 1e-5
    assert torch.equal(
        batch.target("level"), (built.sources["own"].data.numbers["bright"][pool.samples.numbers] >= 15).long()
    )


def test_a_task_that_names_no_column_is_told_the_columns(tmp_path: Path) -> None:
    colours_table(tmp_path)
    with pytest.raises(SettingError, match="colour"):
        build_tasks(tasks(own={"kind": "classification", "label": "color"}, colour=COLOUR), {"own": read(tmp_path)}, 0)


FAULTS = {
    "missing": ({}, "gone.png is missing.*images.folder"),
    "empty": ({"gone.png": b""}, "gone.png is empty"),
    "broken": ({"gone.png": written(plain(RED))[:40]}, "gone.png is "),
    "text": ({"gone.png": b"none of these"}, "gone.png is no JPEG, PNG, WebP or TIFF"),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_file_without_pixels_is_named_with_its_row_or_left_out_and_counted(tmp_path: Path, fault: str) -> None:
    files, told = FAULTS[fault]
    colours_table(tmp_path, extra="gone.png,red,3,s1\n,green,4,s2\n")
    put(tmp_path / "photos", files)
    with pytest.raises(DataError, match=f"labels.csv, line 26, column `photo`: photos/{told}.*leave_out") as caught:
        read(tmp_path)
    assert "1 other row cannot be used either" in str(caught.value)
    images = read(tmp_path, images={"folder": "photos", "size": [8, 8], "broken": "leave_out"})
    assert len(images.images) == 24 and images.beside is not None and len(images.beside.values) == 24
    (note,) = images.notes
    assert note.startswith("photo: 2 of 26 rows left out, for their files are missing, empty or broken: gone.png")


def test_a_set_that_is_refused_leaves_no_folder_behind(tmp_path: Path) -> None:
    colours_table(tmp_path)
    (tmp_path / "photos/003.png").write_bytes(b"no image")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=r"003\.png"):
        read(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_rows_behind_a_left_out_one_keep_their_pixels(tmp_path: Path) -> None:
    colours_table(tmp_path)
    whole = read(tmp_path)
    (tmp_path / "photos/005.png").unlink()
    images = read(tmp_path, images={"folder": "photos", "size": [8, 8], "broken": "leave_out"})
    kept = [number for number in range(24) if number != 5]
    assert torch.equal(images.images, whole.images[kept])
    assert images.beside is not None and whole.beside is not None
    assert torch.equal(images.beside.values, whole.beside.values[kept])


def test_a_row_without_a_name_is_an_error(tmp_path: Path) -> None:
    colours_table(tmp_path, extra=",red,3,s1\n")
    with pytest.raises(DataError, match=r"line 26, column `photo`: should name an image file, found nothing"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["../photos/000.png", "/etc/hostname", "a/../../000.png"])
def test_a_way_out_of_the_folder_is_refused_whatever_the_option(tmp_path: Path, name: str) -> None:
    colours_table(tmp_path, extra=f"{name},red,3,s1\n")
    for broken in ("error", "leave_out"):
        with pytest.raises(DataError, match=r"line 26, column `photo`.*refused"):
            read(tmp_path, images={"folder": "photos", "size": [8, 8], "broken": broken})


def test_a_decompression_bomb_is_refused_whatever_the_option(tmp_path: Path) -> None:
    colours_table(tmp_path, extra="bomb.png,red,3,s1\n")
    put(tmp_path / "photos", {"bomb.png": bomb()})
    with pytest.raises(DataError, match=r"line 26.*bomb.png should have at most .* pixels"):
        read(tmp_path, images={"folder": "photos", "size": [8, 8], "broken": "leave_out"})


def test_an_ending_is_added_to_names_without_one_which_may_look_like_numbers(tmp_path: Path) -> None:
    table = colours_table(tmp_path)
    table.write_text(table.read_text().replace(".png,", ","))
    images = read(tmp_path, images={"folder": "photos", "size": [8, 8], "ending": ".png"})
    assert torch.equal(images.images, read_all(tmp_path))


def read_all(root: Path) -> torch.Tensor:
    paths = [str(path) for path in sorted((root / "photos").iterdir())]
    return torch.from_numpy(read_pictures(paths, Form((8, 8), "crop", True), root / "data").pixels)


def test_copies_of_an_image_stay_together_and_are_told_of(tmp_path: Path) -> None:
    colours_table(tmp_path)
    for number in range(12):
        content = (tmp_path / f"photos/{number:03d}.png").read_bytes()
        put(tmp_path / "photos", {f"{number + 12:03d}.png": content})
    split = {"kind": "random", "test": 0.25}
    assert any("test rows have a copy" in note for note in read(tmp_path, split=split).notes)
    images = read(tmp_path, split={**split, "duplicates": "together"})
    assert torch.equal(images.fold[:12], images.fold[12:])
    assert not any("copy" in note for note in images.notes)


def test_cross_validation_tests_every_image_once(tmp_path: Path) -> None:
    colours_table(tmp_path)
    images = read(tmp_path, split={"kind": "cross", "folds": 4}, folds=None)
    tested = [build_tasks(tasks(colour=COLOUR), {"own": images}, seed).pools["test"][0] for seed in range(4)]
    assert sorted(torch.cat([pool.samples.numbers for pool in tested]).tolist()) == list(range(24))


def test_training_again_with_more_parts_moves_the_images(tmp_path: Path) -> None:
    colours_table(tmp_path)
    images = read(tmp_path)
    joined = build_tasks(tasks(colour=COLOUR), {"own": images}, 0, "train+val")
    assert len(joined.pools["train"][0]) == int((images.fold != -1).sum()) and not joined.pools["val"]


def test_weights_of_rows_reach_the_pools(tmp_path: Path) -> None:
    colours_table(tmp_path)
    images = read(tmp_path, weight="bright")
    (pool,) = build_tasks(tasks(colour=COLOUR), {"own": images}, 0).pools["train"]
    assert pool.weights is not None and images.beside is not None and len(torch.unique(pool.weights)) > 5


def test_processes_decode_the_same_bytes_as_one(tmp_path: Path) -> None:
    colours_table(tmp_path, 300)
    put(tmp_path / "photos", {"150.png": b"broken"})
    paths = [str(path) for path in sorted((tmp_path / "photos").iterdir())]
    form = Form((8, 8), "crop", True)
    alone, several = (read_pictures(paths, form, tmp_path / "room", count) for count in (0, 2))
    assert np.array_equal(alone.pixels, several.pixels) and np.array_equal(alone.digests, several.digests)
    assert alone.problems == several.problems and [problem.row for problem in alone.problems] == [150]
    assert isinstance(alone.pixels, np.memmap)


class TestFolders:
    """A folder for each class needs no table."""

    def test_the_class_is_the_name_of_the_folder(self, tmp_path: Path) -> None:
        for name, colour in (("cat", RED), ("dog", GREEN)):
            put(tmp_path / "photos" / name, {f"{n}.jpg": written(plain(colour), "JPEG") for n in range(10)})
        put(tmp_path / "photos", {"cat/notes.txt": b"no image", ".DS_Store": b"", "cat/.hidden.jpg": b""})
        images = read(
            tmp_path, path="photos", inputs={"image": "image"}, images={"size": [4, 4]},
            split={"kind": "random", "stratify": "class"},
        )  # fmt: skip
        assert images.beside is not None and images.beside.vocabularies == {"class": ["cat", "dog"]}
        assert images.beside.categories is not None
        assert images.beside.categories[:, 0].tolist() == [0] * 10 + [1] * 10
        assert bool((images.images[:10, 0] > 200).all() and (images.images[10:, 0] < 50).all())
        assert images.notes[0] == "1 file has no ending of an image, and no place in the table."
        built = build_tasks(tasks(own={"kind": "binary", "label": "class"}), {"own": images}, 0)
        assert built.sources["own"].data.classes == {"class": ["cat", "dog"]}

    def test_parts_may_be_folders_of_their_own(self, tmp_path: Path) -> None:
        for part, count in (("train", 8), ("val", 2), ("test", 3)):
            for name, colour in (("cat", RED), ("dog", GREEN)):
                put(tmp_path / "photos" / part / name, {f"{n}.png": written(plain(colour)) for n in range(count)})
        images = read(
            tmp_path, path="photos", inputs={"image": "image"}, images={"size": [4, 4]},
            split={"kind": "column", "column": "part"}, folds=None,
        )  # fmt: skip
        sizes = {part: int(mask.sum()) for part, mask in input_of(images).masks(0).items()}
        assert sizes == {"train": 16, "val": 4, "test": 6}

    @pytest.mark.parametrize("names", [["1.jpg"], ["a/b/1.jpg"], ["cat/1.jpg", "2.jpg"], ["cat/1.txt"]])
    def test_other_layouts_are_refused_with_what_is_wanted(self, tmp_path: Path, names: list[str]) -> None:
        put(tmp_path / "photos", dict.fromkeys(names, b"x"))
        with pytest.raises(DataError, match=r"^photos.* should .*folder"):
            read(tmp_path, path="photos", inputs={"image": "image"}, images={"size": [4, 4]})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"images": None}, "images should say where the files of 'photo' lie"),
        ({"inputs": {"photo": "image", "more": "image"}}, "one column of type image at most, found 'photo' and 'more'"),
        ({"inputs": None}, "inputs should name the column of image files"),
        ({"images": {"folder": "photos", "size": [2, 8]}}, "greater than or equal to 4"),
        ({"images": {"folder": "photos", "fit": "squash"}}, "'crop', 'pad' or 'stretch'"),
    ],
    ids=["no-folder", "two-images", "no-input", "tiny", "fit"],
)
def test_sections_that_contradict_themselves_are_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        source(**changes)


def test_a_column_of_images_without_images_names_both_remedies(tmp_path: Path) -> None:
    colours_table(tmp_path)
    with pytest.raises(DataError, match=r"column `photo`: is taken for image.*`images: \{folder: FOLDER\}`.*`ignore`"):
        read_source("own", source(inputs=None, images=None), tmp_path)


def test_a_table_without_a_folder_of_images_says_so(tmp_path: Path) -> None:
    colours_table(tmp_path)
    with pytest.raises(DataError, match=r"`images\.folder` of the source should name the folder"):
        read(tmp_path, images={"size": [8, 8]})
