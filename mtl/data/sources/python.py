"""`kind: python`: a user's own source under `plugins/`, `target: module:callable`.

The callable is called as `callable(name, path, **options)`: the source's name, its file (a `Path`, or None) and the
section's `options`; it returns an `mtl.types.Prepared`, `ImageSet` or `RowSet`, which is checked against the contract
like any other.
"""

import copy
from pathlib import Path

from mtl.config.sources import PythonSource
from mtl.data.inputs.every import check_prepared
from mtl.errors import DataError
from mtl.plugins import PluginError, load
from mtl.types import SourceData

BY_POSITION = 2
"""Arguments that the callable is given by position: name and path."""


def read(config: PythonSource, name: str, root: Path) -> SourceData:
    """Data that the user's callable returns, checked.

    Raises:
        DataError: no such module or callable, it failed (with its file and line), or it broke the contract.
    """
    path = None if config.path is None else root / config.path
    try:
        prepared = load(config.target, root).call(name, path, **copy.deepcopy(config.options))
    except PluginError as error:
        raise DataError(str(error)) from error
    return check_prepared(prepared, config.target)


def target_problem(config: PythonSource, root: Path) -> str | None:
    """Problem of the callable of a section, as far as it shows without calling it, or None.

    Args:
        config: the section.
        root: folder of the project.
    """
    try:
        plugin = load(config.target, root)
    except PluginError as error:
        return str(error)
    problem = plugin.signature_problem(BY_POSITION, config.options)
    return None if problem is None else f"{config.target} {problem} (it is called with name, path and the options)."
