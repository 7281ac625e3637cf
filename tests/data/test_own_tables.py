"""Small tables as people have them, made by hand: each is read as it is meant, or refused with the way out."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.formats import growing, records, text_table, windowed
from mtl.data.sources import table_files
from mtl.errors import DataError
from mtl.types import NO_CATEGORY, RowSet

ROWS = 40


def lines(header: str, row: Callable[[int], str], rows: int = ROWS, separator: str = ",") -> str:
    """A table of a row number made by `row`, below its header."""
    text = "\n".join([header, *(row(number) for number in range(rows))]) + "\n"
    return text.replace(",", separator) if separator != "," else text


def read(folder: Path, text: str, name: str = "own.csv", second: str | None = None, **options: Any) -> RowSet:
    (folder / name).write_bytes(text.encode())
    if second is not None:
        (folder / "second.csv").write_bytes(second.encode())
        options["split"] = {"kind": "files", "test_path": "second.csv"} | options.get("split", {})
    source = TableSource.model_validate({"kind": "table", "path": name, "folds": 3} | options)
    rows = read_source("own", source, folder)
    assert isinstance(rows, RowSet)
    return rows


def numbers(rows: RowSet, column: str) -> list[float]:
    return rows.values[:, rows.columns.index(column)].tolist()


def names(rows: RowSet, column: str) -> list[str | None]:
    """Category of each row by name."""
    assert rows.categories is not None
    codes = rows.categories[:, rows.category_columns.index(column)].tolist()
    return [None if code == NO_CATEGORY else rows.vocabularies[column][code] for code in codes]


PLAIN = lines("dose,town,score", lambda n: f"{n % 7},{'Ulm' if n % 3 else 'Jena'},{n * n}")


def test_a_plain_table(tmp_path: Path) -> None:
    rows = read(tmp_path, PLAIN)
    assert (rows.columns, rows.category_columns) == (["dose", "score"], ["town"])
    assert numbers(rows, "dose") == [n % 7 for n in range(ROWS)]
    assert numbers(rows, "score") == [n * n for n in range(ROWS)]
    assert names(rows, "town") == ["Ulm" if n % 3 else "Jena" for n in range(ROWS)]
    assert (int((rows.fold == -1).sum()), rows.folds, rows.notes) == (8, 3, [])


# What is in the file beside dose, town and score, the options, and the columns that are then read.
KEPT = ["dose", "score"]
LEFT_OUT: dict[str, tuple[str, dict[str, Any], list[str], str]] = {
    "an unnamed index": (lines(",dose,score", lambda n: f"{n},{n % 7},{n * n}"), {}, KEPT, "it counts the rows"),
    "a row number": (lines("row,dose,score", lambda n: f"{n + 1},{n % 7},{n * n}"), {}, KEPT, "it counts the rows"),
    "an id": (lines("dose,score,id", lambda n: f"{n % 7},{n * n},{n * 7919 % 10007}"), {}, KEPT, "number of its own"),
    "a key of text": (lines("key,dose,score", lambda n: f"k{n}x,{n % 7},{n * n}"), {}, KEPT, "text of its own"),
    "a constant number": (lines("dose,score,c", lambda n: f"{n % 7},{n * n},5"), {}, KEPT, "every row holds 5"),
    "a constant name": (lines("dose,score,c", lambda n: f"{n % 7},{n * n},x"), {}, KEPT, "every row holds 'x'"),
    "an empty column": (lines("dose,score,c", lambda n: f"{n % 7},{n * n},"), {}, KEPT, "every cell is empty"),
    "separators at the end": (lines("dose,score", lambda n: f"{n % 7},{n * n},"), {}, KEPT, "lines end in a separator"),
    "what is ignored": (lines("dose,score,c", lambda n: f"{n % 7},{n * n},{n % 2}"), {"ignore": ["c"]}, KEPT, ""),
    "sentences": (
        lines("dose,score,c", lambda n: f"{n % 7},{n * n},note {n} has five words"), {"ignore": ["c"]}, KEPT, ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LEFT_OUT)
def test_columns_that_tell_nothing_are_left_out_and_told(tmp_path: Path, case: str) -> None:
    text, options, columns, note = LEFT_OUT[case]
    rows = read(tmp_path, text, **options)
    assert rows.columns == columns and rows.category_columns == []
    assert numbers(rows, "score") == [n * n for n in range(ROWS)]
    assert any(note in told for told in rows.notes) if note else rows.notes == []


@pytest.mark.parametrize("large", [False, True])
def test_rows_that_are_all_shorter_than_the_header_are_read_and_told(
    tmp_path: Path, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three decimals make the reader look at the cells as they are written, of some columns alone."""
    if large:
        for module in (windowed, growing, records, text_table, table_files):
            monkeypatch.setattr(module, "WINDOW", 64)
    rows = read(tmp_path, lines("dose,score,more", lambda n: f"{1 + n % 7}.125,{n * n}"))
    assert rows.columns == KEPT and numbers(rows, "dose") == [1.125 + n % 7 for n in range(ROWS)]
    assert any("have fewer cells than the 3 columns" in told for told in rows.notes)
    assert any("more: left out, for every cell is empty" in told for told in rows.notes)


