"""DVC's own files after a kill or a power failure: what cannot be read is set aside, said, and never in the way.

DVC empties dvc.lock and its list of locked paths before it writes them, and trusts an object of its cache that is
read-only. In the processes that `mtl` starts, dvc.lock is replaced in one step and kept once more, and objects are
compared with their hash (DVC remembers it for files that have not changed since). Nor is a text of YAML read twice, or
a stage of dvc.lock written twice, in such a process: with a thousand tasks DVC alone spends minutes on that.
"""

import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import zc.lockfile
from dvc import dvcfile, rwlock
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.stage.cache import StageCache, _get_stage_hash
from dvc.utils.serialize import ParseError, _yaml
from dvc_data.hashfile.cache import Cache
from dvc_data.hashfile.db.local import LocalHashFileDB
from dvc_data.hashfile.hash import hash_file
from dvc_data.hashfile.meta import Meta
from dvc_objects.errors import ObjectFormatError
from voluptuous import Invalid

from mtl.config.yaml_file import MOST_READ
from mtl.files import replaced

LOCK = Path("dvc.lock")
GOOD = Path(".mtl/dvc/dvc.lock")
"""The last dvc.lock that could be read."""
TEMPORARY = Path(".dvc/tmp")
EXPERIMENTS = TEMPORARY / "exps/run"
BEING_WRITTEN = 2.0
"""Seconds in which a file that is empty may be in the middle of being written."""
ENTRY = re.compile(r"[0-9a-f]{64}")
"""Name of an entry of the run cache; a kill can leave others beside it, half written."""
HEAD = "stages:\n"
CONFLICT = b"<<<<<<< "
"""Mark of a merge that git has left to the user."""


def guard(root: Path) -> None:
    """Prepares this process and the project's folder for DVC.

    Args:
        root: folder of the project.
    """
    if (root / ".dvc").is_dir():
        _mend_locked_paths(root)
        _mend_experiments(root)
        _mend_lock(root)
        _keep(root)
    _yaml.parse_yaml = _once(_yaml.parse_yaml)
    dvcfile.modify_yaml = _in_one_step(dvcfile.modify_yaml, root)
    objects: Any = LocalHashFileDB
    runs: Any = StageCache
    index: Any = Cache
    objects.check, runs._load, index.__init__ = _checked, _whole_run, _readable(index.__init__)


def set_aside(path: Path) -> Path:
    """Renames a file to one with the suffix .damaged, of which there may be several, and returns its new path."""
    number, target = 1, path.with_name(f"{path.name}.damaged")
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.damaged-{number}")
    path.rename(target)
    return target


def is_whole(data: bytes) -> bool:
    """True when DVC would take this for a dvc.lock."""
    try:
        COMPILED_LOCKFILE_SCHEMA(_yaml.parse_yaml(data.decode("utf-8"), str(LOCK)))
    except (UnicodeDecodeError, ParseError, Invalid, AttributeError, TypeError, ValueError):
        return False
    return True


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Holds one of DVC's locks; gives False when another process has it, which may be in the middle of writing."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = zc.lockfile.LockFile(str(lock))
    except zc.lockfile.LockError:
        yield False
        return
    try:
        yield True
    finally:
        held.close()


def _damaged(data: bytes, good: bytes | None) -> bool:
    if CONFLICT in data:
        return False
    cut = good is not None and not data.endswith(b"\n") and good.startswith(data)
    return cut or not is_whole(data)


def _mend_lock(root: Path) -> None:
    """Sets a dvc.lock aside that cannot be read, and puts the last good one in its place, if there is one."""
    lock, good = root / LOCK, root / GOOD
    held = good.read_bytes() if good.is_file() else None
    if not lock.is_file() or lock.read_bytes() == held or not _damaged(lock.read_bytes(), held):
        return
    with _alone(root / TEMPORARY / "lock") as alone:
        if not alone or not lock.is_file() or not _damaged(lock.read_bytes(), held):
            return
        aside = set_aside(lock)
        if held is not None and is_whole(held):
            with replaced(lock) as fresh:
                fresh.write_bytes(held)
            rest = "the last good copy takes its place"
        else:
            rest = "it is made anew from the outputs and DVC's cache"
    _say(f"{LOCK} was damaged while something wrote it: it is {aside.name} now, and {rest}.")


def _keep(root: Path) -> None:
    """Keeps a copy of dvc.lock, if it is a good one."""
    lock, good = root / LOCK, root / GOOD
    with suppress(OSError):  # A full disk: the stages will say it.
        data = lock.read_bytes()
        if (not good.is_file() or good.read_bytes() != data) and is_whole(data):
            with replaced(good) as fresh:
                fresh.write_bytes(data)


def _mend_locked_paths(root: Path) -> None:
    """Sets DVC's list of locked paths aside if it cannot be read; the processes that it named are gone or will end."""
    path = root / TEMPORARY / rwlock.RWLOCK_FILE
    if not path.is_file() or _lists_paths(path):
        return
    with _alone(root / TEMPORARY / rwlock.RWLOCK_LOCK) as alone:
        if alone and path.is_file() and not _lists_paths(path):
            aside = set_aside(path)
            _say(f"{TEMPORARY / path.name} was damaged while DVC wrote it: it is {aside.name} now.")


