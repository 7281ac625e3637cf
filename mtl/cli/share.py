"""`mtl share`: results and models on a DVC remote, for a colleague who clones the project and trains nothing."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mtl.cli.estimate.stale import Asked
from mtl.cli.preflight import DVC_FILE, LOCK
from mtl.cli.repro import run_dvc
from mtl.config import PARAMS, load_config
from mtl.data.files.manifest import RAW, read_manifest
from mtl.errors import UserError
from mtl.files import replace_text
from mtl.paths import PREPARED, VERDICTS
from mtl.setup.place import in_repository

CONFIG = Path(".dvc/config")
NAME = "share"
"""Remote that an address becomes."""
UNITS = ("bytes", "kB", "MB", "GB", "TB")
KINDS = {
    RAW.as_posix(): "raw files, as they came",
    PREPARED.as_posix(): "prepared data: every value of inputs and targets, by which rows can be known",
    "data": "names of sources, columns and tasks",
    "outputs": "runs: weights, metrics, some test samples with predictions",
    "results": "verdicts and tables; predictions with the true values of test samples",
    "report": "the report page and its figures",
    "models": "deployed models: weights, names of categories, counts of inputs, hashes of samples",
}
"""Beginning of a path → what lies there, the first that fits."""
OTHERS = "other files that DVC tracks"
RAW_RULES = "# `mtl share --raw` has put raw files under DVC: git tracks what it notes of them.\n!.gitignore\n!*.dvc\n"


@dataclass(frozen=True)
class Wish:
    """Results that are to be shared, and the place for them.

    Args:
        remote: name of a DVC remote, or an address; None: the default remote.
        raw: raw files as well.
        prepared: prepared data as well.
        yes: push without asking.
    """

    remote: str | None = None
    raw: bool = False
    prepared: bool = True
    yes: bool = False


@dataclass(frozen=True)
class Tracked:
    """An output or file that DVC tracks."""

    path: str
    size: int
    files: int

    @property
    def kind(self) -> str:
        """Beginning of the path, as in KINDS; empty for others."""
        return next((start for start in KINDS if self.path == start or self.path.startswith(f"{start}/")), "")


@dataclass(frozen=True)
class Remote:
    """A remote of DVC's; `new` where it is not in the settings yet."""

    name: str
    address: str
    new: bool


def share(wish: Wish, root: Path = Path()) -> int:
    """Says what will be pushed, asks, pushes it, and says what a colleague types; returns the exit code.

    Raises:
        UserError: this is no evaluated project, there are changes that git does not have, or the remote is not known,
            cannot be reached, or cannot be written; its settings stay as they were.
    """
    load_config(root / PARAMS)
    _check_project(root)
    remote = remote_of(wish.remote, root)
    _check_committed(root)
    stale = Asked(root)
    raw = _raw_files(root) if wish.raw else []
    there = [entry for entry in tracked(root) if wish.prepared or entry.kind != PREPARED.as_posix()]
    planned = there + [entry for entry in raw if entry.path not in {other.path for other in there}]
    _say(planned, remote, wish, stale.answer().changed)
    if not wish.yes and not _agreed():
        print("Nothing was pushed.")
        return 0
    before = (root / CONFIG).read_text(encoding="utf-8")
    try:
        if remote.new:
            _add_remote(remote, root)
        _track_raw(raw, root)
        pushed = [[] if wish.prepared else [entry.path for entry in there]]
        if raw:  # DVC takes the folder, all of whose other files git ignores, for one to stay out of: name them
            pushed.append([f"{entry.path}.dvc" for entry in raw])
        if any(run_dvc(["push", "--remote", remote.name, *targets], root) != 0 for targets in pushed):
            raise UserError(
                f"{remote.address} could not be reached or written: DVC says above why. Mend that, or name another "
                "remote, and `mtl share` again goes on; no settings were changed."
            )
    except BaseException:
        if (root / CONFIG).read_text(encoding="utf-8") != before:
            replace_text(root / CONFIG, before)
        raise
    _say_next(remote, wish, root)
    return 0


