"""Types of columns: known answers over traps of real files, and planted types that no order of the rows hides."""

import string
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl.config.table_source import ColumnType, TableSource
from mtl.data.columns.facts import ColumnFacts
from mtl.data.columns.infer import column_facts
from mtl.data.formats.tables import read_table
from tests.helpers.cases import place

ROWS = 40
DRAWN = np.random.default_rng(0)


def facts_of(root: Path, cells: list[Any], name: str = "c", **options: Any) -> ColumnFacts:
    """Facts on a column of a .csv file beside one of numbers."""
    lines = [f"{name};v", *(f"{cell};{number / 7:.4f}" for number, cell in enumerate(cells))]
    (root / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = TableSource.model_validate({"kind": "table", "path": "t.csv", "separator": ";"} | options)
    return column_facts(read_table(config, root))[0]


def tiled(*cells: Any) -> list[Any]:
    return [cells[number % len(cells)] for number in range(ROWS)]


@pytest.mark.parametrize(
    ("cells", "kind", "why"),
    [
        (tiled("01067", "80331", "10115"), "category", "zeros in front"),
        (tiled("yes", "no", "no"), "boolean", "no and yes"),
        (tiled("Y", "N"), "boolean", "N and Y"),
        (tiled("True", "False"), "boolean", "true and false"),
        (tiled("true", "false", ""), "boolean", "false and true"),
        (tiled("on", "off", "NA"), "boolean", "off and on"),
        (tiled(0, 1), "boolean", "0 and 1"),
        (tiled("0", "1.0"), "boolean", "0 and 1"),
        (tiled(1, 2), "number", "2 different"),
        (tiled(-1, 1), "number", "2 different"),
        (tiled("m", "f"), "category", "repeat"),
        ([f"{DRAWN.integers(10**6)}-{number}" for number in range(ROWS)], "ignore", "of its own"),
        (tiled(5), "ignore", "every row holds 5"),
        (tiled("x"), "ignore", "every row holds 'x'"),
        (tiled(""), "ignore", "empty"),
        (tiled("2020-01-31", "2020-02-29", "2021-12-01"), "date", "ISO8601"),
        (tiled("31.12.2020", "01.02.2021", ""), "date", "%d.%m.%Y"),
        (tiled("20201231", "20210102", "20210204"), "date", "%Y%m%d"),
        (tiled("20201231", "20210102", "20211399"), "number", "whole"),
        (tiled("Jan 5, 2020", "Feb 17, 2021"), "date", "%b"),
        (tiled("25-34", "35-44", "45+"), "category", "repeat"),
        (tiled("1st", "2nd", "3rd"), "category", "repeat"),
        (tiled("<=50K", ">50K"), "category", "repeat"),
        (tiled("4 doors", "2 doors"), "category", "repeat"),
        ([f"the {number}th cell is a sentence of its own" for number in range(ROWS)], "text", "words"),
        ([f"photos/{number}.jpg" for number in range(ROWS)], "image", "image"),
        (tiled("1e-5", "2.5", "-0.1", "7"), "number", "numbers"),
        (tiled("3.38e-005", "1"), "number", "numbers"),
    ],
)  # fmt: skip
def test_the_type_of_a_column_and_why(tmp_path: Path, cells: list[Any], kind: ColumnType, why: str) -> None:
    facts = facts_of(tmp_path, cells)
    assert (facts.kind, facts.problem) == (kind, None)
    assert why in facts.why


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("zip", tiled(10115, 80331, 20095), "category"),
        ("naicsCode", tiled(11, 21, 22), "category"),
        ("decoder", tiled(11, 21, 22), "number"),
        ("patient_id", tiled(3, 7, 9), "category"),
        ("subject#", tiled(3, 7, 9), "category"),
        ("id", [int(number) for number in DRAWN.permutation(10 * ROWS)[:ROWS]], "ignore"),
        ("", list(range(ROWS)), "ignore"),
        ("Unnamed: 0", list(range(ROWS)), "ignore"),
        ("value", [int(number) for number in DRAWN.permutation(10 * ROWS)[:ROWS]], "number"),
        ("value", list(range(1, 151)), "ignore"),
        ("rank", list(range(1, ROWS + 1)), "number"),
        ("year", list(range(1900, 2020)), "number"),
    ],
)  # fmt: skip
def test_a_name_tells_ids_and_codes_from_numbers(tmp_path: Path, name: str, cells: list[Any], kind: ColumnType) -> None:
    assert facts_of(tmp_path, cells, name).kind == kind


def test_an_id_that_repeats_names_groups(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, tiled(3, 7, 9), "subject#")
    assert facts.group and any("column: 'subject#'" in told for told in facts.warnings)
    assert facts_of(tmp_path, tiled("p1", "p2", "p3"), "patient_id").group
    assert not facts_of(tmp_path, tiled(3, 7, 9), "count").group


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([0] * 199 + [3, 8], "nearly constant: 199 of the 201 known cells hold 0"),
        (["a"] * 199 + ["b", "b"], "nearly constant: 199 of the 201 known cells hold 'a'"),
        (tiled(1.5, "", "", 2.5), "20 of the 40 cells are empty"),
        (tiled("Berlin", "berlin", " BERLIN", "Rom"), "'Berlin' = "),
        (tiled("a", "b", 3, 4), "numbers and texts are mixed: 2 of the 4 different cells are numbers"),
        (tiled("a", "b", "None"), "'None' counts as a category"),
        (tiled(1.5, 2.5, 0.1, 0.7, -999), "`missing_markers: [-999]`"),
        ([f"n{number}" for number in range(90)] + ["n0"] * 9, "90 categories in 99 rows"),
    ],
)  # fmt: skip
def test_what_is_told_beside_the_type(tmp_path: Path, cells: list[Any], told: str) -> None:
    assert any(told in sentence for sentence in facts_of(tmp_path, cells).warnings)


