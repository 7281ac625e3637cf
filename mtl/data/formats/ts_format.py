"""The .ts text format of the UEA & UCR archive (www.timeseriesclassification.com) and of the archive of extrinsic
regression (tseregression.org): header tags, then one case a line.

A case is its channels, parted by `:`, each a list of numbers parted by `,`, and at the end the name of its class, or
with `@targetLabel true` a number. Lengths may differ between cases, not between the channels of one; `?` and `NaN` are
missing values or numbers.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mtl.data.formats.labels import is_number, known_class
from mtl.data.formats.reading import read_bytes
from mtl.errors import DataError, shown


@dataclass(frozen=True)
class TsFile:
    """One file: cases [C, L_i] float64 with NaN for `?`, the line of each, and its class name or its target."""

    path: str
    cases: list[np.ndarray] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    """Class name of each case; none where the header says `@targetLabel true`."""
    classes: list[str] = field(default_factory=list)
    """Names of the classes in the order of the header."""
    targets: list[float] = field(default_factory=list)
    """Number of each case, NaN for `?`; none where the cases have classes."""
    notes: list[str] = field(default_factory=list)
    """Names of classes that were read in another spelling."""


@dataclass
class _Header:
    classes: list[str] = field(default_factory=list)
    unlabelled: str | None = None
    """Place at which the header says `@classLabel false`, or None."""
    targets: bool = False
    """Each case ends in a number."""
    dimensions: int | None = None
    length: int | None = None
    equal: bool | None = None
    missing: bool | None = None
    first: int | None = None
    """Length of the cases so far, which `@equalLength true` makes that of all."""


def parse_ts(path: Path, where: str) -> TsFile:
    """Reads one .ts file.

    Raises:
        DataError: a header tag that is missing, unsupported or belied by the data; a cell that is no number.
    """
    # Comments are in any encoding.
    text = read_bytes(path, where).decode("utf-8-sig", errors="replace")
    header, parsed, in_data = _Header(), TsFile(where), False
    spellings: dict[tuple[str, str], int] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line, place = raw.strip(), f"{where}, line {number}"
        if not line or line.startswith("#"):
            continue
        if in_data:
            values, ending = _case(line, place, header)
            parsed.cases.append(values)
            parsed.lines.append(number)
            if header.targets:
                parsed.targets.append(_target(ending, place))
            else:
                parsed.labels.append(_label(ending, place, header, spellings))
        elif line.lower() == "@data":
            _check_ending(header, place)
            in_data = True
        elif line.startswith("@"):
            _tag(line, place, header)
        else:
            raise DataError(f"{place}: should be a header tag that starts with @, or @data, found {line[:40]!r}.")
    if not parsed.cases:
        raise DataError(f"{where}: there are no cases" + (" below @data." if in_data else ": @data is missing."))
    parsed.classes.extend(header.classes)
    parsed.notes.extend(
        f"{where}: {count} cases of class `{known}` of the header are spelt {shown(spelt)}."
        for (spelt, known), count in spellings.items()
    )
    return parsed


def _tag(line: str, place: str, header: _Header) -> None:
    tag, *words = line.split()
    tag = tag.lower()
    if tag == "@timestamps" and _flag(tag, words, place):
        raise DataError(f"{place}: `@timeStamps true` is not supported; the values alone are.")
    if tag == "@missing":
        header.missing = _flag(tag, words, place)
    elif tag == "@univariate" and _flag(tag, words, place):
        header.dimensions = 1
    elif tag == "@equallength":
        header.equal = _flag(tag, words, place)
    elif tag in ("@dimensions", "@dimension", "@serieslength"):
        if len(words) != 1 or not re.fullmatch(r"0*[1-9][0-9]{0,8}", words[0]):
            given = shown(" ".join(words))
            raise DataError(f"{place}: `{tag}` should be followed by a positive number, found {given}.")
        if tag == "@serieslength":
            header.length = int(words[0])
        else:
            header.dimensions = int(words[0])
    elif tag == "@targetlabel":
        header.targets = _flag(tag, words, place)
    elif tag == "@classlabel":
        if not _flag(tag, words[:1], place):
            header.unlabelled = header.unlabelled or place
            return
        header.classes = words[1:]
        if len({float(name) if is_number(name) else name for name in header.classes}) != len(header.classes):
            raise DataError(f"{place}: `@classLabel` names a class twice: leave one of them out.")


def _flag(tag: str, words: list[str], place: str) -> bool:
    if len(words) != 1 or words[0].lower() not in ("true", "false"):
        raise DataError(f"{place}: `{tag}` should be followed by true or false, found {' '.join(words)!r}.")
    return words[0].lower() == "true"


def _check_ending(header: _Header, place: str) -> None:
    """Checks that the header says what a case ends in; `place` is where its cases begin."""
    if header.targets:
        if header.classes:
            raise DataError(f"{place}: the header should say `@classLabel` or `@targetLabel true`, found both.")
    elif header.unlabelled is not None:
        raise DataError(
            f"{header.unlabelled}: `@classLabel false`: cases without a class cannot be classified; cases that end in "
            "a number have `@targetLabel true`."
        )
    elif not header.classes:
        raise DataError(
            f"{place}: the header should name its classes, `@classLabel true walking running`, or say that a case ends "
            "in a number, `@targetLabel true`."
        )


def _label(ending: str, place: str, header: _Header, spellings: dict[tuple[str, str], int]) -> str:
    """The name of a case's class, as the header spells it; other spellings are counted."""
    known = known_class(ending, header.classes)
    if known is None:
        allowed = ", ".join(header.classes)
        raise DataError(f"{place}: the class should be one of {allowed}, found {ending[:40]!r}.")
    if known != ending:
        spellings[ending, known] = spellings.get((ending, known), 0) + 1
    return known


