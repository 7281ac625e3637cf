"""Arguments of `mtl.compare` → tasks of a table, and sections of params.yaml that are laid over a new project's."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import yaml

from mtl.data.columns.section import source_name
from mtl.errors import UserError, shown
from mtl.setup.check import NEW
from mtl.setup.near import near
from mtl.setup.spelling import Wanted, parse_targets
from mtl.setup.table import Own
from mtl.setup.targets import KINDS, Target, choose, in_words

SOURCE = "source"
"""Key of the settings that are those of the table, as `--option` of `mtl init`."""
Targets = Mapping[str, Any] | Sequence[str] | str
Methods = Mapping[str, Any] | Sequence[str] | str


@contextmanager
def in_words_of_python() -> Iterator[None]:
    """Errors name arguments of a function in the place of options of a command."""
    try:
        yield
    except UserError as error:
        told = str(error)
        for option, argument in (
            ("--targets", "`targets`"), ("--group", "`group`"), ("--option", "`settings['source']`"),
            (f"{NEW}: ", "`settings`: "), (f" of {NEW.removeprefix('the ')}", ""),
        ):  # fmt: skip
            told = told.replace(option, argument)
        if told == str(error):
            raise
        raise UserError(told) from error


def names_of(targets: Targets) -> list[str]:
    """Names of the targets as they are given, before anything is known of the columns.

    Raises:
        UserError: they are none of the forms that are taken, or there is none.
    """
    if isinstance(targets, str):
        return [targets]
    if not isinstance(targets, Mapping | Sequence) or not targets or any(not isinstance(name, str) for name in targets):
        raise UserError(
            "`targets` should be a mapping of columns to kinds of tasks, such as {'price': 'regression', 'sold': "
            f"'binary'}}, names of columns, or a text as `mtl init` takes it, found {shown(targets)}."
        )
    names = list(targets)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"`targets` should name each column once, found {shown(twice)} twice.")
    return names


def tasks_of(targets: Targets, own: Own) -> list[Target]:
    """The tasks that are wanted.

    Args:
        targets: name → kind, or settings of the task as params.yaml has them (`{"kind": "binary", "label": {"column":
            "quality", "at_least": 7}}`); or names of columns that can mean one kind alone; or a text as of `mtl init
            --targets`.
        own: the table.

    Raises:
        UserError: there is no such column or kind, or a column cannot be learnt so.
    """
    if isinstance(targets, str):
        return choose(parse_targets(targets, own.columns), own, None)
    given = targets if isinstance(targets, Mapping) else dict.fromkeys(names_of(targets))
    made: list[Target] = []
    for name, wish in given.items():
        if wish is None or isinstance(wish, str):
            made += choose([Wanted(name, name, kind=wish)], own, None)
        elif isinstance(wish, Mapping):
            made.append(_with_settings(name, dict(wish), own))
        else:
            raise UserError(f"`targets[{name!r}]` should be a kind or settings of a task, found {shown(wish)}.")
    names = [target.name for target in made]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"`targets` should name each task once, found two that would be named {twice}: rename one.")
    return made


def _with_settings(name: str, wish: dict[str, Any], own: Own) -> Target:
    """A task with settings of its own."""
    kind = wish.pop("kind", None)
    if kind not in KINDS:
        raise UserError(f"`targets[{name!r}]['kind']` should be one of {', '.join(KINDS)}, found {shown(kind)}.")
    column = _column(name, wish)
    if column not in own.columns:
        raise UserError(f"`targets[{name!r}]` should learn a column of the data, {near(column, own.columns)}")
    learnt = KINDS[kind].learning(column, {})
    return Target(source_name(name), column, kind, in_words(own, column, own.cells(column)), learnt | wish)


def _column(name: str, wish: Mapping[str, Any]) -> str:
    """Column that settings name: by a label, its rule, a target or the first of several; else the one of the name."""
    for key in ("label", "target", "targets"):
        value = wish.get(key)
        if isinstance(value, Mapping):
            return str(value.get("column", name))
        if isinstance(value, Sequence) and value:
            return value if isinstance(value, str) else str(value[0])
    return name


def methods_of(methods: Methods) -> dict[str, Any]:
    """Name → section of `finetune.methods`.

    Args:
        methods: kinds, or a mapping of names to kinds or sections.

    Raises:
        UserError: they have another form.
    """
    given = [methods] if isinstance(methods, str) else methods
    if isinstance(given, Mapping):
        sections = {str(name): wish for name, wish in given.items()}
    elif isinstance(given, Sequence) and all(isinstance(kind, str) for kind in given):
        sections = {kind: kind for kind in given}
        if len(sections) < len(given):
            raise UserError(f"`methods` should name each method once, found {shown(list(given))}.")
    else:
        raise UserError(f"`methods` should be kinds of methods or a mapping of names to them, found {shown(methods)}.")
    if not sections:
        raise UserError("`methods` should name a method, such as 'equal', found none.")
    wrong = [name for name, wish in sections.items() if not isinstance(wish, str | Mapping)]
    if wrong:
        found_there = shown(sections[wrong[0]])
        raise UserError(f"`methods[{wrong[0]!r}]` should be a kind or settings of a method, found {found_there}.")
    return {name: {"kind": wish} if isinstance(wish, str) else dict(wish) for name, wish in sections.items()}


def seeds_of(seeds: int | Sequence[int]) -> list[int]:
    """The seeds: 0 to n − 1 for a number n.

    Raises:
        UserError: they are none.
    """
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        if seeds >= 1:
            return list(range(seeds))
    elif isinstance(seeds, list | tuple | range) and seeds:
        return list(seeds)
    raise UserError(f"`seeds` should be their number, 1 or more, or a list of them, found {shown(seeds)}.")


def split_settings(settings: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sections that are laid over those of a new project, and options of the table.

    Args:
        settings: section → its settings, or a path with points → its value, as in `{"train.lr": 3e-4}`.

    Raises:
        UserError: a key is no text, or a path leads through a value.
    """
    sections: dict[str, Any] = {}
    if settings is not None and not isinstance(settings, Mapping):
        raise UserError(f"`settings` should map sections of params.yaml to their settings, found {shown(settings)}.")
    for path, value in (settings or {}).items():
        if not isinstance(path, str):
            raise UserError(f"`settings` should have texts as keys, such as 'train.epochs', found {shown(path)}.")
        _put(sections, path.split("."), value)
    options = sections.pop(SOURCE, {})
    if not isinstance(options, dict):
        raise UserError(f"`settings['source']` should map options of a table to values, found {shown(options)}.")
    return sections, options


def _put(sections: dict[str, Any], path: Sequence[str], value: Any) -> None:
    place = sections
    for key in path[:-1]:
        place = place.setdefault(key, {})
        if not isinstance(place, dict):
            raise UserError(f"`settings` should have a section at {key!r} of {'.'.join(path)!r}, found {shown(place)}.")
    last = path[-1]
    held = place.get(last)
    if isinstance(held, dict) and isinstance(value, Mapping):
        for key, inner in value.items():
            _put(held, [str(key)], inner)
    else:
        place[last] = _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value


def overlay_text(sections: Mapping[str, Any]) -> str:
    """Sections as YAML.

    Raises:
        UserError: a value is none that params.yaml can hold.
    """
    try:
        return "".join(
            yaml.safe_dump({name: section}, sort_keys=False, allow_unicode=True) for name, section in sections.items()
        )
    except yaml.YAMLError as error:
        raise UserError(f"`settings` should hold numbers, texts, lists and maps: {error}.") from None
