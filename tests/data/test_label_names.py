"""Names of classes: spellings that are one class, cells that are no label, the order of names, in every source."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl.config.sources import ArraysSource, SeriesSource, UeaSource
from mtl.data.build import read_source
from mtl.data.formats.labels import class_numbers, in_order, numbers_in_order
from mtl.types import NO_LABEL, Prepared
from tests.helpers.data_files import array_parts


def classes_of(*cells: object, exact: bool = False) -> tuple[list[str | None], list[str], list[str]]:
    """The class name of each cell, the names in order, and the notes."""
    notes: list[str] = []
    numbers, names = class_numbers(cells, "state", notes, exact)
    return [None if number == NO_LABEL else names[number] for number in numbers], names, notes


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["on", "on ", "On", "ON", " off", "off", "off"], ["off", "on"]),
        (["on", "on\u00a0", "\ufeffon", "on\t", "off"], ["off", "on"]),
        (["too  hot", "too hot", "too hot", "fine"], ["fine", "too hot"]),
        (["Caf\u00e9", "Cafe\u0301", "x"], ["Café", "x"]),
        (["1", "1.0", "01", "+1", "1e0", "0", "-0"], ["0", "1"]),
        (["1", "1.0", "0.0", "2.50"], ["0", "1", "2.5"]),
        ([1, 1.0, "1", 0, float("nan")], ["0", "1"]),
        (["01", "02", "10"], ["01", "02", "10"]),
        (["10", "9", "1", "-1"], ["-1", "1", "9", "10"]),
        (["10", "9", "b", "B", "a"], ["9", "10", "a", "b"]),
        (["12345678901234567890123456789011", "12345678901234567890123456789012"],
         ["12345678901234567890123456789011", "12345678901234567890123456789012"]),
        ([True, False, True, "true"], ["False", "True"]),
    ],
)  # fmt: skip
def test_spellings_of_one_class(cells: list[object], names: list[str]) -> None:
    assert classes_of(*cells)[1] == names


def test_what_was_unified_is_said_with_its_cells() -> None:
    named, names, notes = classes_of("on", "on ", "On", "off", "on")
    assert named == ["on", "on", "on", "off", "on"] and names == ["off", "on"]
    assert notes == [
        "state: class `on` is also spelt 'on ' (1), 'On' (1), which is the same class here; `exact_labels` tells them "
        "apart."
    ]
    assert classes_of("on", "off")[2] == []


def test_cells_that_hold_nothing_are_no_label() -> None:
    named, names, notes = classes_of("NA", "a", " ", "", "N/A", "null", None, float("nan"), " NaN", "None", "a")
    assert named == [None, "a", None, None, None, None, None, None, None, "None", "a"]
    assert names == ["None", "a"]
    assert "state: 1 cells 'NA' hold no label." in notes
    assert "state: 5 cells without a label." in notes
    assert classes_of("NA", "a", "", exact=True)[0] == ["NA", "a", None]


def test_exact_labels_keep_every_spelling() -> None:
    assert classes_of("a", "A", "a ", "1", "1.0", exact=True)[1:] == (["1", "1.0", "A", "a", "a "], [])


@given(st.lists(st.sampled_from(["a", "b", "7", "10", ""]), min_size=1), st.randoms(use_true_random=False))
def test_blanks_case_and_spelling_change_no_class(cells: list[str], random: Any) -> None:
    def spoilt(cell: str) -> str:
        written = random.choice([cell, cell.upper(), f"{cell}.0" if cell.isdigit() else cell])
        return random.choice(["", " ", "\t"]) + written + random.choice(["", "  "])

    plain, names, _ = classes_of(*cells)
    named, other, _ = classes_of(*(spoilt(cell) for cell in cells))

    def folded(name: str) -> str:
        return name.lower().removesuffix(".0")

    assert [name and folded(name) for name in named] == plain
    assert sorted(map(folded, other)) == sorted(names)


def test_the_order_of_names() -> None:
    assert in_order(["10", "2", "b", "1.5", "a"]) == ["1.5", "2", "10", "a", "b"]
    assert numbers_in_order(["10", "2", "1"]) == ["1", "2", "10"]
    assert numbers_in_order(["walk", "stand", "2"]) == ["walk", "stand", "2"]


def series(folder: Path, cells: list[str], **options: Any) -> Prepared:
    text = "x,s\n" + "".join(f"{n * n % 7},{cell}\n" for n, cell in enumerate(cells))
    (folder / "own.csv").write_text(text)
    source = SeriesSource(kind="series", path="own.csv", date=None, labels=["s"], **options)
    return read_source("own", source, folder)  # type: ignore[return-value]


def arrays(folder: Path, labels: np.ndarray, **options: Any) -> Prepared:
    parts = array_parts() | {"y_train": labels[:12], "y_test": labels[12:]}
    np.savez(folder / "own.npz", **parts)
    source = ArraysSource(kind="arrays", path="own.npz", folds=3, **options)
    return read_source("own", source, folder)  # type: ignore[return-value]


def test_all_sources_read_and_order_names_alike(tmp_path: Path) -> None:
    cells = ["10", "9", " 9", "9.0"] * 4
    of_series, of_arrays = series(tmp_path, cells), arrays(tmp_path, np.array(cells))
    assert of_series.classes["s"] == of_arrays.classes["label"] == ["9", "10"]
    assert of_series.labels["s"].tolist() == of_arrays.labels["label"].tolist() == [1, 0, 0, 0] * 4
    for stem in ("TRAIN", "TEST"):
        lines = [f"{n % 5},{n},{n * n}:{name}" for n, name in enumerate(["10", "9", "1"] * 4)]
        head = "@problemName own\n@timeStamps false\n@univariate true\n@equalLength true\n@seriesLength 3\n"
        text = f"{head}@classLabel true 10 9 1\n@data\n" + "\n".join(lines) + "\n"
        (tmp_path / f"own_{stem}.ts").write_text(text)
    prepared = read_source("own", UeaSource(kind="uea", path="own", folds=3), tmp_path)
    assert isinstance(prepared, Prepared) and prepared.classes["label"] == ["1", "9", "10"]
    assert prepared.labels["label"][:3].tolist() == [2, 1, 0]


def test_na_of_r_is_no_class(tmp_path: Path) -> None:
    prepared = series(tmp_path, ["on", "off", "NA", "On"] * 5)
    assert prepared.classes["s"] == ["off", "on"]
    assert prepared.labels["s"][:4].tolist() == [1, 0, NO_LABEL, 1]
    kept = series(tmp_path, ["on", "off", "NA", "On"] * 5, exact_labels=["s"])
    assert kept.classes["s"] == ["NA", "On", "off", "on"]
    with pytest.raises(ValueError, match=r"exact_labels should be among the labels \(s\), found 'x'"):
        series(tmp_path, ["a", "b"] * 8, exact_labels=["x"])


def test_minus_one_in_arrays_is_a_class_unless_it_is_declared(tmp_path: Path) -> None:
    signs = np.array([-1, 0, 1, 1] * 4)
    prepared = arrays(tmp_path, signs)
    assert prepared.classes["label"] == ["-1", "0", "1"]
    assert prepared.labels["label"].tolist() == (signs + 1).tolist()
    assert prepared.notes == [
        "label: -1 is a class, of 4 windows; `missing_label: -1` says that it stands for no label."
    ]
    declared = arrays(tmp_path, signs, missing_label=-1)
    assert declared.classes["label"] == ["0", "1"]
    assert declared.labels["label"].tolist() == signs.tolist()


def test_codes_of_arrays_may_start_anywhere_have_gaps_and_be_floats(tmp_path: Path) -> None:
    assert arrays(tmp_path, np.array([1, 2, 30, 2] * 4)).classes["label"] == ["1", "2", "30"]
    floats = arrays(tmp_path, np.array([1.0, 2.0, np.nan, 2.0] * 4))
    assert floats.classes["label"] == ["1", "2"]
    assert floats.labels["label"][:4].tolist() == [0, 1, NO_LABEL, 1]
    named = arrays(tmp_path, np.array(["a", "none", "b", "B"] * 4), missing_label="none")
    assert named.classes["label"] == ["a", "b"] and named.labels["label"][1] == NO_LABEL
