"""Raw files: from a mirror, from an address (a server on this machine), one's own; a refusal leaves nothing."""

import gzip
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from mtl.config.sensors import SensorsSource
from mtl.config.sources import HarSource, MnistSource, PythonSource, SeriesSource, UeaSource
from mtl.data.files.content import content_sha256
from mtl.data.files.download import get, is_present, known_sets
from mtl.data.files.manifest import Manifest, ManifestFile, read_manifest, write_manifest
from mtl.data.files.register import add
from mtl.data.files.verify import verify
from mtl.errors import DataError
from tests.helpers.data_files import har_files, series_text, ts_cases, ts_text, zip_bytes
from tests.helpers.image_files import mnist_parts, write_mnist

TEXT = series_text(20).encode()
OTHER = series_text(21).encode()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def known(root: Path, name: str = "toy", url: str | None = "http://127.0.0.1:9/toy.csv", **files: list[bytes]) -> None:
    """A project with a committed manifest; files: name (with _ for .) → accepted contents."""
    entries = {f.replace("_", "."): ManifestFile(sha256=[sha(d) for d in data], url=url) for f, data in files.items()}
    write_manifest(name, Manifest(title="Toy", licence="CC0", files=entries), root)


def mirror(folder: Path, **files: bytes) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data)
    lines = [f"{sha(data)}  {name.replace('_', '.')}" for name, data in files.items()]
    (folder / "SHA256SUMS").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    return project


def raw_files(root: Path) -> list[str]:
    """Everything below data/raw but manifests."""
    found = (p.relative_to(root / "data/raw").as_posix() for p in (root / "data/raw").rglob("*") if p.is_file())
    return sorted(name for name in found if name.startswith(".") or not name.endswith(".json"))


def test_get_from_a_mirror_records_where_it_came_from(root: Path, tmp_path: Path) -> None:
    known(root, toy_csv=[TEXT])
    fetched = get(["toy"], root, mirror(tmp_path / "m", toy_csv=TEXT))
    assert (root / "data/raw/toy.csv").read_bytes() == TEXT
    assert [str(item.path) for item in fetched] == ["data/raw/toy.csv"]
    assert raw_files(root) == [".origins/toy.json", "toy.csv"]
    assert json.loads((root / "data/raw/.origins/toy.json").read_text()) == {"toy.csv": f"mirror {tmp_path / 'm'}"}
    assert verify("toy", SeriesSource(kind="series", path="data/raw/toy.csv"), root) == {"toy.csv": sha(TEXT)}


def test_get_again_touches_nothing(root: Path, tmp_path: Path) -> None:
    known(root, toy_csv=[TEXT])
    folder = mirror(tmp_path / "m", toy_csv=TEXT)
    get(["toy"], root, folder)
    before = (root / "data/raw/toy.csv").stat().st_mtime_ns
    assert [item.origin for item in get(["toy"], root, folder)] == ["already there"]
    assert (root / "data/raw/toy.csv").stat().st_mtime_ns == before


def test_a_member_of_a_zip_is_unpacked_and_checked(root: Path, tmp_path: Path) -> None:
    entry = ManifestFile(sha256=[sha(TEXT)], member="in/toy.csv", url="http://x/toy+all.zip")
    write_manifest("toy", Manifest(files={"toy.csv": entry}), root)
    folder = tmp_path / "m"
    folder.mkdir()

    def packed(members: dict[str, bytes]) -> None:
        data = zip_bytes(members)
        (folder / "toy+all.zip").write_bytes(data)
        (folder / "ADDITION_SHA256SUMS").write_text(f"{sha(data)}  toy+all.zip\n")

    for wrong, words in (({"other.csv": TEXT}, "should hold in/toy.csv, found other.csv"),
                         ({"in/toy.csv": OTHER}, "is not among those")):  # fmt: skip
        packed(wrong)
        with pytest.raises(DataError, match=words):
            get(["toy"], root, folder)
        assert raw_files(root) == []
    packed({"in/toy.csv": TEXT, "notes.txt": b""})
    get(["toy"], root, folder)
    assert (root / "data/raw/toy.csv").read_bytes() == TEXT
    assert verify("toy", SeriesSource(kind="series", path="data/raw/toy.csv"), root) == {"toy.csv": sha(TEXT)}


