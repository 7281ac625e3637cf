"""`mtl runs`: the training states on disk, which of them a run can go on from, and their removal."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mtl.checks import one_of
from mtl.config import Config
from mtl.errors import UserError
from mtl.experiment.identity import pretrain_identity, run_identity, state_key
from mtl.experiment.recipe import joint, single_task
from mtl.experiment.simple import simple_identity
from mtl.experiment.specialise import model_recipe, planned
from mtl.experiment.states import STATES, StateFile, drop, is_held, list_states
from mtl.grouping.models import Plan
from mtl.paths import RunPath, run_paths

Status = Literal["running", "goes on", "finished", "other settings", "unusable"]
MEANING: dict[Status, str] = {
    "running": "the process in brackets trains it now",
    "goes on": "`mtl repro` goes on from here",
    "finished": "its results are in place; the rest of its stage is not",
    "other settings": "made with other settings, data, code or weights than those in place now, and of use should they "
    "come back; `mtl runs clean` deletes it",
    "unusable": "half written or damaged: nothing can go on from it; `mtl runs clean` deletes it",
}


@dataclass(frozen=True)
class Listed:
    """A state file and what it is good for."""

    state: StateFile
    status: Status
    process: str | None
    """Process that trains the run now."""


def list_runs(config: Config, root: Path = Path()) -> list[Listed]:
    """Every state file with its status under the settings, data and code of now."""
    states = list_states(root)
    if not states:
        return []
    current = _current_keys(config, root)
    listed = []
    for state in states:
        process = is_held(state.run, root)
        status: Status
        if process is not None:
            status = "running"
        elif state.key is None:
            status = "unusable"
        elif state.key.rpartition("-")[0] not in current.get(state.run, ()):
            status = "other settings"
        else:
            status = "finished" if state.finished else "goes on"
        listed.append(Listed(state, status, process))
    return listed


def clean(config: Config, runs: list[str], everything: bool, root: Path = Path()) -> list[Listed]:
    """Deletes the states that nothing of now can go on from; with `runs` or `everything` those named or all.

    Returns:
        The deleted states; those of runs that train now are never deleted.

    Raises:
        UserError: a named run has no state.
    """
    listed = list_runs(config, root)
    known = sorted({entry.state.run for entry in listed})
    for name in runs:
        if not known:
            raise UserError(f"`RUN` should name a run that has a state, and none has one; found {name!r}.")
        one_of("RUN", name, known)
    chosen = [
        entry
        for entry in listed
        if entry.status != "running"
        and (everything or entry.state.run in runs or (not runs and entry.status in ("other settings", "unusable")))
    ]
    for entry in chosen:
        drop(entry.state, root)
    return chosen


def show(config: Config, root: Path = Path()) -> None:
    """Prints a table of the states."""
    from datetime import datetime

    from rich.console import Console
    from rich.table import Column, Table

    listed = list_runs(config, root)
    if not listed:
        print(f"No training state in {STATES}: nothing was interrupted.")
        return
    table = Table(
        Column("run", overflow="fold"), "epochs", "steps", "saved", "MB", "status", box=None, header_style="bold"
    )
    for entry in listed:
        facts = entry.state.path.stat()
        status = f"{entry.status} ({entry.process})" if entry.process else entry.status
        known = entry.state.key is not None
        table.add_row(
            entry.state.run, str(entry.state.epochs) if known else "–", str(entry.state.step) if known else "–",
            f"{datetime.fromtimestamp(facts.st_mtime):%Y-%m-%d %H:%M:%S}", f"{facts.st_size / 1e6:.1f}", status,
        )  # fmt: skip
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # Names are for copying: nothing is cut where nobody looks.
    console.print(table)
    for status in dict.fromkeys(entry.status for entry in listed):
        print(f"{status}: {MEANING[status]}")


def _current_keys(config: Config, root: Path) -> dict[str, set[str]]:
    """Run → beginning of the keys that its states have now; a run whose data are not prepared has none."""
    keys_of: dict[str, set[str]] = {}
    for where in run_paths(config):
        try:
            key = state_key(config, where, _identity(config, where, root), root)
        except (UserError, FileNotFoundError):
            continue
        keys_of.setdefault(where.folder.relative_to("outputs").as_posix(), set()).add(key)
    with suppress(UserError, FileNotFoundError):  # no groups, and so no models, yet
        plan = planned(config, root) or Plan()
        for name in plan.models:
            for seed in config.base.seeds:
                recipe = model_recipe(config, plan, name, seed)
                key = state_key(config, recipe.where, run_identity(recipe, root), root)
                keys_of.setdefault(recipe.where.folder.relative_to("outputs").as_posix(), set()).add(key)
    return keys_of


def _identity(config: Config, where: RunPath, root: Path) -> dict[str, str]:
    if where.stage == "pretrain":
        return pretrain_identity(config, config.pretrain.sources or list(config.prepare.sources), root)
    if where.stage == "simple":
        return simple_identity(config, root)
    if where.stage == "baseline":
        start = next(start for start in config.baseline.starts if start.label == where.start)
        return run_identity(single_task(config, str(where.name), start, where.seed), root)
    return run_identity(joint(config, str(where.name), where.seed), root)
