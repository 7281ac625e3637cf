"""A prepared source in a folder of its own, a small configuration, and studies on it."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from mtl.cli.study import study
from mtl.cli.study.plan import Plan, plan_of
from mtl.cli.study.search_space import arms
from mtl.cli.study.storage import Store
from mtl.cli.study.trial import News, work
from mtl.config import Config
from tests.experiment.conftest import configure
from tests.helpers.postgres import Postgres, running
from tests.helpers.waves_project import folder, leave_torch_as_it_was, root

__all__ = ["folder", "leave_torch_as_it_was", "root"]  # fixtures for the tests below this folder


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    """As the command has it: its table says what Optuna would log."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running("study") as server:
        yield server


QUICK = {"epochs": 1, "batch_size": 64, "lr": 3e-3, "gradient_probes": 0, "stopping": {"patience": None}}
LR = {"train.lr": {"kind": "float", "low": 1e-4, "high": 1e-2, "log": True}}


def config_of(tune: dict[str, Any] | None = None, **changes: Any) -> Config:
    """A small, quick configuration with a section `tune`, which searches the learning rate unless it says otherwise."""
    return configure(**({"train": QUICK, "tune": {"space": LR} | (tune or {})} | changes))


def planned(
    root: Path, config: Config, trials: int, every: bool = False, name: str = "s", parallel: bool = False
) -> tuple[Plan, Store]:
    """A study that is stored."""
    plan = plan_of(config, name, trials, arms(config, every), parallel, root)
    store = Store(None, root)
    study.create(plan, store)
    return plan, store


def silent(news: News) -> None:
    """Hears no news."""


def ran(root: Path, config: Config, trials: int, every: bool = False, name: str = "s") -> tuple[Plan, Store]:
    """A study that one worker has finished, in this process."""
    plan, store = planned(root, config, trials, every, name)
    work(plan, store, None, silent)
    return plan, store


def killed_worker(plan: Plan, when: Callable[[News], bool]) -> None:
    """A worker in a process of its own, which is killed with -9 as soon as its news are such."""
    child = os.fork()
    if child == 0:
        try:

            def tell(news: News) -> None:
                if when(news):
                    os.kill(os.getpid(), signal.SIGKILL)

            work(plan, Store(None, plan.root), None, tell)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
