"""How many small faults of mtl/ no test notices: mutants, drawn by a seed, against the tests that reach their lines.

    python -m tests.tools.mutants                                   # 60 mutants of mtl/, every test but the slow: hours
    python -m tests.tools.mutants --only mtl/balancing --tests tests/balancing --count 12
    python -m tests.tools.mutants --contexts reached.sqlite                   # with the contexts of an earlier call

1. A copy of the working tree is made; nothing else is touched.
2. The tests run once in it under coverage.py, which notes for every line the tests that reach it, also in
   processes that they start. `--contexts` keeps that file, or takes it where it is already.
3. The draw depends on mtl/, the number and the seed alone, a quarter of each sort (see mutations.py), so that the same
   mutants judge the tests before and after a change.
4. For each mutant the tests that reach its lines run, those without processes first, and stop at the first failure. A
   run that ends in an error or takes longer than `--limit` counts as noticed.

Survivors are printed, those that no test reaches apart. Some change nothing (a bound that is never met): read them.
Exit code 0; 1 if a test fails without any mutant.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import coverage
import pytest

from tests.tools.contexts import SETTINGS
from tests.tools.mutations import Mutant, mutants

PROJECT = Path(__file__).resolve().parent.parent.parent
PROCESSES = ("tests/e2e/", "tests/benchmarks/", "tests/cli/")
"""Where tests start processes, which is slow."""
PYTEST = ("-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider")


def copy_project(target: Path) -> None:
    """Copies the files of the working tree that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, target / name)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)


def draw(root: Path, only: Sequence[str], count: int, seed: int) -> list[Mutant]:
    """Draws mutants: as many of each sort, as far as there are, in the order of files and lines."""
    files = sorted({str(path.relative_to(root)) for part in only for path in _sources(root / part)})
    by_sort: dict[str, list[Mutant]] = {}
    for file in files:
        for mutant in mutants(root, file):
            by_sort.setdefault(mutant.sort, []).append(mutant)
    chance = random.Random(seed)
    shuffled = [chance.sample(by_sort[sort], len(by_sort[sort])) for sort in sorted(by_sort)]
    drawn: list[Mutant] = []
    while len(drawn) < count and any(shuffled):
        drawn += [left.pop() for left in shuffled if left]
    return sorted(drawn[:count], key=lambda mutant: (mutant.file, mutant.begin, mutant.new))


def _sources(place: Path) -> list[Path]:
    return [place] if place.is_file() else list(place.rglob("*.py"))


def note_contexts(root: Path, data: Path, tests: Sequence[str]) -> int:
    """Runs the tests once and writes which of them reach which line; returns the exit code of pytest."""
    with tempfile.TemporaryDirectory() as settings:
        surroundings = _surroundings() | {SETTINGS: settings, "COVERAGE_FILE": str(data)}
        command = [sys.executable, "-m", "coverage", "run", *PYTEST, "-p", "tests.tools.contexts", *tests]
        code = subprocess.run(command, cwd=root, env=surroundings).returncode
        combine = [sys.executable, "-m", "coverage", "combine", "--quiet"]
        subprocess.run(combine, cwd=root, env=surroundings, check=True)
    return code


def _surroundings() -> dict[str, str]:
    """Variables without byte code on disk: a mutant may have the size and the second of the file that it replaces."""
    return os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}


def tests_of(mutant: Mutant, data: coverage.CoverageData) -> list[str]:
    """The tests that reach the lines of a mutant, in any copy of the project, those that start no processes first."""
    reached: set[str] = set()
    for name in data.measured_files():
        if Path(name).as_posix().endswith(f"/{mutant.file}"):
            by_line = data.contexts_by_lineno(name)
            reached.update(*(by_line.get(line, []) for line in range(mutant.line, mutant.end_line + 1)))
    return sorted(reached - {""}, key=lambda test: (test.startswith(PROCESSES), test))


def survives(mutant: Mutant, root: Path, tests: Sequence[str], limit: float) -> bool:
    """Says whether all the tests pass with the mutant in place."""
    file = root / mutant.file
    source = file.read_bytes()
    file.write_bytes(mutant.apply(source))
    command = [sys.executable, *PYTEST, "-x", *tests]
    try:
        done = subprocess.run(command, cwd=root, env=_surroundings(), capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return False
    finally:
        file.write_bytes(source)
    assert done.returncode != pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout.decode()
    return done.returncode == pytest.ExitCode.OK


def main() -> int:
    """The command."""
    command = argparse.ArgumentParser(
        prog="python -m tests.tools.mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--only", nargs="+", default=["mtl"], metavar="PATH", help="what is changed (default: mtl)")
    command.add_argument("--tests", nargs="+", default=["tests"], metavar="PATH", help="what may notice it (tests)")
    command.add_argument("--count", type=int, default=60, help="mutants (default: 60)")
    command.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")
    command.add_argument("--limit", type=float, default=900.0, help="seconds for the tests of a mutant (default: 900)")
    command.add_argument("--contexts", type=Path, metavar="FILE", help="which test reaches which line")
    command.add_argument("--out", type=Path, metavar="FILE", help="JSON with every mutant and what became of it")
    asked = command.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "project")
        copy_project(root)
        contexts = (asked.contexts or Path(folder, "contexts")).resolve()
        if not contexts.exists() and note_contexts(root, contexts, asked.tests) != 0:
            print("tests fail without any mutant", file=sys.stderr)
            return 1
        data = coverage.CoverageData(str(contexts))
        data.read()
        rows = []
        for number, mutant in enumerate(draw(root, asked.only, asked.count, asked.seed), 1):
            tests, begun = tests_of(mutant, data), time.monotonic()
            fate = "unreached" if not tests else "survived" if survives(mutant, root, tests, asked.limit) else "noticed"
            rows.append({**asdict(mutant), "fate": fate, "tests": len(tests)})
            place = f"{mutant.file}:{mutant.line}"
            print(
                f"{number:3} {fate:9} {time.monotonic() - begun:5.0f} s  {len(tests):4} tests  {place}  {mutant.sort}: "
                f"{mutant.old}  →  {mutant.new}", flush=True,
            )  # fmt: skip
    if asked.out is not None:
        asked.out.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    fates = [row["fate"] for row in rows]
    print(
        ", ".join(f"{fates.count(fate)} {fate}" for fate in ("noticed", "survived", "unreached")) + f" of {len(fates)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
