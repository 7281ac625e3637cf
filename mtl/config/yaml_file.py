"""A YAML file → plain Python values, read as DVC reads it (YAML 1.2), with limits that a params file never meets.

DVC decides by its own reading what has changed, so ours must agree: in YAML 1.1, `010` is 8 and `1:30` is 90. A key
that is there twice is an error. Aliases (`*name`) count as often as they are used, so that a few lines of them cannot
stand for billions of values.
"""

import hashlib
import json
import warnings
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml import __version__ as READER
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mtl.errors import ConfigError, UserError
from mtl.files import replace_text

MAX_BYTES = 1 << 20
"""The longest preset has 10 KB; the reader takes about 1.5 s for 1 MiB."""
MAX_VALUES = 100_000
"""Keys and values, aliases written out: the default preset has about 300."""
MAX_DEPTH = 40
"""Maps, lists and values inside each other: ours go 6 deep. Python's stack ends, and reading slows down, far above."""
PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
STAMP, TEXT = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:str"


class _Constructor(SafeConstructor):
    """Plain values only; every failure says where."""

    def construct_document(self, node: Node) -> Any:
        _written_out(node, {}, set())
        return super().construct_document(node)

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        if node.tag == STAMP:
            node.tag = TEXT  # No setting is a date, and 2021-02-31 is none.
        if node.tag not in PLAIN:
            raise ConstructorError(None, None, f"the tag {node.tag!r} is not used here", node.start_mark)
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError) as error:  # An integer of 5,000 digits, `!!bool maybe`.
            raise ConstructorError(None, None, f"cannot be read: {error}", node.start_mark) from None


def read_yaml(path: Path) -> Any:
    """The file's content: None, bool, int, float, str, list and dict.

    Raises:
        ConfigError: the file is missing, is not YAML, is larger than the limits of this module, or has a key twice.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path} should be at most {MAX_BYTES >> 20} MiB, found more.")
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing; run this from the project's folder.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    if text not in _READ:
        content = _parsed_before(text, path)
        if content is None:
            content = parse_yaml(text, str(path))
            _remember(content, text, path)
        _READ[text] = content
        for older in list(_READ)[:-MOST_READ]:
            del _READ[older]
    return deepcopy(_READ[text])


_READ: dict[str, Any] = {}
"""Text → content of what this process has read, the newest last: commands read the same files several times."""
MOST_READ = 4
LONG = 30_000
"""Letters from which on a text takes longer to read than what it holds: a thousand tasks take two seconds."""
PARSED = Path(".mtl/parsed")
"""Contents of long texts as JSON, for the processes that read them next: every stage does."""


def _parsed_before(text: str, path: Path) -> Any:
    if len(text) < LONG:
        return None
    try:
        return json.loads(_parsed_file(text, path).read_bytes())
    except (OSError, ValueError):
        return None


def _remember(content: Any, text: str, path: Path) -> None:
    """Keeps the content of a long text beside a project's other states, the newest alone."""
    file = _parsed_file(text, path)
    if len(text) < LONG or not any((path.parent / name).exists() for name in (".mtl", "dvc.yaml")):
        return
    written = json.dumps(content)
    if json.loads(written) != content:  # keys that are no texts
        return
    with suppress(OSError, UserError):
        for older in file.parent.glob(f"{path.stem}-*.json"):
            older.unlink(missing_ok=True)
        replace_text(file, written)


def _parsed_file(text: str, path: Path) -> Path:
    name = hashlib.sha256(f"{READER} {text}".encode()).hexdigest()[:32]
    return path.parent / PARSED / f"{path.stem}-{name}.json"


def parse_yaml(text: str, where: str) -> Any:
    """The content of a YAML text; `where` names it in messages.

    Raises:
        ConfigError: as `read_yaml`.
    """
    reader = YAML(typ="safe", pure=True)
    reader.Constructor = _Constructor
    reader.max_depth = MAX_DEPTH
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ReusedAnchorWarning)
            return reader.load(text)
    except ReusedAnchorWarning as error:
        raise ConfigError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from None
    except MaxDepthExceededError as error:
        line = error.problem_mark.line + 1
        raise ConfigError(f"{where}, line {line}: is nested more than {MAX_DEPTH} deep.") from None
    except MarkedYAMLError as error:
        raise ConfigError(f"{where} is not valid YAML: {_problem(error)}.") from None
    except YAMLError as error:
        raise ConfigError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from None


def _written_out(node: Node, known: dict[int, int], above: set[int]) -> int:
    """Number of values below a node with its aliases written out; raises when there are too many, or no end."""
    if id(node) in above or len(above) >= MAX_DEPTH:
        what = "refers to itself" if id(node) in above else f"is nested more than {MAX_DEPTH} deep"
        raise ConstructorError(None, None, f"a map or list {what}", node.start_mark)
    if id(node) not in known:
        inner: list[Node] = []
        if isinstance(node, SequenceNode):
            inner = node.value
        elif isinstance(node, MappingNode):
            inner = [part for pair in node.value for part in pair]
        else:
            assert isinstance(node, ScalarNode)
        own = 1 + len(node.value) // 100  # A text, too, can be long and stand at many places.
        below = above | {id(node)}
        known[id(node)] = own + sum(_written_out(part, known, below) for part in inner)
    if known[id(node)] > MAX_VALUES:
        problem = f"more than {MAX_VALUES:,} values, aliases written out"
        raise ConstructorError(None, None, problem, node.start_mark)
    return known[id(node)]


def _problem(error: MarkedYAMLError) -> str:
    """Description of the problem and its place, without the library's advice on its own settings."""
    mark = error.problem_mark or error.context_mark
    where = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
    return " ".join(str(error.problem or error.context).split()) + where