def test_names_that_differ_in_case_count_once(tmp_path: Path) -> None:
    assert facts_of(tmp_path, tiled("Berlin", "berlin", " BERLIN", "Rom")).distinct == 2


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        ([*range(95), "unknown", "unknown", "n.v."], {"missing": ["n.v.", "unknown"]}),
        (tiled("1,5", "2,75", "-3,1"), {"decimal": ","}),
        (tiled("1,234,567", "12"), {"thousands": ","}),
        (tiled("1.234,5", "12,25"), {"decimal": ",", "thousands": "."}),
        (tiled("1,234", "5,678"), {}),
        (tiled("1.5", "inf", "-inf"), {"missing": ["inf", "-inf"]}),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_read_name_the_options_that_read_them(
    tmp_path: Path, cells: list[Any], options: dict[str, Any]
) -> None:
    facts = facts_of(tmp_path, cells)
    assert facts.kind == "number" and facts.problem is not None
    assert facts.options == options
    assert not options or facts_of(tmp_path, cells, **options).problem is None
    assert not options or facts_of(tmp_path, cells, **options).kind == "number"


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (tiled("01.02.2020", "03.04.2020", "05.04.2020"), "date_format"),
        ([*(f"2020-01-{day:02d}" for day in range(1, 31)), "31.01.2020"], "one form"),
        ([f"{number}.5 kg" for number in range(ROWS)], "kg"),
        ([*range(95), "(5)"], "-5"),
    ],
)  # fmt: skip
def test_columns_that_are_almost_numbers_or_dates_are_asked_about(tmp_path: Path, cells: list[Any], told: str) -> None:
    facts = facts_of(tmp_path, cells)
    assert facts.kind in ("number", "date")
    assert facts.problem is not None and told in facts.problem


def test_what_is_declared_counts_and_is_proved(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n1,x,2020-01-01\n2,y,2020-01-02\n2,,2020-01-09\n")
    table = read_table(TableSource(kind="table", path="t.csv"), tmp_path)
    declared: dict[str, ColumnType] = {"a": "category", "b": "number", "c": "ignore"}
    as_category, as_number, ignored = column_facts(table, declared)
    assert (as_category.kind, as_category.distinct, as_category.problem) == ("category", 2, None)
    assert as_number.problem is not None and "line 2, column `b`" in as_number.problem
    assert ignored.kind == "ignore" and "declared" in ignored.why


def test_types_that_parquet_and_pandas_know(tmp_path: Path) -> None:
    frame = pd.DataFrame({
        "flag": tiled(True, False), "maybe": pd.array(tiled(True, False, None), dtype="boolean"),
        "kind": pd.Categorical(tiled("1", "2", "3")), "when": pd.date_range("2020-01-01", periods=ROWS, freq="h"),
        "gaps": pd.array(tiled(1, 2, None, 9), dtype="Int64"), "lists": [[1, 2]] * ROWS, "bytes": [b"x"] * ROWS,
    })  # fmt: skip
    frame.to_parquet(tmp_path / "t.parquet")
    facts = column_facts(read_table(TableSource(kind="table", path="t.parquet"), tmp_path))
    assert {fact.name: fact.kind for fact in facts} == {
        "flag": "boolean", "maybe": "boolean", "kind": "category", "when": "date", "gaps": "number", "lists": "ignore",
        "bytes": "ignore",
    }  # fmt: skip
    assert {fact.name: fact.missing for fact in facts if fact.missing} == {"maybe": 13, "gaps": 10}
    assert all(fact.problem is None for fact in facts)


WORDS = st.sampled_from([word * 2 for word in string.ascii_lowercase[:12]])
PLANTED = {
    "number": st.floats(-1e6, 1e6).filter(lambda number: number % 1 != 0),
    "category": WORDS,
    "boolean": st.sampled_from(["yes", "no"]),
    "date": st.dates(min_value=pd.Timestamp("1990-01-01").date()),
}


@settings(max_examples=25, derandomize=True, database=None, deadline=None)
@given(st.data())
def test_planted_types_are_found_in_any_order_of_the_rows(data: st.DataObject) -> None:
    planted = data.draw(st.lists(st.sampled_from(list(PLANTED)), min_size=1, max_size=4))
    holes = data.draw(st.booleans())
    frame = pd.DataFrame({
        f"{kind} {number}": [
            None if holes and row % 7 == 3 else cell
            for row, cell in enumerate(data.draw(st.lists(PLANTED[kind], min_size=30, max_size=30)))
        ]
        for number, kind in enumerate(planted)
    })  # fmt: skip
    frame = frame[[name for name in frame if frame[name].nunique() > 1]]
    if not len(frame.columns):
        return
    order = data.draw(st.permutations(range(30)))
    with place() as root:
        frame.assign(x=0.5).to_csv(root / "a.csv", index=False)
        frame.assign(x=0.5).iloc[order].to_csv(root / "b.csv", index=False)
        first, second = (
            column_facts(read_table(TableSource(kind="table", path=path), root)) for path in ("a.csv", "b.csv")
        )
    assert [fact.kind for fact in first] == [*(str(name).split()[0] for name in frame), "ignore"]
    for one, other in zip(first, second, strict=True):
        assert (one.kind, one.missing, one.distinct, one.low, one.high, one.why) == (
            other.kind, other.missing, other.distinct, other.low, other.high, other.why
        )  # fmt: skip
    for fact in first[:-1]:
        assert fact.missing == int(frame[fact.name].isna().sum()) and fact.distinct == frame[fact.name].nunique()
