"""Studies on a Dask cluster with PostgreSQL, all processes of their own: whatever is killed, N trials are finished."""

import gc
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from mtl.cli.study import cluster, crew, study
from mtl.cli.study.cluster import check_addresses, run_on
from mtl.cli.study.cluster_job import Ending, Order, order_for, planned
from mtl.cli.study.plan import Plan, plan_of
from mtl.cli.study.search_space import arms
from mtl.cli.study.storage import Store
from mtl.cli.study.study import first_number, is_finished, trials_of
from mtl.cli.study.table import state_of
from mtl.cli.study.trial import News, work
from mtl.errors import UserError
from mtl.experiment.identity import code_digest
from mtl.paths import PREPARED
from tests.cli.study.conftest import QUICK, config_of
from tests.helpers.dask_cluster import DaskCluster, free_port
from tests.helpers.postgres import Postgres

pytestmark = pytest.mark.processes


@pytest.fixture
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    made = DaskCluster(tmp_path_factory.mktemp("dask") / "log")
    yield made
    made.close()


def stored(root: Path, postgres: Postgres, name: str, trials: int, epochs: int) -> tuple[Plan, Store]:
    config = config_of(train=QUICK | {"epochs": epochs})
    plan = plan_of(config, name, trials, arms(config, every=False), True, root)
    store = Store(postgres.url, root)
    study.create(plan, store)
    return plan, store


def assert_whole(plan: Plan, store: Store, least_lost: int) -> None:
    """Exactly the trials that were asked for, each once, and none that is still open."""
    trials = trials_of(plan, store, "joint")
    counts = Counter(map(state_of, trials))
    assert counts == {"complete": plan.trials} | ({"lost": counts["lost"]} if counts["lost"] else {})
    assert counts["lost"] >= least_lost
    firsts = [first_number(trial) for trial in trials if is_finished(trial)]
    assert len(set(firsts)) == plan.trials
    store.close()


@pytest.mark.thorough
def test_a_killed_worker_loses_no_trial_and_another_one_comes_in_its_place(
    root: Path, postgres: Postgres, dask: DaskCluster
) -> None:
    plan, store = stored(root, postgres, "short", 3, 60)
    first = dask.hire(root)
    killed: list[int] = []

    def show(under_way: list[News], last: bool) -> None:
        if not killed and any(news.done for news in under_way):
            killed.append(first.pid)
            dask.kill(first)
            dask.hire(root)

    assert run_on(dask.address, plan, store, 2, None, show)
    assert killed
    assert_whole(plan, store, 1)
    jobs = [p for p in psutil.process_iter(["cmdline"]) if "mtl.cli.study.cluster_job" in (p.info["cmdline"] or [])]
    assert not [job for job in jobs if job.cwd() == str(root)]


