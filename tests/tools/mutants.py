"""How many small faults of mtl/ no test notices: mutants, drawn by a seed, against the tests that reach their lines.

    python -m tests.tools.mutants --out mutants                    # 60 mutants of mtl/, the tests of `make test`
    python -m tests.tools.mutants --only mtl/balancing --tests tests/balancing --count 12
    python -m tests.tools.mutants --select "not slow" --out more   # with the tests of `make test-thorough` too
    python -m tests.tools.mutants --before mutants --out after     # the same mutants again, after a change

1. The draw depends on mtl/, the number and the seed alone, a quarter of each sort (see mutations.py), so that the same
   mutants judge the tests before and after a change.
2. A copy of the working tree is made in which every drawn place holds both forms and a switch; nothing else is touched.
3. The tests run once in the copy, with every switch off. Noted are their CPU seconds, and which tests come by which
   switch, also in processes that they start.
4. For each mutant the tests that come by its switch run with it on, those of cheap files first, and stop at the first
   failure. All runs are forked from one process that has collected the tests. A place that is passed while modules are
   imported (and by no test) is judged by a process of its own, with the tests of the folder of the same name.

The folder `--out` takes what is known so far, and a call with the same folder goes on from there: `tests.jsonl` (CPU
seconds, passed), `reached.tsv`, `mutants.jsonl`. `--before` names such a folder of an earlier call: its mutants are
looked up by file and text, each is judged first by the test that noticed it then, and only tests that are not in its
notes run to be noted. A run of one mutant that takes longer than `--limit` is ended and shown as such. Survivors and
those that no test reaches are printed: read them, some change nothing (a bound that is never met). Exit code 0; 1 if a
test fails without any mutant; that test judges no mutant.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.tools.each_mutant import json_lines
from tests.tools.mutations import Mutant, mutants, with_switches

PROJECT = Path(__file__).resolve().parent.parent.parent
SELECTED = "not slow and not thorough"
"""Marks of the tests of `make test`."""


def copy_project(target: Path) -> None:
    """Copies the files of the working tree that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).is_symlink() or (PROJECT / name).is_file():  # a link may lead to a folder
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, target / name, follow_symlinks=False)
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


def drawn_before(root: Path, rows: Sequence[dict[str, Any]]) -> list[Mutant]:
    """The mutants of an earlier draw in today's files: the same change of the same text, nearest to the line of then.

    Raises:
        LookupError: a mutant's text is no more in its file.
    """
    drawn = []
    for row in rows:
        alike = [
            mutant for mutant in mutants(root, row["file"])
            if (mutant.sort, mutant.old, mutant.new) == (row["sort"], row["old"], row["new"])
        ]  # fmt: skip
        if not alike:
            raise LookupError(f"{row['file']} holds {row['old']!r} no more")
        drawn.append(min(alike, key=lambda mutant: abs(mutant.line - row["line"])))
    return drawn


def put_switches(root: Path, drawn: Sequence[Mutant]) -> None:
    """Rewrites the files of the mutants in a copy, so that each can be switched on by its number (from 1)."""
    by_file: dict[str, dict[int, Mutant]] = {}
    for number, mutant in enumerate(drawn, 1):
        by_file.setdefault(mutant.file, {})[number] = mutant
    for file, numbered in by_file.items():
        (root / file).write_bytes(with_switches((root / file).read_bytes(), numbered))
    with (root / "mtl/__init__.py").open("a", encoding="utf-8") as door:
        door.write("\n\n" + (PROJECT / "tests/tools/switch.py").read_text(encoding="utf-8"))


def _arguments() -> argparse.Namespace:
    command = argparse.ArgumentParser(
        prog="python -m tests.tools.mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--only", nargs="+", default=["mtl"], metavar="PATH", help="what is changed (default: mtl)")
    command.add_argument("--tests", nargs="+", default=["tests"], metavar="PATH", help="what may notice it (tests)")
    command.add_argument(
        "--select", default=SELECTED, metavar="MARKS", help=f"marks of the tests (default: {SELECTED})"
    )
    command.add_argument("--count", type=int, default=60, help="mutants (default: 60)")
    command.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")
    command.add_argument(
        "--limit", type=float, default=1800.0, help="seconds for the tests of a mutant (default: 1800)"
    )
    command.add_argument(
        "--before", type=Path, metavar="FOLDER", help="what an earlier call found out, to compare with"
    )
    command.add_argument("--out", type=Path, metavar="FOLDER", help="what is known so far (default: a temporary one)")
    return command.parse_args()


def main() -> int:
    """The command."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, "project"), (asked.out or Path(folder, "out")).resolve()
        copy_project(root)
        out.mkdir(parents=True, exist_ok=True)
        if asked.before is None:
            drawn = draw(root, asked.only, asked.count, asked.seed)
        else:
            for name in ("tests.jsonl", "reached.tsv"):
                if not (out / name).exists():
                    shutil.copyfile(asked.before / name, out / name)
            shutil.copyfile(asked.before / "mutants.jsonl", out / "before.jsonl")
            drawn = drawn_before(root, json_lines(out / "before.jsonl"))
        put_switches(root, drawn)
        numbered = [{"number": number} | asdict(mutant) for number, mutant in enumerate(drawn, 1)]
        (out / "drawn.json").write_text(json.dumps(numbered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        surroundings = os.environ | {"MUTANTS_OUT": str(out), "MUTANTS_LIMIT": str(asked.limit)}
        command = [
            sys.executable, "-m", "pytest", "-q", "-m", asked.select, "-p", "tests.tools.each_mutant",
            "-p", "no:cacheprovider", *asked.tests,
        ]  # fmt: skip
        return subprocess.run(command, cwd=root, env=surroundings, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
