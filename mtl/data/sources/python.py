"""`kind: python`: a user's own source under `plugins/`, `target: module:callable`.

The callable is called as `callable(name, path, **options)`: the source's name, its file (a `Path`, or None) and the
section's `options`; it returns an `mtl.types.Prepared`, `ImageSet` or `RowSet`, which is checked against the contract
like any other.
"""

import importlib
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtl.config.sources import PythonSource
from mtl.data.inputs.every import check_prepared
from mtl.errors import DataError
from mtl.types import SourceData

PLUGINS = "plugins"


def read(config: PythonSource, name: str, root: Path) -> SourceData:
    """What the user's callable returns, checked.

    Raises:
        DataError: no such module or callable, it failed (with its file and line), or it broke the contract.
    """
    function = load_callable(config.target, root)
    path = None if config.path is None else root / config.path
    try:
        prepared = function(name, path, **config.options)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{config.target} failed: {_where(error)}") from error
    return check_prepared(prepared, config.target)


def load_callable(target: str, root: Path) -> Callable[..., Any]:
    """`module:callable` from `root`/plugins; the folder is on the import path only while the module is imported.

    Raises:
        DataError: no such module or callable, or the import failed.
    """
    module_name, _, attribute = target.partition(":")
    folder = (root / PLUGINS).resolve()
    if not folder.is_dir():
        raise DataError(f"{target}: there is no folder {PLUGINS}/ to find it in.")
    with _on_import_path(folder):
        try:
            module = importlib.import_module(module_name)
        except Exception as error:
            raise DataError(f"{target}: {PLUGINS}/{module_name.replace('.', '/')}.py: {_where(error)}") from error
    origin = getattr(module, "__file__", None)
    if origin is None or folder not in Path(origin).resolve().parents:
        raise DataError(f"{target}: `{module_name}` is a module outside {PLUGINS}/; give yours another name.")
    function = vars(module).get(attribute)
    if not callable(function):
        raise DataError(f"{target}: {PLUGINS}/{module_name.replace('.', '/')}.py has no callable `{attribute}`.")
    return function


@contextmanager
def _on_import_path(folder: Path) -> Iterator[None]:
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _where(error: Exception) -> str:
    """Kind, message and last line of a failure inside the user's code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"/{PLUGINS}/" in Path(frame.filename).as_posix()]
    place = f" (line {own[-1].lineno} of {Path(own[-1].filename).name})" if own else ""
    return f"{type(error).__name__}: {error}{place}"