def _target(ending: str, place: str) -> float:
    """The number of a case; NaN for `?` and `NaN`."""
    if _is_missing(ending):
        return math.nan
    if not _is_number(ending) or not math.isfinite(float(ending)):
        raise DataError(f"{place}: the target should be a finite number, or ? for none, found {shown(ending)}.")
    return float(ending)


def _case(line: str, place: str, header: _Header) -> tuple[np.ndarray, str]:
    """One case [C, L] and what it ends in: the name of its class, or its target."""
    *channels, ending = line.split(":")
    if not channels or (header.dimensions is not None and len(channels) != header.dimensions):
        raise DataError(f"{place}: should have {header.dimensions or 'some'} channels, found {len(channels)}.")
    rows = [_numbers(text, f"{place}, channel {n}", header) for n, text in enumerate(channels, 1)]
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise DataError(f"{place}, channel {number}: has {len(row)} values, channel 1 has {len(rows[0])}.")
    if header.equal:
        tag, length = ("@seriesLength", header.length) if header.length else ("@equalLength true", header.first)
        if length is not None and len(rows[0]) != length:
            raise DataError(f"{place}: should have {length} values a channel ({tag}), found {len(rows[0])}.")
        header.first = len(rows[0])
    return np.stack(rows), ending.strip()


def _numbers(text: str, place: str, header: _Header) -> np.ndarray:
    cells = text.split(",")
    try:
        if "_" in text or not text.isascii():
            raise ValueError  # Python reads 1_0 as 10, and digits of other scripts.
        row = np.array([np.nan if _is_missing(cell) else float(cell) for cell in cells], dtype=np.float64)
    except ValueError:
        wrong = next(n for n, cell in enumerate(cells) if not _is_number(cell))
        given = shown(cells[wrong].strip())
        raise DataError(f"{place}, value {wrong + 1}: should be a number, found {given}.") from None
    for wrong in np.flatnonzero(~np.isfinite(row)).tolist():
        cell = cells[wrong].strip()
        if not _is_missing(cell):
            raise DataError(f"{place}, value {wrong + 1}: should be a finite number, found {cell!r}.")
        if header.missing is False:
            raise DataError(
                f"{place}, value {wrong + 1}: is missing ({cell}), though the header says `@missing false`: it should "
                "say `@missing true`."
            )
    return row


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return _is_missing(cell)
    return "_" not in cell and cell.isascii()


def _is_missing(cell: str) -> bool:
    """True for `?` and for NaN as pandas and NumPy write it."""
    return cell.strip().lower() in ("?", "nan")
