"""A study on the workers of a Dask cluster: one job for each worker, which takes trials until the study is complete.

Dask says which workers there are, starts the jobs and tells us how they end; the study itself is in PostgreSQL, where
turns are taken (`storage`). A job that was lost with its worker is started again on the next worker that has none, and
its trial goes on from its last state where folders are shared, else from its beginning. However many jobs are started,
no trial is drawn past the number that was asked for: that is decided in the turn, not by counting jobs.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from mtl.cli.study.crew import Crew
from mtl.cli.study.plan import Plan
from mtl.cli.study.storage import ATTEMPTS, GONE, Store
from mtl.cli.study.study import is_done, reap_all
from mtl.cli.study.trial import News
from mtl.cli.study.workers import SHOW_SECONDS
from mtl.errors import UserError, shown
from mtl.jobs.scheduler import check_address


def check_addresses(scheduler: str, storage: str | None) -> None:
    """Checks the addresses that a cluster's workers need: of their scheduler, and of the study's storage.

    Raises:
        UserError: the scheduler's is no address, or the storage is a file.
    """
    check_address(scheduler)
    if storage is None or storage.startswith("sqlite"):
        given = "none" if storage is None else shown(storage)
        raise UserError(
            "`--scheduler` needs `--storage postgresql://…`: its workers may be on other machines, which cannot share "
            f"a SQLite file; found {given}."
        )


def run_on(
    scheduler: str, plan: Plan, store: Store, count: int | None, timeout: float | None,
    show: Callable[[list[News], bool], None],
) -> bool:  # fmt: skip
    """Runs a study on a scheduler's workers; whether it is complete (it is not when the time ran out).

    Args:
        scheduler: its address.
        plan: of the study, which is stored.
        store: where it is stored.
        count: workers at most; None: all that are there, also those that come later.
        timeout: seconds after which no trial is begun; None: never.
        show: given the trials under way about once a second, and at the end, when its second argument is true.

    Raises:
        UserError: the scheduler cannot be reached, has no worker or none that can take part, no trial can be trained,
            or workers are lost again and again. Nothing that was finished is lost.
    """
    for name in ("distributed", "tornado"):  # Whatever it says, we say in a sentence.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    until = None if timeout is None else time.monotonic() + timeout
    crew = Crew(scheduler, plan, store, count, until)
    try:
        crew.join(ATTEMPTS)
        while not store.again(lambda: is_done(plan, store)):
            crew.look()
            if until is not None and time.monotonic() > until and not crew.jobs:
                break
            store.again(lambda: show(crew.under_way, False))
            time.sleep(SHOW_SECONDS)
    finally:
        crew.dismiss()
        with suppress(*GONE), store.turn(plan.name):
            reap_all(plan, store)
    store.again(lambda: show([], True))
    return store.again(lambda: is_done(plan, store))
