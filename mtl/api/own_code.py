"""A caller's function or class as a module of a project: its source, with all of the caller's code that it uses.

The same file trains here, in the saved project and wherever a model is loaded, so that nothing depends on a session.
"""

import __future__

import ast
import builtins
import functools
import inspect
import linecache
import symtable
import sys
import sysconfig
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from mtl.errors import UserError, shown

MODULE = "own_encoder"
"""Name of the module."""
HEAD = '"""Encoder that `mtl.compare` was given, with the code that it uses."""\n'
INSTALLED = tuple(
    {Path(sysconfig.get_paths()[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
"""Folders of installed packages, which can be imported anywhere."""
REMEDY = "name a module of a project's plugins/ in its place: {'kind': 'python', 'target': 'module:callable'}"


@dataclass(frozen=True)
class OwnCode:
    """An encoder as a project has it.

    Args:
        section: section `encoder`.
        text: of the module below plugins/.
    """

    section: dict[str, Any]
    text: str


def own_code(encoder: object) -> OwnCode:
    """The module that holds a function or class, and the section of params.yaml that names it.

    Args:
        encoder: builds an `nn.Module` when it is called without arguments, or with those of a `functools.partial`.

    Raises:
        UserError: it is a finished network, has no source, or uses something that lives in the session alone.
    """
    options: dict[str, Any] = {}
    while isinstance(encoder, functools.partial):
        if encoder.args:
            raise UserError("`encoder`: a partial should give its values by name, as in `partial(build, width=32)`.")
        options = {**encoder.keywords, **options}
        encoder = encoder.func
    if not isinstance(encoder, type | FunctionType):
        raise UserError(f"`encoder` should be {_wanted(encoder)}")
    check_options(options)
    collected = _Collected()
    name = collected.take(encoder.__name__, encoder)
    return OwnCode({"kind": "python", "target": f"{MODULE}:{name}", "options": options}, collected.text())


def _wanted(encoder: object) -> str:
    """The end of a sentence on what an encoder may be."""
    forms = "a kind of encoder, its settings, or a function or class that builds an nn.Module, found "
    if any(
        base.__module__.partition(".")[0] == "torch" and base.__name__ == "Module" for base in type(encoder).__mro__
    ):
        return (
            f"{forms}a finished {type(encoder).__name__}: every run needs a network of its own that is made after its "
            f"seed is set, and this one would go from run to run with what it has learnt. Give the class, or `def "
            f"build(): return {type(encoder).__name__}(…)`."
        )
    return f"{forms}{shown(encoder)}."


def _installed(module: str) -> bool:
    """True for a module that can be imported outside of this session."""
    if module in sys.builtin_module_names or module.partition(".")[0] in sys.stdlib_module_names:
        return module != "__main__"
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return False
    place = Path(file).resolve()
    return any(folder in place.parents for folder in (*INSTALLED, Path(__file__).resolve().parents[1]))


@dataclass
class _Collected:
    """Parts of the module, in the order in which they are needed."""

    imports: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    taken: dict[str, object] = field(default_factory=dict)
    lazy: bool = False
    """Annotations are texts in the caller's module."""

    def text(self) -> str:
        """Text of the module."""
        parts = [HEAD]
        if self.lazy:
            parts.append("from __future__ import annotations\n")
        if self.imports:
            parts.append("\n".join(sorted(self.imports.values())) + "\n")
        if self.constants:
            parts.append("\n".join(f"{name} = {value}" for name, value in self.constants.items()) + "\n")
        return "\n".join(parts) + "".join(f"\n\n{source}" for source in self.sources.values())

    def take(self, name: str, value: object) -> str:
        """Adds what a name stands for, with all that it uses; returns the name that it has in the module.

        Raises:
            UserError: it cannot be written down.
        """
        if name in self.taken:
            if self.taken[name] is value or self.taken[name] == value:
                return name
            raise UserError(f"`encoder` uses two different things that are named `{name}`: rename one.")
        self.taken[name] = value
        if isinstance(value, ModuleType):
            self._import(name, value.__name__, None)
        elif (place := _place(value, name)) is not None:
            self._import(name, *place)
        elif isinstance(value, FunctionType | type):
            self._define(name, value)
        elif _is_plain(value):
            self.constants[name] = repr(value)
        else:
            raise UserError(
                f"`encoder` uses `{name}`, {shown(value)} of this session, which no other process can make: build it "
                f"inside, or {REMEDY}."
            )
        return name

    def _import(self, name: str, module: str, inside: str | None) -> None:
        if not _installed(module):
            raise UserError(
                f"`encoder` uses the module `{module}`, which is no installed package: import what it uses of it by "
                f"name (`from {module} import …`), so that its source can be kept, or {REMEDY}."
            )
        if inside is not None:
            self.imports[name] = f"from {module} import {inside}" + ("" if inside == name else f" as {name}")
        else:
            self.imports[name] = f"import {module}" if name == module else f"import {module} as {name}"

    def _define(self, name: str, value: FunctionType | type) -> None:
        """Adds the source of a function or class, after that of what it uses."""
        _check_alone(name, value)
        source = _source(name, value)
        functions = [value] if isinstance(value, FunctionType) else list(_methods(value))
        self.lazy |= any(part.__code__.co_flags & __future__.annotations.compiler_flag for part in functions)
        known = vars(sys.modules[value.__module__])
        for used in _global_names(source):
            if used in known and used != name:
                self.take(used, known[used])
            elif used != name and not hasattr(builtins, used):
                raise UserError(f"`encoder`: `{name}` uses `{used}`, which is not defined where it is.")
        self.sources[name] = source
        if value.__name__ != name:
            self.sources[name] += f"\n\n{name} = {value.__name__}\n"


def _place(value: object, name: str) -> tuple[str, str] | None:
    """Module and name by which something of an installed package is imported; None where there is none."""
    module = getattr(value, "__module__", None)
    if not isinstance(module, str) or not _installed(module):
        return None
    for inside in (getattr(value, "__name__", None), getattr(value, "_name", None), name):
        if isinstance(inside, str) and getattr(sys.modules.get(module), inside, None) is value:
            return module, inside
    return None


def _is_plain(value: object) -> bool:
    """True for numbers, texts and collections of them, which are written as Python writes them."""
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return False


def _methods(value: type) -> Iterator[FunctionType]:
    for member in vars(value).values():
        inner = getattr(member, "__func__", getattr(member, "fget", member))
        if isinstance(inner, FunctionType):
            yield inner


def _check_alone(name: str, value: FunctionType | type) -> None:
    """Refuses what has no name of its own, and what uses variables of a function around it.

    Raises:
        UserError: names the variable and what to do.
    """
    if value.__name__ == "<lambda>":
        raise UserError("`encoder` should have a name: write `def build(): return …` in the place of the lambda.")
    functions = [value] if isinstance(value, FunctionType) else list(_methods(value))
    free = [free for part in functions for free in part.__code__.co_freevars if free != "__class__"]
    if free:
        raise UserError(
            f"`encoder`: `{name}` uses `{free[0]}` of the function that it stands in: make it a parameter, and give "
            f"its value by `functools.partial({name}, {free[0]}=…)`."
        )


def _source(name: str, value: FunctionType | type) -> str:
    """Text of a function or class, flush left.

    Raises:
        UserError: Python cannot tell it.
    """
    try:
        if isinstance(value, type) and not hasattr(sys.modules.get(value.__module__), "__file__"):
            text = _text_of_cell(value)
        else:
            text = inspect.getsource(value)
        return textwrap.dedent(text).rstrip() + "\n"
    except (OSError, TypeError, SyntaxError):
        raise UserError(
            f"`encoder`: the source of `{name}` is not known, as of what is typed into a plain `python` prompt: write "
            f"it in a file or a notebook, or {REMEDY}."
        ) from None


def _text_of_cell(value: type) -> str:
    """Text of a class that a cell of a notebook defines: `inspect` looks for classes in the file of their module, which
    notebooks lack, and for functions where they were compiled.

    Raises:
        OSError: none of its methods tells where.
    """
    for code in (method.__code__ for method in _methods(value)):
        lines = linecache.getlines(code.co_filename)
        for node in ast.walk(ast.parse("".join(lines))):
            if isinstance(node, ast.ClassDef) and node.name == value.__name__:
                first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
                if first <= code.co_firstlineno <= (node.end_lineno or first):
                    return "".join(lines[first - 1 : node.end_lineno])
    raise OSError(value.__name__)


def _global_names(source: str) -> list[str]:
    """Names that a piece of code takes from its module, in order."""
    names: dict[str, None] = {}
    top = symtable.symtable(source, MODULE, "exec")
    names |= dict.fromkeys(symbol.get_name() for symbol in top.get_symbols() if not symbol.is_assigned())
    waiting = top.get_children()
    while waiting:
        scope = waiting.pop(0)
        names |= dict.fromkeys(symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global())
        waiting += scope.get_children()
    return list(names)


def check_options(options: Mapping[str, Any]) -> None:
    """Checks that options can stand in params.yaml.

    Raises:
        UserError: one is no number, text, list or map.
    """
    wrong = [name for name, value in options.items() if not _is_plain(value)]
    if wrong:
        told = shown(options[wrong[0]])
        raise UserError(f"`encoder`: `{wrong[0]}` should be a number, a text, a list or a map, found {told}.")
