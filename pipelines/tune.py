"""`mtl tune`: makes a study, or goes on with it."""

import sys
from pathlib import Path

import optuna
from rich.console import Console

from mtl.config import Config
from mtl.report.study_page import write_study_page
from pipelines import study
from pipelines.search_space import arms
from pipelines.storage import Store
from pipelines.study_file import export, file_of
from pipelines.study_table import Display, summary
from pipelines.workers import run
from stages.common import INTERRUPTED
from stages.common import workers as workers_of

DEFAULT_NAME = "study"


def tune(
    config: Config, name: str, trials: int | None, count: int | None, timeout: float | None, url: str | None,
    every: bool, root: Path = Path(),
) -> int:  # fmt: skip
    """Runs trials until each arm has its number of them.

    Args:
        config: the whole configuration.
        name: of the study.
        trials: finished trials of each arm; None: `tune.trials`.
        count: worker processes; None: as many as `base.jobs` says.
        timeout: seconds after which no trial is begun; None: never.
        url: of the storage; None: a file of the project.
        every: every method and STL are tuned, not one method.
        root: folder of the project.

    Returns:
        Exit code: 0, or 130 when it was interrupted.

    Raises:
        UserError: something cannot be used, or no trial can be trained.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # The table says it.
    count = workers_of(config.base) if count is None else count
    plan = study.plan_of(config, name, trials, arms(config, every), count > 1, root)
    store = Store(url, root)
    study.create(plan, store)
    # Left by a former run of this command: what its workers were at waits for ours.
    with store.turn(plan.name):
        study.reap_all(plan, store)
    complete, code = False, 0
    try:
        with Display(plan, store) as display:
            complete = study.is_done(plan, store) or run(plan, store, count, timeout, display.show)
    except KeyboardInterrupt:
        code = INTERRUPTED
    page = write_study_page(export(plan, store), file_of(name, root).parent)
    summary(plan, store, Console())
    done = study.count_finished(plan, store)
    counted = ", ".join(f"{number} of {plan.trials} trials of {arm}" for arm, number in done.items())
    if code == INTERRUPTED:
        print(f"Interrupted: {counted} are finished; the same command goes on.", file=sys.stderr)
    elif not complete:
        print(f"The time is up: {counted} are finished; the same command goes on.")
    else:
        print(
            f"The study {name!r} is complete ({page}); `mtl tune --apply best` writes its best values into params.yaml."
        )
    return code
