"""Errors a user can cause: one message, exit code 2, no traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Something in the user's hands is wrong; the message says where, what was found and what is allowed."""


class ConfigError(UserError):
    """A value in params.yaml (or an overlay of it) that cannot be used."""


class DataError(UserError):
    """A data file that is missing or cannot be used."""


EXIT_CODE = 2


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Turns a UserError into its message on stderr and exit code 2; any other error keeps its traceback."""
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(EXIT_CODE) from None
