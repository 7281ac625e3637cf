"""Sentences on prepared data that stand beside results."""

from pathlib import Path

import torch

from mtl.config.sources import SeriesSource
from mtl.data.build import read_source
from mtl.data.inputs.every import input_of
from mtl.data.loading.notes import MOST_NOTES, joined_notes
from mtl.data.loading.remarks import remarks
from mtl.types import Prepared


def series(rows: int = 100, **fields: object) -> Prepared:
    values = torch.arange(rows * 2, dtype=torch.float64).reshape(rows, 2) % 7
    members = {"name": "own", "values": values, "columns": ["a", "b"], "window": None, "borders": (60, 80, rows),
               "fold": None, "folds": 1} | fields  # fmt: skip
    return Prepared(**members)  # type: ignore[arg-type]


def test_a_class_without_samples_is_told_with_the_counts_of_every_part() -> None:
    label = torch.zeros(100, dtype=torch.int64)
    label[10:30] = 1
    label[70:72] = 1
    label[65] = -1
    told = remarks(input_of(series(labels={"fault": label}, classes={"fault": ["off", "on"]})))
    assert told == [
        "own: no row of on in test: `fault` has in train off 40, on 20; validation off 17, on 2; test off 20, on 0."
    ]
    label[80:] = torch.arange(20) % 2
    label[60:80] = torch.arange(20) % 2
    assert remarks(input_of(series(labels={"fault": label}, classes={"fault": ["off", "on"]}))) == []


def test_what_was_filled_and_what_stands_still_is_told() -> None:
    known = torch.ones(100, 2, dtype=torch.bool)
    known[:30, 0] = False
    known[80, 0] = False
    made = series(known=known)
    made.values[60:80, 1] = 4
    assert remarks(input_of(made)) == [
        "own: values were missing in a (train 50 %, validation 0 %, test 5.0 %): filled in for inputs, never predicted "
        "nor counted.",
        "own: b never changes in validation: forecasting a probe that stands still is no achievement.",
    ]
    assert remarks(input_of(series())) == []


def test_how_a_source_was_read_is_told_beside_results_and_nothing_twice(tmp_path: Path) -> None:
    rows = [f"{n // 24 + 1:02d}.01.20 {n % 24:02d}:00,{n * n % 7},{n * n % 5},{n % 3}" for n in range(96)]
    rows[40] = rows[40].rpartition(",")[0] + ","
    rows[50] = rows[50].replace(f",{50 * 50 % 7},", ",,")
    del rows[20]
    text = "day,a,b,state\n" + "\n".join(rows)
    (tmp_path / "own.csv").write_text(text)
    source = SeriesSource(kind="series", path="own.csv", date="day", labels=["state"], on_missing="ffill")
    prepared = read_source("own", source, tmp_path)
    told = remarks(input_of(prepared))
    assert [sentence.split(" ")[:2] for sentence in told] == [
        ["own:", "day:"],
        ["own:", "day:"],
        ["own:", "state:"],
        ["own:", "values"],
    ]
    assert "read as %d.%m.%y %H:%M" in told[0] and "the longest is 0 days 02:00:00" in told[1]
    assert "state: 1 cells without a label." in told[2] and "missing in a (" in told[3]
    assert any("as inputs alone" in note for note in prepared.notes)


def test_notes_of_one_kind_are_one_line() -> None:
    notes = [f"c{n}: left out of the inputs, for it counts from {n} (row {n}); `values` takes it in." for n in range(6)]
    assert joined_notes([*notes, "c1: another matter."], "meta.json") == [
        f"{notes[0]} 5 more like it, on c1, c2, c3 and others, are in meta.json.",
        "c1: another matter.",
    ]
    words = [f"x: {'very ' * n}odd." for n in range(MOST_NOTES + 2)]
    assert joined_notes(words, "meta.json") == [*words[:MOST_NOTES], "2 more kinds of notes are in meta.json."]
