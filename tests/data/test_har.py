"""`kind: har`: the classic layout in a zip, a zip in a zip, and a folder; people stay whole."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mtl.config.sources import HarSource
from mtl.data.build import read_source
from mtl.errors import DataError
from mtl.types import Prepared
from tests.helpers.data_files import (
    ACTIVITIES,
    CHANNELS,
    HAR_LENGTH,
    HAR_TEST,
    HAR_TRAIN,
    har_files,
    har_signal,
    zip_bytes,
)

ROOT = "UCI HAR Dataset/"


def read(folder: Path, path: str, folds: int = 4, seed: int = 0) -> Prepared:
    return read_source("har", HarSource(kind="har", path=path, folds=folds, split_seed=seed), folder)


def as_zip(files: dict[str, bytes], folder: Path) -> str:
    (folder / "har.zip").write_bytes(zip_bytes(files, ROOT))
    return "har.zip"


def as_nested_zip(files: dict[str, bytes], folder: Path) -> str:
    """As the UCI site serves it, with the copies of attributes that macOS adds."""
    inner = zip_bytes(files | {"__MACOSX/train/y_train.txt": b"x"}, ROOT)
    outer = {"UCI HAR Dataset.names": b"text", "UCI HAR Dataset.zip": inner, "__MACOSX/UCI HAR Dataset.zip": b"x"}
    (folder / "outer.zip").write_bytes(zip_bytes(outer))
    return "outer.zip"


def as_folder(files: dict[str, bytes], folder: Path) -> str:
    for name, data in files.items():
        path = folder / ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return ROOT


def as_parent_folder(files: dict[str, bytes], folder: Path) -> str:
    as_folder(files, folder)
    return "."


PACKINGS = [as_zip, as_nested_zip, as_folder, as_parent_folder]


@pytest.mark.parametrize("pack", PACKINGS)
def test_every_value_stands_where_it_should(pack: Callable[[dict[str, bytes], Path], str], tmp_path: Path) -> None:
    prepared = read(tmp_path, pack(har_files(), tmp_path))
    assert prepared.columns == CHANNELS
    windows = prepared.values.reshape(-1, HAR_LENGTH, 9)
    for window in range(HAR_TRAIN + HAR_TEST):
        for channel in range(9):
            expected = torch.from_numpy(har_signal(channel, window))
            assert torch.allclose(windows[window, :, channel], expected, rtol=1e-7, atol=0)
    assert prepared.classes == {"activity": ACTIVITIES}
    assert prepared.labels["activity"].tolist() == [w % 3 for w in range(30)]
    assert prepared.units["body_gyro_x"] == "rad/s"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_people_are_held_out_whole_and_test_never(seed: int, tmp_path: Path) -> None:
    prepared = read(tmp_path, as_zip(har_files(), tmp_path), seed=seed)
    assert prepared.fold is not None and prepared.groups is not None
    assert prepared.fold.tolist()[HAR_TRAIN:] == [-1] * HAR_TEST
    folds_of = {person: set(prepared.fold[prepared.groups == person].tolist()) for person in range(1, 11)}
    assert all(len(folds) == 1 for folds in folds_of.values())
    # 8 people with 3 windows each over 4 folds: 6 windows each.
    assert torch.bincount(prepared.fold[:HAR_TRAIN]).tolist() == [6, 6, 6, 6]


def test_the_split_seed_deals_people_differently(tmp_path: Path) -> None:
    path = as_zip(har_files(), tmp_path)
    folds = [read(tmp_path, path, seed=seed).fold for seed in range(4)]
    assert any(not torch.equal(folds[0], other) for other in folds[1:])


def test_windows_line_ends(tmp_path: Path) -> None:
    files = {name: data.replace(b"\n", b"\r\n") for name, data in har_files().items()}
    expected = read(tmp_path, as_folder(har_files(), tmp_path))
    prepared = read(tmp_path, as_zip(files, tmp_path))
    assert prepared.classes == expected.classes
    assert prepared.values.equal(expected.values)


def change(name: str, old: bytes, new: bytes) -> dict[str, bytes]:
    files = har_files()
    assert old in files[name]
    return files | {name: files[name].replace(old, new, 1)}


SIGNAL = "train/Inertial Signals/body_acc_x_train.txt"
FIRST = b"   0.0000000e+00   1.0000000e-02"
BAD = [
    (change(SIGNAL, FIRST, b" zero 0.01"), rf"{SIGNAL}, line 1, column 1: should be a finite number, found 'zero'"),
    (change(SIGNAL, FIRST, b" nan 0.01"), rf"{SIGNAL}, line 1, column 1: .*found 'nan'"),
    (change(SIGNAL, b"1.0000000e+00   1.01", b"1.0000000e+00 5 1.01"), rf"{SIGNAL}, line 2: should have 4 columns"),
    (change(SIGNAL, b"   1.0000000e+00", b""), rf"{SIGNAL}, line 2: should have 4 columns, found 3"),
    (change("train/y_train.txt", b"1\n2\n", b"1\n7\n"), r"train/y_train.txt, line 2: .*from 1 to 3, found 7"),
    (change("train/y_train.txt", b"1\n2\n", b"1\n2.5\n"), r"train/y_train.txt, line 2: should be one whole number"),
    (change("train/y_train.txt", b"1\n2\n", b"1\n"), r"train/subject_train.txt: should have 23 rows"),
    (change("activity_labels.txt", b"2 SITTING", b"3 SITTING"), r"activity_labels.txt, line 2: should be `2 NAME`"),
    ({k: v for k, v in har_files().items() if "gyro_y_test" not in k}, r"body_gyro_y_test.txt is missing"),
    ({"readme.txt": b"hello"}, r"should hold train/y_train.txt"),
]


@pytest.mark.parametrize("pack", [as_zip, as_folder])
@pytest.mark.parametrize(("files", "message"), BAD)
def test_refusals_name_the_place(
    pack: Callable[[dict[str, bytes], Path], str], files: dict[str, bytes], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, pack(files, tmp_path))


def test_too_many_folds_for_the_people(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="9 folds need at least as many groups in train, found 8"):
        read(tmp_path, as_zip(har_files(), tmp_path), folds=9)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.zip is missing"):
        read(tmp_path, "gone.zip")


def test_a_person_in_both_parts_is_noted(tmp_path: Path) -> None:
    files = har_files()
    files["test/subject_test.txt"] = b"8\n8\n8\n10\n10\n10\n"
    assert read(tmp_path, as_zip(files, tmp_path)).notes == ["People [8] are in train and in test."]
