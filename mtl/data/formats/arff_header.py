"""Header of an ARFF file: the names and types of its columns.

The format is that of Weka 3 (https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/): keywords in any
letter case, comments from `%` on, names and values in single or double quotes with a backslash before a quote in them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mtl.errors import DataError, shown

Kind = Literal["number", "nominal", "string", "date"]
QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
ATTRIBUTE = re.compile(rf"@attribute\s+({QUOTED}|\S+)\s*(.*)", re.IGNORECASE | re.DOTALL)
VALUE = re.compile(rf"\s*({QUOTED}|[^,]*?)\s*(,|$)", re.DOTALL)
RELATION, DATA = re.compile(r"@relation\b", re.IGNORECASE), re.compile(r"@data\s*(?:%.*)?", re.IGNORECASE)
KEEL = re.compile(r"@(inputs?|outputs?)\b", re.IGNORECASE)
"""Lines by which KEEL's files name inputs and outputs."""
JAVA = re.compile(r"'([^']*)'|(([A-Za-z])\3*)|([^A-Za-z'])")
"""A literal, a field, or another character of a form of dates."""
DATE = "yyyy-MM-dd'T'HH:mm:ss"
"""Form of dates whose attribute names none."""
FIELDS = {
    "yyyy": "%Y", "yy": "%y", "y": "%Y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d",
    "HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "m": "%M", "ss": "%S", "s": "%S", "SSS": "%f", "a": "%p",
    "Z": "%z", "X": "%z", "XX": "%z", "XXX": "%z", "EEE": "%a", "EEEE": "%A",
}  # fmt: skip
"""Field of Java's SimpleDateFormat → directive of strftime."""


@dataclass(frozen=True)
class Attribute:
    """One column.

    Args:
        name: of the column.
        kind: number, nominal, string or date.
        values: those that a nominal one may have, in their order.
        form: of dates, as in strftime.
    """

    name: str
    kind: Kind
    values: tuple[str, ...] = ()
    form: str = ""


@dataclass(frozen=True)
class Header:
    """Columns, and where the rows begin.

    Args:
        attributes: columns, in the order of the cells.
        rows: number of lines above the rows, `@data` among them.
    """

    attributes: list[Attribute]
    rows: int


def read_header(lines: Sequence[str], where: str, notes: list[str]) -> Header:
    """The header of an ARFF file.

    Args:
        lines: of the file, without line ends.
        where: its path in messages.
        notes: takes what is there and not read.

    Raises:
        DataError: no ARFF file, no `@data`, an attribute that cannot be read or is there twice; names the line.
    """
    attributes: list[Attribute] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("%") or RELATION.match(text):
            continue
        if DATA.fullmatch(text):
            if not attributes:
                raise DataError(f"{where}, line {number}: should name columns by `@attribute` above, found none.")
            return Header(attributes, number)
        if KEEL.match(text):
            notes.append(f"{where}, line {number}: {shown(text[:60])} was not read: the tasks name what is predicted.")
            continue
        match = ATTRIBUTE.fullmatch(text)
        if match is None:
            what = "`@attribute NAME TYPE`, `@data` or a comment (%)" if attributes else "`@relation` or `@attribute`"
            raise DataError(f"{where}, line {number}: should be {what}, as in an ARFF file, found {shown(text[:80])}.")
        attributes.append(_attribute(match[1], match[2].strip(), f"{where}, line {number}"))
        if attributes[-1].name in {attribute.name for attribute in attributes[:-1]}:
            raise DataError(
                f"{where}, line {number}: column `{attributes[-1].name}` is there more than once: rename one of them."
            )
    raise DataError(f"{where}: should have a line `@data` above its rows, found none.")


def unquoted(text: str) -> str:
    """The text without the quotes around it, and without the backslashes before quotes in it."""
    if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _attribute(name: str, kind: str, place: str) -> Attribute:
    name = unquoted(name).strip()
    if kind.startswith("{"):
        if "}" not in kind:
            raise DataError(f"{place}: should list the values of `{name}` up to a `}}`, found {shown(kind[-40:])}.")
        values = tuple(_values(kind[1 : kind.rindex("}")]))
        twice = next((value for value in values if values.count(value) > 1), None) if len(values) < 5000 else None
        if twice is not None:
            raise DataError(f"{place}: should list each value of `{name}` once, found {shown(twice)} more than once.")
        return Attribute(name, "nominal", values)
    word, _, rest = kind.partition(" ")
    match word.lower():
        # KEEL's files give the range behind the type: `real [0.0, 1.0]`.
        case "numeric" | "real" | "integer":
            return Attribute(name, "number")
        case "string":
            return Attribute(name, "string")
        case "date":
            return Attribute(name, "date", form=_form(unquoted(rest.strip()) or DATE, f"{place}, column `{name}`"))
    raise DataError(
        f"{place}: `{name}` should be numeric, real, integer, string, date or {{…}}, found {shown(kind)}"
        + (": write the table without it." if word.lower() == "relational" else ".")
    )


def _values(text: str) -> Iterator[str]:
    """Values of a nominal attribute; those in quotes may hold commas."""
    at = 0
    while at < len(text):
        match = VALUE.match(text, at)
        if match is None:
            # A quote inside an unquoted value.
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            yield text[at:end].strip()
            at = end + 1
            continue
        if match[1] or match[2]:
            yield unquoted(match[1])
        at = match.end()


def _form(java: str, place: str) -> str:
    """A form of Java's SimpleDateFormat as strftime has it."""
    form = ""
    for match in JAVA.finditer(java):
        literal, letters, other = match[1], match[2], match[4]
        if not letters:
            form += (literal or other or "").replace("%", "%%")
        elif letters in FIELDS:
            form += FIELDS[letters]
        else:
            raise DataError(f"{place}: the form {shown(java)} of its dates has an unknown field, {letters}.")
    return form
