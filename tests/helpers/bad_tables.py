"""Generated tables of a series: good ones with their values, and the same ones spoilt in one place or another."""

import gzip
import io
import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from tests.helpers.damage import LINE_ENDS, any_bytes

CELLS = [
    "", " ", "nan", "NaN", " nan", "NAN", "None", "null", "NULL", "NA", "#N/A", "-", "--", "?", "inf", "-inf",
    "Infinity", "1e400", "-1e400", "1e308", "1e101", "1e-320", "0x10", "1_000", "1,5", "1 000", "１２", "1d5", "1e",
    "e5", "true",
    "False", "TRUE", "1%", "$1", "99999999999999999999", "9" * 400, "1" + "0" * 90, "-0", "+5", ".5", "5.", " 7 ",
    "1.2.3", "2021-01-01", "\x00", "1\x002", "\x1b[31m5", "\ufeff1", "−3", "1e+05", "''", "=1+1", "x" * 5000,
]  # fmt: skip
"""Cells of a value column; `is_number` tells which are numbers."""
STAMPS = [
    "", "nan", "NaT", "yesterday", "2021-02-30", "2021-13-01", "0000-00-00", "0001-01-01", "9999-12-31 23:59:59",
    "2563-06-01", "1399-12-30", "12:30", "24:00", "2020-01-01T00:00:00+25:00", "2020-01-01 00:00:00 CET", "1e400", "-1",
    "01/02/2020", "13/13/2020", "20200101", "99999999999999999999", "2020-W01-1", "２０２０-01-01", "1900-02-29",
    "\x00", "2020-01-01 00:00:60", "now", "today", "1 Jan 2020", "2020年1月1日", "infinity",
]  # fmt: skip
NAMES = ["load", "T (degC)", "a b", "λ", "x,y", 'q"q', "two\nlines", "", " ", "1", "nan", "date", "Unnamed: 0",
         "c" * 300, "\x1b[31m", "../up", "`tick`", "index", "level_0", "a\x85b"]  # fmt: skip
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def is_number(cell: str) -> bool:
    """True when a cell holds a finite number that can be prepared."""
    text = cell.strip(" ")
    return bool(NUMBER.fullmatch(text)) and abs(float(text)) <= 1e100


@dataclass(frozen=True)
class TableCase:
    """A file, its section of params.yaml, and what is known of the outcome."""

    name: str
    data: bytes
    section: dict[str, Any]
    values: np.ndarray | None = None
    """[R, C], when the file is good."""
    columns: list[str] = field(default_factory=list)
    refused: bool = False
    """True when only a refusal is right."""


def _quoted(cell: str, sep: str) -> str:
    return f'"{cell.replace(chr(34), chr(34) * 2)}"' if re.search(rf'[\r\n"]|{re.escape(sep)}', cell) else cell


def _text(rows: list[list[str]], sep: str) -> str:
    return "".join(sep.join(_quoted(cell, sep) for cell in row) + "\n" for row in rows)


