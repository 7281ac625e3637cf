"""A second run of the pipeline, in a copy of the project that takes nothing over from the first.

The copy has the files that git knows or would take, as they stand, and links to the raw data that manifests name. Its
DVC cache is empty, so every stage computes; its number of jobs and its hash seed differ, which should change no bit.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ruamel.yaml import YAML

from mtl.cli.preflight import DVC_FILE
from mtl.cli.repro import run_dvc
from mtl.config import PARAMS, Config
from mtl.data.files.manifest import RAW, read_manifest
from mtl.errors import UserError
from mtl.jobs.cores import workers
from mtl.jobs.scheduler import SCHEDULER

LOCK = Path("dvc.lock")
HASH_SEED = 20_231


@contextmanager
def copied(config: Config, root: Path = Path(), keep: bool = False) -> Iterator[Path]:
    """A copy of the project at `root` in a temporary folder, which goes with the block's end unless it is kept.

    Raises:
        UserError: git is not installed.
    """
    folder = Path(tempfile.mkdtemp(prefix="mtl-check-"))
    try:
        copy = folder / "second"
        for name in _sources(root, folder):
            if name != LOCK.as_posix():  # It says which stages have run: none has.
                _copy(root / name, copy / name, root)
        _link_raw(config, root, copy)
        _settings(config, copy)
        yield copy
    finally:
        if not keep:
            shutil.rmtree(folder)


def run(copy: Path) -> int:
    """Runs the pipeline in a copy; returns DVC's exit code, or 2 for a mistake of the user's."""
    seed = HASH_SEED + (os.environ.get("PYTHONHASHSEED") == str(HASH_SEED))
    # DVC also keeps hashes and locks of a project outside of it: these of the copy go when it goes. Runs are made on
    # this machine: those of a cluster should give the same bytes.
    changes = {"PYTHONHASHSEED": str(seed), "DVC_SITE_CACHE_DIR": str(copy.parent / "site"), SCHEDULER: ""}
    return run_dvc(["repro"], copy, changes)


def jobs_of_copy(config: Config) -> int:
    """One job where the first run had several, two where it had one."""
    return 1 if workers(config.base) > 1 else 2


def _sources(root: Path, scratch: Path) -> list[str]:
    """Files that git tracks or would take, relative to `root`."""
    inside = _git(["ls-files", "-z", "--cached", "--others", "--exclude-standard"], root)
    if inside is not None and DVC_FILE.as_posix() in inside:
        return [name for name in inside if (root / name).exists()]  # Deleted files are listed until the next commit.
    # No checkout, or a folder that one ignores: an empty repository elsewhere reads the same .gitignore files.
    empty = scratch / "empty.git"
    _git(["init", "--quiet", "--bare", str(empty)], scratch)
    place = [f"--git-dir={empty}", f"--work-tree={root.resolve()}"]
    listed = _git([*place, "ls-files", "-z", "--others", "--exclude-standard"], root)
    assert listed is not None, "git lists the files of a folder that it was given"
    return listed


def _git(arguments: list[str], folder: Path) -> list[str] | None:
    """Runs git and returns its output split at null bytes; None when it fails, as it does outside a repository."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, env=surroundings, capture_output=True)
    except FileNotFoundError:
        raise UserError("`check` asks git which files belong to the project, and git is not installed.") from None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name] if done.returncode == 0 else None


def _copy(source: Path, target: Path, root: Path) -> None:
    """A copy of its own, also of what a link out of the project leads to, so that the second run writes nothing in the
    first's place; a link within the project leads to the same place of the copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink() and not source.readlink().is_absolute() and source.resolve().is_relative_to(root.resolve()):
        target.symlink_to(source.readlink())
    elif source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(".git"))
    else:
        shutil.copy(source, target)


def _link_raw(config: Config, root: Path, copy: Path) -> None:
    """Links to the raw data files that the manifests name, in folders of the copy's own: what a stage adds, renames or
    removes there changes nothing here, and what no manifest names is no source of the results."""
    for name in config.prepare.sources:
        manifest = read_manifest(name, root)
        for relative in manifest.files if manifest is not None else ():
            target = copy / RAW / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.symlink_to((root / RAW / relative).resolve())


def _settings(config: Config, copy: Path) -> None:
    """Sets another number of jobs, no tracking, and a DVC cache of its own, whatever the user's DVC settings say."""
    file = YAML()  # Leaves every other value as it is written.
    params = file.load(copy / PARAMS)
    params.setdefault("base", {})["jobs"] = jobs_of_copy(config)
    params["tracking"] = (params.get("tracking") or {}) | {"enabled": False}
    file.dump(params, copy / PARAMS)
    local = copy / ".dvc" / "config.local"
    local.parent.mkdir(exist_ok=True)
    local.write_text(f"[core]\n    no_scm = true\n[cache]\n    dir = {copy.resolve()}/.dvc/cache\n", encoding="utf-8")
