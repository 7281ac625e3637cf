"""`mtl tune`: makes a study, or goes on with it."""

import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import optuna
from rich.console import Console

from mtl import tracking
from mtl.cli import preflight
from mtl.cli.plugin_checks import check_plugins
from mtl.cli.study import search_space, study
from mtl.cli.study.cluster import check_addresses, run_on
from mtl.cli.study.file import export
from mtl.cli.study.plan import Plan, plan_of, shared_stages
from mtl.cli.study.search_space import arms
from mtl.cli.study.storage import GONE, Store, gone
from mtl.cli.study.table import Display, summary
from mtl.cli.study.trial import News
from mtl.cli.study.workers import run
from mtl.config import Config
from mtl.jobs.cores import workers as workers_of
from mtl.report.study_page import write_study_page
from mtl.results.study import study_file
from mtl.stages.common import INTERRUPTED

MIRROR_SECONDS = 15.0


@dataclass(frozen=True)
class Resources:
    """Where the trials of a study are trained, and where it is kept."""

    workers: int | None = None
    """Processes side by side; None: as many as `base.jobs` says, or as the scheduler has."""
    scheduler: str | None = None
    """Address of a Dask scheduler whose workers train; None: processes of this machine do."""
    storage: str | None = None
    """Address of the database; None: a file of the project."""


def tune(
    config: Config, name: str, trials: int | None, timeout: float | None, every: bool, resources: Resources,
    root: Path = Path(),
) -> int:  # fmt: skip
    """Runs trials until each arm has its number of them.

    Args:
        config: the whole configuration.
        name: of the study.
        trials: finished trials of each arm; None: `tune.trials`.
        timeout: seconds after which no trial is begun; None: never.
        every: every method and STL are tuned, not one method.
        resources: where trials are trained and kept.
        root: folder of the project.

    Returns:
        Exit code: 0, or 130 when it was interrupted.

    Raises:
        UserError: something cannot be used, or no trial can be trained.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # The table says it.
    count = resources.workers
    if resources.scheduler is not None:
        check_addresses(resources.scheduler, resources.storage)
    elif count is None:
        count = workers_of(config.base)
    chosen = arms(config, every)
    search_space.check(config, chosen)
    check_plugins(config, root)
    preflight.check_shared(shared_stages(config, chosen), root)
    plan = plan_of(config, name, trials, chosen, count != 1, root)
    store = Store(resources.storage, root, partial(print, file=sys.stderr, flush=True))
    try:
        study.create(plan, store)
        with store.turn(plan.name):  # What a former run of this command was at when it was killed waits for ours.
            study.reap_all(plan, store)
        complete = _trials(plan, store, count, timeout, resources.scheduler)
        page = write_study_page(export(plan, store), study_file(name, root).parent)
        summary(plan, store, Console())
        done = study.count_finished(plan, store)
    except GONE as error:
        raise gone(error) from None
    mirrored = tracking.publish_study(config, name, root, wait=complete is not None)
    counted = ", ".join(f"{number} of {plan.trials} trials of {arm}" for arm, number in done.items())
    if complete is None:
        print(f"Interrupted: {counted} are finished; the same command goes on.", file=sys.stderr)
        return INTERRUPTED
    if complete:
        print(
            f"The study {name!r} is complete: {page}. `mtl tune --apply best` writes its best values into params.yaml."
        )
    else:
        print(f"The time is up: {counted} are finished; the same command goes on.")
    if mirrored.new + mirrored.present and mirrored.problem is None:
        print("`mtl ui` shows its trials in MLflow, `mtl ui --study` in Optuna's dashboard.")
    return 0


def _trials(plan: Plan, store: Store, count: int | None, timeout: float | None, scheduler: str | None) -> bool | None:
    """Runs what is missing; whether the study is complete then, None when it was interrupted."""
    mirror = _Mirror(plan, store)
    try:
        with Display(plan, store) as display:

            def show(under_way: list[News], last: bool) -> None:
                display.show(under_way, last)
                mirror.look()

            if study.is_done(plan, store):
                return True
            if scheduler is not None:
                return run_on(scheduler, plan, store, count, timeout, show)
            assert count is not None
            return run(plan, store, count, timeout, show)
    except KeyboardInterrupt:
        return None


class _Mirror:
    """Has what is finished published while the study goes on, from time to time."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan, self.store = plan, store
        self.there = self._finished()
        self.last = time.monotonic()

    def _finished(self) -> int:
        return sum(study.count_finished(self.plan, self.store).values())

    def look(self) -> None:
        """Publishes if something was finished since, and the last time was a while ago."""
        if time.monotonic() - self.last < MIRROR_SECONDS or self._finished() == self.there:
            return
        self.there, self.last = self._finished(), time.monotonic()
        export(self.plan, self.store, whole=False)
        tracking.publish_study(self.plan.config, self.plan.name, self.plan.root)
