"""Files by their hash: what arrives is what was put there, or an error, whatever happens to a store or to a cache."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from mtl.jobs import store as room
from mtl.jobs.store import Cache, Store, StoreError, sha256

TEXT = b"a prepared source" * 1000
DIGEST = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PAUSES", (0.0,))


@pytest.fixture(params=["folder", "url", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    place = str(tmp_path / "store")
    yield Store({"folder": place, "url": f"file://{place}", "memory": "memory://store"}[request.param])
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(TEXT)
    return path


def put_there(store: Store, content: bytes, digest: str = DIGEST) -> None:
    """Leaves what a disk or a stopped command may leave."""
    place = f"{store.top}/files/{digest[:2]}/{digest}"
    store.system.makedirs(place.rpartition("/")[0], exist_ok=True)
    with store.system.open(place, "wb") as stream:
        stream.write(content)


def test_what_is_put_there_comes_back(store: Store, source: Path, tmp_path: Path) -> None:
    assert sha256(source) == DIGEST
    for _ in range(2):
        store.put(source, DIGEST)
    store.get(DIGEST, tmp_path / "new/target")
    assert (tmp_path / "new/target").read_bytes() == TEXT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["target"]


def test_half_a_file_is_put_again(store: Store, source: Path, tmp_path: Path) -> None:
    put_there(store, TEXT[:-1])
    store.put(source, DIGEST)
    store.get(DIGEST, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == TEXT


@pytest.mark.parametrize(
    ("content", "said"), [(TEXT[:-1], "is damaged"), (TEXT[::-1], "is damaged"), (None, "FileNotFoundError")]
)
def test_what_is_damaged_or_missing_never_arrives(
    store: Store, content: bytes | None, said: str, tmp_path: Path
) -> None:
    if content is not None:
        put_there(store, content)
    with pytest.raises(StoreError, match=said):
        store.get(DIGEST, tmp_path / "target")
    assert not [path for path in tmp_path.iterdir() if "target" in path.name]


def test_a_folder_is_dropped_alone(store: Store, source: Path, tmp_path: Path) -> None:
    store.put(source, DIGEST)
    store.put(source, DIGEST, "results")
    store.drop("results")
    store.drop("never-there")
    store.get(DIGEST, tmp_path / "target")
    with pytest.raises(StoreError, match="FileNotFoundError"):
        store.get(DIGEST, tmp_path / "other", "results")


@pytest.mark.parametrize("url", ["nothing://bucket/folder", "file:///proc/version/folder"])
def test_a_store_that_cannot_be_used_says_so(url: str, source: Path) -> None:
    with pytest.raises(StoreError, match=url.split(":")[0] if "nothing" in url else "/proc/version/folder"):
        Store(url).put(source, DIGEST)


def test_no_password_is_shown() -> None:
    with pytest.raises(StoreError) as error:
        Store("nothing://me:secret@host/folder")
    assert "secret" not in str(error.value).replace("nothing://me", "")


def test_a_cache_brings_a_file_once_and_notices_damage(store: Store, source: Path, tmp_path: Path) -> None:
    store.put(source, DIGEST)
    folder = tmp_path / "cache"
    place = Cache(folder).file(DIGEST, store)
    assert place.read_bytes() == TEXT
    store.drop("files")
    assert Cache(folder).file(DIGEST, store) == place, "it is here"
    place.chmod(0o644)
    place.write_bytes(TEXT[:-1])
    with pytest.raises(StoreError):
        Cache(folder).file(DIGEST, store)
    store.put(source, DIGEST)
    assert Cache(folder).file(DIGEST, store).read_bytes() == TEXT
