"""Damage that a seeded generator does to files and settings: cut, recoded, another cell, line or value."""

import gzip
import io
import random
import re
import zipfile
from typing import Any

CELLS = [
    "", " ", "nan", "NaN", "-nan", "inf", "-Infinity", "1e400", "1e308", "-1e308", "1e-320", "0x10", "1_000", "１２",
    "²", "1,5", "1.5.2", "--5", "+-1", "1e", "true", "None", "null", "NA", '"', '""', '"a', "'", "\0", "\x1b[31m", "é",
    "\u202e", "\u2028", "2020-02-31", "2020-13-01 00:00:00", "24:00", "99999-01-01", "0000-00-00", "1677-01-01",
    "9" * 400,
    "x" * 5000, "=1+1", "@data", "#", "%", "[1,2]", "{}", "B-", "I-x", "O", "../../etc/passwd", "/dev/zero", "😀",
    "\ufeff", "9007199254740993", "-0", "1e22", "٣", "1 000", "\\N", "\r", "\t",
]  # fmt: skip
"""Cells, tokens and names that stand where others were."""
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 7, 49, 50, 51, 10**6, 2**31, 10**30, 0.0, 0.5, 1.5, -0.1, 1e-300, 1e308,
    float("nan"), float("inf"), "", " ", "x", "date", "age", "load", "state", "score", "y", "x", "../x", "/dev/zero",
    "data/raw", ".", "\0", "1", "é", "null", "error", "keep", "mean", "utf-16", "cp037", "idna", "\t", "::", "#",
    [], ["x"], ["date"], ["load"], ["load", "load"], ["age", "score"], [None], [[1]], [1, 2], {}, {"x": "y"}, {"a": 1},
    {"kind": "x"}, {"kind": "random"}, {"kind": "time", "column": "age"}, {"kind": "group", "column": "town"},
    {"kind": "column", "column": "town"}, {"kind": "cross", "folds": 3}, {"train": 0.5, "test": 0.5},
    {"train": 5, "val": 9, "test": 12}, {"train": 0.9, "test": 0.05}, {"test_series": 0.3}, {"load": "kW"},
    {"age": "category"},
    {"town": "number"}, {"town": "text"}, {"score": "date"}, {"label": "y"}, {"label": "x"}, {"t": "y"}, "x" * 5000,
]  # fmt: skip
"""Values that settings are given."""


def bytes_of(data: bytes, draw: random.Random) -> bytes:
    """Bytes that were cut, flipped, doubled, inserted into, moved or recoded."""
    at = draw.randrange(len(data) + 1)
    to = draw.randrange(len(data) + 1)
    match draw.randrange(12):
        case 0:
            return data[:at]
        case 1:
            return data[at:]
        case 2:
            return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
        case 3:
            return data[:at] + draw.choice(CELLS).encode("utf-8") + data[at:]
        case 4:
            return data[: min(at, to)] + data[max(at, to) :]
        case 5:
            return data + data[at:]
        case 6:
            return data[:at] + draw.randbytes(draw.randrange(1, 64)) + data[at:]
        case 7:
            return b"\xef\xbb\xbf" + data
        case 8:
            return data.replace(b"\n", draw.choice([b"\r\n", b"\r", b"\n\n", b""]))
        case 9:
            encoding = draw.choice(["utf-16", "utf-16-le", "utf-32", "latin-1", "utf-7", "cp037"])
            return data.decode("utf-8", "replace").encode(encoding, "replace")
        case 10:
            others = [b"", b"\0" * 512, gzip.compress(data, mtime=0), b"PK\x03\x04" + data, b"\x1f\x8b" + data]
            others += [b"PAR1" + data + b"PAR1", b"<!DOCTYPE html><html></html>", b"\x89PNG\r\n\x1a\n"]
            return draw.choice(others)
        case _:
            changed = bytearray(data)
            for _ in range(draw.randrange(1, 9)):
                if changed:
                    changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
            return bytes(changed)


def text_of(data: bytes, draw: random.Random) -> bytes:
    """A text with another cell or another order of lines."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return bytes_of(data, draw)
    if draw.random() < 0.7:
        places = [(m.start(), m.end()) for m in re.finditer(r"[^,;:\t\n]+", text)]
        if not places:
            return bytes_of(data, draw)
        # The first lines name and describe what follows: they are hit as often as all others.
        begin, end = draw.choice(places[:12] if draw.random() < 0.4 else places)
        return (text[:begin] + draw.choice(CELLS) + text[end:]).encode("utf-8")
    lines = text.split("\n")
    at, to = draw.randrange(len(lines)), draw.randrange(len(lines))
    match draw.randrange(7):
        case 0:
            del lines[at]
        case 1:
            lines.insert(to, lines[at])
        case 2:
            lines[at], lines[to] = lines[to], lines[at]
        case 3:
            lines = lines[: at + 1]
        case 4:
            draw.shuffle(lines)
        case 5:
            lines[at] += draw.choice([",", ",1", "\t", ":", " ", ",,,", '"'])
        case _:
            lines.insert(to, draw.choice(CELLS))
    return "\n".join(lines).encode("utf-8")


def inside(data: bytes, draw: random.Random) -> bytes:
    """A file with damage inside what it packs: a member of a zip, the content of a gzip, or the text itself."""
    if data[:2] == b"PK":
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as given, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
            names = given.namelist()
            hit, how = draw.choice(names), draw.randrange(6)
            for name in names:
                content = given.read(name)
                if name == hit and how == 0:
                    continue
                if name == hit and how < 4:
                    content = draw.choice([bytes_of, text_of])(content, draw)
                if name == hit and how == 4:
                    content = given.read(draw.choice(names))
                out.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
                if name == hit and how == 5:
                    out.writestr(zipfile.ZipInfo(draw.choice(["../evil", "/evil", "more.txt", name + "x"])), content)
        return buffer.getvalue()
    if data[:2] == b"\x1f\x8b":
        return gzip.compress(draw.choice([bytes_of, text_of])(gzip.decompress(data), draw), 1, mtime=0)
    return text_of(data, draw)


def setting(section: dict[str, Any], names: list[str], draw: random.Random) -> dict[str, Any]:
    """The section of a source with one setting of another value, in it or in a part of it.

    Args:
        section: settings as YAML holds them.
        names: settings that the kind knows.
        draw: source of chance.
    """
    changed = dict(section)
    parts = [name for name, value in section.items() if isinstance(value, dict)]
    if parts and draw.random() < 0.4:
        part = draw.choice(parts)
        changed[part] = setting(section[part], [*section[part], "kind", "more"], draw)
        return changed
    name = draw.choice([*names, "more"])
    changed[name] = draw.choice(VALUES)
    if draw.random() < 0.1:
        changed.pop(name)
    return changed
