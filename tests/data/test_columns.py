"""Columns of a table that are no inputs: row numbers and ids, and copies of what is to be predicted."""

import re
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl.config import parse_config
from mtl.config.sources import SeriesSource
from mtl.data.build import read_source
from mtl.data.inputs import copies as copying
from mtl.data.inputs.copies import _correlations, _Target, check_copies
from mtl.data.sources.columns import input_columns, no_inputs
from mtl.errors import ConfigError, DataError
from mtl.types import NO_LABEL, Prepared
from tests.helpers.cases import params

ROWS = 120
DRAWN = np.random.default_rng(0)
NOISE = DRAWN.normal(size=ROWS)
IDS = [str(uuid.UUID(int=int(n), version=4)) for n in DRAWN.integers(0, 2**60, ROWS)]


def left_out(cells: Any, name: str) -> bool:
    return name in no_inputs(pd.DataFrame({name: cells, "v": np.resize(NOISE, len(cells))}), [name, "v"])


@pytest.mark.parametrize(
    "name", ["", "Unnamed: 0", "Unnamed: 0.1", "unnamed: 12", "index", "Row", "row_nr", "ID", "passengerId", "nr"]
)
def test_a_counting_column_without_a_name_of_its_own_is_left_out_of_short_tables_too(name: str) -> None:
    for cells in (np.arange(10), np.arange(1, 11), np.arange(10)[::-1], np.arange(10.0) + 5):
        assert left_out(cells, name)
    assert left_out(np.array([0, 2, 3, 7, 8, 20]), name), "an index whose rows were filtered"
    assert left_out(np.tile(np.arange(8), 4), name), "an index of frames that were put together"


@pytest.mark.parametrize("name", ["v1", "load", "T (degC)"])
def test_a_long_column_that_counts_is_left_out_whatever_its_name(name: str) -> None:
    assert left_out(np.arange(ROWS), name)
    assert left_out(1577836800 + 3600 * np.arange(ROWS), name)
    assert left_out(0.1 * np.arange(ROWS), name)
    assert left_out(DRAWN.permutation(ROWS) + 1, name)
    assert not left_out(np.arange(10), name), "a short ramp may be data"


def test_measurements_stay() -> None:
    ramp = np.arange(ROWS) + 0.01 * NOISE
    for cells in (NOISE, np.round(NOISE, 1), ramp, np.full(ROWS, 7.0), np.arange(ROWS) // 2, np.arange(ROWS) ** 2):
        for name in ("load", "humidity", "grid", "no", "n"):
            assert not left_out(cells, name)
    assert not left_out(NOISE, "id"), "fractions are no ids"
    assert not left_out(np.arange(ROWS) % 2 == 0, "index")


def test_text_of_its_own_in_every_row_is_an_id_but_no_number_or_date() -> None:
    assert left_out(IDS, "session") and left_out([f"A-{n:04d}" for n in range(ROWS)], "code")
    for form in ("{},5", "{} kW", "{}.01.2020", "2020-01-01 {}:00", "1.{},5", "$ {}"):
        assert not left_out([form.format(n) for n in range(ROWS)], "session")
    for cells in (["one", *map(str, range(ROWS - 1))], ["a"] * ROWS):
        assert not left_out(cells, "session")


def test_what_is_left_out_is_said_and_something_stays() -> None:
    notes: list[str] = []
    frame = pd.DataFrame({"Unnamed: 0": range(ROWS), "session": IDS, "v": NOISE})
    assert input_columns(frame, list(frame), "own.csv", notes) == ["v"]
    assert notes == [
        "Unnamed: 0: left out of the inputs, for it counts the rows; `values` takes it in.",
        "session: left out of the inputs, for it is a text of its own in every row; `values` takes it in.",
    ]
    alone: list[str] = []
    assert input_columns(frame.rename(columns={"Unnamed: 0": "v1"})[["v1"]], ["v1"], "own.csv", alone) == ["v1"]
    assert alone == ["v1: it counts the rows, and stays only because there is no other input."]
    with pytest.raises(DataError, match=r"own\.csv: should have a column to learn from beside row numbers and ids"):
        input_columns(frame, ["Unnamed: 0", "session"], "own.csv", notes)


LABEL = (NOISE > 0.2).astype(np.int64)
STEPS = np.round(np.abs(NOISE)) + 10.0


def copies(x: np.ndarray, target: np.ndarray, allow: tuple[str, ...] = ()) -> list[str]:
    """Notes on a column `x` beside one of noise."""
    notes: list[str] = []
    noise = np.random.default_rng(1).normal(size=len(x))
    check_copies(np.stack([noise, x], axis=1), ["noise", "x"], {"y": target}, "own.csv", allow, notes)
    return notes


def with_gaps(values: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(values)) % 5 == 1, np.nan, values)


@pytest.mark.parametrize(
    ("x", "target"),
    [
        (NOISE, NOISE), (with_gaps(NOISE), NOISE), (NOISE, with_gaps(NOISE)), (LABEL * 1.0, LABEL),
        (1.0 - LABEL, LABEL), (LABEL * 3.5 - 2, LABEL),
        (7 - STEPS % 7, (STEPS % 7).astype(np.int64)), (100 - STEPS**2, STEPS),
        (LABEL * 2.0, np.where(np.arange(ROWS) % 3 == 0, NO_LABEL, LABEL)), (with_gaps(LABEL * 2.0), LABEL),
    ],
)  # fmt: skip
def test_a_copy_or_another_name_of_a_target_is_refused_unless_it_is_allowed(x: np.ndarray, target: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"own\.csv, column `x`: is (an exact copy|a copy with other names .*) of the"):
        copies(x, target)
    assert len(copies(x, target, allow=("x",))) == 1


