"""A new member takes the files that docs/architecture.md names: dummies are added to a copy of the project and used."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.additions import ADDITIONS, Addition

PROJECT = Path(__file__).resolve().parent.parent
FOLDERS = ("mtl", "stages", "pipelines", "tests", "plugins", "presets")
FILES = ("pyproject.toml", "dvc.yaml", "params.yaml", "README.md")
TABLE = PROJECT / "docs/architecture.md"
PLACEHOLDER = "<name>"

every_addition = pytest.mark.parametrize("addition", ADDITIONS, ids=lambda addition: addition.row)


def rows() -> dict[str, list[str]]:
    """Kind of addition → the files that its table names for it."""
    text = TABLE.read_text(encoding="utf-8")
    table = text[text.index("| adding | edits |") :].split("\n\n")[0].splitlines()[2:]
    found = {}
    for line in table:
        what, edits = (cell.strip() for cell in line.strip("|").split("|"))
        found[what] = re.findall(r"`([\w./<>-]+\.(?:py|yaml))`", edits)
    return found


def test_every_row_of_the_table_has_a_dummy() -> None:
    assert set(rows()) == {addition.row for addition in ADDITIONS}


@every_addition
def test_a_member_takes_the_files_that_the_table_names(addition: Addition) -> None:
    named = [re.compile(re.escape(path).replace(re.escape(PLACEHOLDER), r"\w+")) for path in rows()[addition.row]]
    unnamed = {file for file in addition.files if not any(pattern.fullmatch(file) for pattern in named)}
    unused = {pattern.pattern for pattern in named if not any(pattern.fullmatch(file) for file in addition.files)}
    assert (unnamed, unused) == (set(), set())
    assert len(addition.files) <= addition.most


@pytest.mark.slow
@pytest.mark.thorough
def test_each_dummy_works(tmp_path: Path) -> None:
    """All of them in one copy, by one process: to start it takes longer than they do."""
    for folder in FOLDERS:
        shutil.copytree(PROJECT / folder, tmp_path / folder)  # with the byte code of what stays as it is
    for file in FILES:
        shutil.copy(PROJECT / file, tmp_path / file)
    for addition in ADDITIONS:
        addition.apply(tmp_path)
    (tmp_path / "tests" / "test_dummies.py").write_text("\n".join(addition.proof for addition in ADDITIONS))
    asked = ["tests/test_dummies.py", *(test for addition in ADDITIONS for test in addition.tables)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *asked],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        # Lines of the edited files are others than ours, so they count in no coverage.
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None and int(passed.group(1)) >= len(ADDITIONS) + len(asked) - 1
