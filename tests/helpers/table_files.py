"""Generated files of text in every layout that the options of a table name, with what they hold."""

import gzip
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252"]
SEPARATORS = [",", ";", "\t", "|", ";;", "||", " ", "whitespace"]


@dataclass(frozen=True)
class Layout:
    """A file with its options and its truth.

    Args:
        name: of the file.
        data: its bytes.
        section: of the source, without `kind` and `path`.
        values: [R, C] numbers, NaN where one is missing.
        columns: their names.
        states: label of each row.
        units: as the row of units tells them.
        text: the file decoded, to look for lines in.
    """

    name: str
    data: bytes
    section: dict[str, Any]
    values: np.ndarray
    columns: list[str]
    states: list[str]
    units: dict[str, str]
    text: str


@dataclass
class _Writer:
    """Cells and lines of one layout."""

    separator: str
    decimal: str
    thousands: str | None
    end: str
    comment: str | None
    quoted: bool = False
    lines: list[str] = field(default_factory=list)

    def number(self, value: float) -> str:
        if np.isnan(value):
            return ""
        text = f"{value:,.2f}" if self.thousands else f"{value:.2f}"
        return text.replace(",", "\0").replace(".", self.decimal).replace("\0", self.thousands or "")

    def cell(self, text: str) -> str:
        special = {"\n", "\r", '"', " ", "\t", self.separator, self.separator[0], self.comment or '"'}
        if self.quoted or not text or any(mark in text for mark in special):
            return '"' + text.replace('"', '""') + '"'
        return text

    def row(self, cells: list[str]) -> None:
        between = "  \t " if self.separator == "whitespace" else self.separator
        self.lines.append(between.join(map(self.cell, cells)))


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """A file of ten rows and more in some layout."""
    writer, section = _form(draw)
    rows, width = draw(st.integers(10, 16)), draw(st.integers(1, 3))
    cents = st.integers(-400_000_00, 400_000_00)
    values = np.array(draw(st.lists(st.lists(cents, min_size=width, max_size=width), min_size=rows, max_size=rows)))
    values = values / 100
    values[0] = 0.5  # A number below 1 tells that its mark is a decimal one.
    marker = draw(st.sampled_from([None, "n/v", "-"]))
    if marker is not None:
        values[draw(st.integers(1, 5)), 0] = np.nan  # Filled within the training part.
        section |= {"on_missing": "ffill"} | ({"missing": [marker]} if marker == "n/v" else {})
    kinds = ["on", "off", "half, on", 'a "b"', "two\nlines"]  # All of them in the training part.
    states = [*kinds, *draw(st.lists(st.sampled_from(kinds), min_size=rows - len(kinds), max_size=rows - len(kinds)))]
    columns = [f"T{number} °" for number in range(width)]
    units: dict[str, str] = {}
    top = draw(st.integers(0, 3))
    writer.lines += [f"line {number}, above; the table" for number in range(top)]
    names = ["day", "state", *columns, "time"]
    if draw(st.booleans()):
        writer.row(names)
        if draw(st.booleans()):
            section["units_row"], units = True, dict.fromkeys(columns, "°C")
            writer.row(["", "", *("°C" for _ in columns), ""])
    else:
        section["columns"] = names
    if top:
        section["skip_rows"] = top
    for number in range(rows):
        if writer.comment is not None and draw(st.integers(0, 3)) == 0:
            writer.lines.append(f'{writer.comment} a "remark')
        numbers = [marker or "" if np.isnan(value) else writer.number(value) for value in values[number]]
        writer.row([f"2020-01-{number + 1:02d}", states[number], *numbers, f"{number:02d}:30"])
        if writer.comment is not None and draw(st.integers(0, 3)) == 0:
            writer.lines[-1] += f"{writer.comment} another, remark"
    if draw(st.booleans()):
        section["skip_footer"] = 2
        writer.lines += ["the end", "of it"]
    text = writer.end.join([*writer.lines, ""]) + draw(st.sampled_from(["", writer.end * 2]))
    section |= {"date": ["day", "time"], "labels": ["state"], "on_constant": "keep", "allow": columns}
    section["encoding"] = draw(st.sampled_from(ENCODINGS))
    data, name = text.encode(section["encoding"]), "own.csv"
    if draw(st.booleans()):
        data, name = gzip.compress(data, mtime=0), "own.csv.gz"
    if section["encoding"] == "utf-8-sig" and draw(st.booleans()):
        del section["encoding"]
    return Layout(name, data, section, values, columns, states, units, text)


def _form(draw: st.DrawFn) -> tuple[_Writer, dict[str, Any]]:
    """How cells and lines are written, and the options that say so."""
    separator = draw(st.sampled_from(SEPARATORS))
    decimal = draw(st.sampled_from([".", ","]))
    thousands = draw(st.sampled_from([mark for mark in (None, ",", ".", " ", "'", "_") if mark != decimal]))
    comment = draw(st.sampled_from([None, "#", "%"]))
    writer = _Writer(separator, decimal, thousands, draw(st.sampled_from(["\n", "\r\n", "\r"])), comment)
    writer.quoted = draw(st.booleans())
    section: dict[str, Any] = {"separator": separator}
    if decimal == "," or draw(st.booleans()):
        section["decimal"] = decimal
    if thousands is not None:
        section["thousands"] = thousands
    if comment is not None:
        section["comment"] = comment
    return writer, section
