"""Where studies are kept: a file or a PostgreSQL server, and one message for an address that cannot be used."""

import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import Trial, TrialState

from mtl.cli.study import storage, study
from mtl.cli.study import trial as trial_module
from mtl.cli.study.plan import plan_of
from mtl.cli.study.search_space import Space, arms
from mtl.cli.study.storage import Store
from mtl.cli.study.study import first_number, is_finished, trials_of
from mtl.cli.study.table import state_of
from mtl.cli.study.trial import News, run_once, work
from mtl.cli.study.workers import run
from mtl.errors import UserError
from tests.cli.study.conftest import QUICK, config_of
from tests.helpers.postgres import Postgres


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("studies.db", "should be an address such as sqlite:///studies.db, found 'studies.db'"),
        ("redis://localhost", "should begin with sqlite:/// or postgresql://, found redis://localhost"),
        ("mysql://me:hidden@localhost/x", "should begin with sqlite:/// or postgresql://"),
        ("sqlite://", "should name a file, since several processes share it"),
        ("sqlite:///:memory:", "should name a file"),
    ],
)
def test_an_address_of_the_wrong_kind_is_one_message(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        Store(url, tmp_path)
    assert said in str(error.value)
    assert "hidden" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database")
    with pytest.raises(UserError, match="cannot be reached: file is not a database"):
        Store(f"sqlite:///{file}", tmp_path)
    assert file.read_text() == "not a database"


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no folder")
    with pytest.raises(UserError, match=r"`--storage` sqlite:.*x\.db cannot be reached: .*Not a directory"):
        Store(f"sqlite:///{tmp_path}/notes.txt/deep/x.db", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_storage_that_goes_away_as_a_trial_ends_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back by the time Optuna looks, it shows a trial that has not ended, of which Optuna makes an assertion."""
    tried = optuna.create_study(storage=f"sqlite:///{tmp_path}/x.db", direction="minimize")
    ended = tried._storage.set_trial_state_values

    def cut(*args: Any, **kwargs: Any) -> bool:
        monkeypatch.setattr(tried._storage, "set_trial_state_values", ended)
        raise StorageInternalError("server closed the connection")

    monkeypatch.setattr(tried._storage, "set_trial_state_values", cut)
    with pytest.raises(StorageInternalError, match="closed the connection"):
        run_once(tried, lambda trial: [0.5])
    assert [trial.state for trial in tried.trials] == [TrialState.RUNNING]

    def wrong(trial: Trial) -> list[float]:
        raise AssertionError("ours")

    with pytest.raises(AssertionError, match="ours"):
        run_once(tried, wrong)


def test_a_server_that_is_away_is_asked_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "ATTEMPTS", (0.1, 0.1))
    began = time.monotonic()
    with pytest.raises(UserError, match=r"postgresql\+psycopg://me:\*\*\*@127\.0\.0\.1:1/x cannot be reached") as error:
        Store("postgresql://me:hidden@127.0.0.1:1/x", tmp_path)
    assert time.monotonic() - began > 0.2
    assert "hidden" not in str(error.value)


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
def test_a_file_that_was_cut_off_or_overwritten_tells_what_to_do(tmp_path: Path) -> None:
    Store(None, tmp_path).close()
    file = tmp_path / ".mtl/studies/studies.db"
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"?" * 100 + whole[100:], whole[:-1]):
        file.write_bytes(damaged)
        with pytest.raises(UserError, match=r"studies\.db cannot be reached: .*rename it to studies\.db\.damaged, and"):
            Store(None, tmp_path)
        assert file.read_bytes() == damaged
    file.rename(f"{file}.damaged")
    Store(None, tmp_path).close()
    file.write_bytes(whole)
    Store(None, tmp_path).close()


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_kills_and_an_interrupt_lose_and_repeat_no_trial(root: Path, kind: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("postgres").url if kind == "postgresql" else None
    config = config_of(train=QUICK | {"epochs": 40})  # long enough to be interrupted in the middle of the study
    plan = plan_of(config, "s", 4, arms(config, every=False), True, root)
    store = Store(url, root)
    request.addfinalizer(store.close)  # a connection that is left open is a warning in whichever test comes next
    study.create(plan, store)
    killed: list[int] = []
    others = set(psutil.Process().children())  # helpers of other tests

    def show(under_way: list[News], last: bool) -> None:
        """Kills a worker that is at work with -9; when the study goes on, Ctrl-C."""
        if last or not any(news.done for news in under_way):
            return
        if killed:
            raise KeyboardInterrupt
        killed.append(min(child.pid for child in set(psutil.Process().children()) - others))
        os.kill(killed[0], signal.SIGKILL)

    with pytest.raises(KeyboardInterrupt):
        run(plan, store, 2, None, show)
    assert killed
    assert not set(psutil.Process().children()) - others
    waiting = [state_of(trial) for trial in trials_of(plan, store, "joint")]
    assert "running" not in waiting
    assert "waiting" in waiting

    assert run(plan, store, 2, None, lambda under_way, last: None)
    trials = trials_of(plan, store, "joint")
    counts = Counter(map(state_of, trials))
    assert counts == {"complete": 4, "lost": len(trials) - 4}
    assert counts["lost"] >= 2
    firsts = [first_number(trial) for trial in trials if is_finished(trial)]
    assert len(firsts) == len(set(firsts)) == 4
    store.close()


@pytest.mark.processes
def test_a_trial_of_another_machine_is_taken_when_its_worker_is_silent(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "HEARTBEAT_SECONDS", 1)
    monkeypatch.setattr(storage, "GRACE_SECONDS", 2)
    plan = plan_of(config_of(), "s", 1, arms(config_of(), every=False), False, root)
    store = Store(None, root)
    study.create(plan, store)
    with pytest.warns(UserWarning, match="Heartbeat"):
        theirs = study.load(plan, store, "joint").ask()
    theirs.set_user_attr(study.WORKER, "another-machine:1:0.0")
    theirs.suggest_float("train.lr", 1e-4, 1e-2, log=True)
    store.storage.record_heartbeat(theirs._trial_id)
    with store.turn(plan.name):
        assert study.next_arm(plan, store) is None  # It may well be at work.
    work(plan, store, None, lambda news: None)  # Waits until it was silent for long enough.
    trials = trials_of(plan, store, "joint")
    assert [state_of(trial) for trial in trials] == ["lost", "complete"]
    assert trials[1].params == theirs.params


@pytest.mark.slow
def test_a_server_that_restarts_in_the_middle_is_waited_for(root: Path, postgres: Postgres) -> None:
    plan = plan_of(config_of(train=QUICK | {"epochs": 40}), "back", 3, ["joint"], True, root)
    said: list[str] = []
    store = Store(postgres.url, root, said.append)
    study.create(plan, store)
    again = threading.Timer(2.5, postgres.start)

    def show(under_way: list[News], last: bool) -> None:
        if not again.ident and any(news.done for news in under_way):
            postgres.stop()
            again.start()
        study.count_finished(plan, store)

    assert run(plan, store, 2, None, show)
    again.join()
    assert len(said) == 2
    assert said[0].startswith("The storage is away (")
    assert said[0].endswith("); waiting 60 s for it at most.")
    assert said[1] == "The storage is back."
    trials = trials_of(plan, store, "joint")
    assert Counter(map(state_of, trials))["complete"] == 3
    assert {state_of(trial) for trial in trials} <= {"complete", "lost"}
    assert len({first_number(trial) for trial in trials if is_finished(trial)}) == 3
    store.close()


@pytest.mark.processes
def test_whose_turn_was_cut_off_lets_its_trial_wait(
    root: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restarted server has forgotten whose turn it was: another may have drawn the last trial meanwhile."""
    plan = plan_of(config_of(), "turn", 1, ["joint"], True, root)
    store = Store(postgres.url, root)
    study.create(plan, store)
    suggest, cut = study.suggest, []

    def suggest_and_restart(trial: Trial, space: Space) -> dict[str, Any]:
        values = suggest(trial, space)
        if not cut:
            cut.append(values)
            postgres.stop()
            postgres.start()
        return values

    monkeypatch.setattr(trial_module, "suggest", suggest_and_restart)
    work(plan, store, None, lambda news: None)
    trials = trials_of(plan, store, "joint")
    assert [state_of(trial) for trial in trials] == ["lost", "complete"]
    assert [trial.params for trial in trials] == [cut[0], cut[0]]
    store.close()


@pytest.mark.slow
def test_a_server_that_stays_away_ends_the_command_and_costs_no_trial(
    root: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "RETURN", (0.2, 0.2))
    config = config_of(train=QUICK | {"epochs": 100})
    plan = plan_of(config, "gone", 3, arms(config, every=False), True, root)
    store = Store(postgres.url, root)
    study.create(plan, store)
    stopped: list[int] = []
    others = set(psutil.Process().children())

    def show(under_way: list[News], last: bool) -> None:
        if not stopped and any(news.done for news in under_way):
            stopped.append(1)
            postgres.stop()
        study.count_finished(plan, store)

    with pytest.raises((UserError, *storage.GONE)):
        run(plan, store, 2, None, show)
    assert stopped
    assert not set(psutil.Process().children()) - others
    postgres.start()
    again = Store(postgres.url, root)
    study.create(plan, again)
    assert run(plan, again, 2, None, lambda under_way, last: None)
    states = Counter(map(state_of, trials_of(plan, again, "joint")))
    assert states["complete"] == 3
    assert set(states) <= {"complete", "lost"}
    again.close()
