"""Generated zips of HAR's layout: good ones in every packing, and such as are damaged, hostile, or say other things."""

import contextlib
import io
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.helpers.bad_tables import CELLS
from tests.helpers.damage import any_bytes
from tests.helpers.data_files import har_files

BASE = "UCI HAR Dataset/"
NAMES = ["../evil", "../../../evil", "/evil", "//evil", "a/../../evil", "C:\\evil", "C:evil", "..\\evil",
         "\\\\host\\evil",
         "a\0b", "evil\n", "\x1b[31m", "é" * 100, "x" * 5000, ".", "..", "", "a/./b", "train/../../evil",
         "data/raw/evil.json",
         "train/y_train.txt", "UCI HAR Dataset/train/y_train.txt", "CON", "a/" * 500 + "b"]  # fmt: skip
MODES = [0o120777, 0o020666, 0o060666, 0o010666, 0o140666, 0o104755, 0o100000, 0o040755]
"""A link, a character device, a block device, a pipe, a socket, a file with setuid, a plain file, a folder."""


@dataclass(frozen=True)
class ArchiveCase:
    """A file and what is known of the outcome."""

    data: bytes
    good: bool = False
    refused: bool = False
    name: str = "har.zip"


def pack(members: list[tuple[zipfile.ZipInfo, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for info, data in members:
            out.writestr(info, data, compress_type=compression)
    return buffer.getvalue()


def members(files: dict[str, bytes], base: str = BASE) -> list[tuple[zipfile.ZipInfo, bytes]]:
    return [(zipfile.ZipInfo(base + name), data) for name, data in files.items()]


def nested(data: bytes, depth: int, name: str = "inner.zip") -> bytes:
    """A zip in a zip in a zip …"""
    for _ in range(depth):
        data = pack([(zipfile.ZipInfo(name), data)], zipfile.ZIP_STORED)
    return data


@st.composite
def good_archives(draw: st.DrawFn) -> ArchiveCase:
    files = members(har_files(), draw(st.sampled_from([BASE, "", "a/b/", "ü/"])))
    files += [(zipfile.ZipInfo("__MACOSX/._junk"), b"x"), (zipfile.ZipInfo("readme.txt"), b"x")] * draw(st.booleans())
    data = pack(draw(st.permutations(files)), draw(st.sampled_from([0, 8, 12, 14])))
    data = nested(data, draw(st.integers(0, 1)))
    return ArchiveCase(data, good=True)


@st.composite
def hostile_archives(draw: st.DrawFn) -> ArchiveCase:
    """Members that lead out, are no files, are there twice, or are more than they say."""
    files = members(har_files())
    match draw(st.sampled_from(["name", "mode", "lie", "bomb", "deep", "many", "encrypted", "method", "wide"])):
        case "name":
            name = draw(st.sampled_from(NAMES))
            info = zipfile.ZipInfo("placeholder")
            info.filename = name  # As it is: ZipInfo would cut it at a null byte.
            files.insert(draw(st.integers(0, len(files))), (info, b"evil"))
            with _quiet():
                data = pack(files)
            return ArchiveCase(data)
        case "mode":
            info = zipfile.ZipInfo("special")
            info.external_attr = draw(st.sampled_from(MODES)) << 16
            files.append((info, b"/etc/passwd"))
            refused = (info.external_attr >> 28) not in (0o10, 0o04)
            return ArchiveCase(pack(files), refused=refused, good=not refused)
        case "lie":
            data = bytearray(pack(files))
            at = draw(
                st.sampled_from([n for n in range(len(data)) if data[n : n + 4] in (b"PK\x01\x02", b"PK\x03\x04")])
            )
            offset = draw(st.integers(4, 45))
            data[at + offset] = draw(st.integers(0, 255))
            return ArchiveCase(bytes(data))
        case "bomb":
            # A hundred gigabytes by its own account, and one member that is larger than it says.
            data = pack([*files, (zipfile.ZipInfo("zeros"), b"\0" * 10_000)])
            at = data.rindex((10_000).to_bytes(4, "little"))
            size = draw(st.sampled_from([0xFFFFFFFE, 1 << 31, 1 << 29]))
            return ArchiveCase(data[:at] + size.to_bytes(4, "little") + data[at + 4 :], refused=True)
        case "deep":
            return ArchiveCase(nested(pack(files), draw(st.integers(2, 60))), refused=True)
        case "many":
            count = draw(st.sampled_from([9_971, 9_973]))
            with _quiet():
                data = pack([*files, *((zipfile.ZipInfo(str(n)), b"") for n in range(count))], zipfile.ZIP_STORED)
            return ArchiveCase(data, refused=count + len(files) > 10_000, good=count + len(files) <= 10_000)
        case "encrypted":
            data = bytearray(pack(files))
            for at in range(len(data)):
                if data[at : at + 4] == b"PK\x01\x02":
                    data[at + 8] |= 1
            return ArchiveCase(bytes(data), refused=True)
        case "method":
            data = pack(files).replace(
                b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x08", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x63"
            )
            return ArchiveCase(data, refused=True)
        case _:
            inner = pack([(zipfile.ZipInfo("nothing"), b"")])
            return ArchiveCase(pack([(zipfile.ZipInfo(f"{n}.zip"), inner) for n in range(200)]), refused=True)


@st.composite
def bad_layouts(draw: st.DrawFn) -> ArchiveCase:
    """The layout with one file gone, empty, damaged or with another cell; or a zip whose bytes were damaged."""
    files = har_files()
    name = draw(st.sampled_from(sorted(files)))
    match draw(st.sampled_from(["gone", "damaged", "cell", "bytes", "other"])):
        case "gone":
            del files[name]
            return ArchiveCase(pack(members(files)), refused=True)
        case "damaged":
            files[name] = draw(any_bytes())(files[name])
        case "cell":
            cells = files[name].split()
            cells[draw(st.integers(0, len(cells) - 1))] = draw(st.sampled_from([*CELLS, "1e300", "99", "-3"])).encode()
            files[name] = b" ".join(cells) + b"\n" if name == "activity_labels.txt" else b"\n".join(cells) + b"\n"
        case "bytes":
            return ArchiveCase(draw(any_bytes())(pack(members(files))))
        case "other":
            data: Any = draw(
                st.sampled_from([b"", b"PK", b"Rar!\x1a\x07\x00", b"\x1f\x8b\x08", b"PK\x05\x06" + b"\0" * 18])
            )
            return ArchiveCase(data, refused=True, name=draw(st.sampled_from(["har.zip", "har.tar", "har"])))
    return ArchiveCase(pack(members(files)))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """zipfile warns of names that are there twice."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
