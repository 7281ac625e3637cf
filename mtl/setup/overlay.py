"""A params file with another laid over it, comments kept.

A section that the overlay leaves alone keeps its text byte for byte; in a section that it changes, comments of the file
stay with their keys. Maps merge key by key, except maps of things (tasks, sources, methods) and tagged unions whose
`kind` changes, which are replaced whole; so are lists.
"""

import io
import re

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

from mtl.config.yaml_file import parse_yaml
from mtl.errors import ConfigError

REPLACED_WHOLE = {("tasks",), ("prepare", "sources"), ("finetune", "methods")}
"""Maps of things: a preset's tasks are not added to the default's."""
UNIONS = {("encoder",), ("pretrain", "objective"), ("cluster", "relation"), ("cluster", "algorithm")}
"""Sections whose keys depend on their `kind`."""
SECTION = re.compile(r"^([A-Za-z_]\w*):", re.MULTILINE)


def overlaid(defaults: str, overlay: str, where: str) -> str:
    """Text of a params file with an overlay's text laid over it, section by section.

    Args:
        defaults: text of the params file.
        overlay: text with the sections, and the keys in them, that differ.
        where: its name in messages.
    """
    parse_yaml(overlay, where)
    base, over = sections_of(defaults), sections_of(overlay)
    result = []
    for section, (header, body) in base.items():
        if section not in over:
            result.append(header + body)
            continue
        merged = load_text(body, where)
        _merge(merged, load_text(over[section][1], where), ())
        result.append(header + dump_text(merged))
    if result and overlay.startswith("#") and result[0].startswith("#"):
        result[0] = first_line(overlay) + "\n" + result[0].partition("\n")[2]
    result += [header + body for section, (header, body) in over.items() if section not in base]
    return "".join(result)


def sections_of(text: str) -> dict[str, tuple[str, str]]:
    """Top-level key → (comments and blank lines above it, its lines).

    The YAML library hangs a comment on the value *before* it, which may be replaced; so sections are split as text.
    """
    starts = [match.start() for match in SECTION.finditer(text)]
    sections: dict[str, tuple[str, str]] = {}
    header = text[: starts[0]] if starts else ""
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        lines = text[start:end].splitlines(keepends=True)
        last = max(i for i, line in enumerate(lines) if line.strip() and not line.startswith("#"))
        key = SECTION.match(lines[0])
        assert key is not None
        sections[key.group(1)] = (header, "".join(lines[: last + 1]))
        header = "".join(lines[last + 1 :])
    return sections


def _merge(base: CommentedMap, over: CommentedMap, path: tuple[str, ...]) -> None:
    for key, value in over.items():
        here = (*path, str(key))
        old = base.get(key)
        both = isinstance(old, CommentedMap) and isinstance(value, CommentedMap)
        other_kind = both and here in UNIONS and value.get("kind", old.get("kind")) != old.get("kind")
        if both and not other_kind and here not in REPLACED_WHOLE:
            _merge(old, value, here)
        else:
            base[key] = value


class _Representer(RoundTripRepresenter):
    """Writes `null`, not an empty value, as the defaults do."""


_Representer.add_representer(
    type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _yaml() -> YAML:
    yaml = YAML()  # Round trip: comments, quotes and order are kept.
    yaml.Representer = _Representer
    yaml.width = 4096
    yaml.preserve_quotes = True
    return yaml


def load_text(text: str, where: str) -> CommentedMap:
    try:
        loaded = _yaml().load(text)
    except YAMLError as error:
        raise ConfigError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(loaded, CommentedMap):
        raise ConfigError(f"{where} should hold sections (key: value), found {type(loaded).__name__}.")
    return loaded


def dump_text(section: CommentedMap) -> str:
    stream = io.StringIO()
    _yaml().dump(section, stream)
    return stream.getvalue()


def first_line(text: str) -> str:
    return text.partition("\n")[0]
