"""Errors a user can cause: one message, exit code 2, no traceback."""

import codecs
import io
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

OptionValue = str | int | float | bool | list[Any] | dict[str, Any] | None
"""Value of an option by which a table is read."""


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


class LayoutError(DataError):
    """A table that is written otherwise than its options say.

    Args:
        message: of the error.
        options: option of the reader → value under which it was tried to be read; empty where none is known for sure.
    """

    def __init__(self, message: str, options: Mapping[str, OptionValue]) -> None:
        super().__init__(message, dict(options))  # All of them: errors travel between processes as their arguments.

    @property
    def options(self) -> dict[str, OptionValue]:
        """Options that the message names, with their values."""
        named: dict[str, OptionValue] = self.args[1]
        return named

    def __str__(self) -> str:
        return str(self.args[0])


class CopyError(DataError):
    """An input from which a target can be read off.

    Args:
        message: of the error.
        column: the input.
        relation: the way in which it is the target under another name, in words.
    """

    def __init__(self, message: str, column: str, relation: str) -> None:
        super().__init__(message, column, relation)

    @property
    def column(self) -> str:
        return str(self.args[1])

    @property
    def relation(self) -> str:
        return str(self.args[2])

    def __str__(self) -> str:
        return str(self.args[0])


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


PLAINER = {
    "→": "->", "←": "<-", "·": "|", "−": "-", "–": "-", "─": "-", "‖": "||", "×": "x", "…": "...", "±": "+-", "≤": "<=",
    "≥": ">=", "λ": "lambda", "Δ": "delta ", "μ": "mu", "µ": "u", "σ": "sigma", "Σ": "sum", "√": "sqrt", "†": "+",
    "‡": "++", "°": " deg", "∞": "inf", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "ß": "ss", "№": "No.",
}  # fmt: skip
"""Letters and signs → what stands for them where a terminal has none of them."""


def plainer(error: UnicodeError) -> tuple[str | bytes, int]:
    """Error handler of codecs: letters and signs that an encoding lacks give way to plainer ones, the rest to their
    numbers, as in `\\u5e74`, by which names stay apart."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = ""
    for letter in error.object[error.start : error.end]:
        parts = PLAINER.get(letter) or unicodedata.normalize("NFKD", letter)
        plain = parts if parts.isascii() else "".join(part for part in parts if part.isascii())
        text += plain or letter.encode("ascii", "backslashreplace").decode()
    return text, error.end


def speak_plainly() -> None:
    """Lets every terminal, pipe and log take what is printed, whatever its encoding is."""
    codecs.register_error("mtl.plainer", plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="mtl.plainer")


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Turns a UserError into its message on stderr and exit code 2; any other error keeps its traceback."""
    speak_plainly()
    try:
        yield
    except UserError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        raise SystemExit(EXIT_CODE) from None
    except UnicodeEncodeError as error:  # A path: streams take every letter.
        if sys.getfilesystemencoding() == "utf-8":
            raise
        name = error.object.encode("ascii", "backslashreplace").decode()
        told = f"{name} cannot be the name of a file where names are {sys.getfilesystemencoding()}: set PYTHONUTF8=1."
        print(f"error: {told}", file=sys.stderr)
        raise SystemExit(EXIT_CODE) from None