@pytest.mark.parametrize(
    ("x", "target", "word"),
    [
        (1.8 * NOISE + 32, NOISE, r"strictly with .*correlation 1\.0000"),
        (np.exp(NOISE), NOISE, "strictly with"),
        (-(NOISE**3), NOISE, r"strictly with .*correlation -0\.8"),
        (NOISE + 0.03 * NOISE[::-1], NOISE, r"correlation of 0\.999"),
        (LABEL + 0.001 * NOISE, LABEL, r"correlation of 0\.999|1\.0000"),
        (with_gaps(np.exp(NOISE)), NOISE, "strictly with"),
    ],
)
def test_a_map_that_only_grows_and_a_high_correlation_are_told(x: np.ndarray, target: np.ndarray, word: str) -> None:
    (note,) = copies(x, target)
    assert re.search(word, note), note


def test_columns_that_only_go_along_are_not_told() -> None:
    for x in (NOISE + 0.2 * NOISE[::-1], NOISE[::-1], np.abs(NOISE), np.full(ROWS, 3.0), np.round(NOISE)):
        assert copies(x, NOISE) == [] and copies(x, LABEL) == []
    assert copies(LABEL + np.where(np.arange(ROWS) == 60, 1.0, 0.0), LABEL) == [], "one row differs"


def test_all_rows_count_though_a_few_decide_what_is_looked_at() -> None:
    target = np.random.default_rng(2).integers(0, 2, 5003)
    x = target * 1.0
    with pytest.raises(DataError, match="exact copy"):
        copies(x, target)
    x[2501] = 1 - x[2501]
    assert copies(x, target) != [], "the correlation is still above .999"


def write(folder: Path, columns: dict[str, Any]) -> None:
    pd.DataFrame(columns).to_csv(folder / "own.csv", index=False)


def series(folder: Path, **options: Any) -> Prepared:
    source = SeriesSource(kind="series", path="own.csv", date=None, **options)
    return read_source("own", source, folder)  # type: ignore[return-value]


def test_a_series_leaves_out_its_index_and_refuses_copies(tmp_path: Path) -> None:
    state = np.where(LABEL, "on", "off")
    write(tmp_path, {"": range(ROWS), "v": NOISE, "code": LABEL + 1, "state": state})
    with pytest.raises(DataError, match=r"own\.csv, column `code`: is a copy with other names .*`allow: \[code\]`"):
        series(tmp_path, labels=["state"])
    allowed = series(tmp_path, labels=["state"], allow=["code"])
    assert allowed.columns == ["v", "code"] and len(allowed.notes) == 3
    with pytest.raises(DataError, match="`allow` names no column of the file: 'cod'"):
        series(tmp_path, labels=["state"], allow=["cod"])
    assert series(tmp_path, labels=["state"], values=["v"]).columns == ["v"]


def test_a_label_among_the_values_serves_forecasts_alone() -> None:
    raw = params({"kind": "series", "path": "data/raw/own.csv", "values": ["v", "state"], "labels": ["state"]})
    raw["tasks"] = {"ahead": {"kind": "forecast", "source": "own", "input_len": 4, "horizon": 1, "targets": ["state"]}}
    raw["encoder"]["input_len"] = 4
    parse_config(raw)
    raw["tasks"]["state"] = {"kind": "binary", "source": "own", "input_len": 4, "label": "state"}
    with pytest.raises(ConfigError, match=r"tasks\.state\.label` should not be an input of own.*a second source"):
        parse_config(raw)
    raw["tasks"]["state"]["label"] = {"one_vs_rest": "on", "of": "state"}
    with pytest.raises(ConfigError, match="should not be an input of own"):
        parse_config(raw)


def test_correlations_are_those_of_numpy_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.stack([NOISE, with_gaps(NOISE**2), np.full(ROWS, 2.0), np.full(ROWS, np.nan), NOISE * 1e200], axis=1)
    x[:, 0] += STEPS
    numbers, label = with_gaps(STEPS * 1e-3), np.where(np.arange(ROWS) % 7 == 0, NO_LABEL, LABEL)
    targets = [target for name in "ab" if (target := _Target.of(name, {"a": numbers, "b": label}[name])) is not None]
    whole = _correlations(x, targets)
    for row, y in zip(whole, (numbers, np.where(label == NO_LABEL, np.nan, label)), strict=True):
        for column in (0, 1, 4):
            both = ~np.isnan(x[:, column]) & ~np.isnan(y)
            scale = np.nanmax(np.abs(x[:, column]))
            expected = np.corrcoef(x[both, column] / scale, y[both])[0, 1]
            assert row[column] == pytest.approx(expected, abs=1e-9)
        assert row[2] == row[3] == 0
    monkeypatch.setattr(copying, "ROWS", 7)
    assert _correlations(x, targets) == pytest.approx(whole, abs=1e-12)