def test_any_of_several_hashes_is_accepted(root: Path, tmp_path: Path) -> None:
    known(root, toy_csv=[TEXT, OTHER])
    get(["toy"], root, mirror(tmp_path / "m", toy_csv=OTHER))
    assert (root / "data/raw/toy.csv").read_bytes() == OTHER


def test_repacked_files_are_known_by_their_content(root: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.zip", tmp_path / "b.zip"
    first.write_bytes(zip_bytes(har_files(), "UCI HAR Dataset/"))
    second.write_bytes(zip_bytes({"UCI HAR Dataset.zip": zip_bytes(dict(reversed(har_files().items())))}))
    assert content_sha256(first) == content_sha256(second) is not None
    changed = har_files() | {"train/subject_train.txt": b"1\n" * 24}
    (tmp_path / "c.zip").write_bytes(zip_bytes(changed))
    assert content_sha256(tmp_path / "c.zip") != content_sha256(first)
    entry = ManifestFile(sha256=["0" * 64], content_sha256=[str(content_sha256(first))], url="http://x/toy.zip")
    write_manifest("toy", Manifest(files={"toy.zip": entry}), root)
    get(["toy"], root, mirror(tmp_path / "m", toy_zip=second.read_bytes()))
    assert verify("toy", HarSource(kind="har", path="data/raw/toy.zip"), root) == {"toy.zip": sha(second.read_bytes())}


def test_a_ts_file_printed_otherwise_has_the_same_content(tmp_path: Path) -> None:
    one, two, three = tmp_path / "1.ts", tmp_path / "2.ts", tmp_path / "3.ts"
    one.write_text(ts_text(["0.5,1,2:0,1,2:walk"]))
    two.write_text(ts_text(["0.500,1.0,2e0:0,1,2:walk"], "@missing false\n"))
    three.write_text(ts_text(["0.5,1,2:0,1,2:rest"]))
    assert content_sha256(one) == content_sha256(two) != content_sha256(three)
    assert content_sha256(tmp_path / "x.csv") is None


def test_get_refuses_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    known(root, toy_csv=[TEXT])
    good = mirror(tmp_path / "good", toy_csv=TEXT)
    with pytest.raises(DataError, match=r"`nope` is not a known data set; known: .*toy"):
        get(["toy", "nope"], root, good)
    with pytest.raises(DataError, match=r"is no mirror: it has no SHA256SUMS"):
        get(["toy"], root, tmp_path)
    with pytest.raises(DataError, match=r"has no toy\.csv; found in its SHA256SUMS: other\.csv"):
        get(["toy"], root, mirror(tmp_path / "lacking", other_csv=TEXT))
    (good / "toy.csv").write_bytes(OTHER)
    with pytest.raises(DataError, match=r"toy\.csv is damaged: its sha256 is"):
        get(["toy"], root, good)
    with pytest.raises(DataError, match=rf"its sha256 {sha(OTHER)} is not among .*`mtl data add toy FILE`"):
        get(["toy"], root, mirror(tmp_path / "foreign", toy_csv=OTHER))
    assert raw_files(root) == []


def test_get_does_not_overwrite_what_is_there(root: Path, tmp_path: Path) -> None:
    known(root, toy_csv=[TEXT])
    (root / "data/raw/toy.csv").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"toy\.csv exists and is not what .*move it away"):
        get(["toy"], root, mirror(tmp_path / "m", toy_csv=TEXT))
    assert (root / "data/raw/toy.csv").read_bytes() == b"mine"


@pytest.mark.parametrize("path", ["../evil.csv", "/tmp/evil.csv", "a/../../evil.csv", "..\\evil.csv"])
def test_a_manifest_cannot_lead_out_of_the_folder(path: str, root: Path, tmp_path: Path) -> None:
    entry = ManifestFile(sha256=[sha(TEXT)], url="http://x/evil.csv")
    write_manifest("toy", Manifest(files={path: entry}), root)
    with pytest.raises(DataError, match="should name paths below data/raw"):
        get(["toy"], root, mirror(tmp_path / "m", evil_csv=TEXT))
    assert not list(tmp_path.glob("**/project/**/evil.csv"))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address on this machine where a server shows it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_get_from_an_address(root: Path, served: tuple[Path, str]) -> None:
    folder, address = served
    (folder / "toy.csv").write_bytes(TEXT)
    known(root, url=f"{address}/toy.csv", toy_csv=[TEXT])
    assert [item.origin for item in get(["toy"], root)] == [f"{address}/toy.csv"]
    assert (root / "data/raw/toy.csv").read_bytes() == TEXT
    assert raw_files(root) == [".origins/toy.json", "toy.csv"]


