"""Files by their sha256, in a place that several machines reach: a shared folder, or a URL that fsspec knows.

What arrives is compared with its hash, so that half a file, another one or a damaged one is never taken for it.
"""

import hashlib
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

import fsspec
from filelock import FileLock
from fsspec.implementations.local import LocalFileSystem

from mtl.errors import UserError
from mtl.files import replaced

FILES = "files"
"""Folder of a store for what runs read; results stand in a folder for each command, which deletes it at its end."""
PAUSES = (0.3, 2.0)
"""Seconds before another attempt."""
SECRETS = re.compile(r"(?<=://)[^/@]*@")


class StoreError(UserError):
    """A store that cannot be used from here."""


class Store:
    """Place of files that are known by their hashes.

    Args:
        url: a folder, or a URL such as s3://bucket/folder.

    Raises:
        StoreError: there is no such kind of URL, or its package is not installed.
    """

    def __init__(self, url: str) -> None:
        self.shown = SECRETS.sub("", url)
        try:
            self.system, top = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError, OSError) as error:
            raise StoreError(f"`--store` {self.shown} cannot be used: {error}.") from None
        self.top = str(top).rstrip("/")

    def put(self, source: Path, digest: str, folder: str = FILES) -> None:
        """Puts a file there, whole or not at all, unless it is there.

        Args:
            source: the file.
            digest: its sha256.
            folder: of the store.

        Raises:
            StoreError: the store cannot be written.
        """
        place = self._place(digest, folder)
        try:
            if self._size(place) == source.stat().st_size:
                return
            if isinstance(self.system, LocalFileSystem):
                with replaced(Path(place)) as fresh:
                    shutil.copyfile(source, fresh)
            else:  # Object stores show a file when it is whole; where one does not, `get` sees it.
                self.system.makedirs(place.rpartition("/")[0], exist_ok=True)
                self.system.put_file(str(source), place)
        except Exception as error:  # Each kind of store has errors of its own.
            raise self._error("written", error) from error

    def get(self, digest: str, target: Path, folder: str = FILES) -> None:
        """Brings a file, which appears whole.

        Args:
            digest: its sha256.
            target: where it is written.
            folder: of the store.

        Raises:
            StoreError: it is not there, is another one, or the store cannot be read.
        """
        place = self._place(digest, folder)
        for pause in (*PAUSES, None):
            try:
                with replaced(target) as fresh:
                    self.system.get_file(place, str(fresh))
                    if sha256(fresh) != digest:
                        raise ValueError(f"{place} is damaged: its sha256 is another one")
                return
            except Exception as error:
                if pause is None:
                    raise self._error("read", error) from error
                time.sleep(pause)

    def drop(self, folder: str) -> None:
        """Deletes a folder of the store; one that cannot be deleted stays."""
        with suppress(Exception):
            self.system.rm(f"{self.top}/{folder}", recursive=True)

    def _place(self, digest: str, folder: str) -> str:
        return f"{self.top}/{folder}/{digest[:2]}/{digest}"

    def _size(self, place: str) -> int | None:
        """Bytes of a file; None where there is none."""
        try:
            return int(self.system.info(place)["size"])
        except FileNotFoundError:
            return None

    def _error(self, done: str, error: Exception) -> StoreError:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return StoreError(f"the store {self.shown} cannot be {done}: {reason}")


class Cache:
    """Files of stores on this machine, for all workers that run here. It may be deleted while none does.

    Args:
        folder: of the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sure: set[str] = set()

    def file(self, digest: str, store: Store) -> Path:
        """A file, which is brought from the store where it is not here. This process compares it with its hash once.

        Raises:
            StoreError: it cannot be brought.
        """
        place = self.folder / digest[:2] / digest
        if digest in self._sure:
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_suffix(".lock")):  # Neighbours do not bring it twice.
            if not place.is_file() or sha256(place) != digest:
                store.get(digest, place)
                place.chmod(0o444)
        self._sure.add(digest)
        return place


def sha256(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
