"""`kind: uea`: .ts files, known answers and refusals."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from mtl.config.sources import UeaSource
from mtl.data.build import read_source
from mtl.errors import DataError
from mtl.types import Prepared
from tests.helpers.data_files import regression_ts, ts_cases, ts_text

UNEQUAL = "@equalLength false\n"


def read(folder: Path, train: str, test: str | None = None, **options: Any) -> Prepared:
    (folder / "Toy_TRAIN.ts").write_text(train)
    (folder / "Toy_TEST.ts").write_text(ts_text(ts_cases(4, first=10)) if test is None else test)
    return read_source("toy", UeaSource(kind="uea", path="Toy", **options), folder)


def test_values_classes_and_order(tmp_path: Path) -> None:
    prepared = read(tmp_path, ts_text(ts_cases(10)))
    windows = prepared.values.reshape(-1, 3, 2)
    assert windows.shape[0] == 14
    assert windows[5].tolist() == [[5, -5], [6, -6], [7, -7]]
    # The order of the classes is the header's, not the alphabet's.
    assert prepared.classes == {"label": ["walk", "rest"]}
    assert prepared.labels["label"].tolist() == [n % 2 for n in range(14)]


@pytest.mark.parametrize("seed", [0, 7])
def test_folds_hold_every_class(seed: int, tmp_path: Path) -> None:
    prepared = read(tmp_path, ts_text(ts_cases(20)), folds=5, split_seed=seed)
    assert prepared.fold is not None
    for fold in range(5):
        labels = prepared.labels["label"][prepared.fold == fold]
        assert torch.bincount(labels).tolist() == [2, 2]
    assert prepared.fold[20:].tolist() == [-1] * 4


def test_unequal_lengths(tmp_path: Path) -> None:
    cases = [*ts_cases(10)[:-1], "0,10:5,7:rest"]
    text = ts_text(cases, UNEQUAL)
    with pytest.raises(
        DataError, match=r"Toy_TRAIN\.ts, line 18: has 2 values a channel, others 3; `on_unequal_length`"
    ):
        read(tmp_path, text)
    resampled = read(tmp_path, text, on_unequal_length="resample")
    assert resampled.values.reshape(-1, 3, 2)[9].tolist() == [[0, 5], [5, 6], [10, 7]]
    padded = read(tmp_path, text, on_unequal_length="left_pad")
    assert padded.values.reshape(-1, 3, 2)[9].tolist() == [[0, 5], [0, 5], [10, 7]]
    assert padded.known is not None and (~padded.known).nonzero().tolist() == [[27, 0], [27, 1]]
    assert padded.notes == ["1 of 14 cases are padded on the left to 3 values."]


def test_unequal_length_in_the_test_file_is_named_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Toy_TEST\.ts, line 9: has 2 values"):
        read(tmp_path, ts_text(ts_cases(10)), ts_text(["0,1:0,1:walk", *ts_cases(2)], UNEQUAL))


def test_missing_values(tmp_path: Path) -> None:
    text = ts_text(["0,?,2:?,-1,-2:walk", *ts_cases(10)[1:]])
    with pytest.raises(DataError, match=r"Toy_TRAIN\.ts, line 10, channel 1, value 2: is missing.*interpolate"):
        read(tmp_path, text)
    prepared = read(tmp_path, text, on_missing="interpolate")
    assert prepared.values[:3].tolist() == [[0, -1], [1, -1], [2, -2]]
    assert prepared.notes == ["Toy_TRAIN.ts: 2 missing values are interpolated."]
    assert prepared.known is not None
    assert (~prepared.known).nonzero().tolist() == [[0, 1], [1, 0]], "filled values are inputs alone"


GOOD = ts_cases(10)
BAD = [
    (ts_text(["0,one,2:0,1,2:walk", *GOOD]), r"line 10, channel 1, value 2: should be a number, found 'one'"),
    (ts_text(["0,1,2:0,inf,2:walk", *GOOD]), r"line 10, channel 2, value 2: should be a finite number, found 'inf'"),
    (ts_text(["0,1,2:0,1,2:jump", *GOOD]), r"line 10: the class should be one of walk, rest, found 'jump'"),
    (ts_text(["0,1,2:walk", *GOOD]), r"line 10: should have 2 channels, found 1"),
    (ts_text(["0,1,2:0,1:walk", *GOOD]), r"line 10, channel 2: has 2 values, channel 1 has 3"),
    (ts_text(["0,1:0,1:walk", *GOOD]), r"line 10: should have 3 values a channel \(@seriesLength\), found 2"),
    (ts_text(["0,?,2:0,1,2:walk"], "@missing false\n"), r"line 9, channel 1, value 2: .*@missing false"),
    (ts_text(GOOD, "@timeStamps true\n"), r"line 6: `@timeStamps true` is not supported"),
    (ts_text(GOOD, "@equalLength maybe\n"), r"line 6: `@equallength` should be followed by true or false"),
    (ts_text(GOOD, "@seriesLength -3\n"), r"line 6: `@serieslength` should be followed by a positive number"),
    (ts_text(GOOD, "@classLabel false\n"), r"line 6: `@classLabel false`.*`@targetLabel true`"),
    (ts_text(GOOD, "@targetLabel true\n"), r"line 8: the header should say `@classLabel` or `@targetLabel true`"),
    (ts_text(GOOD, "@targetLabel\n"), r"line 6: `@targetlabel` should be followed by true or false"),
    (ts_text(GOOD, "surprise\n"), r"line 6: should be a header tag"),
    ("@data\n" + "\n".join(GOOD), r"line 1: the header should name its classes"),
    (ts_text([]), r"Toy_TRAIN\.ts: there are no cases"),
    ("@problemName Toy\n", r"there are no cases: @data is missing"),
    (ts_text(GOOD[:3]), r"class `walk` has 2 training samples, too few for 5 folds"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_refusals_name_the_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_nan_is_missing_as_a_question_mark_is(tmp_path: Path) -> None:
    for cell in ("?", "NaN", "nan"):
        text = ts_text([f"0,{cell},2:0,1,2:walk", *GOOD])
        with pytest.raises(DataError, match=r"line 10, channel 1, value 2: is missing .*`on_missing` may be interpol"):
            read(tmp_path, text)
        assert read(tmp_path, text, on_missing="interpolate").values[:3].tolist() == [[0, 0], [1, 1], [2, 2]]
        belied = re.escape(f"is missing ({cell}), though the header says `@missing false`")
        with pytest.raises(DataError, match=belied):
            read(tmp_path, text.replace("@data", "@missing false\n@data"))


def test_spellings_of_a_class_are_one_and_told(tmp_path: Path) -> None:
    def spelt(text: str, walk: str, rest: str) -> str:
        return text.replace("walk", walk).replace("rest", rest)

    text = spelt(ts_text(ts_cases(9)), "1", "2") + "0,1,2:0,1,2:2.0\n"
    prepared = read(tmp_path, text, spelt(ts_text(ts_cases(4, first=10)), "1.0", "2.0"))
    assert prepared.classes == {"label": ["1", "2"]}
    assert prepared.labels["label"].tolist() == [*(n % 2 for n in range(9)), 1, 0, 1, 0, 1]
    assert prepared.notes == [
        "Toy_TRAIN.ts: 1 cases of class `2` of the header are spelt '2.0'.",
        "Toy_TEST.ts: its classes are spelt otherwise than in Toy_TRAIN.ts: '1.0' for `1`, '2.0' for `2`.",
    ]
    with pytest.raises(DataError, match="names a class twice"):
        read(tmp_path, text.replace("@classLabel true 1 2", "@classLabel true 1 2 2.0"))


def test_the_two_files_must_agree(tmp_path: Path) -> None:
    other = ts_text(ts_cases(4)).replace("@classLabel true walk rest", "@classLabel true walk rest swim")
    with pytest.raises(DataError, match=r"Toy_TEST\.ts: should have the classes of Toy_TRAIN\.ts"):
        read(tmp_path, ts_text(GOOD), other)
    one_channel = ts_text(["1,2,3:walk"]).replace("@dimensions 2", "@dimensions 1")
    with pytest.raises(DataError, match=r"Toy_TEST\.ts, line 10: should have 2 channels, found 1"):
        read(tmp_path, ts_text(GOOD), one_channel)
    (tmp_path / "Toy_TEST.ts").unlink()
    with pytest.raises(DataError, match=r"Toy_TEST\.ts is missing"):
        read_source("toy", UeaSource(kind="uea", path="Toy"), tmp_path)


NUMBERS = [f"{n / 4}" for n in range(10)]


def test_cases_that_end_in_a_number_have_a_target(tmp_path: Path) -> None:
    prepared = read(tmp_path, regression_ts([*NUMBERS[:9], "?"]), regression_ts(["1e-3", " 7 "], first=10))
    assert (prepared.window, prepared.columns, prepared.labels, prepared.classes) == (3, ["channel_1"], {}, {})
    assert prepared.values.reshape(-1, 3)[11].tolist() == [11, 12, 13]
    target = prepared.numbers["target"]
    assert target[:9].tolist() == [n / 4 for n in range(9)] and target[10:].tolist() == [1e-3, 7]
    assert target[9].isnan()
    assert prepared.fold is not None and prepared.fold[10:].tolist() == [-1, -1]
    assert torch.bincount(prepared.fold[:10]).tolist() == [2] * 5, "no classes to spread: equal folds"


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (regression_ts([*NUMBERS, "tall"]), r"line 19: the target should be a .* number, or \? for none, found 'tall'"),
        (regression_ts([*NUMBERS, "inf"]), r"line 19: the target should be a finite number.*found 'inf'"),
        (regression_ts([*NUMBERS, ""]), r"line 19: the target should be a finite number.*found ''"),
        (regression_ts([*NUMBERS, "1_0"]), r"line 19: the target should be a finite number.*found '1_0'"),
        (regression_ts(["2"] * 10), r"`target`: the training part when fold 0 is held out should .* found 8, all 2: d"),
        (regression_ts(["?"] * 10), r"when fold 0 is held out should have a window with a value, found none: deal"),
        (ts_text(GOOD), r"Toy_TEST\.ts: its cases should end in a class .* of Toy_TRAIN\.ts do; they end in a n"),
        (regression_ts(NUMBERS[:4]), r"5 folds need at least as many groups in train, found 4"),
    ],
)  # fmt: skip
def test_refused_targets_name_the_place(train: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, train, regression_ts(["1", "2"]))