@st.composite
def _good(draw: st.DrawFn) -> tuple[list[list[str]], dict[str, Any], np.ndarray, list[str]]:
    """Rows with their header, section, values and value columns."""
    rows = draw(st.integers(10, 25))
    columns = draw(st.lists(st.sampled_from([n for n in NAMES if n != "date"]), min_size=1, max_size=3,
                                 unique_by=str.strip))  # fmt: skip
    kind = st.one_of(st.floats(-5, 5, allow_subnormal=False), st.integers(-5, 5).map(float))
    values = np.array(draw(st.lists(st.lists(kind, min_size=len(columns), max_size=len(columns)),
                                    min_size=rows, max_size=rows)))  # fmt: skip
    values[0], values[1] = -1.0, 1.0  # No column is constant, and none has a spread of 0.
    values *= draw(st.sampled_from([1.0, 1e-30, 3.3e6, 1e60]))
    sep = draw(st.sampled_from([",", ";", "\t", "|"]))
    section: dict[str, Any] = {"kind": "series", "separator": sep}
    start = draw(st.sampled_from(["2020-01-01", "1970-01-01", "2262-04-01", "1700-06-15"]))
    hours = pd.Timestamp(start) + pd.to_timedelta(np.arange(rows), unit="h")
    form = draw(st.sampled_from([None, "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "iso", "step"]))
    if form is None:
        section["date"] = None
        # A header of one column without a name is a blank line.
        columns = ["load"] if [name.strip() for name in columns] == [""] else columns
        table = [columns, *([repr(float(x)) for x in row] for row in values)]
        return table, section, values, columns
    if form == "%d.%m.%Y %H:%M":
        section["date_format"] = form
    if form == "step":
        stamps = [str(n) for n in range(rows)]
    else:
        stamps = [h.isoformat() if form == "iso" else h.strftime(form) for h in hours]
    table = [["date", *columns], *([s, *(repr(float(x)) for x in row)] for s, row in zip(stamps, values, strict=True))]
    return table, section, values, columns


@st.composite
def good_tables(draw: st.DrawFn) -> TableCase:
    """Every way of writing the same table."""
    rows, section, values, columns = draw(_good())
    text = _text(rows, section["separator"])
    data = draw(st.sampled_from(LINE_ENDS))(text.encode()) + draw(st.sampled_from([b"", b"\n\n"]))
    if draw(st.booleans()):
        section["encoding"], data = "utf-16", text.encode("utf-16")
    name = draw(st.sampled_from(["own.csv", "own.csv.gz", "own table (1).csv"]))
    data = gzip.compress(data, mtime=0) if name.endswith(".gz") else data
    return TableCase(name, data, section, values, [column.strip() for column in columns])


@st.composite
def bad_cells(draw: st.DrawFn) -> TableCase:
    """A good table with one cell, stamp or column name replaced."""
    rows, section, values, columns = draw(_good())
    dated = section.get("date", "date") is not None
    row = draw(st.integers(1, len(rows) - 1))
    what = draw(st.sampled_from(["cell", "cell", "stamp", "name"]))
    if what == "cell" or (what == "stamp" and not dated):
        column = draw(st.integers(0, len(columns) - 1))
        cell = draw(st.sampled_from(CELLS))
        rows[row][column + dated] = cell
        if cell == "" and len(rows[0]) == 1 and row == len(rows) - 1:
            values = values[:-1]  # A blank line at the end is no row.
        elif not is_number(cell):
            return TableCase("own.csv", _text(rows, section["separator"]).encode(), section, refused=True)
        elif abs(float(cell)) > 1e14 * np.abs(values).max():
            # So far outside the others that its z-score may be refused.
            return TableCase("own.csv", _text(rows, section["separator"]).encode(), section)
        else:
            values[row - 1, column] = float(cell)
        section["on_constant"] = "keep"
        return TableCase("own.csv", _text(rows, section["separator"]).encode(), section, values,
                         [column.strip() for column in columns])  # fmt: skip
    if what == "stamp":
        rows[row][0] = draw(st.sampled_from(STAMPS))
    else:
        rows[0][draw(st.integers(0, len(rows[0]) - 1))] = draw(st.sampled_from(NAMES))
    return TableCase("own.csv", _text(rows, section["separator"]).encode(), section)


@st.composite
def bad_shapes(draw: st.DrawFn) -> TableCase:
    """Rows too short, too long, out of order, twice; no rows, no columns; labels and settings that do not fit."""
    rows, section, _, columns = draw(_good())
    row = draw(st.integers(1, len(rows) - 1))
    match draw(st.sampled_from(["short", "long", "blank", "twice", "swapped", "header", "few", "setting", "all long"])):
        case "short":
            rows[row].pop()
        case "long":
            rows[row] += ["1"] * draw(st.integers(1, 3))
        case "blank":
            rows[row] = [""] * draw(st.integers(0, len(rows[0])))
        case "twice":
            rows.insert(row, list(rows[row]))
            section["on_duplicate"] = draw(st.sampled_from(["error", "first", "last", "mean", "keep"]))
        case "swapped":
            rows[1], rows[row] = rows[row], rows[1]
            section["on_unordered"] = draw(st.sampled_from(["error", "sort"]))
        case "header":
            rows = rows[:1]
        case "few":
            rows = rows[: draw(st.integers(2, 8))]
        case "all long":
            rows = [rows[0], *([*r, "1"] for r in rows[1:])]
        case "setting":
            section |= draw(
                st.sampled_from(
                    [
                        {"encoding": "no-such"}, {"encoding": "undefined"}, {"encoding": "utf-16"},
                        {"encoding": "idna"}, {"encoding": "a\0b"}, {"encoding": "base64"}, {"encoding": ""},
                        {"encoding": "utf-8-sig"},
                        {"encoding": "punycode"}, {"encoding": "cp037"}, {"encoding": "utf-7"},
                        {"encoding": "shift_jis"}, {"separator": "\n"}, {"separator": '"'}, {"separator": "\0"},
                        {"separator": "é"},
                        {"separator": ""}, {"separator": "::"}, {"separator": "1"}, {"separator": "\r"},
                        {"separator": " "}, {"separator": "."}, {"separator": "-"},
                        {"date_format": "%Q"}, {"date_format": "%"}, {"date_format": "ISO8601"}, {"date_format": ""},
                        {"date_format": "mixed"}, {"date_format": "%Y"}, {"date_format": "%Y%Y"}, {"date_format": "("},
                        {"values": ["gone"]}, {"values": []}, {"values": columns + columns}, {"values": ["date"]},
                        {"labels": ["gone"]}, {"labels": columns}, {"labels": ["date"]}, {"date": "gone"}, {"date": ""},
                        {"units": {"gone": "m"}}, {"missing_markers": [0.25, -1.0]}, {"borders": {"train": 1e-300}},
                        {"borders": {"train": 10**18, "val": 10**19, "test": 10**20}}, {"path": "data/raw"},
                        {"path": ""}, {"path": "/etc/passwd"}, {"path": "../outside.csv"}, {"path": "data/raw/own.txt"},
                        {"path": "data/raw/a\0b.csv"}, {"path": "x" * 5000}, {"path": "data/raw/../../outside.csv"},
                        {"path": "."}, {"path": "data/raw/sub.csv"}, {"path": "data/raw/own.parquet"},
                    ]
                )
            )  # fmt: skip
    return TableCase("own.csv", _text(rows, section["separator"] if section["separator"] in ",;\t|" else ",").encode(),
                     section)  # fmt: skip


@st.composite
def bad_table_bytes(draw: st.DrawFn) -> TableCase:
    """A good table whose bytes were damaged, or that is not what its name says."""
    rows, section, _, _ = draw(_good())
    data = _text(rows, section["separator"]).encode()
    name = draw(st.sampled_from(["own.csv", "own.csv.gz", "own.parquet", "own.txt", "own.csv.zip"]))
    packed = draw(st.booleans())
    if name == "own.parquet" and packed:
        buffer = io.BytesIO()
        pd.DataFrame(rows[1:], columns=[f"c{n}" for n in range(len(rows[0]))]).to_parquet(buffer)
        data = buffer.getvalue()
    elif name == "own.csv.gz" and packed:
        data = gzip.compress(data, mtime=0)
    return TableCase(name, draw(any_bytes())(data), section)


@st.composite
def odd_parquet(draw: st.DrawFn) -> TableCase:
    """Tables of types that no series has."""
    import datetime
    from decimal import Decimal

    rows = 12
    odd: dict[str, list[Any]] = {
        "numbers": [float(n) for n in range(rows)],
        "none": [None] * rows,
        "lists": [[n, n] for n in range(rows)],
        "maps": [{"a": n} for n in range(rows)],
        "bytes": [bytes([n]) for n in range(rows)],
        "decimal": [Decimal(n) / 7 for n in range(rows)],
        "dates": [datetime.date(2020, 1, n + 1) for n in range(rows)],
        "times": [datetime.time(n) for n in range(rows)],
        "spans": [datetime.timedelta(hours=n) for n in range(rows)],
        "stamps": [datetime.datetime(2020, 1, 1, n, tzinfo=datetime.UTC) for n in range(rows)],
        "bools": [n % 2 == 0 for n in range(rows)],
        "text": [str(n) for n in range(rows)],
        "mixed": [str(n) if n % 2 else None for n in range(rows)],
        "big": [2**63 + n for n in range(rows)],
        "inf": [math.inf] * rows,
    }
    chosen = draw(st.lists(st.sampled_from(sorted(odd)), min_size=1, max_size=3, unique=True))
    frame = pd.DataFrame({name: pd.Series(odd[name], dtype=object if name != "big" else "uint64") for name in chosen})
    if draw(st.booleans()):
        frame[draw(st.sampled_from(["text", "bools"]))] = pd.Categorical(["a", "b"] * (rows // 2))
    for name in ("numbers", "inf", "bools"):
        if name in frame and frame[name].dtype == object:
            frame[name] = frame[name].astype(bool if name == "bools" else float)
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    section: dict[str, Any] = {"kind": "series", "date": draw(st.sampled_from([None, *chosen]))}
    section["labels"] = draw(st.sampled_from([[], [chosen[-1]]]))
    return TableCase("own.parquet", buffer.getvalue(), section)
