"""Nasty tables of samples, made by hand: each is read right, or refused with a message whose remedy reads it right."""

import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from mtl.config import Task
from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.loading.tasks import build_tasks
from mtl.errors import DataError, UserError
from mtl.types import RowSet

ROWS = 30
DRAW = random.Random(3)
Y = [round(DRAW.uniform(1, 99), 2) for _ in range(ROWS)]
X = [round(DRAW.uniform(-5, 5), 3) for _ in range(ROWS)]
CLASS = [DRAW.choice(["a", "b"]) for _ in range(ROWS)]
DAYS = [f"2021-{1 + row % 12:02d}-{1 + row % 28:02d}" for row in range(ROWS)]
Columns = dict[str, list[Any]]


def text(columns: Columns, separator: str = ",", end: str = "\n") -> str:
    rows = zip(*columns.values(), strict=True)
    return end.join([separator.join(columns), *(separator.join(map(str, row)) for row in rows)]) + end


def beside(**more: list[Any]) -> str:
    """Two columns of numbers and some more."""
    return text({"x": X, "y": Y, **more})


def with_cell(cell: object, row: int = 4) -> str:
    """The two columns with another cell in `x`."""
    return text({"x": [cell if at == row else value for at, value in enumerate(X)], "y": Y})


def cycle(*cells: object) -> list[object]:
    return [cells[row % len(cells)] for row in range(ROWS)]


@dataclass(frozen=True)
class Case:
    """A file and what is right: numbers `x` as planted but where `holes` are, and what else is asked for."""

    data: str
    options: dict[str, Any] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    """Column → its categories."""
    numbers: tuple[str, ...] = ()
    """Further columns of numbers."""
    told: tuple[str, ...] = ()
    refused: str = ""
    """Part of the message, where the options do not read it."""
    remedy: dict[str, Any] | None = None
    """Options that the message names; None where it says what to change in the file."""
    holes: tuple[int, ...] = ()


