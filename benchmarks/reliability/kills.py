"""SIGKILL at random moments, to random processes of `mtl repro`: the project afterwards is that of an untouched run.

A try is a fresh copy of a project in which nothing was computed. `mtl repro` is started again and again in it, and each
time a process of its family, drawn by chance, is killed; then it runs to its end. Lost is: a process that outlives the
killed one by a minute, a file of data, outputs, results or report that differs, is missing or is too many, and a file
that was only half written.
"""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import yaml

from benchmarks.machine import HERE
from benchmarks.reliability.campaign import Attempt, Outcome, differences
from mtl.setup.presets import render
from tests.e2e.killing import alive, family, until
from tests.e2e.project import Project, clone

PRESETS = {"table": "regressions", "images": "digits-parity", "series": "smoke"}
"""Kind of data → preset, of those that need no download."""
KILLS = 4
"""In one try, so that a run is resumed that was resumed before."""
ALONE = 60.0
"""Seconds after which a process that outlived the killed one is an orphan."""


def small(preset: str, folder: Path) -> dict[str, Any]:
    """The preset with two seeds, two processes, one epoch of everything and a state after every step."""
    params: dict[str, Any] = yaml.safe_load(render(preset, folder))
    params["base"] = params.get("base", {}) | {"seeds": [0, 1], "jobs": 2, "device": "cpu", "threads": 1,
                                                "state_seconds": 0}  # fmt: skip
    params["train"]["epochs"] = 1
    params["tracking"] = {"enabled": False}
    for section in params["prepare"]["sources"].values():
        if section["kind"] == "regressions":
            section["rows"] = 1000
    return params


@contextmanager
def begin(place: Path, kind: str) -> Iterator[Attempt]:
    """Attempts on the preset of one kind of data; what is kept in `place` is the project before and after a run."""
    fresh, file = Project(place / "fresh"), place / "untouched.json"
    if not file.exists():
        shutil.rmtree(place, ignore_errors=True)
        clone(HERE, fresh.root)
        fresh.use(small(PRESETS[kind], fresh.root))
        fresh.commit()
        began, done = monotonic(), fresh.copy(place / "done")
        done.mtl("repro").well()
        file.write_text(json.dumps({"seconds": monotonic() - began, "files": done.results()}), encoding="utf-8")
        shutil.rmtree(done.root)
    untouched = json.loads(file.read_text(encoding="utf-8"))
    yield partial(_attempt, PRESETS[kind], fresh, untouched["files"], untouched["seconds"])


def _attempt(preset: str, fresh: Project, expected: dict[str, str], seconds: float, number: int) -> Outcome:
    luck = random.Random(f"{preset} {number}")
    project = fresh.copy(fresh.root.parent / f"try-{number}")
    hits, lost, said = 0, [], fresh.root.parent / f"said-{number}.txt"
    while hits < KILLS:
        with said.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipelines", "repro"], cwd=project.root, env=project.environment(),
                stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
            try:
                process.wait(luck.uniform(0.2, seconds if hits else seconds / 2))
                break
            except subprocess.TimeoutExpired:
                hits += 1
                lost += _killed(process, luck)
    last = project.mtl("repro")
    if last.code != 0:
        lost.append(f"the last run ended with {last.code}: {(last.out + last.err)[-1500:]}")
    lost += differences(expected, project.results())
    lost += [f"half a file: {path.relative_to(project.root)}" for path in project.root.rglob("*.part")]
    if not lost:
        shutil.rmtree(project.root)
        said.unlink()
    return Outcome(f"kills of `mtl repro` of `{preset}`", "the same bytes" if not lost else "a loss", tuple(lost), hits)


def _killed(process: "subprocess.Popen[bytes]", luck: random.Random) -> list[str]:
    """Kills a process or one of its family, waits for the end of all, and returns what outlived it."""
    members = family(process.pid)
    with suppress(psutil.NoSuchProcess, IndexError):
        luck.choice(members).kill()
    try:
        until(lambda: process.poll() is not None and not any(map(alive, members)), ALONE, "the end of the family")
        return []
    except AssertionError:
        left = [member for member in members if alive(member)]
        told = [f"process {' '.join(member.cmdline()[:6])} lived on" for member in left]
        for member in left:
            member.kill()
        process.wait(60)
        return told