def test_an_address_with_several_accepted_hashes(root: Path, served: tuple[Path, str]) -> None:
    folder, address = served
    (folder / "toy.csv").write_bytes(TEXT)
    known(root, url=f"{address}/toy.csv", toy_csv=[OTHER, TEXT])
    get(["toy"], root)
    assert (root / "data/raw/toy.csv").read_bytes() == TEXT


@pytest.mark.parametrize("accepted", [[OTHER], [OTHER, b"more"]])
def test_what_an_address_gives_is_checked(accepted: list[bytes], root: Path, served: tuple[Path, str]) -> None:
    folder, address = served
    (folder / "toy.csv").write_bytes(TEXT)
    known(root, url=f"{address}/toy.csv", toy_csv=accepted)
    with pytest.raises(DataError, match=sha(TEXT)):
        get(["toy"], root)
    assert raw_files(root) == []


def test_an_address_that_fails_names_the_other_ways(root: Path, served: tuple[Path, str]) -> None:
    known(root, url=f"{served[1]}/gone.csv", toy_csv=[TEXT])
    with pytest.raises(DataError, match=r"cannot be fetched from .*404.*--from DIR.*`mtl data add toy FILE`"):
        get(["toy"], root)
    assert raw_files(root) == []


def test_add_copies_registers_and_verifies(root: Path, tmp_path: Path) -> None:
    own = tmp_path / "my file.csv"
    own.write_bytes(TEXT)
    add("mine", [own], root)
    source = SeriesSource(kind="series", path="data/raw/my file.csv")
    assert verify("mine", source, root) == {"my file.csv": sha(TEXT)}
    assert "mine" not in known_sets(root)
    # The same name with other contents is not overwritten; changed in place, it is registered anew.
    own.write_bytes(OTHER)
    with pytest.raises(DataError, match="exists and differs"):
        add("mine", [own], root)
    (root / "data/raw/my file.csv").write_bytes(OTHER)
    with pytest.raises(DataError, match=r"is not the file that .*`mtl data add mine 'data/raw/my file\.csv'`"):
        verify("mine", source, root)
    add("mine", [root / "data/raw/my file.csv"], root)
    assert verify("mine", source, root) == {"my file.csv": sha(OTHER)}


def test_a_second_file_of_the_same_name_is_kept_under_its_sources_name(root: Path, tmp_path: Path) -> None:
    for folder, text in (("a", TEXT), ("b", OTHER), ("c", TEXT)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "data.csv").write_bytes(text)
        for _ in range(2):
            add(folder, [tmp_path / folder / "data.csv"], root)
    places = {"a": "data.csv", "b": "b/data.csv", "c": "c/data.csv"}
    for name, place in places.items():
        source = SeriesSource(kind="series", path=f"data/raw/{place}")
        assert verify(name, source, root) == {place: sha(OTHER if name == "b" else TEXT)}
    add("a", [tmp_path / "b/data.csv"], root, replace=True)
    newer = tmp_path / "newer.csv"
    newer.write_bytes(b"newer")
    add("b", [newer], root, replace=True)
    held = {name: (root / "data/raw" / place).read_bytes() for name, place in places.items()}
    assert held == {"a": OTHER, "b": b"newer", "c": TEXT}
    # Shared by a project of an earlier version: a newer one of the second is not put in the first one's place.
    write_manifest("d", Manifest(files={"data.csv": ManifestFile(sha256=[sha(OTHER)])}), root)
    add("d", [tmp_path / "c/data.csv"], root, replace=True)
    assert (root / "data/raw/data.csv").read_bytes() == OTHER and (root / "data/raw/d/data.csv").read_bytes() == TEXT
    # A folder stays together, and so do the two files of an archive.
    (tmp_path / "x").mkdir()
    (tmp_path / "y/x").mkdir(parents=True)
    for path in ("x/1", "y/x/1", "y/x/2"):
        (tmp_path / path).write_text(path)
    add("e", [tmp_path / "x"], root)
    assert set(add("f", [tmp_path / "y/x"], root).files) == {"f/x/1", "f/x/2"}


