"""Named overlays of params.yaml: `presets/sensors.yaml` holds every default, the others what they change.

They come with the package; a project may have a folder presets/ with more. A clone has them all there, and edits count.

`render(X)` is the defaults with X laid over them, as in `overlay`.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path

from mtl.config import PARAMS, parse_config
from mtl.config.encoder import PythonEncoder
from mtl.config.sources import PythonSource
from mtl.config.yaml_file import parse_yaml
from mtl.data.files.manifest import RAW
from mtl.errors import ConfigError, UserError
from mtl.files import replace_text
from mtl.plugins import FOLDER as FOLDER_OF_PLUGINS
from mtl.project.places import MANIFESTS, PLUGINS, PRESETS
from mtl.setup.overlay import first_line, load_text, overlaid
from mtl.setup.params_file import in_form_of, plain, read_params, write_params

FOLDER = Path("presets")
DEFAULT = "sensors"


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
    first = first_line(text_of(name, root))
    return first.lstrip("# ").strip() if first.startswith("#") else ""


def render(name: str, root: Path = Path()) -> str:
    """The params file of a preset.

    Raises:
        UserError: there is no such preset; the message lists those there are.
        ConfigError: its file is not YAML, or the result is not a configuration that can be used.
    """
    text = text_of(DEFAULT, root)
    if name != DEFAULT:
        text = overlaid(text, text_of(name, root), str(FOLDER / f"{name}.yaml"))
    parse_config(load_text(text, f"preset {name}"), f"preset {name}")
    return text


def use(name: str, root: Path = Path(), force: bool = False) -> Change:
    """Writes a preset to params.yaml, all or nothing, and the manifests and plugins that it names where there are none.

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
        bring_files(new, root)
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
            if _heading(name, root) == first_line(text) and render(name, root) == text:
                return name
        except ConfigError:
            continue  # A preset of the user's that does not hold cannot be what params.yaml came from.
    return None


def _heading(name: str, root: Path) -> str:
    """The first line of a preset's params file: the comment of its own, where it has one."""
    defaults, own = text_of(DEFAULT, root), text_of(name, root)
    return first_line(own if own.startswith("#") and defaults.startswith("#") else defaults)


def bring_files(text: str, root: Path) -> None:
    """Puts what a preset names where the project has none: manifests of its sources, and modules of plugins/."""
    config = parse_config(parse_yaml(text, str(PARAMS)))
    pairs = [(MANIFESTS / f"{source}.json", root / RAW / f"{source}.json") for source in config.prepare.sources]
    sections = [*config.prepare.sources.values(), config.encoder]
    for section in sections:
        if isinstance(section, PythonSource | PythonEncoder):
            module = Path(*section.target.partition(":")[0].split("."))
            for file in (module.parent / "__init__.py", module.with_suffix(".py")):
                pairs.append((PLUGINS / f"{file}.txt", root / FOLDER_OF_PLUGINS / file))
    for packaged, target in pairs:
        if packaged.is_file() and not target.exists():
            replace_text(target, packaged.read_text(encoding="utf-8"))


def text_of(name: str, root: Path = Path()) -> str:
    """Text of the file of a preset, which holds what it changes.

    Raises:
        UserError: there is no such preset, or its file cannot be read.
    """
    known = names(root)
    if name not in known:
        raise UserError(f"`preset` should be one of {', '.join(known)}, found {name!r}.")
    return _read(_files(root)[name], FOLDER / f"{name}.yaml")


def _read(path: Path, where: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where} cannot be read: {error}") from None