def test_numbers_beyond_all_decimals_raise_no_warning(tmp_path: Path) -> None:
    """A thousand times the largest is more than a float holds."""
    text = lines("dose,score", lambda n: f"{n % 7},{n * n}") + "1e308,3\n"
    with pytest.raises(DataError, match=r"column `dose`: should be .* at most 1e\+100 in size, .*found 1e\+308"):
        read(tmp_path, text)


# Spellings of the same table: each gives the numbers and names of PLAIN.
SPELLINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "semicolons": (PLAIN.replace(",", ";"), {"separator": ";"}),
    "tabs": (PLAIN.replace(",", "\t"), {"separator": "\t"}),
    "CRLF": (PLAIN.replace("\n", "\r\n"), {}),
    "no line break at the end": (PLAIN.removesuffix("\n"), {}),
    "blank lines at the end": (PLAIN + "\n\n", {}),
    "quotes": (lines('"dose","town","score"', lambda n: f'{n % 7},"{"Ulm" if n % 3 else "Jena"}","{n * n}"'), {}),
    "blanks around cells": (PLAIN.replace(",", " , "), {}),
    "a byte-order mark": ("\ufeff" + PLAIN, {}),
    "a comment above": ("# made by hand\n" + PLAIN, {"comment": "#"}),
    "lines above": ("made by hand\n\n" + PLAIN, {"skip_rows": 2}),
    "a footer": (PLAIN + "40 rows,,\n", {"skip_footer": 1}),
    "no header": (PLAIN.partition("\n")[2], {"columns": ["dose", "town", "score"]}),
    "a row of units": (PLAIN.replace("score\n", "score\nmg,,points\n", 1), {"units_row": True}),
    "decimal commas": (
        lines("dose;town;score", lambda n: f"{n % 7},0;{'Ulm' if n % 3 else 'Jena'};{n * n},00"),
        {"separator": ";", "decimal": ","},
    ),
    "letter case of names": (PLAIN.replace("2,Ulm", "2,ULM").replace("2,Jena", "2,jena"), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", SPELLINGS)
def test_spellings_of_one_table(tmp_path: Path, case: str) -> None:
    text, options = SPELLINGS[case]
    rows = read(tmp_path, text, **options)
    assert numbers(rows, "dose") == [n % 7 for n in range(ROWS)]
    assert numbers(rows, "score") == [n * n for n in range(ROWS)]
    assert names(rows, "town") == ["Ulm" if n % 3 else "Jena" for n in range(ROWS)]
    if case == "a row of units":
        assert rows.units == {"dose": "mg", "score": "points"}


def bad(n: int, cell: str, at: int = 17) -> str:
    return cell if n == at else str(n * n)


# A cell in row 17 (line 19) of the column `score`, words of the message, the remedy that it names, and score then.
CELLS: dict[str, tuple[str, tuple[str, ...], dict[str, Any] | None]] = {
    "a text among numbers": ("unknown", ("line 19, column `score`", "unknown", "missing"), {"missing": ["unknown"]}),
    "an infinite number": ("inf", ("line 19, column `score`", "finite"), {"missing": ["inf"]}),
    "an infinite number with a sign": ("-inf", ("line 19, column `score`", "finite"), {"missing": ["-inf"]}),
}


@pytest.mark.parametrize("case", CELLS)
def test_a_cell_that_cannot_be_used_is_named_with_a_remedy_that_reads_it(tmp_path: Path, case: str) -> None:
    cell, words, remedy = CELLS[case]
    text = lines("dose,town,score", lambda n: f"{n % 7},{'Ulm' if n % 3 else 'Jena'},{bad(n, cell)}")
    with pytest.raises(DataError) as refused:
        read(tmp_path, text)
    assert all(word in str(refused.value) for word in ("own.csv", *words)), refused.value
    assert remedy is not None
    rows = read(tmp_path, text, **remedy)
    score = numbers(rows, "score")
    assert np.isnan(score[17]) and score[16] == 256 and score[18] == 324


@pytest.mark.parametrize("cell", ["", "NA", "nan", "?", "null", "-", "-999"])
def test_missing_numbers(tmp_path: Path, cell: str) -> None:
    text = lines("dose,town,score", lambda n: f"{n % 7},{'Ulm' if n % 3 else 'Jena'},{bad(n, cell)}")
    rows = read(tmp_path, text, missing_markers=[-999])
    score = numbers(rows, "score")
    assert np.isnan(score[17]) and score[:17] == [n * n for n in range(17)]


def test_missing_categories_are_none_and_what_may_be_a_name_is_one(tmp_path: Path) -> None:
    towns = ["Ulm", "", "Jena", "NA", "None", "Ulm", "?", "Jena"]
    text = lines("dose,town", lambda n: f"{n * n % 11},{towns[n % 8]}")
    assert names(read(tmp_path, text), "town")[:8] == ["Ulm", None, "Jena", None, "None", "Ulm", None, "Jena"]
    kept = read(tmp_path, text, missing=[])
    assert names(kept, "town")[:8] == ["Ulm", None, "Jena", "NA", "None", "Ulm", "?", "Jena"]


@pytest.mark.parametrize(
    "words", [("no", "yes"), ("N", "Y"), ("false", "true"), ("FALSE", "TRUE"), ("off", "on"), ("f", "t")]
)
def test_yes_and_no_in_words(tmp_path: Path, words: tuple[str, str]) -> None:
    rows = read(tmp_path, lines("dose,smoker", lambda n: f"{n * n % 11},{words[n % 3 == 0]}"))
    assert names(rows, "smoker") == [words[n % 3 == 0] for n in range(ROWS)]
    assert rows.vocabularies["smoker"] == list(words)


def test_codes_are_names_where_their_column_says_so(tmp_path: Path) -> None:
    text = lines("zip,plan,dose", lambda n: f"0{1000 + n % 5},{n % 4},{n * n}")
    assert names(read(tmp_path, text), "zip")[:6] == ["01000", "01001", "01002", "01003", "01004", "01000"]
    rows = read(tmp_path, text, types={"plan": "category"})
    assert names(rows, "plan") == [str(n % 4) for n in range(ROWS)]
    assert rows.columns == ["dose"]


def test_dates_become_their_age_and_parts(tmp_path: Path) -> None:
    text = lines("day,dose", lambda n: f"{1 + n % 28:02d}.0{1 + n % 3}.202{n % 4},{n * n}")
    rows = read(tmp_path, text)
    first = "01.01.2020"
    assert first in text
    assert numbers(rows, "day (days)")[0] == 20 * 365 + 5  # since 1 January 2000, over five leap days
    assert numbers(rows, "day (month)")[:4] == [1, 2, 3, 1]
    assert numbers(rows, "day (day of the month)") == [1 + n % 28 for n in range(ROWS)]
    assert numbers(rows, "day (day of the week)")[0] == 2  # a Wednesday


def test_dates_of_which_nothing_proves_the_form_ask_for_it(tmp_path: Path) -> None:
    text = lines("day,dose", lambda n: f"0{1 + n % 9}/0{1 + n % 7}/2020,{n * n}")
    with pytest.raises(DataError, match=r"own\.csv, column `day`: .*date_format"):
        read(tmp_path, text)
    for form, month in (("%d/%m/%Y", 7), ("%m/%d/%Y", 9)):
        rows = read(tmp_path, text, date_format={"day": form})
        assert numbers(rows, "day (month)") == [1 + n % month for n in range(ROWS)]


def test_a_column_there_twice_is_refused_with_names_that_differ(tmp_path: Path) -> None:
    text = lines("dose,dose,score", lambda n: f"{n % 7},{n % 5},{n * n}")
    with pytest.raises(DataError, match=r"line 1: column `dose` is there more than once.*\"dose_2\""):
        read(tmp_path, text)
    rows = read(tmp_path, text, skip_rows=1, columns=["dose", "dose_2", "score"])
    assert numbers(rows, "dose_2") == [n % 5 for n in range(ROWS)]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (PLAIN, {"inputs": ["dsoe"]}, r"own\.csv: there is no column `dsoe`; found: dose, town, score\. `inputs`.*"),
        (PLAIN, {"ignore": ["x"]}, r"there is no column `x`; .*`ignore`"),
        (PLAIN, {"types": {"town": "number"}}, r"line 2, column `town`: should be a number or an em.*'Je"),
        (PLAIN, {"types": {"score": "boolean"}}, r"line 4, column `score`: should be yes or no .*found '4'"),
        (PLAIN, {"weight": "town"}, r"line 2, column `town`: should be a weight, a number"),
        (PLAIN.replace("0,Jena,0\n", "0,Jena,-1\n"), {"weight": "score"}, r"line 2, column `score`: .*weight of 0 or"),
        ("dose\n" + "1\n" * 9, {}, r"own\.csv: should have columns to learn from, found none"),
        ("dose,score\n", {}, r"own\.csv: there are no rows below the header"),
        ("", {}, r"own\.csv is empty"),
        (lines("a,b", lambda n: f"{n % 7},word {n} and three more", 30), {}, r"column `b`: is taken for text .*`igno"),
        (lines("a,b", lambda n: f"{n % 7},photo{n}.jpg", 30), {}, r"column `b`: is taken for image .*images: .folder"),
        (PLAIN, {"split": {"kind": "group", "column": "town"}}, r"column `town`: has 2 groups.*need at least"),
        (PLAIN, {"split": {"kind": "column", "column": "town"}}, r"line 2, column `town`: should be a part.*'Jena'"),
        ("a,b\n1,2\n3,4\n", {}, r"own\.csv: too few"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_where_and_what_to_do(
    tmp_path: Path, text: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, **options)


def test_weights_and_columns_that_are_no_inputs_stand_apart(tmp_path: Path) -> None:
    text = lines("dose,town,score,w", lambda n: f"{n % 7},{'Ulm' if n % 3 else 'Jena'},{n * n},{n % 4 / 2}")
    rows = read(tmp_path, text, weight="w", inputs=["town"])
    assert rows.weights is not None and rows.weights.tolist() == [n % 4 / 2 for n in range(ROWS)]
    assert (rows.columns, rows.aside) == (["dose", "score"], ["dose", "score"])


def test_two_files_are_read_as_one_and_messages_name_the_right_one(tmp_path: Path) -> None:
    """Names of the second end in a point, as those of the census data; its line 3 holds a text among numbers."""
    first = lines("dose,pay", lambda n: f"{n % 7},{'' if n == 5 else '>50K' if n % 3 else '<=50K'}") + "\n"
    second = lines("dose,pay", lambda n: f"{n % 5},{'>50K.' if n % 2 else '<=50K.'}", 10)
    rows = read(tmp_path, first, second=second)
    assert (rows.fold == -1).tolist() == [n >= ROWS for n in range(ROWS + 10)]
    assert numbers(rows, "dose")[ROWS:] == [n % 5 for n in range(10)]
    assert names(rows, "pay")[ROWS:] == [">50K" if n % 2 else "<=50K" for n in range(10)]
    assert any("end in a point" in note for note in rows.notes)
    with pytest.raises(DataError, match=r"^second\.csv, line 3, column `dose`: .*'x'"):
        read(tmp_path, first, second=second.replace("1,>50K.", "x,>50K.", 1), types={"dose": "number"})
    with pytest.raises(DataError, match=r"^second\.csv: should have the columns of own\.csv, found no `dose`"):
        read(tmp_path, first, second=second.replace("dose", "Dosis"))


def test_rows_that_are_there_twice_are_counted_and_kept_together_if_asked(tmp_path: Path) -> None:
    """Every row of the first half comes again in the second."""
    text = lines("dose,score", lambda n: f"{n % 20 * 7 % 11},{n % 20 * 3}")
    apart = read(tmp_path, text)
    test = apart.fold == -1
    copied = int((test[:20] & ~test[20:]).sum() + (test[20:] & ~test[:20]).sum())
    assert any(f"{copied} of 8 test rows have a copy" in note for note in apart.notes)
    for split in ({"kind": "random"}, {"kind": "cross", "folds": 4}):
        options: dict[str, Any] = {"split": split | {"duplicates": "together"}}
        together = read(tmp_path, text, **options, **({"folds": None} if split["kind"] == "cross" else {}))
        assert torch.equal(together.fold[:20], together.fold[20:])
        assert together.notes == []


def test_parts_by_group_time_and_column(tmp_path: Path) -> None:
    text = lines("who,t,part,dose", lambda n: f"p{n % 8},{n},{['train', 'Train', 'val', 'test'][n % 4]},{n * n % 13}")
    grouped = read(tmp_path, text, split={"kind": "group", "column": "who"}, ignore=["t"])
    assert grouped.groups is not None and grouped.group_names == [f"p{n}" for n in range(8)]
    for group in range(8):
        assert len(grouped.fold[grouped.groups == group].unique()) == 1
    assert "who" not in grouped.category_columns
    timed = read(tmp_path, text, split={"kind": "time", "column": "t"})
    assert timed.fold.tolist() == sorted(timed.fold.tolist(), key=lambda fold: fold % 4)
    assert "t" not in timed.columns or timed.aside == ["t"]
    named = read(tmp_path, text, split={"kind": "column", "column": "part"}, folds=None, ignore=["t"])
    assert named.fold[:4].tolist() == [1, 1, 0, -1] and named.folds == 1


def test_cross_validation_tests_every_row_once(tmp_path: Path) -> None:
    rows = read(tmp_path, PLAIN, split={"kind": "cross", "folds": 5, "stratify": "town"}, folds=None)
    assert rows.crossed and rows.fold.bincount().tolist() == [8] * 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": {"a": "image"}}, "images should say where the files of 'a' lie"),
        ({"inputs": {"a": "ignore"}}, "inputs should leave out what is no input, found 'a': ignore"),
        ({"inputs": ["a", "a"]}, "inputs should name each column once, found 'a' more than once"),
        ({"inputs": ["a"], "weight": "a"}, "inputs should name no column of `weight`, found 'a' in both"),
        ({"inputs": ["a"], "split": {"kind": "group", "column": "a"}}, "inputs should name no column of `split`"),
        (
            {"ignore": ["a"], "split": {"kind": "time", "column": "a"}},
            "ignore should name no column of `weight` or `spl",
        ),
        (
            {"types": {"a": "number"}, "inputs": {"a": "date"}},
            "types and inputs should agree, found number and date of",
        ),
        ({"date_format": {"a": "%Q"}}, "of 'a' "),
        (
            {"date_format": {"a": "%Y"}, "types": {"a": "number"}},
            "date_format is for dates, found 'a', which is a number",
        ),
        ({"folds": 5, "split": {"kind": "cross", "folds": 10}}, "folds should be left out beside"),
        ({"split": {"kind": "cross", "group": "a", "stratify": "b"}}, "group should stand alone"),
        ({"split": {"kind": "column", "column": "a", "train": ["x"], "test": ["x"]}}, "should name each value once"),
    ],
)
def test_sections_that_contradict_themselves(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        TableSource.model_validate({"kind": "table", "path": "own.csv"} | options)


def test_a_footer_below_names_is_refused_and_a_row_of_one_cell_with_its_separators_is_read(tmp_path: Path) -> None:
    text = lines("town,dose,score", lambda n: f"{'Ulm' if n % 3 else 'Jena'},{n % 7},{n * n}")
    with pytest.raises(DataError, match=r"own\.csv, line 42: .*`skip_footer: 1`; if it is a row, write the separators"):
        read(tmp_path, text + "end of the table\n")
    assert numbers(read(tmp_path, text + "end of the table\n", skip_footer=1), "score") == [n * n for n in range(ROWS)]
    row = read(tmp_path, text + "end of the table,,\n")
    assert np.isnan(numbers(row, "score")[ROWS]) and names(row, "town")[ROWS] == "end of the table"


def test_a_first_row_of_names_a_date_and_numbers_is_no_header(tmp_path: Path) -> None:
    text = lines("no,2021-01-13,0.5", lambda n: f"{['no', 'yes'][n % 2]},2021-0{1 + n % 9}-1{4 + n % 5},{n * n}")
    with pytest.raises(DataError, match=r"own\.csv, line 1: should name the columns, found data .*`columns: "):
        read(tmp_path, text)
    assert len(read(tmp_path, text, columns=["smoker", "day", "score"]).values) == ROWS + 1


@pytest.mark.parametrize(("folds", "least"), [(1, 3), (2, 3), (3, 4)])
def test_the_fewest_groups(tmp_path: Path, folds: int, least: int) -> None:
    def grouped(groups: int) -> RowSet:
        text = lines("who,dose", lambda n: f"p{n % groups},{n * n % 13}")
        return read(tmp_path, text, split={"kind": "group", "column": "who"}, folds=folds)

    assert set(grouped(least).fold.tolist()) == set(range(-1, max(folds, 2)))
    remedy = "lower `folds`, or split by another column." if least > 3 else "split by another column."
    with pytest.raises(DataError, match=rf"has {least - 1} groups, .* need at least {least}: {remedy}"):
        grouped(least - 1)
