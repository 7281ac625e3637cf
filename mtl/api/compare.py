"""`mtl.compare`: a table and its targets → verdicts, in the caller's process."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl.api.folders import OwnFolder
from mtl.api.given import file_of
from mtl.api.own_code import MODULE, own_code
from mtl.api.pipeline import run_pipeline
from mtl.api.progress import progress
from mtl.api.result import Result
from mtl.api.untouched import at_home
from mtl.api.wishes import (
    Methods,
    Targets,
    in_words_of_python,
    methods_of,
    names_of,
    overlay_text,
    seeds_of,
    split_settings,
    tasks_of,
)
from mtl.config import PARAMS, Config, load_config
from mtl.data.files.register import add
from mtl.errors import UserError, shown
from mtl.experiment.linear_start import solving_once
from mtl.files import replace_text
from mtl.plugins import FOLDER
from mtl.setup.draft import Draft, raw_path
from mtl.setup.new_project import lay_out
from mtl.setup.place import readme
from mtl.setup.source import check_grouping
from mtl.setup.table import read_own

PROJECT, INCOMING = "project", "incoming"


def compare(
    data: object,
    targets: Targets,
    methods: Methods = ("equal",),
    seeds: int | Sequence[int] = 5,
    epochs: int | None = None,
    group: object = None,
    encoder: object = None,
    settings: Mapping[str, Any] | None = None,
) -> Result:
    """As `mtl.compare`, which is the way in."""
    if group is not None and not isinstance(group, str):
        raise UserError(f"`group` should be the name of a column, found {shown(group)}.")
    sections, options = split_settings(settings)
    own = own_code(encoder) if encoder is not None and not isinstance(encoder, str | Mapping) else None
    if own is not None:
        encoder = own.section
    sections = _sections(sections, methods_of(methods), seeds_of(seeds), epochs, encoder)
    owned = OwnFolder()
    try:
        if own is not None:
            replace_text(owned.path / PROJECT / FOLDER / f"{MODULE}.py", own.text)
        config, notes = _made(owned.path, data, targets, group, (sections, options))
        return Result(owned.path / PROJECT, notes, owned, config)
    except BaseException:
        owned.remove()
        raise


def _made(
    folder: Path, data: object, targets: Targets, group: str | None, settings: tuple[dict[str, Any], dict[str, Any]]
) -> tuple[Config, list[str]]:
    """Makes a project with all its runs below a folder; returns its configuration, and sentences on the data.

    Args:
        folder: a new one.
        data, targets, group: as in `compare`.
        settings: sections that are laid over those of a new project, and options of the table.
    """
    root, incoming, (sections, options) = folder / PROJECT, folder / INCOMING, settings
    incoming.mkdir()
    file = file_of(data, incoming, names_of(targets))
    with in_words_of_python():
        own = read_own(file, options)
        tasks = tasks_of(targets, own)
        if group is not None:
            check_grouping(group, own, tasks)
        draft = Draft(own, tasks, group, overlay=overlay_text(sections)).tried()
        lay_out(root)
        replace_text(root / "README.md", readme(root.name, draft.title))
        manifest = add(draft.source, [file], root)
        replace_text(root / PARAMS, draft.text(raw_path(file, list(manifest.files))))
        config = load_config(root / PARAMS)
        with at_home(root), solving_once(), progress("mtl.compare") as tell:
            run_pipeline(config, root, tell)
    shutil.rmtree(incoming)
    told = [f"{column} is no input: {why}." for column, why in draft.told.items()]
    return config, [*own.notes, *told, *draft.notes]


def _sections(
    sections: dict[str, Any], methods: Mapping[str, Any], seeds: Sequence[int], epochs: int | None, encoder: object
) -> dict[str, Any]:
    """Sections with those that arguments of their own name.

    Raises:
        UserError: a setting is given twice, or none of the forms that are taken.
    """
    if epochs is not None:
        _own(sections, "train", "epochs", epochs, "epochs")
    _own(sections, "base", "seeds", list(seeds), "seeds")
    _own(sections, "finetune", "methods", dict(methods), "methods")
    if encoder is not None:
        if "encoder" in sections:
            raise UserError("`encoder` should be given once, found it in `settings` too.")
        sections["encoder"] = {"kind": encoder} if isinstance(encoder, str) else encoder
    return sections


def _own(sections: dict[str, Any], section: str, key: str, value: Any, argument: str) -> None:
    held = sections.setdefault(section, {})
    if not isinstance(held, dict):
        raise UserError(f"`settings[{section!r}]` should be a section, found {shown(held)}.")
    if key in held:
        raise UserError(f"`settings['{section}.{key}']` should be left out: the argument `{argument}` says it.")
    held[key] = value
