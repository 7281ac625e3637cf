"""Runs that a stage keeps: those of its output that are as the configuration asks for, and those that it once was.

DVC leaves the output of such a stage in place (`persist`) and keeps no cache of its executions. A run stands in the
output with its key, `key.json`. What leaves the output, since the configuration no longer asks for it, is remembered
below `.mtl/kept` and comes back when its key is asked for again:

- `notes/KEY.json` is a copy of a run's key.json. Its files are in DVC's cache, where the note finds them.
- `runs/KEY/` is a run itself that DVC has not taken into its cache yet, as after a kill.

All moves are renames, so that a kill leaves a run in one place or in the other, whole.
"""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from mtl.errors import UserError
from mtl.paths import project_folder
from mtl.results.kept import KEY, Key, read_key

STORE = Path(".mtl/kept")
MOST_NOTES = 20_000
"""Number of notes that are kept, the newest: some kilobytes each."""
MOST_BYTES = 2_000_000_000
"""Bytes of runs that are in no cache of DVC's, the newest."""
HASH = re.compile(r"[0-9a-f]{64}")
MD5 = re.compile(r"[0-9a-f]{32}")


class Kept:
    """The runs of a stage's output, and the store for those that left it.

    Args:
        out: output of the stage, relative to `root`.
        root: folder of the project.
    """

    def __init__(self, out: Path, root: Path = Path()) -> None:
        self.out = root / out
        self.root = root
        # Experiments in temporary folders share notes, which are only read, with the project.
        store = project_folder(root) / STORE
        self.notes, self.runs = store / "notes", store / "runs"
        self._cache: Path | None = None
        self._asked_cache = False

    def holds(self, folder: Path, key: str) -> bool:
        """True when the run in a folder has this key, and its files are whole."""
        held = read_key(folder) if (folder / KEY).is_file() else None
        return held is not None and held.key == key and held.fits(folder)

    def expects(self, folder: Path, key: str) -> bool:
        """True when a run is there, or remembered, as far as can be told without reading its files."""
        held = read_key(folder) if (folder / KEY).is_file() else None
        if held is not None and held.key == key:
            return True
        return (self.runs / key).is_dir() or self._cached(self.notes / f"{key}.json") is not None

    def bring_back(self, folder: Path, key: str) -> bool:
        """Puts a run that was remembered into its folder; what stood there is remembered.

        Args:
            folder: of the run.
            key: that it should have.

        Returns:
            True when it stands there; False when it has to be made.
        """
        if self.holds(self.runs / key, key):
            self.set_aside(folder)
            folder.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # another process of the project took it
                _move(self.runs / key, folder)
                return True
        files = self._cached(self.notes / f"{key}.json")
        if files is None:
            return False
        self.set_aside(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Named as `whole_folder` names them, which deletes those that a kill has left.
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            shutil.copyfile(self.notes / f"{key}.json", fresh / KEY)
            with suppress(FileNotFoundError):  # `dvc gc` is at work
                for name, source in files.items():
                    shutil.copyfile(source, fresh / name)
            if not self.holds(fresh, key):
                return False
            fresh.chmod(0o755)
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        os.utime(self.notes / f"{key}.json")
        return True

    def set_aside(self, folder: Path) -> None:
        """Remembers the run in a folder, whatever it is, and takes it out; one that has no key, or whose files are not
        those that it was written with, is deleted."""
        if folder.is_symlink() or not folder.is_dir():
            folder.unlink(missing_ok=True)
            return
        held = read_key(folder) if (folder / KEY).is_file() else None
        if held is not None and HASH.fullmatch(held.key) and held.fits(folder):
            self.note(folder)
            place = self.runs / held.key
            if not place.exists():
                self._made(self.runs)
                with suppress(FileExistsError):
                    _move(folder, place)
        shutil.rmtree(folder, ignore_errors=True)
        _drop_empty(folder.parent, self.out)

    def note(self, folder: Path) -> None:
        """Remembers a run that stays where it is, in case that its folder is deleted."""
        held = read_key(folder)
        if held is None or not HASH.fullmatch(held.key):
            return
        note = self._made(self.notes) / f"{held.key}.json"
        if note.exists():
            return
        fresh = note.with_name(f".{note.name}.{os.getpid()}")
        shutil.copyfile(folder / KEY, fresh)
        fresh.replace(note)

    def forget(self, folder: Path, key: str) -> None:
        """Deletes a run that is to be made again, and what is remembered of it.

        Args:
            folder: of the run.
            key: that it should have.
        """
        (self.notes / f"{key}.json").unlink(missing_ok=True)
        _delete(self.runs / key)
        self.set_aside(folder)  # of other settings, perhaps
        _delete(self.runs / key)
        (self.notes / f"{key}.json").unlink(missing_ok=True)

    def leave_only(self, asked: Collection[Path]) -> int:
        """Takes everything out of the output that is none of the runs asked for; returns how many runs left.

        Args:
            asked: folders of the runs.
        """
        wanted = set(asked)
        above = {parent for folder in wanted for parent in folder.parents}
        return self._sweep(self.out, wanted, above)

    def _sweep(self, place: Path, wanted: set[Path], above: set[Path]) -> int:
        left = 0
        for entry in sorted(place.iterdir()) if place.is_dir() else ():
            if entry in wanted:
                continue
            if entry in above:
                left += self._sweep(entry, wanted, above)
                continue
            for file in sorted(entry.rglob(KEY)) if entry.is_dir() and not entry.is_symlink() else ():
                self.set_aside(file.parent)
                left += 1
            self.set_aside(entry)
        return left

    def settle(self) -> None:
        """Deletes runs of the store whose files are in DVC's cache, and the oldest beyond the bounds."""
        if self.runs.is_dir():
            for place in sorted(self.runs.iterdir()):
                if self._cached(self.notes / f"{place.name}.json") is not None:
                    _delete(place)
            size = 0
            for place in _newest_first(self.runs):
                size += sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
                if size > MOST_BYTES:
                    _delete(place)
        if self.notes.is_dir() and len(os.listdir(self.notes)) > MOST_NOTES:
            for note in _newest_first(self.notes)[MOST_NOTES:]:
                note.unlink(missing_ok=True)

    def _cached(self, note: Path) -> dict[str, Path] | None:
        """Name → object in DVC's cache of the files of a run; None unless all are there."""
        try:
            files = Key.loads(note.read_bytes(), str(note)).files
        except (OSError, UserError):
            return None
        cache = self._cache_folder()
        if cache is None:
            return None
        objects = {
            name: cache / "files" / "md5" / value[:2] / value[2:]
            for name, value in files.items()
            if Path(name).name == name and MD5.fullmatch(value)  # it may have been pulled from elsewhere
        }
        whole = len(objects) == len(files) and all(path.is_file() for path in objects.values())
        return objects if whole else None

    def _cache_folder(self) -> Path | None:
        if not self._asked_cache:
            self._cache, self._asked_cache = cache_folder(self.root), True
        return self._cache

    @staticmethod
    def _made(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def cache_folder(root: Path) -> Path | None:
    """DVC's cache, which the settings of the project or of its user may have moved; None where DVC is not used."""
    from dvc.config import Config as Settings

    folder = root.resolve() / ".dvc"
    if not folder.is_dir():
        return None
    settings: Any = Settings(dvc_dir=str(folder), validate=False)
    return Path(str(settings.get("cache", {}).get("dir") or folder / "cache"))


def _move(source: Path, target: Path) -> None:
    """Renames a folder; between file systems it is copied, and the copy appears whole.

    Raises:
        FileNotFoundError: another process has moved it.
        FileExistsError: the target is there.
    """
    try:
        source.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise FileExistsError(target) from None
        if error.errno != errno.EXDEV:
            raise
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
        try:
            shutil.copytree(source, fresh, dirs_exist_ok=True)
            fresh.rename(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(source)


def _delete(folder: Path) -> None:
    """Takes a folder out of sight at once, and then away."""
    with suppress(FileNotFoundError):
        shutil.rmtree(folder.rename(folder.with_name(f".{folder.name}.{os.getpid()}.part")), ignore_errors=True)


def _newest_first(folder: Path) -> list[Path]:
    times = {path: path.stat().st_ctime for path in sorted(folder.iterdir())}
    return sorted(times, key=lambda path: -times[path])


def _drop_empty(folder: Path, top: Path) -> None:
    """Removes a folder below `top`, and those above it, as far as nothing is in them."""
    while folder != top and top in folder.parents and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
