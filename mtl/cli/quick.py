"""`mtl repro --quick`: a first look with one seed and few epochs, in a workspace of its own inside the project.

The workspace has links to everything that the pipeline reads, its own dvc.yaml and params.yaml, and outputs of its own;
it shares DVC's cache with the project, so that what does not depend on seeds and epochs is computed once. Nothing that
`mtl repro` has made is read or changed.
"""

import math
import os
import shutil
from io import StringIO
from pathlib import Path, PurePath
from typing import Any

from ruamel.yaml import YAML

from mtl.cli.preflight import DVC_FILE, LOCK, written_paths
from mtl.config import PARAMS, Config
from mtl.config.yaml_file import read_yaml
from mtl.errors import UserError
from mtl.files import replace_text

FOLDER = Path(".mtl/quick")
"""The workspace, which git and DVC ignore."""
SHARE = 5
"""One epoch of so many is trained."""
FEWEST = 3
"""Epochs that are trained in any case, as far as there are so many."""
MADE = {
    *("outputs", "results", "report", "timings", "studies", "mlartifacts", "mlruns", "dvc_plots"),
    *("data/prepared", "data/index.json", "data/tasks.json", PARAMS.name, DVC_FILE.name, LOCK.name),
}
"""Paths of a project that a workspace has of its own, or that the pipeline does not read."""
UNREAD = ("mlflow.db", f"{LOCK.name}.damaged")
"""Beginnings of names that the pipeline does not read."""
DVC_IGNORE = ".dvcignore"
SETTINGS = """\
[core]
    analytics = false
    autostage = false
    check_update = false
    no_scm = true
[cache]
    dir = {quote}{cache}{quote}
"""


def is_workspace(folder: Path) -> bool:
    """True for the folder of a quick look."""
    return folder.resolve().parts[-len(FOLDER.parts) :] == FOLDER.parts


def few(epochs: int) -> int:
    """Number of epochs that a quick look trains of so many."""
    return min(epochs, max(FEWEST, math.ceil(epochs / SHARE)))


def lay_out(config: Config, root: Path = Path()) -> Path:
    """Makes the workspace, or brings it up to date with the project; what has run there stays.

    Args:
        config: the whole configuration of the project, whose dvc.yaml was checked.
        root: folder of the project.

    Returns:
        The folder, below `root`.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = root / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _link(root, folder)
        (folder / ".dvc").mkdir(exist_ok=True)
        cache = _cache(root)
        quote = "'" if '"' in cache else '"'
        replace_text(folder / ".dvc" / "config", SETTINGS.format(quote=quote, cache=cache))
        replace_text(folder / DVC_FILE, (root / DVC_FILE).read_text(encoding="utf-8"))
        replace_text(folder / PARAMS, shortened((root / PARAMS).read_text(encoding="utf-8-sig"), config, root))
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}.") from None
    return folder


def shortened(text: str, config: Config, root: Path = Path()) -> str:
    """Content of params.yaml with one seed, few epochs, and a mark that says so.

    Args:
        text: the content that is there.
        config: the same, checked.
        root: folder of the project, where the address of its tracker begins.
    """
    file = YAML()  # Leaves every other value as it is written.
    params = file.load(text)
    epochs = few(config.train.epochs)
    _set(params, "base.seeds", config.base.seeds[:1])
    _set(params, "train.epochs", epochs)
    _set(params, "pretrain.epochs", few(config.pretrain.epochs))
    for name, method in config.finetune.methods.items():
        here = f"finetune.methods.{name}"
        if method.datamap is not None and method.datamap.snapshots:
            kept = [epoch for epoch in method.datamap.snapshots if epoch <= epochs]
            _set(params, f"{here}.datamap.snapshots", kept)
        if method.curriculum is not None and method.curriculum.start_epoch:
            starts = {task: min(epoch, epochs) for task, epoch in method.curriculum.start_epoch.items()}
            _set(params, f"{here}.curriculum.start_epoch", starts)
    if getattr(config.cluster.relation, "epochs", None):
        _set(params, "cluster.relation.epochs", None)  # The end of the training.
    _set(params, "specialise.random_draws", min(1, config.specialise.random_draws))
    _set(params, "specialise.every_partition", False)
    _set(params, "evaluate.quick", {"seeds": len(config.base.seeds), "epochs": config.train.epochs})
    _set(params, "tune.seeds", None)  # No study runs here, and those may not be among its seeds.
    _set(params, "tracking.experiment", f"{config.tracking.experiment} (quick)")
    if config.tracking.enabled and "MLFLOW_TRACKING_URI" not in os.environ:
        from mtl import tracking  # here: DVC's process, which loads this module, has no use for it

        _set(params, "tracking.uri", tracking.resolve_uri(config, root.resolve()))
    stream = StringIO()
    file.dump(params, stream)
    return stream.getvalue()


def _set(params: Any, path: str, value: object) -> None:
    """Sets a value in the content of params.yaml; sections that are missing or empty are made."""
    *sections, key = path.split(".")
    for section in sections:
        if params.get(section) is None:
            params[section] = {}
        params = params[section]
    params[key] = value


def _cache(root: Path) -> str:
    """Absolute path of the project's DVC cache, which its settings or those of its user may have moved."""
    from dvc.config import Config as Settings

    folder = root.resolve() / ".dvc"
    settings: Any = Settings(dvc_dir=str(folder), validate=False)
    return str(settings.get("cache", {}).get("dir") or folder / "cache")


def _link(root: Path, folder: Path) -> None:
    """Links to all that the project holds beside what its pipeline makes; links to what is gone are removed."""
    stages: dict[str, Any] = read_yaml(root / DVC_FILE)["stages"]
    paths = [path for stage in stages.values() for path in written_paths(stage.get("do", stage))]
    written = {PurePath(path.partition("${")[0]) for path in paths}
    own = written | {PurePath(name) for name in MADE}
    below = {parent for path in written for parent in path.parents if parent.name}

    def visit(place: PurePath) -> None:
        if (folder / place).is_symlink():  # Nothing was written here before, and what is written belongs here.
            (folder / place).unlink()
        (folder / place).mkdir(exist_ok=True)
        wanted: dict[str, str] = {}
        for entry in sorted((root / place).iterdir()):
            name = place / entry.name
            hidden = not place.name and (entry.name.startswith((".", *UNREAD)) and entry.name != DVC_IGNORE)
            if name in own or hidden:
                continue
            if name in below and entry.is_dir():
                visit(name)
            else:
                wanted[entry.name] = os.path.relpath(entry.parent.resolve() / entry.name, (folder / place).resolve())
        for entry in (folder / place).iterdir():
            ours = entry.is_symlink() and not entry.readlink().is_absolute()  # DVC's own links are absolute.
            if ours and wanted.get(entry.name) != str(entry.readlink()):
                entry.unlink()
        for linked, target in wanted.items():
            link = folder / place / linked
            if not link.is_symlink():
                if link.is_dir():  # Output of a stage that dvc.yaml no longer has.
                    shutil.rmtree(link)
                link.unlink(missing_ok=True)
                link.symlink_to(target)

    visit(PurePath())
