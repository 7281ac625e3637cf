"""Values written into params.yaml, where they stand: every other byte of the file stays as it is."""

import difflib
import json
import re
from collections.abc import Mapping

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from mtl.cli.study.search_space import overlaid
from mtl.config import PARAMS, parse_config
from mtl.config.tune import Scalar
from mtl.config.yaml_file import parse_yaml
from mtl.errors import ConfigError, UserError
from mtl.setup.params_file import BOM, LINE, line_end

PLAIN = re.compile(r"[A-Za-z_][\w-]*")
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
"""Texts that YAML would read as something else."""
NULL = "tag:yaml.org,2002:null"


def edited(text: str, values: Mapping[str, Scalar]) -> str:
    """The file's text with other values at some paths; a key that is not there is added to its section.

    Args:
        text: of a params file that can be used, with its own line ends and byte order mark.
        values: path → value.

    Raises:
        UserError: the values cannot be written without changing others, because of an alias in the file.
    """
    bom = BOM if text.startswith(BOM) else ""
    text = text.removeprefix(BOM)
    before = parse_config(parse_yaml(text, str(PARAMS)))
    for path, value in values.items():
        text = _edit(text, path, value)
    try:
        same = parse_config(parse_yaml(text, str(PARAMS))) == overlaid(before, values)
    except ConfigError:
        same = False
    if not same:
        raise UserError(
            f"{PARAMS} uses aliases (`*name`) where values should be written: write them by hand: "
            + ", ".join(f"{path}: {_scalar(value)}" for path, value in values.items())
        )
    return bom + text


def difference(old: str, new: str) -> str:
    """Unified diff of two versions of the file, empty when they are the same."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), f"{PARAMS} before", f"{PARAMS} now", "", "", 0)
    return "\n".join(line.rstrip("\n") for line in lines)


def _edit(text: str, path: str, value: Scalar) -> str:
    node: Node = YAML(typ="safe", pure=True).compose(text)
    key = node
    parts = path.split(".")
    for depth, part in enumerate(parts):
        if node.tag == NULL or (isinstance(node, MappingNode) and not node.value):  # A section with nothing in it.
            return _replace(text, key, node, _nested(parts[depth:], value))
        assert isinstance(node, MappingNode), f"{path} leads through a value that is no section"
        entry = next(((key, below) for key, below in node.value if key.value == part), None)
        if entry is None:
            return _insert(text, node, parts[depth:], value)
        key, node = entry
    assert isinstance(node, ScalarNode), f"{path} is no single value"
    return _replace(text, key, node, _scalar(value))


def _replace(text: str, key: Node, node: Node, new: str) -> str:
    """Another value where `node` stands, behind `key`."""
    start, end = node.start_mark.index, node.end_mark.index
    if start == end:  # `key:` with nothing behind it, which is null
        start = end = text.index(":", key.end_mark.index) + 1
        new = f" {new}"
    return text[:start] + new + _shifted(text[end:], len(new) - (end - start))


def _shifted(rest: str, grown: int) -> str:
    """The text behind a value that has grown: a comment stays in its column, if there is room."""
    gap = re.match(r" +(?=#)", rest)
    return rest if gap is None else " " * max(2, len(gap.group()) - grown) + rest[gap.end() :]


def _insert(text: str, parent: MappingNode, keys: list[str], value: Scalar) -> str:
    """Adds a key, with sections inside each other in one line, as the first of its section."""
    entry = _nested(keys, value)[1:-1]
    first = parent.value[0][0].start_mark
    if parent.flow_style:
        end = parent.end_mark.index
        grown = len(entry) + 2
        return f"{text[: first.index]}{entry}, {text[first.index : end]}{_shifted(text[end:], grown)}"
    rest = text[first.index :]
    return f"{text[: first.index]}{entry}{line_end(LINE.findall(rest)[0])}{' ' * first.column}{rest}"


def _nested(keys: list[str], value: Scalar) -> str:
    """A value in sections inside each other, in one line: `{a: {b: 1}}`."""
    text = _scalar(value)
    for key in reversed(keys):
        text = f"{{{key}: {text}}}"
    return text


def _scalar(value: Scalar) -> str:
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in WORDS:
        return value
    return repr(value) if isinstance(value, float) else json.dumps(value)