def _check_project(root: Path) -> None:
    if not (root / DVC_FILE).exists() or not (root / CONFIG).exists():
        raise UserError(
            f"{DVC_FILE} or {CONFIG} is missing: run this from the folder of a project (`mtl init` makes one)."
        )
    if not (root / LOCK).exists() or not (root / VERDICTS).exists():
        raise UserError(
            "there are no results to share yet (dvc.lock and results/verdicts.json): `mtl repro` makes them."
        )
    if shutil.which("git") is None:
        raise UserError("git is not installed: code and settings reach a colleague by git, results by DVC.")
    if in_repository(root) is None:
        raise UserError(
            "this folder is no git repository: code and settings reach a colleague by git, results by DVC. `git init "
            '&& git add --all && git commit -m "first results"` makes it one.'
        )


def _check_committed(root: Path) -> None:
    """Raises a UserError where git lacks something that a colleague would need; DVC's own settings may be new."""
    told = _git(root, "status", "--porcelain", "--untracked-files=all", "--", ".").splitlines()
    changed = [line[3:] for line in told if line[3:].strip('"') != CONFIG.as_posix()]
    changed = [path for path in changed if not path.endswith(f"/{CONFIG.as_posix()}")]
    if changed:
        count = f"{len(changed)} files are" if len(changed) > 1 else "1 file is"
        raise UserError(
            f"{count} not committed ({', '.join(changed[:3])}{', …' if len(changed) > 3 else ''}): a colleague would "
            "get other settings or code than these results have. `git add --all && git commit` first."
        )


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"`git {arguments[0]}` failed: {' '.join(done.stderr.split())[:300]}.")
    return done.stdout


def remote_of(given: str | None, root: Path) -> Remote:
    """The remote that is meant.

    Raises:
        UserError: there is none of that name, or an address cannot be one.
    """
    from dvc.config import Config

    settings = Config(str((root / CONFIG.parent).resolve()))
    known = {str(name): str(remote["url"]) for name, remote in settings["remote"].items()}
    told = f" Known: {', '.join(f'{name} ({address})' for name, address in known.items())}." if known else ""
    if given is None:
        default = settings["core"].get("remote")
        if default not in known:
            raise UserError(
                "REMOTE is missing, and DVC has no default one: name a folder or an address, as in `mtl share "
                f"/media/team/wine` or `mtl share s3://bucket/wine`.{told}"
            )
        return Remote(default, known[default], new=False)
    if given in known:
        return Remote(given, known[given], new=False)
    if not any(sign in given for sign in ("/", "\\", "~")):
        raise UserError(
            f"REMOTE should be a remote of DVC's or an address with a slash, found {given!r}.{told} A folder here is "
            f"written ./{given}."
        )
    address = given if "://" in given else str(Path(given).expanduser().absolute().resolve())
    if "://" not in given:
        place, here = Path(address), root.resolve()
        if place == here or here in place.parents:
            raise UserError(f"REMOTE should lie outside of the project, which would track it, found {given}.")
        taken = next((part for part in (place, *place.parents) if part.exists()), None)
        if taken is not None and not taken.is_dir():
            raise UserError(f"REMOTE should be a folder, found the file {taken}.")
    for name, url in known.items():
        if url == address:
            return Remote(name, address, new=False)
    number = next(n for n in range(1, len(known) + 2) if _numbered(n) not in known)
    return Remote(_numbered(number), address, new=True)


def _numbered(number: int) -> str:
    return NAME if number == 1 else f"{NAME}{number}"


def tracked(root: Path) -> list[Tracked]:
    """Outputs of stages and files that DVC has in its cache, as dvc.lock and the .dvc files name them."""
    from dvc.repo import Repo

    from mtl.cli.dvc_params import fill_in

    fill_in(root)
    here = root.resolve()
    with Repo(str(here)) as repo:
        outs = [out for out in repo.index.outs if out.use_cache and out.hash_info]
        entries = [
            Tracked(Path(out.fs_path).relative_to(here).as_posix(), out.meta.size or 0, out.meta.nfiles or 1)
            for out in outs
            if Path(out.fs_path).is_relative_to(here)
        ]
    return sorted(entries, key=lambda entry: entry.path)


