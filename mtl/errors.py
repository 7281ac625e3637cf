"""Errors a user can cause: one message, exit code 2, no traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Something in the user's hands is wrong; the message says where, what was found and what is allowed."""


class ConfigError(UserError):
    """A value in params.yaml (or an overlay of it) that cannot be used."""


class SettingError(ConfigError):
    """A setting that cannot be used: "FILE: `path` message"; a stage that finds it says what `mtl validate` would."""

    def __init__(self, path: str, message: str, file: str = "params.yaml") -> None:
        super().__init__(path, message, file)  # All of them: errors travel between processes as their arguments.

    @property
    def problem(self) -> tuple[str, str]:
        """Path and message."""
        return self.args[0], self.args[1]

    def __str__(self) -> str:
        path, message, file = self.args
        return f"{file}: `{path}` {message}"


class DataError(UserError):
    """A data file that is missing or cannot be used."""


EXIT_CODE = 2
LONGEST_VALUE = 200
"""Characters of a wrong value that a message shows."""
LONGEST_MESSAGE = 2000


def shown(value: object) -> str:
    """A wrong value as a message shows it: its repr, cut when it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text):,} characters)"


def one_line(message: str) -> str:
    """The message as it may stand in a terminal: names and cells of files can hold line ends and escape sequences."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}… ({len(text):,} characters)"


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Turns a UserError into its message on stderr and exit code 2; any other error keeps its traceback."""
    try:
        yield
    except UserError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        raise SystemExit(EXIT_CODE) from None
