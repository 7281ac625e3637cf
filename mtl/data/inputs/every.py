"""Every kind of input: the one list that others ask."""

from collections.abc import Mapping
from typing import Any, assert_never

from torch import Tensor

from mtl.config.inputs import InputKind, kind_named
from mtl.data.inputs.base import Fitted, Input, Layout, Samples
from mtl.data.inputs.images import ImagesInput
from mtl.data.inputs.mixed import MixedInput
from mtl.data.inputs.rows import RowsInput
from mtl.data.inputs.seen import Columns
from mtl.data.inputs.tokens import TokensInput
from mtl.data.inputs.windows import WindowsInput
from mtl.errors import DataError
from mtl.types import ImageSet, MixedSet, Prepared, RowSet, SourceData, TextSet

KINDS: tuple[type[Input[Any]], ...] = (WindowsInput, ImagesInput, RowsInput, TokensInput, MixedInput)


def input_of(data: SourceData) -> Input[SourceData]:
    """A prepared source, by its kind of input."""
    match data:
        case Prepared():
            return WindowsInput(data)
        case ImageSet():
            return ImagesInput(data)
        case TextSet():
            return TokensInput(data)
        case MixedSet():
            return MixedInput(data)
        case RowSet():
            return RowsInput(data)
        case _:
            assert_never(data)


def kept(meta: dict[str, Any], tensors: dict[str, Tensor], common: dict[str, Any]) -> Input[SourceData]:
    """The source that was kept as `meta` and `tensors`; the meta of windows names no kind."""
    name = kind_named(meta.get("kind"))
    return next(kind for kind in KINDS if kind.kind == name).from_kept(meta, tensors, common)


def fitted(kind: InputKind, content: Mapping[str, Any]) -> Fitted:
    """Facts of training samples of a kind, as a saved model holds them."""
    return next(member for member in KINDS if member.kind == kind).fitted.from_plain(content)


def given(kind: InputKind, values: object, layout: Layout, ahead: int) -> Samples:
    """Samples of a kind that a user gives a loaded model, as `Input.given` makes them.

    Raises:
        DataError: they do not fit.
    """
    return next(member for member in KINDS if member.kind == kind).given(values, layout, ahead)


def seen_of(kind: InputKind, values: object, columns: list[str]) -> Columns:
    """Values of each input in samples of a kind that a user gives, as `Input.seen_of` makes them."""
    return next(member for member in KINDS if member.kind == kind).seen_of(values, columns)


def check_prepared(prepared: object, where: str) -> SourceData:
    """The argument, if it keeps the contract of one of the types of `mtl.types.SourceData`.

    Args:
        prepared: what a source's reader returned.
        where: the file, or the callable, to name in messages.

    Raises:
        DataError: everything that is wrong, and where.
    """
    if not isinstance(prepared, SourceData):
        type_name = type(prepared).__name__
        raise DataError(
            f"{where}: should return an mtl.types.Prepared, an mtl.types.ImageSet or an mtl.types.RowSet, found "
            f"{type_name}."
        )
    problems = input_of(prepared).problems()
    if len(problems) == 1:
        raise DataError(f"{where}: {problems[0]}")
    if problems:
        told = " ".join(f"({number}) {problem}" for number, problem in enumerate(problems, start=1))
        raise DataError(f"{where} breaks {len(problems)} points of the contract of its data: {told}")
    return prepared
