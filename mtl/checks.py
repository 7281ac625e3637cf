"""One wording for every bad value: "`horizon` should be positive, found 0."."""

from collections.abc import Iterable

from mtl.errors import DataError, UserError, shown


def bad(name: str, should: str, value: object, error: type[UserError] = UserError) -> UserError:
    """The error for a value: "`name` should <should>, found <found>."."""
    return error(f"`{name}` should {should}, found {shown(value)}.")


def one_of(name: str, value: object, allowed: Iterable[object], error: type[UserError] = UserError) -> None:
    """Raises unless `value` is among `allowed`, which the message lists."""
    options = list(allowed)
    if value not in options:
        raise bad(name, "be one of " + ", ".join(map(str, options)), value, error)


def require_data(condition: bool, message: str) -> None:
    """Raises a DataError with `message` unless `condition` holds."""
    if not condition:
        raise DataError(message)