def test_add_takes_the_place_of_a_known_file(root: Path, tmp_path: Path) -> None:
    known(root, toy_csv=[TEXT])
    own = tmp_path / "download(1).csv"
    own.write_bytes(OTHER)
    add("toy", [own], root)
    manifest = read_manifest("toy", root)
    assert manifest is not None and is_present(manifest, root)
    assert manifest.files["toy.csv"].sha256 == [sha(TEXT), sha(OTHER)]  # what was published stays accepted
    assert (manifest.licence, manifest.files["toy.csv"].url) == ("CC0", "http://127.0.0.1:9/toy.csv")


def test_add_takes_the_places_of_known_files_by_their_names(root: Path, tmp_path: Path) -> None:
    """As of MNIST: four files, which may come as a folder of any name, or one after the other."""
    files = {f"toy/{name}": ManifestFile(sha256=[sha(TEXT)], url="https://x") for name in ("a.gz", "b.gz")}
    write_manifest("toy", Manifest(files=files), root)
    own = tmp_path / "downloads"
    own.mkdir()
    (own / "a.gz").write_bytes(OTHER)
    with pytest.raises(
        DataError, match=r"`toy` is a known data set and also needs toy/b\.gz: .*`mtl data get toy` first"
    ):
        add("toy", [own / "a.gz"], root)
    (own / "c").write_bytes(OTHER)
    with pytest.raises(DataError, match=r"a known data set of toy/a\.gz, toy/b\.gz; found downloads/c: your own data"):
        add("toy", [own], root)
    (own / "c").unlink()
    (own / "b.gz").write_bytes(TEXT)
    added = add("toy", [own], root)
    assert {name: entry.sha256 for name, entry in added.files.items()} == {
        "toy/a.gz": [sha(TEXT), sha(OTHER)], "toy/b.gz": [sha(TEXT)],
    }  # fmt: skip
    assert added.known and (root / "data/raw/toy/a.gz").read_bytes() == OTHER
    # The other file lies in its place by now.
    (root / "data/raw/toy/a.gz").write_bytes(TEXT)
    again = add("toy", [root / "data/raw/toy/a.gz"], root)
    assert {name: entry.sha256 for name, entry in again.files.items()} == {
        "toy/a.gz": [sha(TEXT), sha(OTHER)], "toy/b.gz": [sha(TEXT)],
    }  # fmt: skip


def test_a_damaged_file_that_was_added_does_not_shut_out_the_published_one(root: Path, tmp_path: Path) -> None:
    known(root, toy_csv=[TEXT])
    (root / "data/raw/toy.csv").write_bytes(TEXT[:-3])
    add("toy", [root / "data/raw/toy.csv"], root)
    (root / "data/raw/toy.csv").unlink()
    get(["toy"], root, mirror(tmp_path / "m", toy_csv=TEXT))
    assert (root / "data/raw/toy.csv").read_bytes() == TEXT


def test_add_brings_both_ts_files_and_whole_folders(root: Path, tmp_path: Path) -> None:
    (tmp_path / "T_TRAIN.ts").write_text(ts_text(ts_cases(10)))
    with pytest.raises(DataError, match=r"T_TEST\.ts is missing"):
        add("toy", [tmp_path / "T_TRAIN.ts"], root)
    (tmp_path / "T_TEST.ts").write_text(ts_text(ts_cases(4)))
    add("toy", [tmp_path / "T_TRAIN.ts"], root)
    assert sorted(verify("toy", UeaSource(kind="uea", path="data/raw/T"), root)) == ["T_TEST.ts", "T_TRAIN.ts"]
    for name, data in har_files().items():
        path = tmp_path / "UCI HAR Dataset" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    add("har", [tmp_path / "UCI HAR Dataset"], root)
    source = HarSource(kind="har", path="data/raw/UCI HAR Dataset")
    assert len(verify("har", source, root)) == len(har_files())


