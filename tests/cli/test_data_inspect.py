"""`mtl data inspect`, as a user meets it: what is printed, and that the section it ends in reads the file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from mtl.cli.data_commands import app
from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.columns.infer import column_facts
from mtl.data.formats.tables import read_table
from mtl.types import RowSet

ROWS = 30
HARD = "Verkäufe 2020\nid;Größe;plz;Datum;Preis;aktiv;no\n" + "".join(
    f"{row};{'k.A.' if row == 7 else f'1,{row}'};{row % 4:05d};{1 + row % 20}.02.2020;1.234,{10 + row};"
    f"{'ja' if row % 3 else 'nein'};{'y' if row % 2 else 'n'}\n"
    for row in range(ROWS)
)  # fmt: skip


def inspect(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["inspect", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def section(output: str) -> dict[str, Any]:
    """The source of the printed section of params.yaml."""
    text = output[output.index("prepare:\n") :].split("\nNext:")[0]
    sources = yaml.safe_load(text)["prepare"]["sources"]
    assert len(sources) == 1
    return dict(next(iter(sources.values())))


def read_pasted(output: str, file: Path) -> dict[str, str]:
    """Column → type of the table that the printed section reads, all without a problem."""
    pasted = section(output)
    assert pasted["path"] == f"data/raw/{file.name}"
    source = TableSource.model_validate(pasted | {"path": file.name})
    rows = read_source("own", source, file.parent)
    assert isinstance(rows, RowSet)
    kept = {name.split(" (days)")[0] for name in [*rows.columns, *rows.category_columns]}
    assert kept >= {*(source.inputs or [])}
    facts = column_facts(read_table(source, file.parent), source.declared)
    assert isinstance(source.inputs, dict)
    assert all(fact.problem is None for fact in facts if fact.name in source.inputs)
    return {fact.name: fact.kind for fact in facts if fact.name in source.inputs}


def test_options_that_a_file_needs_are_found_and_told_and_the_section_reads_it(tmp_path: Path) -> None:
    (tmp_path / "hard.csv").write_text(HARD, encoding="latin-1")
    output = inspect(tmp_path / "hard.csv")
    assert read_pasted(output, tmp_path / "hard.csv") == {
        "Größe": "number", "plz": "category", "Datum": "date", "Preis": "number", "aktiv": "boolean", "no": "boolean",
    }  # fmt: skip
    options = {name: value for name, value in section(output).items() if name not in ("kind", "path", "inputs")}
    assert options == {
        "encoding": "latin-1", "separator": ";", "skip_rows": 1, "decimal": ",", "thousands": ".", "missing": ["k.A."],
    }  # fmt: skip
    for name in options:
        assert f"`{name}: " in output, f"{name} is used and not told"
    assert "id is left out: it counts the rows" in output
    assert f"Next: mtl data add hard {tmp_path / 'hard.csv'}" in output


def test_what_is_given_is_not_tried_otherwise(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1;2\n3;4\n")
    assert "should have several cells" in inspect(tmp_path / "t.csv", "--separator", ",", code=2)
    assert "2 rows, 2 columns" in inspect(tmp_path / "t.csv", "--separator", ";")
    (tmp_path / "t.tsv").write_text("x y\na\tb\n1\t2\n3\t4\n")
    output = inspect(tmp_path / "t.tsv", "--option", "separator=\\t", "--option", "skip_rows=1")
    assert section(output)["separator"] == "\t" and section(output)["skip_rows"] == 1


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("skiprows=1", "--option should be NAME=VALUE, NAME one of encoding, separator"),
        ("skip_rows", "--option should be NAME=VALUE"),
        ("skip_rows=-1", "`skip_rows` should be greater than or equal to 0, found -1"),
        ("decimal=x", "`decimal` should be"),
        ("columns=[a", "--option columns should have a value as params.yaml has it, found '[a'"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, option: str, told: str) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    assert told in inspect(tmp_path / "t.csv", "--option", option, code=2)


def test_missing_texts_of_numbers_leave_those_of_categories_missing(tmp_path: Path) -> None:
    cells = [("unknown" if row == 3 else row / 7, "NA" if row % 5 else "?", "abc"[row % 3]) for row in range(ROWS)]
    frame = pd.DataFrame(cells, columns=["x", "k", "c"])
    frame.loc[frame.index % 2 == 1, "k"] = "b"
    frame.to_csv(tmp_path / "t.csv", index=False)
    before = json.loads(inspect(tmp_path / "t.csv", "--json", "--option", "missing_markers=[]"))
    named = section(inspect(tmp_path / "t.csv"))["missing"]
    assert named[0] == "unknown" and {"NA", "?"} <= set(named)
    missing = {column["name"]: column["missing"] for column in before["columns"]}
    assert missing == {"x": 1, "k": 15, "c": 0}


def test_json_holds_every_fact_and_the_section(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + "".join(f"{row / 7},{'xyz'[row % 3]},5\n" for row in range(ROWS)))
    value = json.loads(inspect(tmp_path / "t.csv", "--json"))
    assert [column["type"] for column in value["columns"]] == ["number", "category", "ignore"]
    first = value["columns"][0]
    assert (first["low"], first["high"], first["distinct"], first["input"]) == (0, 29 / 7, ROWS, True)
    assert value["rows"] == ROWS and "path: data/raw/t.csv" in value["section"]


def test_a_wide_table_stays_within_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    drawn = np.random.default_rng(0)
    frame = pd.DataFrame({f"a rather long name of column {number}": drawn.normal(size=ROWS) for number in range(40)})
    frame["note"] = [f"a long sentence that nobody can read {row} times" for row in range(ROWS)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    lines = inspect(tmp_path / "t.csv").split("prepare:\n")[0].splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("a rather long name of c" in line for line in lines) >= 40


@pytest.mark.parametrize("suffix", ["parquet", "feather", "xlsx", "csv.gz", "arff"])
def test_other_formats_and_names_that_yaml_takes_for_something_else(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({
        "yes": [0.5 + row for row in range(ROWS)], "a: b": ["x", "y", "z"] * 10, "# c": [True, False] * 15,
        "10": [row / 3 for row in range(ROWS)],
    })  # fmt: skip
    file = tmp_path / f"2 Tables.{suffix}"
    match suffix:
        case "parquet":
            frame.to_parquet(file)
        case "feather":
            frame.to_feather(file)
        case "xlsx":
            frame.to_excel(file, index=False)
        case "csv.gz":
            frame.to_csv(file, index=False)
        case _:
            header = "@relation r\n@attribute yes real\n@attribute 'a: b' {x,y,z}\n@attribute '# c' {True,False}\n"
            rows = frame.to_csv(index=False, header=False)
            file.write_text(f"{header}@attribute 10 real\n@data\n{rows}")
    output = inspect(file)
    assert read_pasted(output, file) == {"yes": "number", "a: b": "category", "# c": "boolean", "10": "number"}
    assert "table_2_tables:" in output


def test_a_source_is_shown_as_it_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.csv").write_text(
        "date,a,state\n" + "".join(f"2020-01-{1 + row:02d},{row / 7},{row % 3}\n" for row in range(20))
    )
    Path("params.yaml").write_text(
        "prepare: {sources: {mine: {kind: series, path: own.csv}, toy: {kind: sensors}}}\n"
        "tasks: {load: {kind: forecast, source: mine, input_len: 4, horizon: 2}}\n"
        "encoder: {kind: linear, input_len: 4}\nfinetune: {methods: {joint: {kind: uncertainty}}}\n"
    )
    assert "20 rows, 3 columns" in inspect("mine")
    assert "prepare:" not in inspect("mine")
    assert "neither a file nor a source of params.yaml; sources: mine, toy" in inspect("gone", code=2)
    assert "should be a source of `kind: table` or `series`" in inspect("toy", code=2)
    assert "leave `--option` out" in inspect("mine", "--separator", ";", code=2)
    assert "path: own.csv" in inspect("own.csv"), "a file of the project is named where it lies"
    assert "gone.csv is missing" in inspect("gone.csv", code=2)


def test_columns_that_cannot_be_read_are_ignored_and_told(tmp_path: Path) -> None:
    lines = (f"{row / 7},0{1 + row % 9}/0{1 + row % 8}/2020,a sentence of several words that is cell {row}\n"
             for row in range(ROWS))  # fmt: skip
    (tmp_path / "t.csv").write_text("x,day,note\n" + "".join(lines))
    output = inspect(tmp_path / "t.csv")
    assert read_pasted(output, tmp_path / "t.csv") == {"x": "number"}
    assert section(output)["ignore"] == ["day", "note"]
    assert "# day is left out: " in output and "`date_format` should name it" in " ".join(output.split())


def test_rows_of_one_person_are_told_to_belong_together(tmp_path: Path) -> None:
    text = "subject#,x\n" + "".join(f"{row % 5},{row / 7}\n" for row in range(ROWS))
    (tmp_path / "t.csv").write_text(text)
    output = inspect(tmp_path / "t.csv")
    assert section(output)["inputs"] == {"subject#": "category", "x": "number"}
    assert '# Rows of one "subject#" stay together with `split: {kind: group, column: "subject#"}`.' in output


@pytest.mark.parametrize("others", [1, 3])
def test_the_decimal_mark_that_most_columns_are_written_with_is_taken(tmp_path: Path, others: int) -> None:
    """One column has points, and another, which has commas as the rest, holds a text."""
    rest = [f"price {number}" for number in range(others)]
    lines = [";".join(["unknown" if row == 3 else f"{row},5", f"0.{row:03d}", *[f"{row},{row % 10}"] * others])
             for row in range(ROWS)]  # fmt: skip
    (tmp_path / "t.csv").write_text("\n".join([";".join(["size", "share", *rest]), *lines]) + "\n")
    output = inspect(tmp_path / "t.csv", "--option", "decimal=,") if others == 1 else inspect(tmp_path / "t.csv")
    assert section(output)["inputs"] == dict.fromkeys(["size", *rest], "number")
    assert section(output)["decimal"] == "," and section(output)["ignore"] == ["share"]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "options", "types"),
    [
        ("winequality-red.csv", {"separator": ";"}, ["number"] * 12),
        ("adult.data", {"columns": [f"c{number}" for number in range(1, 16)]},
         ["number", "category", "number", "category", "number", *["category"] * 5, *["number"] * 3, *["category"] * 2]),
        ("adult.test", {"columns": [f"c{number}" for number in range(1, 16)], "skip_rows": 1},
         ["number", "category", "number", "category", "number", *["category"] * 5, *["number"] * 3, *["category"] * 2]),
        ("clothing-dataset/images.csv", {}, ["category", "category", "boolean"]),
        ("jura.arff", {}, ["number"] * 2 + ["boolean"] * 9 + ["number"] * 7),
    ],
)  # fmt: skip
def test_public_tables(mirror: Path, name: str, options: dict[str, Any], types: list[str]) -> None:
    if not (mirror / name).exists():
        pytest.skip(f"{name} is not in the mirror")
    output = inspect(mirror / name)
    shown = section(output)
    assert {option: shown[option] for option in shown if option not in ("kind", "path", "inputs")} == options
    assert sorted(shown["inputs"].values()) == sorted(types)
    assert list(read_pasted(output, mirror / name).values()) == list(shown["inputs"].values())
