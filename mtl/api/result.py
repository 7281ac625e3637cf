"""Outcome of a comparison: verdicts, predictions, report and models, in a folder that is a project."""

import io
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console

from mtl.api import frames
from mtl.api.folders import OwnFolder, save_project
from mtl.api.seat import show_page
from mtl.api.untouched import at_home
from mtl.config import PARAMS, Config, load_config
from mtl.errors import UserError
from mtl.paths import PREDICTIONS, VERDICTS
from mtl.report.table import verdict_block
from mtl.report.timings import collect_timings
from mtl.results.verdicts import Verdicts

if TYPE_CHECKING:
    from mtl.api.fitted import FittedModel
    from mtl.results.deployment import Seeds

WIDTH = 110
"""Columns of the table as text."""


class Result:
    """Results of `mtl.compare`, or of a project.

    Attributes:
        folder: of the project that holds all of it; that of `mtl.compare` is temporary and goes with the result.
        config: the whole configuration.
        notes: sentences on what was found out about the data and decided.
    """

    def __init__(
        self, folder: Path, notes: Sequence[str] = (), owned: OwnFolder | None = None, config: Config | None = None
    ) -> None:
        self.folder = folder
        self.notes = list(notes)
        self.config: Config = load_config(folder / PARAMS) if config is None else config
        self._read = Verdicts.read(folder / VERDICTS)
        self._owned = owned

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """A row for each method and task: test metric alone and together, paired change in percent of the value alone
        (positive is better) with its intervals, verdict, and the simple model beside."""
        return frames.verdicts_frame(self._read)

    @cached_property
    def simple(self) -> pd.DataFrame:
        """A row for each task: the simple model that validation data chose, and its test metric."""
        return frames.simple_frame(self._read)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row for each test sample, task and run, after the truth (`stage` is `truth`): `sample` is the number of the
        row in the data, `label` the class, `values` numbers in original units, or probabilities of the classes."""
        return frames.parquet_frame(self.folder / PREDICTIONS)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Metrics of every run, a row each."""
        return frames.parquet_frame(self.folder / "results" / "runs.parquet")

    @property
    def advice(self) -> str:
        """Sentences on what follows from the verdicts."""
        return self._read.advice

    def report(self, show: bool | None = None) -> Path:
        """The page with figures, tables and costs; written when it is asked for first, and opened where somebody looks.

        Args:
            show: True opens it, False does not; None opens it inside a notebook, and in a browser from a prompt of
                Python on a machine with a screen. A script writes it alone.

        Returns:
            Place of the page, which goes with a temporary folder: `save` keeps it.
        """
        from mtl.report.page import PAGE  # here: it loads matplotlib

        page = self.folder / PAGE
        if not page.exists():
            from mtl.stages import evaluate

            with at_home(self.folder):
                evaluate.show(self.config, self._read, self.folder)
        show_page(page, show)
        return page

    def model(self, method: str = "auto", seeds: "Seeds" = "best", tasks: Sequence[str] | None = None) -> "FittedModel":
        """A model that answers the tasks, as `mtl deploy` makes it.

        Args:
            method: `auto` takes for each task what the verdicts recommend; `stl` or `simple`; or the name of a method.
            seeds: `best` on validation data, `ensemble` for the mean of all, or a seed.
            tasks: answered ones; None: all.

        Raises:
            UserError: there is no such method, seed or task, or a method does not answer a task.
        """
        from mtl.api.deployment.deploy import Wish, deploy
        from mtl.api.fitted import FittedModel
        from mtl.serving.deployed import load_deployed

        if not (seeds in ("best", "ensemble") or (isinstance(seeds, int) and not isinstance(seeds, bool))):
            raise UserError(f"`seeds` should be 'best', 'ensemble' or a seed, found {seeds!r}.")
        wanted = None if tasks is None else [tasks] if isinstance(tasks, str) else list(tasks)
        parts = [method, str(seeds), *(wanted or [])]
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(parts)).strip("-.")[:100]
        own = OwnFolder()
        try:
            with at_home(self.folder):
                place, _ = deploy(Wish(method, seeds, wanted, name), self.folder, own.path)
                return FittedModel(own.path / place, load_deployed(own.path / place), own)
        except UserError as error:
            told = re.sub(r"--(method|seeds|tasks)\b", r"`\1`", str(error))
            raise UserError(told) from error

    def save(self, folder: str | Path) -> Path:
        """Writes all of it as a project, whose `mtl repro` makes the same runs again, bit for bit, on this machine.

        Args:
            folder: new or empty.

        Returns:
            The folder, which `mtl.open` reads.

        Raises:
            UserError: something is in its place, or it cannot be written.
        """
        save_project(self.folder, Path(folder))
        return Path(folder)

    def __str__(self) -> str:
        """The table of verdicts with the advice, as `mtl show` prints them."""
        text = io.StringIO()
        console = Console(file=text, width=WIDTH, highlight=False, color_system=None)
        console.print(verdict_block(self._read, collect_timings(self.folder), width=WIDTH))
        return text.getvalue()

    def __repr__(self) -> str:
        return f"<mtl result: {len(self._read.tasks)} tasks, {len(self._read.methods)} methods in {self.folder}>"

    def _repr_html_(self) -> str:
        return frames.html(self._read)