CODES = [f"{row % 7:03d}" for row in range(ROWS - 1)]
CASES = {
    "codes, one too long": Case(beside(code=[*CODES, "1234"]), names={"code": [*sorted({*CODES}), "1234"]}),
    "post codes": Case(beside(PLZ=cycle(10115, 20095, 80331)), names={"PLZ": ["10115", "20095", "80331"]}),
    "Y, N and 1.0": Case(beside(ok=cycle("Y", "N", "1.0")), names={"ok": ["N", "1.0"]}, told=("also spelt 'Y'",)),
    "yes, no and maybe": Case(
        beside(ok=["maybe", *cycle("yes", "no")[1:]]), names={"ok": ["maybe", "no", "yes"]}
    ),
    "names that differ in letter case": Case(text({"x": X, "X": X[::-1], "y": Y}), numbers=("X",)),
    "one name with a blank": Case(
        text({"x": X, " x": X[::-1], "y": Y}), refused="column `x` is there more than once",
        remedy={"skip_rows": 1, "columns": ["x", "x_2", "y"]}, numbers=("x_2",),
    ),
    "a total below": Case(beside() + f"Total,{sum(Y)}\n", refused="`skip_footer: 1`", remedy={"skip_footer": 1}),
    "two totals below": Case(
        beside() + f"Total,{sum(Y)}\nMean,{sum(Y) / 9}\n", refused="`skip_footer: 2`", remedy={"skip_footer": 2}
    ),
    "a mark in the last row": Case(
        with_cell("k.A.", ROWS - 1), refused='`missing: ["k.A."]`', remedy={"missing": ["k.A."]}, holes=(ROWS - 1,)
    ),
    "a mark in the middle": Case(
        with_cell("k.A."), refused='`missing: ["k.A."]`', remedy={"missing": ["k.A."]}, holes=(4,)
    ),
    "a number, a name and a date": Case(
        beside(m=cycle("7", "red", "2020-01-01", "")), names={"m": ["7", "2020-01-01", "red"]},
    ),
    "infinite": Case(
        with_cell("Infinity"), refused="line 6, column `x`: should be a finite number",
        remedy={"missing": ["Infinity"]}, holes=(4,),
    ),
    "beyond the largest number": Case(
        with_cell("1e999"), refused="line 6, column `x`: should be a finite number", remedy={"missing": ["1e999"]},
        holes=(4,),
    ),
    "German dates": Case(beside(d=[f"{1 + row % 28:02d}.{1 + row % 12:02d}.2021" for row in range(ROWS)]),
                         numbers=("d (days)", "d (month)"), told=("%d.%m.%Y",)),
    "names of months": Case(beside(d=[f"{1 + row % 28} {['Jan', 'Feb'][row % 2]} 2021" for row in range(ROWS)]),
                            numbers=("d (days)", "d (month)"), told=("%d %b %Y",)),
    "quarters": Case(beside(q=[f"2021-Q{1 + row % 4}" for row in range(ROWS)]), numbers=("q (days)", "q (month)")),
    "a day that is none": Case(
        beside(d=["2021-02-30", *DAYS[1:]]), refused="line 2, column `d`", remedy={"missing": ["2021-02-30"]},
        numbers=("d (days)",),
    ),
    "zeros for no date": Case(
        beside(d=[*DAYS[:4], "0000-00-00", *DAYS[5:]]), refused='`missing: ["0000-00-00"]`',
        remedy={"missing": ["0000-00-00"]}, numbers=("d (days)",),
    ),
    "dates in two forms": Case(
        beside(d=[day if row % 2 else day[8:] + day[4:8] + day[:4] for row, day in enumerate(DAYS)]),
        told=("d: left out, for dates in two forms, %d-%m-%Y (01-01-2021) and ISO8601 (2021-02-02), of which a",),
    ),
    "ids of letters": Case(beside(uid=[f"u{row * 77:05x}" for row in range(ROWS)]),
                           told=("uid: left out, for a text of its own in every row.",)),
    "ids that count down": Case(
        beside(id=[1000 - 3 * row for row in range(ROWS)]), told=('`types: {"id": number}` takes it in',)
    ),
    "ids that are taken in": Case(
        beside(id=[1000 - 3 * row for row in range(ROWS)]), {"types": {"id": "number"}}, numbers=("id",)
    ),
    "an index without a name": Case(text({"": list(range(ROWS)), "x": X, "y": Y}), told=("counts the rows",)),
    "one row": Case("x,y\n1,2\n", refused="found none in 1 row. x: left out, for every row holds 1."),
    "two rows": Case("x,y\n1,2\n3,4\n", refused="too few rows"),
    "a header alone": Case("x,y\n", refused="no rows below the header"),
    "a negative weight": Case(beside(w=[-1, *cycle(1, 2)[1:]]), {"weight": "w"}, refused="line 2, column `w`",
                              remedy={"weight": None}, numbers=("w",)),
    "a missing weight": Case(beside(w=["", *cycle(1, 2)[1:]]), {"weight": "w"}, refused="found none",
                             remedy={"weight": None}, numbers=("w",)),
    "no weight counts": Case(beside(w=[0] * ROWS), {"weight": "w"}, refused="not all be 0", remedy={"weight": None},
                             told=("w: left out",)),
    "weights in words": Case(beside(w=cycle("heavy", "light")), {"weight": "w"},
                             refused="should be a weight, a number of 0 or more, found 'heavy'",
                             remedy={"weight": None}, names={"w": ["heavy", "light"]}),
    "parts in other letters": Case(beside(part=cycle("train", "Test", "dev")),
                                   {"split": {"kind": "column", "column": "part"}, "folds": None}),
    "no test part": Case(
        beside(part=cycle("train", "hold")),
        {"split": {"kind": "column", "column": "part", "train": ["train", "hold"]}},
        refused="column `part`: should name rows of the test part ('test' or 'testing'), found none, but 'hold' or",
        remedy={"split": {"kind": "column", "column": "part", "test": ["hold"]}},
    ),
    "blanks before classes": Case(beside(c=[f" {name}" if row % 3 else name for row, name in enumerate(CLASS)]),
                                  names={"c": ["a", "b"]}, told=("blanks around 20 of its cells",)),
    "final points of classes": Case(beside(c=[f"{name}." if row > 20 else name for row, name in enumerate(CLASS)]),
                                    names={"c": ["a", "a.", "b", "b."]}, told=("look alike",)),
    "units in cells": Case(beside(w=[f"{50 + row} kg" for row in range(ROWS)]), refused="without 'kg'"),
    "thousands in quotes": Case(
        beside(p=[f'"{1 + row % 3},{100 + row}"' for row in range(ROWS)]), refused='`thousands: ","`',
        remedy={"thousands": ","}, numbers=("p",),
    ),
    "a separator behind every line": Case(
        text({"x": X, "y": Y}, ";", ";\n"), refused='a table of 2 columns with `separator: ";"`.',
        remedy={"separator": ";"},
    ),
    "nines among small numbers": Case(
        text({"x": [999 if row % 7 == 3 else value for row, value in enumerate(X)], "y": Y}),
        told=("x: 999 is there 4 times", "`missing_markers: [999]`"), holes=(3, 10, 17, 24),
    ),
    "files laid end to end": Case(beside() + beside(), refused="found 'x': the line names the columns again"),
    "two tables in one file": Case(beside() + "\na,b,c\n1,2,3\n", refused="line 33: should have 2 cells"),
    "below a limit": Case(with_cell("<0.05"), refused="the limit or half of it"),
    "a minus of typesetters": Case(with_cell("−1.05"), refused="plain minus sign"),
    "nothing as databases write it": Case(
        with_cell("\\N"), refused='`missing: ["\\\\N"]`', remedy={"missing": ["\\N"]}, holes=(4,)
    ),
    "ranges": Case(beside(age=cycle("0-9", "10-19")), names={"age": ["0-9", "10-19"]}),
    "spans of time": Case(beside(t=[f"{row % 5}:{row:02d}:00" for row in range(ROWS)]),
                          told=("t: left out, for a text of its own in every row.",)),
    "coordinates": Case(beside(at=[f'"48.{row:02d}, 11.{row:02d}"' for row in range(ROWS)]), told=("at: left out",)),
    "a thousand columns": Case(beside(**{f"c{column}": [round(math.sin(row * (column + 2)), 4) for row in range(ROWS)]
                                         for column in range(1000)}), numbers=("c0", "c999")),
    "line ends of old Macs": Case(text({"x": X, "y": Y}, ",", "\r")),
    "line ends of two kinds": Case(beside().replace("\n", "\r\n", 10)),
    "records of JSON": Case("".join(f'{{"x": {x}}}\n' for x in X), refused="found JSON"),
    "a page of the web": Case("<html><body><table></table></body></html>\n", refused="a web page"),
}  # fmt: skip


