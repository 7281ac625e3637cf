"""Code of the user's own: `target: module:callable` names a function or class of a module in the folder plugins/.

The folder is that of the current project: of the current folder, unless `project` names another. It is on the import
path only while its code is imported or called. Whatever the code does wrong becomes one message that begins with the
target and says where.
"""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl.errors import UserError

FOLDER = "plugins"
MOST_NAMED = 20
"""Modules that a message lists before it counts the others."""
_PROJECT: ContextVar[Path] = ContextVar("project", default=Path())
_imported_from: Path | None = None
"""Folder plugins/ whose modules are imported."""


@contextmanager
def project(root: Path) -> Iterator[None]:
    """Lets targets name modules of the project in a folder, which need not be the current one."""
    token = _PROJECT.set(root)
    try:
        yield
    finally:
        _PROJECT.reset(token)


def project_folder() -> Path:
    """Folder of the project whose files are meant: the current folder, unless `project` names another."""
    return _PROJECT.get()


class PluginError(UserError):
    """A target that cannot be used."""


@dataclass(frozen=True)
class Plugin:
    """A callable of the user's.

    Args:
        target: what params.yaml calls it.
        function: the callable.
        folder: plugins/ of its project.
    """

    target: str
    function: Callable[..., Any]
    folder: Path

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Its parameters by name; none where Python cannot tell them."""
        try:
            return inspect.signature(self.function).parameters
        except (TypeError, ValueError):
            return {}

    def signature_problem(self, arguments: int, options: Collection[str]) -> str | None:
        """Reason in words why the target cannot be called so; None if it can.

        Args:
            arguments: number of those that are given by position.
            options: names of those that are given by keyword.
        """
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):
            return None
        try:
            signature.bind(*[None] * arguments, **dict.fromkeys(options))
        except TypeError as error:
            named = [*signature.parameters.values()][arguments:]
            by_name = [
                parameter.name
                for parameter in named
                if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            ]
            unknown = [name for name in options if name not in by_name]
            missing = [
                parameter.name
                for parameter in named
                if parameter.name in by_name and parameter.default is parameter.empty and parameter.name not in options
            ]
            parts = [f"`{name}` is no parameter of it" for name in unknown]
            parts += [f"its parameter `{name}` is given no value" for name in missing]
            return f"takes {signature}: {', '.join(parts) or error}"
        return None

    def call(self, *arguments: Any, **options: Any) -> Any:
        """Result of the call.

        Raises:
            PluginError: it does not take these arguments, or it failed.
            UserError: one of its own.
        """
        problem = self.signature_problem(len(arguments), options)
        if problem is not None:
            raise PluginError(f"{self.target} {problem}.")
        try:
            with _on_import_path(self.folder):
                return self.function(*arguments, **options)
        except UserError:
            raise
        except Exception as error:  # the user's code may fail in any way
            raise PluginError(f"{self.target} failed: {failure(error)}.") from error


def load(target: str, root: Path | None = None) -> Plugin:
    """The callable that a target names.

    Args:
        target: `module:callable`; the module may stand in a subfolder, as `folder.module:callable`.
        root: folder of the project; None: the current one.

    Raises:
        PluginError: there is no such module or callable, or the import failed.
    """
    module_name, _, name = target.partition(":")
    folder = ((_PROJECT.get() if root is None else root) / FOLDER).resolve()
    file = f"{FOLDER}/{module_name.replace('.', '/')}.py"
    if not folder.is_dir():
        raise PluginError(f"{target}: there is no folder {FOLDER}/ to find it in.")
    _forget_others(folder)
    with _on_import_path(folder):
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            names = module_name.split(".")
            if error.name not in {".".join(names[: number + 1]) for number in range(len(names))}:  # one that it imports
                raise PluginError(f"{target}: {file} cannot be imported: {failure(error)}.") from error
            raise PluginError(f"{target}: there is no file {file}; {_held(folder)}.") from error
        except Exception as error:  # the user's module may fail in any way while it is imported
            raise PluginError(f"{target}: {file} cannot be imported: {failure(error)}.") from error
    origin = vars(module).get("__file__")
    if origin is None or not Path(origin).resolve().is_relative_to(folder):
        raise PluginError(f"{target}: `{module_name}` is a module outside {FOLDER}/; give yours another name.")
    function = vars(module).get(name)
    if not callable(function):
        own = [key for key, value in vars(module).items() if callable(value) and _defined_in(value, module_name)]
        has = f"it defines {', '.join(own)}" if own else "it defines none"
        raise PluginError(f"{target}: {file} has no function or class `{name}`; {has}.")
    return Plugin(target, function, folder)


def _forget_others(folder: Path) -> None:
    """Lets go of modules of another project, whose names may be those of this one's."""
    global _imported_from
    if _imported_from is not None and _imported_from != folder:
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and Path(file).is_relative_to(_imported_from):
                del sys.modules[name]
    _imported_from = folder


def _defined_in(value: object, module: str) -> bool:
    """Says whether a function or class was written in a module, not imported by it."""
    return (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module


def _held(folder: Path) -> str:
    """The modules below plugins/ in words, as a target names them."""
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*.py") if path.name != "__init__.py")
    names = [".".join(path.with_suffix("").parts) for path in inside if path.parts[0] != "__pycache__"]
    if not names:
        return f"{FOLDER}/ holds no module: put yours there"
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{FOLDER}/ holds the modules {', '.join(names[:MOST_NAMED])}{more}"


def file_of(target: str, root: Path | None = None) -> Path:
    """The file below plugins/ that a target names; nothing is imported.

    Args:
        target: as in `load`.
        root: folder of the project; None: the current one.

    Raises:
        PluginError: there is none.
    """
    module_name, _, _ = target.partition(":")
    root = _PROJECT.get() if root is None else root
    place = root / FOLDER / module_name.replace(".", "/")
    files = [place / "__init__.py", place.with_name(f"{place.name}.py")]
    file = next((file for file in files if file.is_file()), None)
    if file is None or not file.resolve().is_relative_to((root / FOLDER).resolve()):
        raise PluginError(f"{target}: there is no file {files[1].as_posix()}; put it there.")
    return file


def failure(error: Exception) -> str:
    """Kind, message and last line of a failure inside the user's code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"/{FOLDER}/" in Path(frame.filename).as_posix()]
    place = f" (line {own[-1].lineno} of {Path(own[-1].filename).name})" if own else ""
    return f"{type(error).__name__}: {error}{place}"


@contextmanager
def _on_import_path(folder: Path) -> Iterator[None]:
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
