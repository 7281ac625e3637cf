"""params.yaml as DVC sees it in the processes that `mtl` starts: with the defaults of what it leaves out."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from dvc.utils import serialize

from mtl.cli.preflight import filled
from mtl.config import PARAMS, parse_config
from mtl.errors import ConfigError


def fill_in(root: Path) -> None:
    """Lets DVC, in this process, find the default of every value that a stage watches and params.yaml leaves out.

    Args:
        root: folder of the project.
    """
    plain = serialize.LOADERS[PARAMS.suffix]
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