def _mend_experiments(root: Path) -> None:
    """Sets notes on DVC's experiments aside that cannot be read; with one of these, DVC lists and starts none."""
    for path in sorted((root / EXPERIMENTS).glob("*/*.run")):
        try:
            json.loads(path.read_bytes())
        except (ValueError, UnicodeDecodeError):
            if path.stat().st_size == 0 and time.time() - path.stat().st_mtime < BEING_WRITTEN:
                continue
            aside = set_aside(path)
            _say(f"{path.relative_to(root)} was damaged while DVC wrote it: it is {aside.name} now.")


def _lists_paths(path: Path) -> bool:
    try:
        rwlock.SCHEMA(json.loads(path.read_bytes()))
    except (ValueError, Invalid):
        return False
    return True


def _in_one_step(modify: Any, root: Path) -> Any:
    """DVC's editor of dvc.lock, on a copy that takes its place when it is complete."""
    written: dict[str, str] = {}

    @contextmanager
    def modified(path: str, fs: Any = None) -> Iterator[Any]:
        target = Path(path)
        if target.name != LOCK.name:
            with modify(path, fs=fs) as data:
                yield data
            return
        folder = root.resolve() / TEMPORARY
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"{LOCK.name}.{os.getpid()}"
        try:
            fresh.unlink(missing_ok=True)
            held = target.read_text(encoding="utf-8") if target.exists() else ""
            if "#" in held:  # a comment, perhaps, which DVC keeps
                fresh.write_text(held, encoding="utf-8")
                with modify(str(fresh), fs=fs) as data:
                    yield data
            else:
                data = _yaml.parse_yaml(held, path)
                yield data
                text = lock_text(data, written)
                fresh.write_text(text, encoding="utf-8")
                _remember(text, data)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
        _keep(root)

    return modified


def lock_text(data: dict[str, Any], written: dict[str, str]) -> str:
    """Text of dvc.lock, as DVC writes it.

    Args:
        data: its content.
        written: stage with its content as JSON → its part of the text; what is missing is added.
    """
    if list(data) != ["schema", "stages"] or not data["stages"]:
        return str(_yaml.dumps_yaml(data))
    parts = [_yaml.dumps_yaml({"schema": data["schema"]}), HEAD]
    for name, content in data["stages"].items():
        key = json.dumps([name, content], default=str)
        if key not in written:
            written[key] = _yaml.dumps_yaml({"stages": {name: content}}).removeprefix(HEAD)
        parts.append(written[key])
    return "".join(parts)


def _once(parse: Callable[..., Any]) -> Callable[..., Any]:
    """DVC's reader of YAML, which reads the last few texts once."""

    def parsed(text: str, path: Any, typ: str = "safe") -> Any:
        if typ != "safe":  # what is edited has comments and is no plain value
            return parse(text, path, typ)
        if text not in _KNOWN:
            _remember(text, parse(text, path, typ))
        return deepcopy(_KNOWN[text])

    return parsed


_KNOWN: dict[str, Any] = {}
"""Text → content of what was read or written last."""


def _remember(text: str, content: Any) -> None:
    _KNOWN[text] = deepcopy(content)
    for older in list(_KNOWN)[:-MOST_READ]:
        del _KNOWN[older]


def _checked(odb: Any, oid: str, check_hash: bool = True, _info: dict[str, Any] | None = None) -> Any:
    """Compares an object of the cache with its hash, also when it is read-only; another one is set aside.

    Raises:
        FileNotFoundError: there is no such object.
        ObjectFormatError: it is another one.
    """
    path = odb.oid_to_path(oid)
    info = _info or odb.fs.info(path)
    if not check_hash:
        return Meta.from_info(info)
    meta, actual = hash_file(path, odb.fs, odb.hash_name, odb.state, info=info)
    if str(actual.value).partition(".")[0] != oid.partition(".")[0]:
        aside = set_aside(Path(path))
        _say(f"{os.path.relpath(path)} in DVC's cache was damaged: it is {aside.name} now, and is computed again.")
        raise ObjectFormatError(f"{path} is corrupted")
    odb.protect(path)
    return meta


def _whole_run(cache: StageCache, stage: Any) -> Any:
    """Newest entry of the run cache for a stage, among those that were written to their end, or None."""
    key = _get_stage_hash(stage)
    folder = Path(cache._get_cache_dir(key)) if key else None
    if folder is None or not folder.is_dir():
        return None
    entries = [path for path in folder.iterdir() if ENTRY.fullmatch(path.name)]
    for path in sorted(entries, key=lambda path: path.stat().st_mtime, reverse=True):
        entry = cache._load_cache(key, path.name)
        if entry and entry.get("outs"):
            return entry
    return None


def _readable(opens: Callable[..., None]) -> Callable[..., None]:
    """Constructor of DVC's index of hashes and links, which lies outside of the project and is made again when missing;
    one that cannot be read is set aside first."""

    def opened(cache: Cache, directory: str, *arguments: Any, **options: Any) -> None:
        database = Path(directory) / "cache.db"
        if database.is_file() and not _is_sound(database):
            aside = set_aside(database)
            for part in ("-wal", "-shm"):
                database.with_name(database.name + part).unlink(missing_ok=True)
            _say(f"DVC's index {database} was damaged: it is {aside.name} now, and is made again.")
        opens(cache, directory, *arguments, **options)

    return opened


def _is_sound(database: Path) -> bool:
    try:
        with closing(sqlite3.connect(database)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError:
        return True  # Another process writes to it.
    except sqlite3.DatabaseError:
        return False
