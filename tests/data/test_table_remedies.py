"""Files that cannot be read as configured: the message names options, and following it leads to the right values."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mtl.config.sources import SeriesSource
from mtl.data.build import read_source
from mtl.errors import DataError
from mtl.types import Prepared

ROWS = 24
LOAD = np.round(np.linspace(995.5, 1260.25, ROWS), 2)
TEMP = np.round(np.cos(np.arange(ROWS)) * 7, 1)
STAMPS = [f"2020-01-{1 + n // 6:02d} {n % 6:02d}:30:00" for n in range(ROWS)]
POINT = "{:.2f}"
AT_MOST = 5
"""Messages that are followed one after the other."""


def comma(text: str) -> str:
    """Points and commas exchanged."""
    return text.translate(str.maketrans(".,", ",."))


def text(
    separator: str = ",", load: Any = POINT.format, temp: Any = "{:.1f}".format, head: str | None = "date,load,temp"
) -> str:
    rows = [[stamp, load(a), temp(b)] for stamp, a, b in zip(STAMPS, LOAD, TEMP, strict=True)]
    names = [] if head is None else [separator.join(head.split(","))]
    return "\n".join([*names, *map(separator.join, rows)]) + "\n"


def read(folder: Path, data: bytes | str, name: str, **options: Any) -> Prepared:
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_source("own", SeriesSource(kind="series", path=name, on_constant="keep", **options), folder)


def settings(message: str) -> dict[str, Any]:
    """Settings that a message names: each `name: value` in it, as it may be pasted into params.yaml."""
    pairs = [yaml.safe_load(piece) for piece in re.findall(r"`([a-z_]+: (?:[^`]|``)+)`", message)]
    return {key: value for pair in pairs for key, value in pair.items()}


def follow(folder: Path, data: bytes | str, name: str, options: dict[str, Any]) -> tuple[Prepared, dict[str, Any]]:
    """The data as they are read after every message was followed, and the options then."""
    for _ in range(AT_MOST):
        try:
            return read(folder, data, name, **options), options
        except DataError as error:
            assert name in str(error)
            new = settings(str(error))
            assert new and new.items() - options.items() if not any(map(_is_list, new.values())) else new, str(error)
            options = options | new
    raise AssertionError(f"no end of messages: {options}")


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def thousands(mark: str, decimal: str = ".") -> Any:
    return lambda value: f"{value:,.2f}".replace(",", "\0").replace(".", decimal).replace("\0", mark)


SPACED = "date load temp\n" + "".join(
    f"{n}   {POINT.format(a)}\t {b:.1f}\n" for n, (a, b) in enumerate(zip(LOAD, TEMP, strict=True))
)
R_TABLE = '"load" "temp"\n' + "".join(
    f'"{n + 1}" {POINT.format(a)} {b:.1f}\n' for n, (a, b) in enumerate(zip(LOAD, TEMP, strict=True))
)
FILES: dict[str, tuple[bytes | str, dict[str, Any], dict[str, Any]]] = {
    "semicolon": (text(";"), {}, {"separator": ";"}),
    "tab": (text("\t"), {}, {"separator": "\t"}),
    "bar": (text("|"), {}, {"separator": "|"}),
    "two semicolons": (text(";;"), {}, {"separator": ";;"}),
    "blanks and tabs": (SPACED, {}, {"separator": "whitespace"}),
    "blanks between day and time": (
        text(" "),
        {},
        {"separator": "whitespace", "skip_rows": 1, "columns": ["day", "time", "load", "temp"]}
        | {"date": ["day", "time"]},
    ),
    "row names of R": (
        R_TABLE, {"date": None}, {"separator": "whitespace", "skip_rows": 1, "columns": ["row", "load", "temp"]},
    ),
    "semicolon, decimal comma": (
        text(";", lambda a: comma(POINT.format(a)), lambda b: comma(f"{b:.1f}")), {},
        {"separator": ";", "decimal": ","},
    ),
    "decimal comma": (
        text(";", lambda a: comma(POINT.format(a)), lambda b: comma(f"{b:.1f}")), {"separator": ";"}, {"decimal": ","},
    ),
    "decimal comma in quotes": (
        text(",", lambda a: f'"{comma(POINT.format(a))}"', lambda b: f'"{comma(f"{b:.1f}")}"'), {}, {"decimal": ","},
    ),
    "decimal comma in one column": (
        text(";", lambda a: comma(POINT.format(a)), lambda b: f"{b * 10:.0f}"), {"separator": ";"}, {"decimal": ","},
    ),
    "German thousands": (
        text(";", lambda a: comma(f"{a:,.2f}"), lambda b: comma(f"{b:.1f}")), {"separator": ";"},
        {"decimal": ",", "thousands": "."},
    ),
    "English thousands": (text(";", thousands(",")), {"separator": ";"}, {"thousands": ","}),
    "English thousands in quotes": (text(",", lambda a: f'"{a:,.2f}"'), {}, {"thousands": ","}),
    "Swiss thousands": (text(",", thousands("'")), {}, {"thousands": "'"}),
    "Swiss thousands, typographic": (text(",", thousands("\u2019")), {}, {"thousands": "'"}),
    "French thousands": (
        text(";", thousands("\u202f", ","), lambda b: comma(f"{b:.1f}")), {"separator": ";"},
        {"decimal": ",", "thousands": " "},
    ),
    "no-break thousands": (text(",", thousands("\u00a0")), {}, {"thousands": " "}),
    "underscores": (text(",", thousands("_")), {}, {"thousands": "_"}),
    "names as NumPy writes them": (
        "# date,load,temp\n" + text(head=None), {}, {"skip_rows": 1, "columns": ["date", "load", "temp"]},
    ),
    "index without a name": (text(head=",load,temp"), {}, {"date": ""}),
    "blanks before quotation marks": (
        text(", ", lambda a: f'"{a:.2f}"', lambda b: f'"{b:.1f}"'), {}, {"separator": ", "},
    ),
    "no stamps, one cell a line": (
        "\n".join(line.split(";", 1)[1] for line in text(";").splitlines()), {"date": None}, {"separator": ";"},
    ),
    "title": ("Station: Jena\nMade in 2021\n\n" + text(), {}, {"skip_rows": 3}),
    "title with commas": ("Station, Jena, Germany\nTotal\n" + text(), {}, {"skip_rows": 2}),
    "blank line first": ("\n" + text(), {}, {"skip_rows": 1}),
    "comments": ("# made by a, b and c\n# now\n" + text(), {}, {"comment": "#"}),
    "comment in the middle": (text().replace(STAMPS[5], "# stopped\n" + STAMPS[5]), {}, {"comment": "#"}),
    "units": (text().replace("temp\n", "temp\n,MW,°C\n"), {}, {"units_row": True}),
    "units, a date's too": (text().replace("temp\n", "temp\nUTC,MW,°C\n"), {}, {"units_row": True}),
    "footer": (text() + "Sum,1.0,2.0\n", {}, {"skip_footer": 1}),
    "UTF-16": (text().encode("utf-16"), {}, {"encoding": "utf-16"}),
    "UTF-16 as Latin-1": (text().encode("utf-16"), {"encoding": "latin-1"}, {"encoding": "utf-16"}),
    "UTF-16, no mark": (text().encode("utf-16-le"), {}, {"encoding": "utf-16-le"}),
    "UTF-16, high bytes first": (text().encode("utf-16-be"), {"encoding": "cp1252"}, {"encoding": "utf-16-be"}),
    "UTF-16, other order": (text().encode("utf-16"), {"encoding": "utf-16-be"}, {"encoding": "utf-16"}),
    "UTF-32": (text().encode("utf-32"), {}, {"encoding": "utf-32"}),
    "UTF-8 as UTF-16": (text(), {"encoding": "utf-16"}, {"encoding": "utf-8"}),
    "UTF-8 with a mark as Latin-1": (text().encode("utf-8-sig"), {"encoding": "latin-1"}, {"encoding": "utf-8"}),
    "sep= belied": ("sep=;\n" + text(";"), {"separator": ","}, {"separator": ";"}),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_following_the_message_leads_to_the_right_values(case: str, tmp_path: Path) -> None:
    data, options, right = FILES[case]
    with pytest.raises(DataError):
        read(tmp_path, data, "own.csv", **options)
    prepared, end = follow(tmp_path, data, "own.csv", options)
    assert end == options | right
    assert prepared.columns == ["load", "temp"]
    assert prepared.values[:, 0].tolist() == LOAD.tolist()
    expected = np.round(TEMP * 10) if case == "decimal comma in one column" else TEMP
    assert prepared.values[:, 1].tolist() == expected.tolist()


def test_two_decimal_marks_in_one_file_are_no_option(tmp_path: Path) -> None:
    mixed = text(";", lambda a: comma(POINT.format(a)))
    for decimal in (None, ",", "."):
        with pytest.raises(DataError, match=r"other marks: write the file with one decimal mark") as caught:
            read(tmp_path, mixed, "own.csv", separator=";", decimal=decimal)
        assert not settings(str(caught.value))


def test_names_that_are_meant(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column `date`; .* Letters count: `Date` is there\."):
        read(tmp_path, text(head="Date,load,temp"), "own.csv")
    with pytest.raises(
        DataError, match=r"should have 1 cells .* a table of 3 columns with `separator: \";\"` and `dec"
    ):
        data = text(";", lambda a: comma(POINT.format(a)), lambda b: comma(f"{b:.1f}"), head="Datum,Last,Temp")
        read(tmp_path, data, "own.csv")


def test_a_title_above_names_that_the_config_does_not_know(tmp_path: Path) -> None:
    """A layout that takes a row of data for the names needs fewer changes, and is none."""
    data = "Station;;\n" + text(";", lambda a: comma(f"{a:,.2f}"), lambda b: comma(f"{b:.1f}"), head="Datum,Last,Temp")
    with pytest.raises(DataError, match="a table of 3 columns with") as caught:
        read(tmp_path, data.encode("utf-16"), "own.csv", encoding="utf-16")
    assert settings(str(caught.value)) == {"separator": ";", "skip_rows": 1, "decimal": ","}


def test_short_rows_are_told(tmp_path: Path) -> None:
    data = text().replace(f"{STAMPS[4]},{LOAD[4]:.2f},{TEMP[4]:.1f}", f"{STAMPS[4]},{LOAD[4]:.2f}")
    notes = read(tmp_path, data, "own.csv", on_missing="ffill").notes
    assert (
        "own.csv: 1 rows have fewer cells than the 3 columns, the first in line 6: cells are taken to be missing at "
        "their end." in notes
    )


def test_names_behind_a_sign_of_comments_that_are_all_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, "# date,load,temp\n" + text(head=None), "own.csv", labels=["load", "temp"])
    assert settings(str(caught.value)) == {"skip_rows": 1, "columns": ["date", "load", "temp"]}


def test_a_file_without_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: should name the columns, found data .*`columns: \[c1, c2, c3\]`"):
        read(tmp_path, text(head=None), "own.csv")
    prepared = read(tmp_path, text(head=None), "own.csv", columns=["c1", "c2", "c3"], date="c1")
    assert (prepared.rows, prepared.values[0].tolist()) == (ROWS, [LOAD[0], TEMP[0]])
    numbers = "".join(f"{n * 7 % 24},{n * n},{5 * n + 7}\n" for n in range(1, ROWS))
    with pytest.raises(DataError, match=r"`columns: \[c1, c2, c3\]` .* or, if these are names, `skip_rows: 1` and"):
        read(tmp_path, numbers, "own.csv", date=None)
    with pytest.raises(DataError, match=r"line 1: should name the columns, found data .* or, if these are names"):
        read(tmp_path, numbers, "own.csv", date="date")  # a column that is asked for and not there is no excuse
    assert read(tmp_path, "0,1,2\n" + numbers, "own.csv", date=None).rows == ROWS - 1


def test_what_1_234_is_has_to_be_said_where_the_file_does_not(tmp_path: Path) -> None:
    """No guess between 1.234 and 1234: the message gives both readings, and each option leads to its own."""
    counts = [100 + 150 * n for n in range(ROWS)]
    points = "date;n\n" + "".join(f"{s};{comma(f'{n:,}')}\n" for s, n in zip(STAMPS, counts, strict=True))
    both = r"line 8, column `n`: 1\.000 may be 1000 .*`thousands: \"\.\"` with `decimal: \",\"`, or `decimal: \"\.\"`"
    with pytest.raises(DataError, match=both):
        read(tmp_path, points, "own.csv", separator=";")
    read_as = read(tmp_path, points, "own.csv", separator=";", decimal=",", thousands=".")
    assert read_as.values[:, 0].tolist() == counts
    with pytest.raises(DataError, match=r"found '1\.000', which may be either: .*reads 1 and .*reads 1000"):
        read(tmp_path, points, "own.csv", separator=";", decimal=",")
    commas = points.replace(".", ",")
    with pytest.raises(DataError, match=r"'1,000', which may be either: `(decimal|thousands): \",\"` reads 1"):
        read(tmp_path, commas, "own.csv", separator=";")
    assert read(tmp_path, commas, "own.csv", separator=";", thousands=",").values[:, 0].tolist() == counts
    as_decimals = read(tmp_path, commas, "own.csv", separator=";", decimal=",").values[:, 0].tolist()
    assert as_decimals == [n / 1000 if n >= 1000 else n for n in counts]
    known = points.replace("\n", ";x\n", 1).replace("00\n", "00;0.5\n").replace("50\n", "50;7.25\n")
    assert read(tmp_path, known, "own.csv", separator=";").values[8, 0] == 1.3


def test_only_groups_of_three_are_thousands(tmp_path: Path) -> None:
    """A parser that drops every comma would read 1,5 as 15."""
    for wrong in ("1,5", "1,23", "12,34.5", "1,2345", ",123", "1,,234", "1,234,5"):
        with pytest.raises(DataError, match=r"line 6, column `load`: should be a number"):
            read(tmp_path, text(";", thousands(",")).replace("1,041.54", wrong), "own.csv", separator=";",
                 thousands=",")  # fmt: skip
    indian = text(";", thousands(",")).replace("1,041.54", "12,34,567.5")
    assert read(tmp_path, indian, "own.csv", separator=";", thousands=",").values[4, 0] == 1234567.5


@pytest.mark.parametrize("marker", ["?", "-", "n/a", "NA", "N/A", "null", ".", "--", "#DIV/0!", " NaN ", "  "])
def test_usual_marks_of_missing_values(marker: str, tmp_path: Path) -> None:
    data = text().replace(POINT.format(LOAD[4]), marker)
    with pytest.raises(DataError, match=r"line 6, column `load`: the value is missing"):
        read(tmp_path, data, "own.csv")
    expected = [*LOAD[:4], LOAD[3], *LOAD[5:]]
    assert read(tmp_path, data, "own.csv", on_missing="ffill").values[:, 0].tolist() == expected


def test_a_mark_of_ones_own(tmp_path: Path) -> None:
    data = text().replace(POINT.format(LOAD[4]), "k.A.").replace(POINT.format(LOAD[6]), "NA")
    with pytest.raises(DataError, match=r"found 'k\.A\.': .* set `missing: \[\"k\.A\.\"\]`"):
        read(tmp_path, data, "own.csv", on_missing="ffill")
    prepared = read(tmp_path, data, "own.csv", on_missing="ffill", missing=["k.A."])
    assert prepared.values[3:8, 0].tolist() == [LOAD[3], LOAD[3], LOAD[5], LOAD[5], LOAD[7]]


@pytest.mark.parametrize("written", ["\u2212{}", "\u2013 {}", "{}-", "{}\u2212", "({})"])
def test_no_remedy_turns_the_sign_of_a_number(written: str, tmp_path: Path) -> None:
    numbers = [-5.25 - n if n % 3 == 0 else 2.5 * n for n in range(ROWS)]
    cells = [written.format(-number) if number < 0 else f"{number}" for number in numbers]
    data = "date,load\n" + "".join(f"{stamp},{cell}\n" for stamp, cell in zip(STAMPS, cells, strict=True))
    with pytest.raises(DataError, match=r"line 2, column `load`.*with a plain minus sign in front, '-5\.25'\.$"):
        read(tmp_path, data, "own.csv")
    plain = data
    for number in numbers:
        plain = plain.replace(f",{written.format(-number)}\n", f",{number}\n") if number < 0 else plain
    assert read(tmp_path, plain, "own.csv").values[:, 0].tolist() == numbers


def test_signs_beside_some_numbers_alone_are_not_just_taken_off(tmp_path: Path) -> None:
    kilo = r", while \d+ cells of the column are numbers without 'k': write all"
    for sign, remedy in (("{}k", kilo), ("<{}", "as a value beyond a limit of what can be measured, write a number")):
        cells = [sign.format(load) if n % 3 else f"{load}" for n, load in enumerate(LOAD)]
        data = "date,load\n" + "".join(f"{stamp},{cell}\n" for stamp, cell in zip(STAMPS, cells, strict=True))
        with pytest.raises(DataError, match=remedy):
            read(tmp_path, data, "own.csv")
    whole = "date,load\n" + "".join(f"{stamp},{load} MW\n" for stamp, load in zip(STAMPS, LOAD, strict=True))
    with pytest.raises(DataError, match=r"write the numbers of this column without 'MW', which `units` may tell"):
        read(tmp_path, whole, "own.csv")


def test_missing_labels(tmp_path: Path) -> None:
    states = ["on", "NA", "off", "?", "None", "-"] * 4
    lines = ["state", *states]
    data = "\n".join(f"{line},{state}" for line, state in zip(text().splitlines(), lines, strict=True))
    usual = read(tmp_path, data, "own.csv", labels=["state"], allow=["load", "temp"])
    assert usual.classes == {"state": ["-", "None", "off", "on"]}
    assert "state: 4 cells 'NA' hold no label." in usual.notes
    own = read(tmp_path, data, "own.csv", labels=["state"], missing=["-", "?"], allow=["load", "temp"])
    assert own.classes == {"state": ["NA", "None", "off", "on"]}
    every = read(tmp_path, data, "own.csv", labels=["state"], missing=[], allow=["load", "temp"])
    assert every.classes == {"state": ["-", "?", "NA", "None", "off", "on"]}


def test_classes_with_decimal_commas_are_told(tmp_path: Path) -> None:
    data = "\n".join(f"{line};{state}" for line, state in zip(
        text(";").splitlines(), ["x", *["0,5", "1,5"] * 12], strict=True))  # fmt: skip
    notes = read(tmp_path, data, "own.csv", separator=";", labels=["x"]).notes
    assert any("numbers with decimal commas, such as '0,5'" in note for note in notes)


def test_names_freed_of_blanks_and_a_separator_for_excel_are_told(tmp_path: Path) -> None:
    prepared = read(tmp_path, "sep=;\r\n" + text(";", head="date , load,temp\t"), "own.csv")
    assert prepared.columns == ["load", "temp"] and prepared.values[:, 0].tolist() == LOAD.tolist()
    assert prepared.notes[:2] == [
        "own.csv: its first line names ';' as the separator.",
        "own.csv: blanks around names of columns were taken off: `date`, `load`, `temp`.",
    ]
    asked = read(tmp_path, text(head="date, load,temp"), "own.csv", values=[" load"])
    assert asked.columns == [" load"]


@pytest.mark.parametrize(
    ("head", "end"), [("date,load,temp,", ","), ("date,load,temp", ","), ("date,load,temp,,", ",,")]
)
def test_a_separator_at_the_end_of_lines(head: str, end: str, tmp_path: Path) -> None:
    lines = text().splitlines()
    prepared = read(tmp_path, "\n".join([head, *(line + end for line in lines[1:])]), "own.csv")
    assert prepared.columns == ["load", "temp"] and prepared.values[:, 1].tolist() == TEMP.tolist()
    assert any("left out" in note for note in prepared.notes)


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def test_the_index_of_a_parquet_file(tmp_path: Path) -> None:
    frame = pd.DataFrame({"load": LOAD, "temp": TEMP})
    stamps = pd.DatetimeIndex(STAMPS)
    unnamed = read(tmp_path, parquet(frame.set_index(stamps)), "own.parquet")
    assert unnamed.columns == ["load", "temp"] and unnamed.rows == ROWS
    assert any("holds time stamps and was read as `date`" in note for note in unnamed.notes)
    named = parquet(frame.set_index(stamps.rename("when")))
    with pytest.raises(DataError, match=r"no column `date`.*index `when` .* a setting such as `date`"):
        read(tmp_path, named, "own.parquet")
    assert read(tmp_path, named, "own.parquet", date="when").columns == ["load", "temp"]
    frame["date"] = STAMPS
    counting = read(tmp_path, parquet(frame.set_index(np.arange(ROWS))), "own.parquet")
    assert counting.columns == ["load", "temp"] and not any("index" in note for note in counting.notes)
    filtered = read(tmp_path, parquet(frame.set_index(np.arange(ROWS) ** 2)), "own.parquet")
    assert filtered.columns == ["load", "temp"]
    assert "own.parquet: its index without a name is no column and was left out." in filtered.notes


def test_text_of_a_parquet_file_follows_the_same_marks(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": STAMPS, "load": [comma(f"{a:,.2f}") for a in LOAD], "temp": TEMP})
    with pytest.raises(DataError, match=r"row 1, column `load`: .*found '995,50': `decimal: \",\"` with `thousands"):
        read(tmp_path, parquet(frame), "own.parquet")
    prepared = read(tmp_path, parquet(frame), "own.parquet", decimal=",", thousands=".")
    assert prepared.values[:, 0].tolist() == LOAD.tolist() and prepared.values[:, 1].tolist() == TEMP.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"thousands": "."}, r"thousands should differ from the decimal mark, found '\.' .*`decimal: ','`"),
        ({"decimal": ",", "thousands": ","}, r"the decimal mark, found ',' .*`decimal: '\.'`"),
        ({"comment": ",", "decimal": ","}, "comment should be no separator, decimal or thousands mark, found ','"),
        ({"columns": ["a", "a"]}, "should name each column once, found 'a' more than once"),
        ({"columns": ["a"], "units_row": True}, "units_row should be false where `columns` names the columns"),
        ({"decimal": ";"}, "decimal"),
        ({"skip_rows": -1}, "skip_rows"),
        ({"comment": "ab"}, "comment"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SeriesSource(kind="series", path="own.csv", **options)