def test_add_refuses_links_and_missing_files(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(DataError, match="is an empty folder"):
        add("mine", [folder], root)
    (folder / "link.txt").symlink_to("/etc/hostname")
    with pytest.raises(DataError, match=r"link\.txt is a link"):
        add("mine", [folder], root)
    with pytest.raises(DataError, match=r"gone\.csv is missing"):
        add("mine", [tmp_path / "gone.csv"], root)
    assert read_manifest("mine", root) is None


def test_verify_says_what_to_run(root: Path, tmp_path: Path) -> None:
    source = SeriesSource(kind="series", path="data/raw/toy.csv")
    with pytest.raises(DataError, match=r"data/raw/toy\.json is missing: run `mtl data add toy 'data/raw/toy\.csv'`"):
        verify("toy", source, root)
    known(root, toy_csv=[TEXT])
    with pytest.raises(DataError, match=r"data/raw/toy\.csv is missing: run `mtl data get toy`"):
        verify("toy", source, root)
    known(root, url=None, toy_csv=[TEXT])
    with pytest.raises(DataError, match=r"data/raw/toy\.csv is missing: run `mtl data add toy FILE`"):
        verify("toy", source, root)
    (root / "data/raw/toy.csv").write_bytes(TEXT)
    with pytest.raises(DataError, match=r"path`: /elsewhere/big\.csv is not listed in data/raw/toy\.json"):
        verify("toy", SeriesSource(kind="series", path="/elsewhere/big.csv"), root)
    for folder in (".", "data"):  # every file lies below them
        with pytest.raises(DataError, match=r"`prepare\.sources\.toy\.path`: .* is not listed in data/raw/toy\.json"):
            verify("toy", SeriesSource(kind="series", path=folder), root)
    (root / "data/raw/toy.json").write_text('{"files": {"x": 1}}')
    with pytest.raises(DataError, match="is not a manifest"):
        verify("toy", source, root)


def test_what_is_said_to_register_a_folder_registers_all_of_it(root: Path) -> None:
    source = MnistSource(kind="mnist", path="data/raw/fashion")
    parts = mnist_parts()
    write_mnist(root / "data/raw/fashion", parts)
    last = root / "data/raw/fashion" / sorted(parts)[-1]
    kept = last.read_bytes()
    last.unlink()
    with pytest.raises(DataError, match=r"fashion\.json is missing: run `mtl data add fashion 'data/raw/fashion'`\.$"):
        verify("fashion", source, root)
    add("fashion", [root / "data/raw/fashion"], root)
    with pytest.raises(DataError, match=rf"^{last.relative_to(root)} is missing: put it there and run `mtl data add "):
        verify("fashion", source, root)
    last.write_bytes(kept)
    with pytest.raises(DataError, match=r"is not listed in .*: run `mtl data add fashion 'data/raw/fashion'` and let"):
        verify("fashion", source, root)
    add("fashion", [root / "data/raw/fashion"], root)
    assert len(verify("fashion", source, root)) == 4
    # One of them changed in place, and then gone.
    last.write_bytes(gzip.compress(parts[last.name], mtime=1))
    with pytest.raises(DataError, match=rf"To use it as it is, run `mtl data add fashion '{last.relative_to(root)}'`"):
        verify("fashion", source, root)
    add("fashion", [last], root)
    assert len(verify("fashion", source, root)) == 4
    last.unlink()
    with pytest.raises(DataError, match=r"ubyte\.gz is missing: run `mtl data add fashion 'data/raw/fashion'`"):
        verify("fashion", source, root)


def test_sources_without_files(root: Path) -> None:
    with pytest.raises(DataError, match="run `mtl data add noise`"):
        verify("noise", SensorsSource(kind="sensors"), root)
    add("noise", [], root)
    assert verify("noise", SensorsSource(kind="sensors"), root) == {}
    assert verify("noise", PythonSource(kind="python", target="a:b"), root) == {}


def test_the_committed_manifests(project: Path) -> None:
    assert {"etth1", "ettm1", "weather", "har", "basicmotions", "mnist", "cifar10", "cifar100"} <= set(
        known_sets(project)
    )
    assert read_manifest("sensors", project) == Manifest(
        title="Embedded synthetic sensors", licence="none needed: generated", files={}
    )
    digits = read_manifest("digits", project)
    assert digits is not None and digits.files == {} and digits.licence
    for name, manifest in known_sets(project).items():
        assert manifest.licence and manifest.title, name
        assert all(str(file.url).startswith("https://") for file in manifest.files.values()), name
