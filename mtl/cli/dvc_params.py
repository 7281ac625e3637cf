"""params.yaml as DVC sees it in the processes that `mtl` starts: with the defaults of what it leaves out."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from dvc.utils import serialize
from dvc.utils.serialize import _yaml

from mtl.cli.preflight import filled
from mtl.config import PARAMS, parse_config
from mtl.config.yaml_file import MOST_READ
from mtl.errors import ConfigError


def fill_in(root: Path) -> None:
    """Lets DVC, in this process, find the default of every value that a stage watches and params.yaml leaves out.

    Args:
        root: folder of the project.
    """
    plain = serialize.LOADERS[PARAMS.suffix]
    _yaml.parse_yaml = _once(_yaml.parse_yaml)
    complete: dict[str, Any] = {}
    """Content of params.yaml as JSON → with the defaults: DVC reads the file for every stage, twice."""

    def load(path: Any, *arguments: Any, **options: Any) -> Any:
        content = plain(path, *arguments, **options)
        if Path(path).name != PARAMS.name or not isinstance(content, dict):
            return content
        written = json.dumps(content, default=str)
        if written not in complete:
            try:
                complete[written] = filled(content, parse_config(content), root)
            except ConfigError:
                return content  # The stage says what is wrong, as with DVC alone.
        return deepcopy(complete[written])

    serialize.LOADERS[PARAMS.suffix] = load


def _once(parse: Callable[..., Any]) -> Callable[..., Any]:
    """DVC's reader of YAML, which reads the last few texts once: params.yaml with a thousand tasks takes seconds."""
    known: dict[tuple[str, str], Any] = {}

    def parsed(text: str, path: Any, typ: str = "safe") -> Any:
        if typ != "safe":  # what is edited has comments and is no plain value
            return parse(text, path, typ)
        if (text, typ) not in known:
            known[text, typ] = parse(text, path, typ)
            for older in list(known)[:-MOST_READ]:
                del known[older]
        return deepcopy(known[text, typ])

    return parsed
