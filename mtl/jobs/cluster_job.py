"""The process of a cluster's worker that makes runs: reads an order a line, brings what it reads, sends the result.

Before it reads a recipe it makes sure that this machine has the code, the versions and the device of the command: the
files of a run should be those that the command's machine would have written.
"""

import json
import os
import select
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtl.errors import UserError
from mtl.experiment.recipe import Recipe
from mtl.experiment.runs import run
from mtl.experiment.states import release
from mtl.files import replaced
from mtl.jobs.lifeline import end_with
from mtl.jobs.parcel import Unpacked, difference, facts, wrap
from mtl.jobs.store import Cache, Store, StoreError, sha256
from mtl.plugins import FOLDER as PLUGINS
from mtl.results.timing import timing_file

CACHE = "MTL_CACHE"
"""Variable that names the folder for files of stores on this machine."""
IDLE_SECONDS = 30.0
"""A process that nobody asks for anything ends: its command is done, or was killed."""
REMEDY = "bring both to the same commit and the same packages (constraints.txt pins them)"


@dataclass(frozen=True)
class Order:
    """A run that a worker is asked for."""

    command: str
    """Name of the folder of the store for its results."""
    store: str
    cargo: str
    """Hash of the file of the store that says how runs are made."""
    number: int
    """Place of the run among them."""
    device: str
    facts: dict[str, str]
    """Facts of the command's machine."""

    def dump(self) -> str:
        return json.dumps(asdict(self))


class Bench:
    """The runs of a command, in a folder that comes to hold what they read.

    Args:
        folder: below which runs find their files.
        cache: files of stores on this machine.
        work: makes a run from its recipe.
    """

    def __init__(self, folder: Path, cache: Cache, work: Callable[[Recipe], Path] = run) -> None:
        self.folder = folder
        self.cache = cache
        self.work = work
        self._cargo: dict[str, Unpacked] = {}

    def answer(self, order: Order) -> dict[str, str]:
        """Makes a run and puts its files into the store; how it ended."""
        try:
            here = facts(order.device)
        except UserError as error:
            return {"end": "unfit", "text": str(error)}
        if differs := difference(order.facts, here):
            return {"end": "unfit", "text": f"it has {differs}: {REMEDY}."}
        try:
            return {"end": "done", "text": self._made(order, Store(order.store))}
        except (StoreError, OSError) as error:
            return {"end": "unfit", "text": f"{error}; `--store` should name what all machines reach."}
        except UserError as error:
            return {"end": "problem", "text": str(error)}

    def _made(self, order: Order, store: Store) -> str:
        """Makes a run; the hash of its archive in the store."""
        if order.cargo not in self._cargo:
            self._cargo = {order.cargo: Unpacked(self.cache.file(order.cargo, store))}
        recipe, files = self._cargo[order.cargo].run(order.number)
        where = recipe.where
        for name, digest in files.items():
            self._place(name, self.cache.file(digest, store))
        self.work(recipe)
        archive = self.folder / f".mtl/{order.number}-{os.getpid()}.zip"
        archive.parent.mkdir(exist_ok=True)
        wrap(where, archive, self.folder)
        digest = sha256(archive)
        store.put(archive, digest, order.command)
        archive.unlink()
        release(where, self.folder)
        shutil.rmtree(self.folder / where.folder)
        (self.folder / timing_file(where)).unlink(missing_ok=True)
        return digest

    def _place(self, name: str, file: Path) -> None:
        target = self.folder / name
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith(f"{PLUGINS}/"):  # modules should lie in the project's folder
            with replaced(target) as fresh:
                shutil.copyfile(file, fresh)
            return
        target.symlink_to(file)


def cache_folder() -> Path:
    """Folder for files of stores on this machine, which the environment may name."""
    given = os.environ.get(CACHE)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given).resolve() if given else Path(home, "mtl")


def main(channel: int, parent: int) -> None:
    """Answers orders until there are no more; Ctrl-C is its parent's matter."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
    bench = Bench(Path(), Cache(cache_folder()))
    with os.fdopen(channel, "w", encoding="utf-8") as answers:
        while select.select([sys.stdin], [], [], IDLE_SECONDS)[0] and (line := sys.stdin.readline()):
            answer: dict[str, Any]
            try:
                answer = bench.answer(Order(**json.loads(line)))
            except Exception as error:
                traceback.print_exc()
                answer = {"end": "failed", "text": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
