"""Zip archives: nothing that leads outside is accepted, nothing is written, damage is found."""

import io
import zipfile
from pathlib import Path

import pytest

from mtl.config.sources import HarSource
from mtl.data.build import read_source
from mtl.data.formats import archives
from mtl.data.formats.archives import Archive
from mtl.errors import DataError
from tests.helpers.data_files import har_files, zip_bytes


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "a/../../evil", "C:/evil", "..\\evil", "a\\b"])
def test_a_member_that_leads_outside_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zip_bytes({"fine.txt": b"1", name: b"2"}))
    with pytest.raises(DataError, match=r"leads outside the archive: refused"):
        Archive(path, "x.zip")


def test_a_link_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        out.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="leads outside"):
        Archive(buffer.getvalue(), "x.zip")


@pytest.mark.parametrize("nested", [False, True])
def test_har_with_such_a_member_writes_nothing(nested: bool, tmp_path: Path) -> None:
    data = zip_bytes(har_files() | {"../../evil.txt": b"boo"}, "UCI HAR Dataset/")
    project = tmp_path / "a" / "b"
    project.mkdir(parents=True)
    (project / "har.zip").write_bytes(zip_bytes({"inner.zip": data}) if nested else data)
    with pytest.raises(DataError, match=r"member 'UCI HAR Dataset/../../evil.txt' leads outside"):
        read_source("har", HarSource(kind="har", path="har.zip"), project)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["har.zip"]


def test_limits_on_size_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zip_bytes({f"{n}.txt": b"0" * 100 for n in range(5)})
    with pytest.raises(DataError, match="refused"):
        Archive(data, "x.zip", most=499)
    monkeypatch.setattr(archives, "MAX_FILES", 4)
    with pytest.raises(DataError, match="refused"):
        Archive(data, "x.zip")


def test_damage_is_found() -> None:
    with pytest.raises(DataError, match="is not a zip file"):
        Archive(b"nothing of the kind", "x.zip")
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as out:
        out.writestr("a.txt", "the first text")
    broken = Archive(stored.getvalue().replace(b"first", b"other"), "x.zip")
    with pytest.raises(DataError, match=r"x\.zip: a\.txt cannot be read: Bad CRC"):
        broken.read("a.txt")


def test_a_size_that_lies_is_found() -> None:
    data = bytearray(zip_bytes({"a.txt": b"0" * 1000}))
    at = data.rindex((1000).to_bytes(4, "little"))
    data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(DataError, match=r"a\.txt"):
        Archive(bytes(data), "x.zip").read("a.txt")