def _raw_files(root: Path) -> list[Tracked]:
    """Raw files of the project's sources that are there."""
    sources = load_config(root / PARAMS).prepare.sources
    manifests = [manifest for name in sources if (manifest := read_manifest(name, root)) is not None]
    files = [RAW / file for manifest in manifests for file in manifest.files]
    return [Tracked(file.as_posix(), (root / file).stat().st_size, 1) for file in files if (root / file).is_file()]


def _say(planned: Sequence[Tracked], remote: Remote, wish: Wish, changed: frozenset[str] | None) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("to the remote", "what", "files", "bytes"):
        table.add_column(column, overflow="fold", justify="right" if column in ("files", "bytes") else "left")
    for start in (*KINDS, ""):
        entries = [entry for entry in planned if entry.kind == start]
        if entries:
            count, size = sum(entry.files for entry in entries), sum(entry.size for entry in entries)
            place = start or ", ".join(entry.path for entry in entries)
            table.add_row(place, KINDS.get(start, OTHERS), f"{count:,}", in_bytes(size))
    console = Console(highlight=False)
    console.print(table)
    total = sum(entry.size for entry in planned)
    console.print(f"\nTogether {in_bytes(total)} to {remote.address}; what is there already is not sent again.")
    if not wish.raw:
        console.print("Raw files (data/raw) stay here, with --raw they go as well.")
    if not wish.prepared:
        console.print("Prepared data stay here.")
    if changed is None or changed:
        console.print(
            "note: not everything is up to date, so these are results of older settings, code or data; `mtl repro` "
            "brings them up to date."
        )


def in_bytes(size: int) -> str:
    """`1,204,000 bytes (1.2 MB)`."""
    value, unit = float(size), 0
    while value >= 1000 and unit + 1 < len(UNITS):
        value, unit = value / 1000, unit + 1
    return f"{size:,} bytes" + (f" ({value:.3g} {UNITS[unit]})" if unit else "")


def _agreed() -> bool:
    """True where the user says yes.

    Raises:
        UserError: nobody can be asked.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError("nothing was pushed, since nobody can be asked here: `mtl share … --yes` pushes it.")
    try:
        return input("Push it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _add_remote(remote: Remote, root: Path) -> None:
    from dvc.config import Config

    default = Config(str((root / CONFIG.parent).resolve()))["core"].get("remote") is None
    with tempfile.TemporaryFile() as output:
        command = ["remote", "add", *(["--default"] if default else []), remote.name, remote.address]
        if run_dvc(command, root, output=output) != 0:
            raise UserError(f"REMOTE should be an address that DVC knows, found {remote.address!r}: it says above why.")


def _track_raw(raw: Sequence[Tracked], root: Path) -> None:
    """Gives raw files to DVC: a .dvc file beside each, which git tracks in the place of the file."""
    if not raw:
        return
    rules = root / RAW / ".gitignore"
    if not rules.exists():
        replace_text(rules, RAW_RULES)
    with tempfile.TemporaryFile() as output:
        if run_dvc(["add", "--quiet", *(entry.path for entry in raw)], root, output=output) != 0:
            raise UserError("DVC could not take in the raw files: it says above why. Without --raw they stay here.")


def _say_next(remote: Remote, wish: Wish, root: Path) -> None:
    print(f"\nPushed to {remote.address} (remote {remote.name}).")
    if _git(root, "status", "--porcelain", "--", "."):
        print('Next    git add --all && git commit -m "Share by DVC" && git push   (DVC\'s settings have changed)')
    else:
        print("Next    git push")
    if not _git(root, "remote"):
        print(
            "        git has no remote yet: `git remote add origin ADDRESS`, then `git push --set-upstream origin HEAD`"
        )
    pull = f"dvc pull --remote {remote.name}" + ("" if wish.prepared else " --allow-missing")
    if wish.raw:
        pull += f"` and `dvc pull --remote {remote.name} {RAW.as_posix()}/*.dvc"
    print(f"A colleague, with mtl installed: git clone ADDRESS, then in its folder `{pull}`, `mtl show`;")
    print("        the page is report/report.html, and `mtl predict FILE -o FILE` uses the models.")
