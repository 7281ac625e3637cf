"""Mirrors, manifests and files of one's own that are not what they seem: nothing is written but what was meant."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from mtl.data.files.download import Fetched, get
from mtl.data.files.manifest import Manifest
from mtl.data.files.register import add
from mtl.errors import DataError
from tests.helpers.cases import Refusal, attempt, few_and_many, for_all, place, tree
from tests.helpers.damage import any_bytes
from tests.helpers.data_files import har_files, series_text, zip_bytes

GOOD = series_text(20).encode()
SHA = hashlib.sha256(GOOD).hexdigest()
ODD_PATHS = ["../evil.csv", "/tmp/evil.csv", "a/../../evil.csv", "..", ".", "", "/", "a\\b.csv", "C:\\evil.csv",
             "a\0b.csv",
             "./own.csv", "a//b.csv", "sub/own.csv", "x" * 300 + ".csv", "own.csv/", "ü/λ.csv",
             "two\nlines.csv"]  # fmt: skip
SUMS_LINES = ["", "nonsense", f"{SHA}", f"{SHA}  ../own.csv", f"{SHA}  /etc/passwd", f"{SHA} *own.csv",
              f"{'0' * 64}  own.csv",
              f"{SHA.upper()}  own.csv", "  ", "\0", f"{SHA}  own.csv  extra", f"{SHA}\town.csv",
              "zz  own.csv"]  # fmt: skip


@dataclass(frozen=True)
class MirrorCase:
    """A manifest and the content of a mirror, and whether `get` must be refused or go well with them."""

    manifest: Any
    sums: bytes | None
    file: bytes | None
    refused: bool = False
    good: bool = False


def manifest(path: str = "own.csv", **changes: Any) -> dict[str, Any]:
    return {
        "title": "",
        "licence": "",
        "files": {path: {"sha256": [SHA], "url": "http://127.0.0.1:9/own.csv"} | changes},
    }


@st.composite
def mirrors(draw: st.DrawFn) -> MirrorCase:
    """One thing at a time that a hostile or careless mirror has."""
    sums = f"{SHA}  own.csv\n".encode()
    match draw(
        st.sampled_from(["good", "path", "sums", "sums bytes", "file", "manifest", "content", "no file", "no sums"])
    ):
        case "good":
            ways = [sums, sums.replace(b"  ", b" *"), sums + b"\n\n", b"\xff\n" + sums, sums.replace(b"\n", b"\r\n")]
            return MirrorCase(manifest(), draw(st.sampled_from(ways)), GOOD, good=True)
        case "path":
            return MirrorCase(manifest(draw(st.sampled_from(ODD_PATHS))), sums, GOOD)
        case "sums":
            return MirrorCase(manifest(), draw(st.sampled_from(SUMS_LINES)).encode() + b"\n", GOOD)
        case "sums bytes":
            return MirrorCase(manifest(), draw(any_bytes())(sums), GOOD)
        case "file":
            data = draw(any_bytes())(GOOD)
            damaged = data != GOOD
            consistent = draw(st.booleans())
            said = hashlib.sha256(data).hexdigest().encode() if consistent else SHA.encode()
            return MirrorCase(manifest(), said + b"  own.csv\n", data, refused=damaged, good=not damaged)
        case "manifest":
            wrong: list[Any] = [
                [], {"files": []}, {"files": {"own.csv": {}}}, {"files": {"own.csv": {"sha256": []}}}, {"more": 1},
                manifest(url=None), manifest(sha256=["0"]), manifest(content_sha256=["x"]), manifest(url=5),
                {"files": {}},
                manifest(sha256=["0" * 64]), "text", None, [[[[]]]], {"title": 1},
            ]  # fmt: skip
            return MirrorCase(draw(st.sampled_from(wrong)), sums, GOOD, refused=True)
        case "content":
            # Accepted by what a file says: one that says nothing of the kind is refused, however it is damaged.
            data = draw(any_bytes())(zip_bytes(har_files(), "UCI HAR Dataset/"))
            said = hashlib.sha256(data).hexdigest().encode()
            entry = manifest("own.zip", content_sha256=["0" * 64])
            return MirrorCase(entry, said + b"  own.zip\n", data, refused=True)
        case "no file":
            return MirrorCase(manifest(), sums, None, refused=True)
        case _:
            return MirrorCase(manifest(), None, GOOD, refused=True)


def check_mirror(case: MirrorCase) -> None:
    with place() as root:
        project, mirror = root / "project", root / "mirror"
        (project / "data/raw").mkdir(parents=True)
        mirror.mkdir()
        (project / "data/raw/toy.json").write_text(json.dumps(case.manifest))
        if case.sums is not None:
            (mirror / "SHA256SUMS").write_bytes(case.sums)
        for name in ("own.csv", "own.zip", "evil.csv", "passwd", "b.csv", "λ.csv"):
            if case.file is not None:
                (mirror / name).write_bytes(case.file)
        before = tree(root)
        found = attempt(lambda: get(["toy"], project, mirror), root, "toy", "own", "SHA256SUMS", "data/raw")
        after = tree(root)
        changed = {name for name in before | after if before.get(name) != after.get(name)}
        if isinstance(found, list):
            assert all(isinstance(item, Fetched) for item in found)
            wanted = {f"project/data/raw/{name}" for name in case.manifest["files"]}
            folders = {parent.as_posix() for name in wanted for parent in Path(name).parents}
            assert changed <= wanted | folders | {"project/data/raw/.origins", "project/data/raw/.origins/toy.json"}
            for name in wanted:
                assert hashlib.sha256((root / name).read_bytes()).hexdigest() == SHA
    assert not (case.refused and not isinstance(found, Refusal)), found
    assert not (case.good and isinstance(found, Refusal)), found


@few_and_many(25, 200)
def test_mirrors(cases: int) -> None:
    for_all(mirrors(), cases, check_mirror)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "data/raw").mkdir(parents=True)
    return project


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_loop(path: Path) -> None:
    path.symlink_to(path)


SPECIAL = [a_folder, a_link, a_pipe, a_loop]


@pytest.mark.parametrize("make", SPECIAL)
@pytest.mark.parametrize("where", ["SHA256SUMS", "own.csv"])
def test_what_is_no_file_in_a_mirror_is_not_read(
    where: str, make: Callable[[Path], None], root: Path, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "SHA256SUMS").write_text(f"{SHA}  own.csv\n")
    (mirror / "own.csv").write_bytes(GOOD)
    (mirror / where).unlink()
    make(mirror / where)
    (root / "data/raw/toy.json").write_text(json.dumps(manifest()))
    assert isinstance(attempt(lambda: get(["toy"], root, mirror), root, "own.csv", "SHA256SUMS"), Refusal)


def test_a_mirror_that_is_a_file_or_is_not_there(root: Path, tmp_path: Path) -> None:
    (root / "data/raw/toy.json").write_text(json.dumps(manifest()))
    (tmp_path / "file").touch()
    for name in ("file", "gone"):
        with pytest.raises(DataError, match="is no mirror: it has no SHA256SUMS"):
            get(["toy"], root, tmp_path / name)


@pytest.mark.parametrize("make", [a_folder, a_loop])
def test_what_is_in_the_way_stays(make: Callable[[Path], None], root: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "SHA256SUMS").write_text(f"{SHA}  own.csv\n")
    (mirror / "own.csv").write_bytes(GOOD)
    (root / "data/raw/toy.json").write_text(json.dumps(manifest("own.csv")))
    make(root / "data/raw/own.csv")
    found = attempt(lambda: get(["toy"], root, mirror), root, "own.csv")
    if make is a_folder:
        assert isinstance(found, Refusal)
    else:
        assert (root / "data/raw/own.csv").read_bytes() == GOOD  # A link that leads nowhere is replaced.


@pytest.mark.parametrize("make", SPECIAL)
@pytest.mark.parametrize("inside", [False, True])
def test_what_is_no_file_is_not_registered(
    inside: bool, make: Callable[[Path], None], root: Path, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    if inside:
        given.mkdir()
        (given / "fine.csv").write_bytes(GOOD)
        make(given / "odd")
        if make is a_folder:
            (given / "odd" / "linked").symlink_to(tmp_path)
    else:
        make(given)
    assert isinstance(attempt(lambda: add("own", [given], root), root, str(given)), Refusal)


def test_a_link_in_data_raw_is_not_written_through(root: Path, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(GOOD)
    (root / "data/raw/own.csv").symlink_to(tmp_path / "outside.csv")
    assert isinstance(add("own", [tmp_path / "own.csv"], root), Manifest)
    assert not (tmp_path / "outside.csv").exists()
    assert (root / "data/raw/own.csv").read_bytes() == GOOD and not (root / "data/raw/own.csv").is_symlink()


@pytest.mark.parametrize("name", ["own.json", "sensors.json", ".gitignore", "a\nb.csv", "bad\udcff.csv", "a\\b.csv"])
def test_names_that_data_raw_does_not_take(name: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(GOOD)
    found = attempt(lambda: add("own", [tmp_path / name], root), root, "name")
    assert isinstance(found, Refusal)


def test_two_files_of_one_name_leave_nothing(root: Path, tmp_path: Path) -> None:
    for folder, data in (("a", GOOD), ("b", GOOD + b"x")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.csv").write_bytes(data)
    found = attempt(lambda: add("own", [tmp_path / "a/own.csv", tmp_path / "b/own.csv"], root), root, "same name")
    assert isinstance(found, Refusal)


def test_a_name_that_no_file_can_have(root: Path) -> None:
    for name in ("x" * 5000, "a\0b"):
        assert isinstance(attempt(lambda name=name: add("own", [Path(name)], root), root, "error"), Refusal)


def test_the_project_itself_is_no_folder_of_data(root: Path) -> None:
    assert isinstance(attempt(lambda: add("own", [root], root), root, str(root)), Refusal)
    assert isinstance(attempt(lambda: add("own", [Path("/")], root), root, "/"), Refusal)


@pytest.mark.parametrize("content", ["{", "[]", '"x"', "\0", "{} {}"])
def test_a_damaged_record_of_origins_is_named(content: str, root: Path, tmp_path: Path) -> None:
    (root / "data/raw/.origins").mkdir()
    (root / "data/raw/.origins/own.json").write_text(content)
    (tmp_path / "own.csv").write_bytes(GOOD)
    found = attempt(lambda: add("own", [tmp_path / "own.csv"], root), root, ".origins/own.json should hold JSON")
    assert isinstance(found, Refusal)
