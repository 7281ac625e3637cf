"""`mtl check`: are the results in the working tree what this code gives, bit for bit, when everything runs again?"""

import json
import tempfile
from pathlib import Path

from mtl.cli import preflight
from mtl.cli.check import artefacts, second_run
from mtl.cli.check.artefacts import Compared
from mtl.cli.repro import allow_without_git, bring_code_up_to_date, run_dvc
from mtl.config import PARAMS, Config, load_config
from mtl.errors import UserError
from mtl.paths import MEANS
from mtl.results.means import Means

DIFFERENT = 1
"""Exit code."""
SHOWN = 10
"""Differences from a reference that are printed."""


def check(root: Path = Path(), keep: bool = False) -> int:
    """Runs the pipeline again in a copy of the project and compares every file that it writes with the first run's.

    Args:
        root: folder of the project.
        keep: leave the copy where it is and print its path.

    Returns:
        Exit code: 0 when all bytes are the same, 1 when not; else DVC's, when the second run failed.

    Raises:
        UserError: the settings cannot be used, or the first run is missing or not up to date.
    """
    config = up_to_date(root)
    first = artefacts.hashes(root)
    with second_run.copied(config, root, keep) as copy:
        place = f" in {copy}" if keep else ""
        print(f"Second run{place}: empty cache, jobs {second_run.jobs_of_copy(config)}, another hash seed.", flush=True)
        code = second_run.run(copy)
        if code != 0:
            print(f"The second run ended with exit code {code}: nothing was compared.")
            return code
        print()
        return _tell(artefacts.compare(first, artefacts.hashes(copy)), root, copy, keep)


def check_reference(root: Path = Path()) -> int:
    """Compares the results in the working tree with the reference of the preset that params.yaml is.

    Returns:
        Exit code: 0 when they agree, 1 when not.

    Raises:
        UserError: the results are missing or not up to date, params.yaml is no preset, or it has no reference.
    """
    from mtl.cli.check import reference

    wrong = reference.compare(up_to_date(root), root)
    for line in wrong[:SHOWN]:
        print(f"  {line}")
    if len(wrong) > SHOWN:
        print(f"  and {len(wrong) - SHOWN} more")
    if wrong:
        print("If results were meant to change, `mtl check --write-reference` makes these the reference.")
    return DIFFERENT if wrong else 0


def write_reference(root: Path = Path()) -> None:
    """Makes the results in the working tree the reference of the preset that params.yaml is.

    Raises:
        UserError: as `check_reference`, but for the last.
    """
    from mtl.cli.check import reference

    print(f"{reference.write(up_to_date(root), root)} holds the results in the working tree now.")


def up_to_date(root: Path) -> Config:
    """The settings, when all results in the working tree are theirs.

    Raises:
        UserError: the settings cannot be used, or DVC says that a stage has not run with them.
    """
    config = load_config(root / PARAMS)
    bring_code_up_to_date(root)
    preflight.check(config, [], root)
    if not (root / second_run.LOCK).exists():
        raise UserError(f"{second_run.LOCK} is missing: nothing has run here; run `mtl repro` first.")
    allow_without_git(root)
    with tempfile.TemporaryFile() as output:
        code = run_dvc(["status", "--json"], root, output=output)
        output.seek(0)
        text = output.read()
    if code != 0:
        raise UserError(f"`dvc status` ended with exit code {code}: what is up to date is not known.")
    waiting = [stage for stage in artefacts.outputs(root) if stage in json.loads(text)]
    if waiting:
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        raise UserError(f"{waiting[0]}{more}: not up to date, so there is no first run; run `mtl repro` first.")
    return config


def _tell(compared: list[Compared], root: Path, copy: Path, keep: bool) -> int:
    """Prints a line a stage and what differs first."""
    for stage in compared:
        said = f"{len(stage.different)} of them not the same" if stage.different else "identical"
        print(f"{stage.stage}: {stage.files} file{'s' * (stage.files != 1)}, {said}")
    wrong = [stage for stage in compared if stage.different]
    if not wrong:
        total = sum(stage.files for stage in compared)
        print(f"The same bytes: {total} files of {len(compared)} stages, {_count(root / MEANS)} metrics.")
        return 0
    file = wrong[0].different[0]
    print(f"\n{wrong[0].stage} is the first stage that differs: {file}")
    print(f"  {artefacts.where(root / file, copy / file)}")
    if not keep:
        print("  `mtl check --keep` leaves the second run's files to look at.")
    return DIFFERENT


def _count(metrics: Path) -> int:
    """Numbers in a metrics file."""
    methods = Means.read(metrics).by_method.values()
    return sum(len(values) for tasks in methods for values in tasks.values())
