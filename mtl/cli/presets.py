"""Named overlays of params.yaml: `presets/sensors.yaml` holds every default, the others what they change.

They come with the package; a project may have a folder presets/ with more. A clone has them all there, and edits count.

`render(X)` is the defaults with X laid over them. A section that X leaves alone keeps its text byte for byte; in a
section that X changes, comments of the defaults stay with their keys. Maps merge key by key, except maps of things
(tasks, sources, methods) and tagged unions whose `kind` changes, which are replaced whole; so are lists.
"""

import difflib
import io
import re
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

from mtl.cli.params_file import in_form_of, plain, read_params, write_params
from mtl.config import PARAMS, parse_config
from mtl.config.yaml_file import parse_yaml
from mtl.data.files.manifest import RAW
from mtl.errors import ConfigError, UserError
from mtl.files import replace_text
from mtl.project.places import MANIFESTS, PRESETS

FOLDER = Path("presets")
DEFAULT = "sensors"
REPLACED_WHOLE = {("tasks",), ("prepare", "sources"), ("finetune", "methods")}
"""Maps of things: a preset's tasks are not added to the default's."""
UNIONS = {("encoder",), ("pretrain", "objective"), ("cluster", "relation"), ("cluster", "algorithm")}
"""Sections whose keys depend on their `kind`."""
SECTION = re.compile(r"^([A-Za-z_]\w*):", re.MULTILINE)


@dataclass(frozen=True)
class Change:
    """Result of `use`: the unified diff of the params file (empty when it was so already)."""

    diff: str


def names(root: Path = Path()) -> list[str]:
    """Presets that exist, the default first."""
    stems = sorted(_files(root))
    return [DEFAULT, *(name for name in stems if name != DEFAULT)]


def _files(root: Path) -> dict[str, Path]:
    """Preset → its file: those of the project, and those of the package unless the project has a default of its own."""
    own = {path.stem: path for path in (root / FOLDER).glob("*.yaml")}
    return own if DEFAULT in own else {path.stem: path for path in PRESETS.glob("*.yaml")} | own


def describe(name: str, root: Path = Path()) -> str:
    """The comment on a preset's first line."""
    first = _first_line(_text(name, root))
    return first.lstrip("# ").strip() if first.startswith("#") else ""


def render(name: str, root: Path = Path()) -> str:
    """The params file of a preset.

    Raises:
        UserError: there is no such preset; the message lists those there are.
        ConfigError: its file is not YAML, or the result is not a configuration that can be used.
    """
    text = _text(DEFAULT, root)
    if name != DEFAULT:
        text = _overlay(text, _text(name, root), str(FOLDER / f"{name}.yaml"))
    parse_config(_load(text, f"preset {name}"), f"preset {name}")
    return text


def use(name: str, root: Path = Path(), force: bool = False) -> Change:
    """Writes a preset to params.yaml, all or nothing, and the manifests of its sources that the project lacks.

    Raises:
        UserError: no such preset, or params.yaml holds edits of its own and `force` is not given.
    """
    new = render(name, root)
    target = root / PARAMS
    held = read_params(target) if target.exists() else ""
    old = plain(held)
    if old and not force and old != new and matching(root) is None:
        raise UserError(
            f"{PARAMS} holds edits that no preset has, which `preset use {name}` would overwrite: "
            f"keep a copy, or repeat with --force."
        )
    if old != new:
        write_params(target, in_form_of(held, new))
    if _files(root)[name].parent == PRESETS:
        _bring_manifests(new, root)
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"{PARAMS} before", f"{PARAMS} ({name})", "", "", 1
    )
    return Change("\n".join(line.rstrip("\n") for line in lines))


def matching(root: Path = Path()) -> str | None:
    """The preset that params.yaml is, but for its line ends, or None."""
    target = root / PARAMS
    if not target.exists():
        return None
    text = plain(read_params(target))
    for name in names(root):
        try:
            # Rendering takes a tenth of a second, and there are many presets.
            if _heading(name, root) == _first_line(text) and render(name, root) == text:
                return name
        except ConfigError:
            continue  # A preset of the user's that does not hold cannot be what params.yaml came from.
    return None


def _heading(name: str, root: Path) -> str:
    """The first line of a preset's params file: the comment of its own, where it has one."""
    defaults, own = _text(DEFAULT, root), _text(name, root)
    return _first_line(own if own.startswith("#") and defaults.startswith("#") else defaults)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _bring_manifests(text: str, root: Path) -> None:
    """Puts the manifests of a preset's sources where the project has none."""
    for source in parse_config(parse_yaml(text, str(PARAMS))).prepare.sources:
        manifest, target = MANIFESTS / f"{source}.json", root / RAW / f"{source}.json"
        if manifest.is_file() and not target.exists():
            replace_text(target, manifest.read_text(encoding="utf-8"))


def _text(name: str, root: Path) -> str:
    known = names(root)
    if name not in known:
        raise UserError(f"`preset` should be one of {', '.join(known)}, found {name!r}.")
    return _read(_files(root)[name], FOLDER / f"{name}.yaml")


def _read(path: Path, where: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where} cannot be read: {error}") from None


def _overlay(defaults: str, overlay: str, where: str) -> str:
    """Text of the defaults with an overlay's text laid over it, section by section."""
    parse_yaml(overlay, where)
    base, over = _sections(defaults), _sections(overlay)
    result = []
    for section, (header, body) in base.items():
        if section not in over:
            result.append(header + body)
            continue
        merged = _load(body, where)
        _merge(merged, _load(over[section][1], where), ())
        result.append(header + _dump(merged))
    if result and overlay.startswith("#") and result[0].startswith("#"):
        result[0] = _first_line(overlay) + "\n" + result[0].partition("\n")[2]
    result += [header + body for section, (header, body) in over.items() if section not in base]
    return "".join(result)


def _sections(text: str) -> dict[str, tuple[str, str]]:
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


def _load(text: str, where: str) -> CommentedMap:
    try:
        loaded = _yaml().load(text)
    except YAMLError as error:
        raise ConfigError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(loaded, CommentedMap):
        raise ConfigError(f"{where} should hold sections (key: value), found {type(loaded).__name__}.")
    return loaded


def _dump(section: CommentedMap) -> str:
    stream = io.StringIO()
    _yaml().dump(section, stream)
    return stream.getvalue()
