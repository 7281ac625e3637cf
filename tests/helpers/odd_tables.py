"""Generated tables of samples: what was planted in them, and what the files lack or have too much of."""

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

TOWNS = ("Ulm", "Jena", "Bonn am Rhein", "Kiel", "Åbo", "none", "-")
TRUTHS = (("no", "yes"), ("N", "Y"), ("false", "true"), ("FALSE", "TRUE"))
KINDS = ("number", "decimal", "category", "boolean", "date")
FAULTS = (
    None,
    None,
    None,
    "text",
    "infinite",
    "marker",
    "comma",
    "footer",
    "header",
    "twice",
    "comment",
    "units",
    "skip",
)
"""Fault of a file; most have none."""


@dataclass(frozen=True)
class OddTable:
    """A generated file.

    Args:
        data: its bytes.
        options: of the source, as somebody would write them who has not seen the fault.
        numbers: column → planted numbers, None where missing.
        names: column → planted names, None where missing.
        left_out: columns that are no inputs.
        remedy: options that read the file, where those above do not.
        word: part of the message on the fault: the option that helps.
    """

    data: bytes
    options: dict[str, Any]
    numbers: dict[str, list[float | None]]
    names: dict[str, list[str | None]]
    left_out: tuple[str, ...] = ()
    remedy: dict[str, Any] = field(default_factory=dict)
    word: str = ""


def _written(number: float, decimal: str) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".").replace(".", decimal) if number % 1 else f"{number:.0f}"


@st.composite
def odd_tables(draw: st.DrawFn) -> OddTable:
    """Tables of 24 to 40 rows; a column of numbers without a missing cell, `score`, is always there."""
    rows = draw(st.integers(24, 40))
    fault = draw(st.sampled_from(FAULTS))
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    decimal = "," if separator == ";" and draw(st.booleans()) else "."
    options: dict[str, Any] = {} if separator == "," else {"separator": separator}
    options |= {"decimal": ","} if decimal == "," else {}
    numbers: dict[str, list[float | None]] = {}
    names: dict[str, list[str | None]] = {}
    cells: dict[str, list[str]] = {}
    left_out: list[str] = []
    if draw(st.booleans()):
        cells["id"] = [str(1000 + row) for row in range(rows)]
        left_out.append("id")
    for place, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))):
        gaps = draw(st.sets(st.integers(0, rows - 1), max_size=rows // 4)) if draw(st.booleans()) else set()
        _column(draw, kind, f"{kind}{place}", gaps, (cells, numbers, names), decimal)
    if draw(st.booleans()):
        cells["same"] = ["7"] * rows
        left_out.append("same")
    score = [float(number) for number in draw(st.lists(st.integers(-500, 500), min_size=rows, max_size=rows))]
    score[:3] = [0.5, -3.25, 1e3]
    numbers["score"], cells["score"] = list(score), [_written(number, decimal) for number in score]
    remedy: dict[str, Any] = {}
    at = draw(st.integers(4, rows - 1))
    word = ""
    if fault in ("text", "infinite", "marker"):
        text = {"text": "see notes", "infinite": "inf", "marker": "-9999"}[fault]
        cells["score"][at], numbers["score"][at] = text, None
        remedy = {"missing_markers": [-9999]} if fault == "marker" else {"missing": [text]}
        word = "missing"
        if fault == "marker":
            options, remedy, word = options | remedy, {}, ""
    header = [*cells]
    lines = [separator.join(header)]
    quoted = draw(st.booleans())
    for row in range(rows):
        line = [column[row] for column in cells.values()]
        lines.append(separator.join(f'"{cell}"' if quoted and cell else cell for cell in line))
    if fault == "comma" and decimal == ",":
        options.pop("decimal")
        remedy, word = {"decimal": ","}, "decimal"
    elif fault == "footer":
        lines.append("end of the table")
        remedy, word = {"skip_footer": 1}, "skip_footer"
    elif fault == "header":
        lines = lines[1:]
        remedy, word = {"columns": header}, ""
    elif fault == "twice":
        lines[0] = separator.join([*header[:-1], header[0]])
        remedy, word = {"skip_rows": 1, "columns": header}, "columns"
    elif fault == "comment":
        lines.insert(1, "# checked by hand")
        remedy, word = {"comment": "#"}, "comment"
    elif fault == "units":
        lines.insert(1, separator.join("mg" if name == "score" else "" for name in header))
        remedy, word = {"units_row": True}, ""
    elif fault == "skip":
        lines[:0] = ["Report of the ward", ""]
        remedy, word = {"skip_rows": 2}, "skip_rows"
    end = draw(st.sampled_from(["\n", "\r\n"]))
    tail = end * draw(st.integers(0, 2))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    data = (mark + end.join(lines) + tail).encode()
    return OddTable(data, options, numbers, names, tuple(left_out), remedy, word)


def _column(
    draw: st.DrawFn,
    kind: str,
    name: str,
    gaps: set[int],
    into: tuple[dict[str, list[str]], dict[str, list[float | None]], dict[str, list[str | None]]],
    decimal: str,
) -> None:
    """Adds one column: its cells, and the numbers or names that are planted in them."""
    cells, numbers, names = into
    rows = 40
    if kind in ("number", "decimal"):
        scale = 1 if kind == "number" else 8
        values = [draw(st.integers(-99, 99)) / scale for _ in range(rows)]
        values[:4] = [3.0, 5.0, 3.0, -1.0] if kind == "number" else [0.125, 2.5, 0.125, 7.0]
        kept = [None if row in gaps else value for row, value in enumerate(values)]
        empty = draw(st.sampled_from(["", "NA", "?", "NaN"]))
        numbers[name] = list(kept)
        cells[name] = [empty if value is None else _written(value, decimal) for value in kept]
    elif kind == "category":
        towns = draw(st.lists(st.sampled_from(TOWNS), min_size=2, max_size=5, unique=True))
        chosen = [towns[row % 2] if row < 6 else draw(st.sampled_from(towns)) for row in range(rows)]
        names[name] = [None if row in gaps else town for row, town in enumerate(chosen)]
        cells[name] = [town or "" for town in names[name]]
    elif kind == "boolean":
        words = draw(st.sampled_from(TRUTHS))
        chosen = [words[row % 2] if row < 6 else words[draw(st.integers(0, 1))] for row in range(rows)]
        gaps = gaps - set(range(6))
        names[name] = [None if row in gaps else word for row, word in enumerate(chosen)]
        cells[name] = [word or "" for word in names[name]]
    else:
        days = [draw(st.integers(13, 28)) for _ in range(rows)]
        days[:4] = [13, 14, 13, 15]  # A part of the dates that never changes would be no input.
        gaps = gaps - set(range(4))
        numbers[f"{name} (day of the month)"] = [None if row in gaps else float(day) for row, day in enumerate(days)]
        cells[name] = ["" if row in gaps else f"2021-{1 + row % 12:02d}-{day}" for row, day in enumerate(days)]


def planted(table: OddTable) -> str:
    """The table in words, for a failure."""
    return json.dumps({"options": table.options, "remedy": table.remedy}) + "\n" + table.data.decode()