def read(folder: Path, case: Case, options: dict[str, Any]) -> RowSet:
    (folder / "own.csv").write_text(case.data, encoding="utf-8", newline="")
    section = {"kind": "table", "path": "own.csv", "folds": 1} | options
    rows = read_source("own", TableSource.model_validate(section), folder)
    assert isinstance(rows, RowSet)
    return rows


@pytest.mark.parametrize("name", CASES)
def test_it_is_right_or_says_what_makes_it_right(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    options = case.options
    if case.refused:
        with pytest.raises(DataError) as caught:
            read(tmp_path, case, options)
        assert "own.csv" in str(caught.value) and case.refused in str(caught.value), str(caught.value)
        if case.remedy is None:
            return
        options = options | case.remedy
    rows = read(tmp_path, case, options)
    planted = np.array([np.nan if row in case.holes else value for row, value in enumerate(X)])
    values = rows.values[:, rows.columns.index("x")].numpy()
    kept = np.array([row not in case.holes or bool(np.isnan(values[row])) for row in range(ROWS)])
    assert len(values) == ROWS and np.allclose(values[kept], planted[kept], equal_nan=True)
    assert kept.all() or "missing_markers" in " ".join(case.told), "a hole that is only told of"
    assert {"x", "y", *case.numbers} <= set(rows.columns)
    assert {column: rows.vocabularies[column] for column in case.names} == case.names
    assert set(rows.vocabularies) == set(case.names)
    told = " ".join(rows.notes)
    assert all(part in told for part in case.told), told


def test_few_rows_are_told_with_the_setting_that_takes_them(tmp_path: Path) -> None:
    case = Case(text({"x": X[:5], "y": Y[:5]}))
    with pytest.raises(DataError, match=r"too few rows: 5 that differ are not enough .* 5 folds: .* or set `folds: 1`"):
        read(tmp_path, case, {"folds": 5})
    assert sorted(set(read(tmp_path, case, {"folds": 1}).fold.tolist())) == [-1, 0, 1], "all three parts"


NUMBER = {"kind": "regression", "target": "t"}
PARTS = ["train"] * 18 + ["val"] * 5 + ["test"] * 7


@pytest.mark.parametrize(
    ("column", "task", "message"),
    [
        ([""] * 18 + Y[18:], NUMBER, "has a value of `t`: choose other parts by `split` of"),
        (CLASS[:23] + ["z"] * 7, {"kind": "classification", "label": "t"}, "no training sample of class 'z': choose"),
        (Y, {"kind": "binary", "label": {"column": "t", "at_least": 1000}}, "sample of class 'at least 1000'"),
        (CLASS, NUMBER, "predicted by `kind: classification` or `binary`"),
        (list(range(ROWS)), NUMBER, "no row numbers or id; found 't'"),
        ([5] * 18 + Y[18:], NUMBER, "should have at least two different values"),
    ],
)  # fmt: skip
def test_a_target_that_no_training_row_tells_is_one_message(
    column: list[Any], task: dict[str, Any], message: str, tmp_path: Path
) -> None:
    case = Case(text({"x": X, "t": column, "part": PARTS}))
    rows = read(tmp_path, case, {"split": {"kind": "column", "column": "part"}})
    asked: Task = TypeAdapter(Task).validate_python({"source": "own"} | task)
    with pytest.raises(UserError) as caught:
        build_tasks({"target": asked}, {"own": rows}, 0)
    assert message in str(caught.value), str(caught.value)