# Dask's client leaves the connection to a scheduler that was killed to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.slow
def test_workers_that_are_killed_at_random_the_scheduler_and_the_storage_lose_nothing(
    root: Path, postgres: Postgres, dask: DaskCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, store = stored(root, postgres, "long", 16, 150)
    store.say = print
    draw = random.Random(7)
    for _ in range(2):
        dask.hire(root)
    began = time.monotonic()
    killed: list[float] = []
    restarted: list[str] = []

    def show(under_way: list[News], last: bool) -> None:
        if last:
            return
        finished = sum(study.count_finished(plan, store).values())
        if finished >= 5 and "storage" not in restarted:
            restarted.append("storage")
            postgres.stop()
            postgres.start()
        if finished >= 9 and "scheduler" not in restarted:
            restarted.append("scheduler")
            dask.restart()
        alive = [worker for worker in dask.workers if worker.poll() is None]
        if len(killed) < 5 and any(n.done for n in under_way) and draw.random() < 0.4 and len(alive) == 2:
            killed.append(time.monotonic() - began)
            dask.kill(draw.choice(alive))
        while len([worker for worker in dask.workers if worker.poll() is None]) < 2:
            dask.hire(root)

    assert run_on(dask.address, plan, store, None, None, show)
    assert len(killed) == 5
    assert restarted == ["storage", "scheduler"]
    assert_whole(plan, store, 3)
    gc.collect()


@pytest.mark.slow
def test_ctrl_c_hands_the_trials_back_at_once(root: Path, postgres: Postgres, dask: DaskCluster) -> None:
    plan, store = stored(root, postgres, "interrupted", 1, 200)
    dask.hire(root)

    def interrupt(under_way: list[News], last: bool) -> None:
        if any(news.done for news in under_way):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_on(dask.address, plan, store, 1, None, interrupt)
    assert [state_of(trial) for trial in trials_of(plan, store, "joint")] == ["lost", "waiting"]
    heard: list[News] = []
    assert run_on(dask.address, plan, store, 1, None, lambda under_way, last: heard.extend(under_way))
    assert_whole(plan, store, 1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="its processes are forked")
def test_who_is_asked_to_end_at_any_moment_hands_its_trial_back(root: Path, postgres: Postgres) -> None:
    draw = random.Random(1)
    for number in range(20):
        plan, store = stored(root, postgres, f"any-{number}", 1, 300)
        store.close()
        child = os.fork()
        if child == 0:
            try:
                ending = Ending()
                work(plan, Store(postgres.url, root), None, lambda news, ending=ending: ending.check())
            except KeyboardInterrupt:
                os._exit(7)
            finally:
                os._exit(1)
        time.sleep(0.5 + draw.random())
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert [state_of(trial) for trial in trials_of(plan, store, "joint")] == ["lost", "waiting"]
        store.close()


@pytest.mark.slow
def test_a_worker_that_is_asked_to_end_hands_its_trial_back(root: Path, postgres: Postgres, dask: DaskCluster) -> None:
    plan, store = stored(root, postgres, "ended", 1, 300)
    worker = dask.hire(root)
    found: list[list[str]] = []

    def end(under_way: list[News], last: bool) -> None:
        if not found and any(news.done for news in under_way):
            worker.terminate()
            worker.wait(30)
            found.append([state_of(trial) for trial in trials_of(plan, store, "joint")])
            dask.hire(root)

    assert run_on(dask.address, plan, store, 1, None, end)
    assert found == [["lost", "waiting"]]
    assert_whole(plan, store, 1)


@pytest.fixture
def other(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the same source was prepared otherwise."""
    made = tmp_path_factory.mktemp("other")
    shutil.copytree(folder / "data", made / "data")
    meta = made / PREPARED / "line/meta.json"
    meta.write_text(meta.read_text().replace("{", "{ ", 1))
    return made


def test_a_machine_with_other_data_or_code_says_so(
    root: Path, other: Path, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan, store = stored(root, postgres, "unlike", 1, 1)
    order = order_for(plan, store, None)
    store.close()
    sent = Order(**json.loads(order.dump()))
    assert planned(sent, root).spec("joint") == plan.spec("joint")
    with pytest.raises(UserError, match=f":{other} has other data than the study 'unlike': share the project's folder"):
        planned(sent, other)
    (other / "plugins").mkdir()
    (other / "plugins/mine.py").write_text("x = 1\n")
    code_digest.cache_clear()
    with pytest.raises(UserError, match="has other code than the study 'unlike'"):
        planned(sent, other)
    with pytest.raises(UserError, match="has other code than the study 'unlike'"):
        planned(replace(sent, pipelines="another"), root)
    with pytest.raises(UserError, match=r"meta\.json is missing"):
        planned(sent, tmp_path_factory.mktemp("empty"))


@pytest.mark.slow
def test_a_worker_with_other_data_is_left_out(
    root: Path, other: Path, postgres: Postgres, dask: DaskCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, store = stored(root, postgres, "other", 1, 1)
    dask.hire(other)
    with pytest.raises(UserError, match=r"no worker of .* can take part.*has other data than the study 'other': share"):
        run_on(dask.address, plan, store, None, None, lambda under_way, last: None)
    assert trials_of(plan, store, "joint") == []
    dask.hire(root)
    assert run_on(dask.address, plan, store, None, None, lambda under_way, last: None)
    assert capsys.readouterr().err.count("A worker is left out. Worker tcp://") == 2
    assert_whole(plan, store, 0)


@pytest.mark.parametrize(
    ("scheduler", "storage", "said"),
    [
        ("127.0.0.1:8786", "postgresql://x", "should be an address such as tcp://127.0.0.1:8786, found '127"),
        ("tcp://host", "postgresql://x", "should be an address"),
        ("tcp://a b:1", "postgresql://x", "should be an address"),
        ("tcp://host:8786", None, "needs `--storage postgresql://…`.*share a SQLite file; found none"),
        ("tls://host:8786", "sqlite:///x.db", "share a SQLite file; found 'sqlite:///x.db'"),
    ],
)
def test_addresses_that_cannot_be_used_are_one_message(scheduler: str, storage: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_addresses(scheduler, storage)


@pytest.mark.thorough
def test_a_scheduler_that_is_away_is_asked_a_few_times(
    root: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "ATTEMPTS", (0.1, 0.1))
    monkeypatch.setattr(crew, "CONNECT_SECONDS", 1)
    plan, store = stored(root, postgres, "away", 1, 1)
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(UserError, match=f"`--scheduler` {address} cannot be reached: .*the same command goes on"):
        run_on(address, plan, store, None, None, lambda under_way, last: None)
    assert capsys.readouterr().err == f"{address} cannot be reached; trying again.\n"
    store.close()


def test_a_scheduler_without_workers_is_waited_for_within_bounds(
    root: Path, postgres: Postgres, dask: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "NOBODY_SECONDS", 1.0)
    plan, store = stored(root, postgres, "nobody", 1, 1)
    with pytest.raises(UserError, match="has had no worker for 1 s: start some"):
        run_on(dask.address, plan, store, None, None, lambda under_way, last: None)
    store.close()
