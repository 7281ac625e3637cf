"""Generated inputs, and what must hold for each: the right result, or one clear message and an unchanged folder.

The cases are the same in every run (`derandomize`): a failure in CI can be had again by running the test again.
"""

import contextlib
import hashlib
import io
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from mtl.errors import EXIT_CODE, LONGEST_MESSAGE, exit_on_user_error

Case = TypeVar("Case")
Result = TypeVar("Result")
SECONDS = 30
"""A case takes some hundredths of a second; one that takes this long hangs."""


def few_and_many(few: int, many: int) -> pytest.MarkDecorator:
    """Runs a test with `few` cases in the normal set and with `many` in the slow one."""
    return pytest.mark.parametrize("cases", [few, pytest.param(many, marks=pytest.mark.slow)])


def for_all(strategy: SearchStrategy[Case], cases: int, check: Callable[[Case], None]) -> None:
    """Calls `check` with that many generated cases."""
    # too_slow, data_too_large: a case is a whole file. Neither says anything about the code that is tested.
    health = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    options = settings(
        max_examples=cases,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=health,
        print_blob=False,
    )
    options(given(strategy)(check))()


def params(section: dict[str, Any]) -> dict[str, Any]:
    """A params.yaml with one source, `own`."""
    images = section.get("kind") in ("digits", "mnist", "cifar10", "cifar100")
    return {
        "prepare": {"sources": {"own": section}},
        "tasks": (
            {"toss": {"kind": "binary", "source": "own", "label": {"coin": 0}}}
            if images
            else {"ahead": {"kind": "forecast", "source": "own", "input_len": 2, "horizon": 1}}
        ),
        "encoder": {"kind": "mlp"} if images else {"kind": "linear", "input_len": 2, "width": 16},
        "finetune": {"methods": {"all": {"kind": "uncertainty"}}},
    }


@dataclass(frozen=True)
class Refusal:
    """The one message that a command ended with."""

    message: str


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """A folder of its own for one case."""
    with tempfile.TemporaryDirectory(prefix="case-") as folder:
        yield Path(folder)


def tree(folder: Path) -> dict[str, str]:
    """Path → kind and content of everything below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"link to {os.readlink(path)}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder" if path.is_dir() else "special"
    return found


def attempt(action: Callable[[], Result], around: Path, *names: str) -> Result | Refusal:
    """The action's result, or the refusal that a user would see.

    A refusal ends with code 2 and one line on stderr that has one of `names` in it, and nothing below `around` has
    changed. Any other exception passes through: it is a bug. So is an action that does not come back.
    """
    before = tree(around)
    stderr = io.StringIO()
    try:
        with _alarm(), contextlib.redirect_stderr(stderr), exit_on_user_error():
            result = action()
    except SystemExit as ended:
        check_refusal(ended.code, stderr.getvalue(), *names)
        assert tree(around) == before, "a refused input left something behind"
        return Refusal(stderr.getvalue())
    assert stderr.getvalue() == ""
    return result


def check_refusal(code: object, err: str, *names: str) -> None:
    """Code 2 and one line, `error: …`, that names a file or a setting."""
    assert code == EXIT_CODE, err
    assert err.startswith("error: ") and err.endswith("\n") and err.count("\n") == 1, err
    assert err[:-1].isprintable(), err
    assert "Traceback" not in err
    assert len(err) < LONGEST_MESSAGE + 100
    assert any(name in err for name in names), f"none of {names} is named: {err}"


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def ring(signum: int, frame: object) -> None:
        raise AssertionError(f"no end after {SECONDS} s of computing, or ten times as long of waiting")

    kinds = [(signal.ITIMER_PROF, signal.SIGPROF, SECONDS), (signal.ITIMER_REAL, signal.SIGALRM, 10 * SECONDS)]
    old = [signal.signal(number, ring) for _, number, _ in kinds]
    for timer, _, seconds in kinds:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for (timer, number, _), handler in zip(kinds, old, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
