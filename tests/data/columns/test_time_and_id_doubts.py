"""Cells that could be read without an error as something else: times as numbers, ids that were cut, two forms."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl.config.sources import SeriesSource
from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.columns.dates import date_times
from mtl.data.columns.facts import ColumnFacts
from mtl.data.columns.infer import column_facts
from mtl.data.formats.table import Table
from mtl.data.formats.tables import read_table
from mtl.errors import ConfigError, DataError
from mtl.types import Prepared, RowSet

ROWS = 40
SERIALS = [44197 + 3 * row for row in range(ROWS)]
SECONDS = [1_600_000_000 + 7_001 * row for row in range(ROWS)]
ISO = [f"19{30 + row}-03-{1 + row % 28:02d}" for row in range(ROWS)]
GERMAN = [f"{1 + row % 28:02d}.04.19{30 + row}" for row in range(ROWS)]
TWO_FORMS = [ISO[row] if row % 3 else GERMAN[row] for row in range(ROWS)]
CUT = [f"1.{row % 7}E+15" for row in range(ROWS)]


def table(root: Path, name: str, cells: list[Any], **options: Any) -> Table:
    lines = [f"{name};v", *(f"{cell};{number / 7:.4f}" for number, cell in enumerate(cells))]
    (root / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_table(TableSource.model_validate({"kind": "table", "path": "t.csv", "separator": ";"} | options), root)


def facts(root: Path, name: str, cells: list[Any], **options: Any) -> ColumnFacts:
    return column_facts(table(root, name, cells, **options))[0]


@pytest.mark.parametrize(
    ("name", "cells", "words"),
    [
        ("Entlassdatum", SERIALS, "days as spreadsheets count them, 2021-01-01 to 2021-04-28"),
        ("visit_date", [day + 0.25 for day in SERIALS], 'date_format: {"visit_date": excel}'),
        ("sold_at", SECONDS, "seconds since 1970, 2020-09-13 12:26:40 to 2020-09-16"),
        ("timestamp", [1000 * second for second in SECONDS], 'milliseconds since 1970, .*`types: {"timestamp": date}`'),
    ],
)
def test_numbers_that_are_times_are_told_with_what_reads_them(
    tmp_path: Path, name: str, cells: list[Any], words: str
) -> None:
    told = facts(tmp_path, name, cells)
    assert told.kind == "number" and told.doubts == told.warnings
    assert re.search(words.replace("{", r"\{").replace("}", r"\}"), told.doubts[0]), told.doubts


@pytest.mark.parametrize(
    ("name", "cells"),
    [("price", SERIALS), ("population", SECONDS), ("date", [day + 20_000 for day in SERIALS]), ("status", SECONDS),
     ("day", list(range(ROWS)))],
)  # fmt: skip
def test_other_numbers_are_left_in_peace(tmp_path: Path, name: str, cells: list[Any]) -> None:
    assert facts(tmp_path, name, cells).doubts == ()


@pytest.mark.parametrize(
    ("cells", "options", "second"),
    [
        (SERIALS, {"date_format": {"day": "excel"}}, "2021-01-04T00:00:00"),
        ([f"{day},5" for day in SERIALS], {"date_format": {"day": "excel"}, "decimal": ","}, "2021-01-04T12:00:00"),
        (["", *SERIALS], {"date_format": {"day": "excel"}}, "2021-01-01T00:00:00"),
        (SECONDS, {"types": {"day": "date"}}, "2020-09-13T14:23:21"),
    ],
)
def test_the_options_that_are_named_read_the_times(
    tmp_path: Path, cells: list[Any], options: dict[str, Any], second: str
) -> None:
    read = table(tmp_path, "day", cells, **options)
    config = TableSource.model_validate({"kind": "table", "path": "t.csv", "separator": ";"} | options)
    when = date_times(read, "day", config.date_format.get("day"), [])
    assert when[1] == np.datetime64(second)
    (told, _) = column_facts(read, config.declared, config.date_format)
    assert told.kind == "date" and told.doubts == () and told.problem is None and not told.warnings


@pytest.mark.parametrize(("cell", "shown"), [("12", "12"), ("soon", "soon"), ("44197000", "44197000")])
def test_what_is_no_day_of_a_spreadsheet_is_refused(tmp_path: Path, cell: str, shown: str) -> None:
    read = table(tmp_path, "day", [*SERIALS, cell])
    with pytest.raises(DataError, match=rf"t\.csv, line 42, column `day`: should be a day .* found '?{shown}'?"):
        date_times(read, "day", "excel", [])


def test_a_series_has_days_of_a_spreadsheet_as_time_stamps(tmp_path: Path) -> None:
    lines = [f"{45000 + row / 24:.9f},{row % 24}" for row in range(500)]
    (tmp_path / "s.csv").write_text("\n".join(["time,load", *lines]) + "\n")
    series = read_source("s", SeriesSource(kind="series", path="s.csv", date="time", date_format="excel"), tmp_path)
    assert isinstance(series, Prepared) and series.columns == ["load"]


def test_prepare_tells_of_a_doubt_until_the_type_is_named(tmp_path: Path) -> None:
    def notes(**options: Any) -> str:
        table(tmp_path, "sold_at", SECONDS)
        section = {"kind": "table", "path": "t.csv", "separator": ";"} | options
        source = read_source("t", TableSource.model_validate(section), tmp_path)
        assert isinstance(source, RowSet)
        return " ".join(source.notes)

    assert "sold_at: its numbers are seconds since 1970" in notes()
    assert "since 1970" in notes(inputs={"sold_at": "number"}), "as `mtl init` writes it, with nobody asked"
    assert "by its name" not in notes(types={"sold_at": "number"}) + notes(types={"sold_at": "date"})


@pytest.mark.parametrize("name", ["case_id", "Fall-Nr", "account", "IMEI", "shipment"])
def test_ids_that_a_spreadsheet_cut_are_no_inputs(tmp_path: Path, name: str) -> None:
    for cells, options in ((CUT, {}), ([cell.replace(".", ",") for cell in CUT], {"decimal": ","}),
                           (CUT, {"decimal": ","})):  # fmt: skip
        told = facts(tmp_path, name, cells, **options)
        assert told.kind == "ignore" and not told.group and told.problem is None
        assert "left out the last digits" in told.doubts[0] and told.example.endswith("E+15")
    declared = column_facts(table(tmp_path, name, CUT), {name: "number"})[0]
    assert declared.kind == "number" and declared.doubts == ()


@pytest.mark.parametrize(
    ("name", "cells"),
    [("flux", [f"{1 + row % 9}.2E+{11 + row % 5}" for row in range(ROWS)]), ("id", [1e12 + row for row in range(ROWS)]),
     ("case_id", [f"1.{row % 7}E-15" for row in range(ROWS)]), ("account", [1.234e5 + row for row in range(ROWS)])],
)  # fmt: skip
def test_measurements_and_whole_ids_are_not_taken_for_cut_ones(tmp_path: Path, name: str, cells: list[Any]) -> None:
    assert facts(tmp_path, name, cells).doubts == ()


@pytest.mark.parametrize(
    ("cells", "forms"),
    [
        (TWO_FORMS, ("ISO8601 (19", "%d.%m.%Y (")),
        ([*TWO_FORMS, *TWO_FORMS], ("ISO8601", "%d.%m.%Y")),
        ([f"{1 + row % 12:02d}/{13 + row % 15}/2020" if row % 2 else f"{13 + row % 15}/{1 + row % 12:02d}/2020"
          for row in range(ROWS)], ("%m/%d/%Y", "%d/%m/%Y")),
    ],
)  # fmt: skip
def test_dates_of_two_forms_are_told_with_both(tmp_path: Path, cells: list[str], forms: tuple[str, str]) -> None:
    told = facts(tmp_path, "birth", cells)
    assert told.kind == "ignore" and told.why.startswith("dates in two forms, ")
    assert all(form in told.why for form in forms) and "write all of them in one" in told.doubts[0]


def test_dates_of_three_forms_are_told_with_all(tmp_path: Path) -> None:
    days = [date(2020, 1, 1) + timedelta(5 * row) for row in range(ROWS)]
    cells = [day.strftime(("%Y-%m-%d", "%d.%m.%Y", "%b %d, %Y")[row % 3]) for row, day in enumerate(days)]
    told = facts(tmp_path, "sold", cells)
    assert told.kind == "ignore" and told.why.startswith("dates in three forms, ")
    assert all(f"{form} (" in told.why for form in ("ISO8601", "%d.%m.%Y", "%b %d, %Y"))


@pytest.mark.parametrize(
    "cells",
    [[f"{row}-{row + 7}" for row in range(ROWS)], [f"v1.{row}.{row % 3}" for row in range(ROWS)],
     [f"192.168.{row}.{row % 9}" for row in range(ROWS)], [f"{row % 60:02d}:{row % 24:02d}" for row in range(ROWS)],
     ["1/2", "1/4", "3/4", "2/2"] * 10, [f"{'ABC'[row % 3]}-series {1990 + row} no. {row}" for row in range(ROWS)]],
)  # fmt: skip
def test_other_texts_with_points_and_hyphens_are_no_dates_of_two_forms(tmp_path: Path, cells: list[str]) -> None:
    assert facts(tmp_path, "c", cells).doubts == ()


@pytest.mark.parametrize("name", ["patient", "Subject", "person", "user_id", "participant no", "Kunde"])
@pytest.mark.parametrize("cells", [[f"P{row % 9}" for row in range(ROWS)], [row % 9 for row in range(ROWS)]])
def test_persons_whose_rows_repeat_are_groups(tmp_path: Path, name: str, cells: list[Any]) -> None:
    told = facts(tmp_path, name, cells)
    assert told.kind == "category" and told.group
    spelt = f"'{name}'" if " " in name else name
    assert any(f"`mtl init --group {spelt}`" in warning for warning in told.warnings)


@pytest.mark.parametrize(
    ("name", "cells"),
    [("customer", ["new", "known"] * 20), ("patients", [row % 9 for row in range(ROWS)]),
     ("patient_age", [row % 9 for row in range(ROWS)]), ("patient", [f"P{row}" for row in range(ROWS)])],
)  # fmt: skip
def test_kinds_and_counts_of_persons_are_no_groups(tmp_path: Path, name: str, cells: list[Any]) -> None:
    assert not facts(tmp_path, name, cells).group


def test_a_form_that_tells_no_time_names_those_that_do() -> None:
    with pytest.raises((ConfigError, ValueError), match="ISO8601, number or excel"):
        SeriesSource.model_validate({"kind": "series", "path": "s.csv", "date_format": "spreadsheet"})
