"""`kind: arrays`: one .npz, known answers and refusals; nothing in the file is ever run."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mtl.config.sources import ArraysSource
from mtl.data.build import read_source
from mtl.errors import DataError, SettingError
from mtl.types import Prepared
from tests.helpers.data_files import array_parts


def read(folder: Path, parts: dict[str, Any], **options: Any) -> Prepared:
    np.savez(folder / "own.npz", **parts)
    return read_source("own", ArraysSource(kind="arrays", path="own.npz", **{"folds": 3} | options), folder)


def test_values_labels_and_stratified_folds(tmp_path: Path) -> None:
    prepared = read(tmp_path, array_parts())
    assert prepared.values.flatten().tolist() == list(range(96))
    assert (prepared.window, prepared.columns, prepared.folds) == (3, ["channel_1", "channel_2"], 3)
    assert prepared.classes == {"label": ["0", "1", "2"]}
    assert prepared.fold is not None
    for fold in range(3):
        counts = torch.bincount(prepared.labels["label"][prepared.fold == fold], minlength=3)
        # 12 windows, 4 of each class over 3 folds: one or two of each in each fold.
        assert counts.min() >= 1 and counts.max() <= 2


def test_several_labels_names_columns_and_groups(tmp_path: Path) -> None:
    parts = array_parts() | {
        "z_train": np.array(["on", "off"] * 6), "z_test": np.array(["on", "off"] * 2),
        "y_classes": np.array(["low", "mid", "high"]), "columns": np.array(["left", "right"]),
    }  # fmt: skip
    prepared = read(tmp_path, parts, labels={"speed": "y", "switch": "z"}, groups="subject", folds=2)
    assert prepared.classes == {"speed": ["low", "mid", "high"], "switch": ["off", "on"]}
    assert prepared.labels["switch"][:2].tolist() == [1, 0]
    assert prepared.columns == ["left", "right"]
    assert prepared.fold is not None and prepared.groups is not None
    for group in range(4):
        assert len(set(prepared.fold[prepared.groups == group].tolist()[:3])) == 1


@pytest.mark.parametrize("names", [False, True])
def test_test_windows_may_have_no_group(names: bool, tmp_path: Path) -> None:
    parts = {k: v for k, v in array_parts().items() if k != "subject_test"}
    if names:
        parts["subject_train"] = np.array([f"person {n}" for n in parts["subject_train"]])
    prepared = read(tmp_path, parts, groups="subject")
    assert prepared.groups is not None
    assert prepared.groups[12:].tolist() == [-1] * 4
    assert len(set(prepared.groups[:12].tolist())) == 4


def test_a_validation_part_of_its_own(tmp_path: Path) -> None:
    parts = array_parts(train=16)
    for stem in ("x", "y"):
        parts |= {f"{stem}_train": parts[f"{stem}_train"][:11], f"{stem}_val": parts[f"{stem}_train"][11:]}
    prepared = read(tmp_path, parts, folds=1)
    assert prepared.values.flatten().tolist() == list(range(120)), "the order of the parts is train, val, test"
    assert prepared.fold is not None and prepared.fold.tolist() == [1] * 11 + [0] * 5 + [-1] * 4
    assert prepared.labels["label"].tolist() == [n % 3 for n in range(20)]
    message = r"`prepare\.sources\.own\.folds` should be 1: own\.npz brings a validation part of its own.*found 3"
    with pytest.raises(SettingError, match=message):
        read(tmp_path, parts)
    with pytest.raises(DataError, match="there is no array `y_val`"):
        read(tmp_path, {key: part for key, part in parts.items() if key != "y_val"}, folds=1)
    with pytest.raises(DataError, match=r"`x_val` should have windows of 3 rows × 2 channels as `x_train` has"):
        read(tmp_path, parts | {"x_val": parts["x_val"][:, :2]}, folds=1)
    with pytest.raises(DataError, match=r"class `-5` is missing from the training part"):
        read(tmp_path, parts | {"y_val": np.array([0, -5, 0, 1, 2])}, folds=1)
    with pytest.raises(DataError, match="`y_train` and `y_val` and `y_test` should all be numbers or all names"):
        read(tmp_path, parts | {"y_val": np.array(list("abcde"))}, folds=1)
    parts["subject_train"] = parts["subject_train"][:11]
    grouped = read(tmp_path, parts, folds=1, groups="subject")
    assert grouped.groups is not None and grouped.groups[11:16].tolist() == [-1] * 5, "the file does not tell them"


def test_missing_labels_are_dealt_out_over_the_folds(tmp_path: Path) -> None:
    parts = array_parts(train=18)
    parts["y_train"] = np.where(np.arange(18) < 12, parts["y_train"], -1)
    prepared = read(tmp_path, parts, missing_label=-1)
    assert prepared.fold is not None
    assert [int((prepared.fold[12:18] == fold).sum()) for fold in range(3)] == [2, 2, 2]


def test_no_labels_at_all(tmp_path: Path) -> None:
    prepared = read(tmp_path, array_parts(), labels={})
    assert prepared.fold is not None
    assert torch.bincount(prepared.fold[:12]).tolist() == [4, 4, 4]


T = np.arange(16) / 8
TARGETS = {"t_train": T[:12], "t_test": T[12:]}


def test_targets_are_numbers_and_nan_is_missing(tmp_path: Path) -> None:
    speeds = {"t_train": np.where(np.arange(12) == 5, np.nan, T[:12]), "t_test": np.arange(4, dtype="i2")}
    parts = array_parts() | speeds
    prepared = read(tmp_path, parts, targets={"speed": "t", "who": "subject"}, labels={"kind": "y"})
    assert list(prepared.labels) == ["kind"]
    speed = prepared.numbers["speed"]
    assert speed.dtype == torch.float64 and speed[5].isnan()
    assert speed[[0, 4, 6, 11, 12, 15]].tolist() == [0, 0.5, 0.75, 1.375, 0, 3]
    assert prepared.numbers["who"].tolist() == [n // 3 for n in range(16)], "whole numbers may be a target too"


def test_a_file_with_targets_alone_needs_no_label(tmp_path: Path) -> None:
    parts = {key: value for key, value in array_parts().items() if not key.startswith("y")} | TARGETS
    prepared = read(tmp_path, parts, targets={"speed": "t"})
    assert prepared.labels == {} and list(prepared.numbers) == ["speed"]
    assert prepared.fold is not None and torch.bincount(prepared.fold[:12]).tolist() == [4, 4, 4]


def changed(**changes: Any) -> dict[str, Any]:
    return {k: v for k, v in (array_parts() | changes).items() if v is not None}


def with_value(value: float) -> np.ndarray:
    x = array_parts()["x_train"].copy()
    x[2, 1, 0] = value
    return x


Y = array_parts()["y_train"]
BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (changed(x_test=None), {}, r"there is no array `x_test`; found: subject_test"),
    (changed(y_train=None), {}, r"there is no array `y_train`"),
    (changed(x_train=np.zeros((12, 6))), {}, r"`x_train` should be numbers \[windows, rows, channels\], found float64"),
    (changed(x_train=np.full((12, 3, 2), "a")), {}, r"`x_train` should be numbers"),
    (changed(x_test=np.zeros((4, 5, 2))), {}, r"`x_test` should have windows of 3 rows × 2 channels .*found 5 rows"),
    (changed(x_train=with_value(np.nan)), {}, r"`x_train`\[2, 1, 0\] should be a finite number, found nan"),
    (changed(y_train=Y[:-1]), {}, r"`y_train` should be 12 whole numbers or names, found int64 \[11\]"),
    (changed(y_train=Y + 0.5), {}, r"`y_train` should be 12 whole numbers or names, found float64"),
    (changed(y_train=np.where(Y == 2, -2, Y)), {}, r"class `2` has 0 training samples"),
    (changed(y_classes=np.array(["a", "b"])), {}, r"`y_train`\[2\] should be a class from 0 to 1"),
    (
        changed(y_train=np.where(Y == 2, -1, Y), y_classes=np.array(["a", "b", "c"])),
        {},
        r"`y_train`\[2\] should be a class from 0 to 2, .*found -1\. If it .*without a label: `missing_label: -1`",
    ),
    (changed(y_test=np.array([0, 1, 2, 10**12])), {}, r"class `1000000000000` has 0 training samples"),
    (changed(y_test=np.array([0, 1, 2, 3])), {}, r"class `3` has 0 training samples"),
    (changed(y_test=np.array(["a"] * 4)), {}, r"should both be numbers or both names"),
    (changed(), {"groups": "person"}, r"there is no array `person_train`"),
    (changed(), {"folds": 5}, r"class `0` has 4 training samples, too few for 5 folds"),
    (changed(), {"folds": 5, "groups": "subject"}, r"5 folds need at least as many groups in train, found 4"),
    (changed(columns=np.array(["a", "a"])), {}, r"`columns` should be 2 different names"),
    (changed(y_train=Y / 2), {}, r"`y_train` should be 12 whole numbers .*named in `targets`: \{NAME: y\}"),
    (changed(), {"targets": {"t": "t"}}, r"there is no array `t_train`"),
    (changed(**TARGETS | {"t_train": T}), {"targets": {"t": "t"}}, r"`t_train` should be 12 numbers, found .*\[16\]\."),
    (
        changed(**TARGETS | {"t_test": np.array(list("abcd"))}),
        {"targets": {"t": "t"}},
        r"`t_test` should be 4 numbers, found <U1 \[4\]\. Classes to predict are named in `labels`: \{NAME: t\}",
    ),
    (
        changed(**TARGETS | {"t_test": np.array([0, 1, np.inf, 3])}),
        {"targets": {"t": "t"}},
        r"`t_test`\[2\] should be a finite number, or NaN for no target, found inf",
    ),
    (
        changed(**TARGETS | {"t_train": np.ones(12)}),
        {"targets": {"t": "t"}},
        r"target `t`: the training part when fold 0 is held out should have at least two .* values, found 8, all 1",
    ),
    (
        changed(**TARGETS | {"t_test": np.full(4, np.nan)}),
        {"targets": {"t": "t"}},
        r"test part when fold 0 is held out should have a window with a value, found none: give the windows of that",
    ),
    (changed(**TARGETS), {"targets": {"channel_1": "t"}}, r"target `channel_1` has the name of an input"),
]


@pytest.mark.parametrize(("parts", "options", "message"), BAD)
def test_refusals_name_the_place(parts: dict[str, Any], options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, parts, **options)


def test_a_name_is_a_label_or_a_target() -> None:
    with pytest.raises(ValidationError, match=r"targets should have other names than labels, found 'a' in both"):
        ArraysSource(kind="arrays", path="own.npz", labels={"a": "y"}, targets={"a": "t"})


class Trap:
    """Unpickling this would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    trap = np.array([Trap(tmp_path / "sprung")] * 12, dtype=object)
    with pytest.raises(DataError, match="without running code"):
        read(tmp_path, changed(y_train=trap))
    (tmp_path / "own.npz").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(DataError, match="is not a zip file"):
        read_source("own", ArraysSource(kind="arrays", path="own.npz"), tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"own\.npz is missing"):
        read_source("own", ArraysSource(kind="arrays", path="own.npz"), tmp_path)
    np.save(tmp_path / "single.npy", np.zeros(3))
    with pytest.raises(DataError, match="found a single array"):
        read_source("own", ArraysSource(kind="arrays", path="single.npy"), tmp_path)
