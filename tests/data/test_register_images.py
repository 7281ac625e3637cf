"""Image files and their table as raw data: every file has a hash, wherever it lies, and a changed one is found."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from mtl.config.sources import Source
from mtl.data.files.digest import file_sha256
from mtl.data.files.download import get
from mtl.data.files.manifest import Manifest, ManifestFile, read_manifest, write_manifest
from mtl.data.files.register import add
from mtl.data.files.verify import missing_problem, verify
from mtl.errors import DataError
from tests.helpers.pictures import RED, colours_table, plain, written

SOURCE: Source = TypeAdapter(Source).validate_python(
    {
        "kind": "table", "path": "data/raw/labels.csv", "inputs": {"photo": "image"},
        "images": {"folder": "data/raw/photos"},
    }
)  # fmt: skip
FILES = sorted(["labels.csv", *(f"photos/{number:03d}.png" for number in range(6))])


def test_a_table_and_its_folder_are_registered_and_a_changed_image_is_found(tmp_path: Path) -> None:
    mine, root = tmp_path / "mine", tmp_path / "project"
    colours_table(mine, 6)
    (root / "data/raw").mkdir(parents=True)
    assert missing_problem("own", SOURCE, root) is not None
    add("own", [mine / "labels.csv", mine / "photos"], root)
    assert sorted(verify("own", SOURCE, root)) == FILES
    (root / "data/raw/photos/003.png").write_bytes(written(plain(RED, 4, 4)))
    with pytest.raises(DataError, match=r"data/raw/photos/003\.png is not the file that data/raw/own\.json means"):
        verify("own", SOURCE, root)
    (root / "data/raw/photos/003.png").unlink()
    with pytest.raises(DataError, match=r"data/raw/photos/003\.png is missing"):
        verify("own", SOURCE, root)


def test_a_table_alone_lacks_its_images(tmp_path: Path) -> None:
    mine, root = tmp_path / "mine", tmp_path / "project"
    colours_table(mine, 6)
    (root / "data/raw").mkdir(parents=True)
    add("own", [mine / "labels.csv"], root)
    told = missing_problem("own", SOURCE, root)
    assert told is not None
    assert "data/raw/photos is missing" in told and "mtl data add own 'data/raw/labels.csv' 'data/raw/photos'" in told


def test_files_that_lie_in_their_place_are_registered_there(tmp_path: Path) -> None:
    colours_table(tmp_path / "data/raw/deep", 6)
    add("own", [tmp_path / "data/raw/deep/labels.csv", tmp_path / "data/raw/deep/photos"], tmp_path)
    manifest = read_manifest("own", tmp_path)
    assert manifest is not None and sorted(manifest.files) == [f"deep/{name}" for name in FILES]


def test_a_mirror_may_hold_files_by_their_paths(tmp_path: Path) -> None:
    mirror, root = tmp_path / "mirror", tmp_path / "project"
    colours_table(mirror / "set", 6)
    (root / "data/raw").mkdir(parents=True)
    names = [f"set/{name}" for name in FILES]
    hashes = {name: file_sha256(mirror / name) for name in names}
    (mirror / "SHA256SUMS").write_text("".join(f"{sha256}  {name}\n" for name, sha256 in hashes.items()))
    files = {name: ManifestFile(sha256=[sha256], url=f"https://example.org/{name}") for name, sha256 in hashes.items()}
    write_manifest("photos", Manifest(title="photos", files=files), root)
    fetched = get(["photos"], root, mirror)
    assert sorted(file.path.as_posix() for file in fetched) == [f"data/raw/{name}" for name in names]
    assert (root / "data/raw/set/photos/001.png").read_bytes() == (mirror / "set/photos/001.png").read_bytes()
