"""How jaxtyping's hook checks the functions of mtl in tests: by beartype, parameters together with what is returned.

For each function jaxtyping makes one that checks parameters and one that checks these once more with the result. The
first is left out: it doubles the cost of every call and finds nothing that the second does not.
"""

from collections.abc import Callable
from typing import Any

from beartype import beartype


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its annotations checked, unless it is the one for parameters alone."""
    code = function.__code__
    last = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount][-1:]
    with_result = code.co_kwonlyargcount > 0 and last[0].startswith("ret")  # jaxtyping's name for what is returned
    alone = function.__annotations__.get("return") is Any and not with_result
    return function if alone else beartype(function)
