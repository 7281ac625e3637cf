"""A question at a real terminal: a pseudo-terminal is what the user sees and types in."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mtl.config import load_config
from mtl.config.common import tag
from tests.cli.init.conftest import own_table

pytestmark = pytest.mark.processes
SECONDS = 120


def at_terminal(command: list[str], answers: list[tuple[str, str]], project: Path) -> tuple[int, str]:
    """Exit code and all that a terminal has shown of a command.

    Args:
        command: of `mtl`.
        answers: what the command shows → what is typed then, each once, in this order.
        project: folder with the package.
    """
    keyboard, terminal = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    child = subprocess.Popen(
        [sys.executable, "-m", "mtl.cli", *command], stdin=terminal, stdout=terminal, stderr=terminal,
        env=environment | {"PYTHONPATH": str(project), "MTL_ESTIMATE": "no"},
    )  # fmt: skip
    os.close(terminal)
    shown, waiting, end = "", list(answers), time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            if select.select([keyboard], [], [], 1)[0]:
                try:
                    shown += os.read(keyboard, 4096).decode()
                except OSError:  # The command has ended, and nobody holds its side any more.
                    break
            if waiting and waiting[0][0] in shown:
                os.write(keyboard, f"{waiting.pop(0)[1]}\n".encode())
        return child.wait(timeout=SECONDS), shown
    finally:
        child.kill()
        os.close(keyboard)


@pytest.mark.thorough
def test_kinds_and_targets_are_asked_for(here: Path, project: Path) -> None:
    code, shown = at_terminal(
        ["init", "new", "--data", "own.csv"],
        [("Names, parted by commas: ", "grade,price"), ("Number 1 to 2: ", "7"), ("Number 1 to 2: ", "2")],
        project,
    )
    assert code == 0, shown
    assert "own.csv has 200 rows and the columns a, width (cm), " in shown
    assert "`grade`: whole numbers from 1 to 5, 5 different. What should be predicted?" in shown
    assert "1  the number itself (regression)" in shown and "2  one of 5 classes (classification)" in shown
    kinds = {name: tag(type(task)) for name, task in load_config(here / "new/params.yaml").tasks.items()}
    assert kinds == {"grade": "classification", "price": "regression"}


@pytest.mark.thorough
def test_an_end_of_input_is_no_answer(here: Path, project: Path) -> None:
    code, shown = at_terminal(
        ["init", "new", "--data", "own.csv", "--targets", "grade"], [("Number 1 to 2: ", "\x04")], project
    )
    assert code == 2 and "nothing was written" in shown
    assert not Path("new").exists()


def test_nobody_is_asked_without_a_terminal(here: Path, project: Path) -> None:
    own_table().to_csv("own.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-m", "mtl.cli", "init", "new", "--data", "own.csv", "--targets", "grade"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(project)},
        timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "write grade:regression or grade:classification" in done.stderr
    assert not Path("new").exists()
