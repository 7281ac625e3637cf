"""How jaxtyping's hook checks the functions of mtl in tests: once what goes in, once what comes out, and no more.

The hook puts `@jaxtyping.jaxtyped(typechecker=…)` on every function and class of a module. That decorator checks
parameters a second time with the result and keeps sizes of dimensions for functions that have none: a third of what the
tests cost. `install` puts `checked` in its place, which reports the same mistakes: beartype alone on functions without
shapes, beartype within one of jaxtyping's contexts on those with shapes.
"""

import contextlib
import dataclasses
import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import jaxtyping
from beartype import beartype

CONTEXT = jaxtyping.jaxtyped("context")
"""Within it, dimensions have the sizes that the first check gave them."""
KNOWS_PARAMETERS = jaxtyping.jaxtyped(typechecker=None)
"""The same around a function, for dimensions that a parameter counts: `"N {width}"`."""


def install(modules: Sequence[str]) -> None:
    """Checks all functions of modules that are imported from now on."""
    jaxtyping.jaxtyped = lambda typechecker: checked  # The hook's decorator looks it up there.
    jaxtyping.install_import_hook(modules, "tests.helpers.shapes.checked")  # Byte code is kept under this name.


def checked(thing: Any) -> Any:
    """The function, or the dataclass with its `__init__`, with annotations checked; any other class as it is."""
    if inspect.isclass(thing):
        if dataclasses.is_dataclass(thing) and "__init__" in vars(thing):
            thing.__init__ = checked(thing.__init__)  # type: ignore[misc]
        return thing
    thing.__annotations__ = hints = _resolved(thing)
    checks = beartype(thing)
    shapes = [shape for hint in hints.values() for shape in _shapes(hint)]
    if any("{" in shape for shape in shapes):
        return KNOWS_PARAMETERS(checks)
    return _in_context(checks) if shapes else checks


def _in_context(function: Callable[..., Any]) -> Callable[..., Any]:
    """A dimension has one size in all parameters and the result of one call."""

    @wraps(function)
    def with_dimensions(*args: Any, **kwargs: Any) -> Any:
        with CONTEXT:
            return function(*args, **kwargs)

    return with_dimensions


def _resolved(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations without text; those that only type checkers read are left out: names that they alone import, classes
    of other packages that they alone give a parameter."""
    known = {}
    for name, hint in function.__annotations__.items():
        alone = SimpleNamespace(__annotations__={name: hint})
        with contextlib.suppress(NameError, TypeError):
            known |= get_type_hints(alone, function.__globals__, include_extras=True)
    return known


def _shapes(hint: Any) -> list[str]:
    """The dimensions of every array in an annotation."""
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return [str(hint.dim_str)]
    return [shape for part in (hint if isinstance(hint, list) else get_args(hint)) for shape in _shapes(part)]
