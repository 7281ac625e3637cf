"""Common parts of all benchmark commands: help, options, exit codes.

Exit codes: 0 everything was measured; 1 with `--strict`, a limit was missed (an error of ours shows its traceback and
ends with 1 as well); 2 a mistake of the user's, in one message.
"""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.machine import OUT, Result, report
from mtl.errors import exit_on_user_error


def parser(benchmark: str, doc: str | None) -> ArgumentParser:
    """Parser of a benchmark, with the options that all of them take.

    Args:
        benchmark: name of its module and of its JSON file.
        doc: its module's docstring, shown as help.
    """
    made = child_parser(benchmark, doc)
    made.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help=f"of {benchmark}.json (default: {OUT})")
    made.add_argument("--strict", action="store_true", help="end with exit code 1 when a limit is missed")
    made.set_defaults(benchmark=benchmark)
    return made


def child_parser(module: str, doc: str | None) -> ArgumentParser:
    """The parser of a module that a benchmark starts, and that reports nothing itself."""
    return ArgumentParser(
        prog=f"python -m benchmarks.{module}", description=doc, formatter_class=RawDescriptionHelpFormatter
    )


def at_least(least: int) -> Callable[[str], int]:
    """The type of an option that is a number of things, `least` or more."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"should be a whole number of {least} or more, found {text!r}")
        return int(text)

    return number


count = at_least(1)


def finish(options: Namespace, results: Sequence[Result], extra: dict[str, Any] | None = None) -> int:
    """Prints and writes the results; returns the exit code."""
    report(options.benchmark, results, options.out, extra)
    return 1 if options.strict and any(result.met is False for result in results) else 0


def start(main: Callable[[], int]) -> NoReturn:
    """Runs a benchmark as a command."""
    with exit_on_user_error():
        sys.exit(main())
