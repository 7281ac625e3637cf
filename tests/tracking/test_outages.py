"""A real MLflow server that is away, refuses, is slow or loses answers: one warning, and `sync` repairs everything."""

import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from mtl.config import Config
from mtl.paths import RunPath
from mtl.tracking import publish, publish_stage, settle, sync
from tests.tracking.results import RUNS, SEEDS, assert_complete, make_config, runs_of, write_results
from tests.tracking.server import Proxy, Server

pytestmark = pytest.mark.thorough
QUICK = 3.0
"""Seconds of patience, where nothing is to be waited for."""
LONG = 120.0
"""Patience where all is well: a busy machine is no outage."""
QUICK_BREAKS = [("runs/create", "lose"), ("weights.safetensors", "cut")]
"""Breaks that are tried on every change, the others in the slow set."""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's settings are the user's: here, that of one who does not wait."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")


def assert_repaired(config: Config, root: Path) -> None:
    """After `sync` everything is there once, and a second one finds nothing to do."""
    done = sync(config, root)
    assert done.problem is None
    assert done.new + done.present == RUNS
    assert_complete(config)
    again = sync(config, root)
    assert (again.new, again.present) == (0, RUNS)


@pytest.mark.slow
def test_a_server_that_refuses(remote: Config, results: Path, proxy: Proxy, warnings_of: list[str]) -> None:
    for status in (401, 403, 500):
        proxy.status = status
        failed = sync(remote, results)
        assert failed.new == 0 and failed.problem is not None
        assert f"MLflow at {proxy.uri} cannot be reached: " in failed.problem and str(status) in failed.problem
        assert failed.problem.endswith("Results are safe; `mtl sync` publishes them later.")
        assert len(failed.problem) < 500
    proxy.well()
    assert_repaired(remote, results)
    assert warnings_of == [], "who asks by `sync` is answered"


@pytest.mark.slow
def test_a_server_that_refuses_the_publisher(
    remote: Config, results: Path, proxy: Proxy, warnings_of: list[str]
) -> None:
    proxy.status = 403
    for seed in SEEDS:
        publish_stage("finetune", [RunPath("finetune", "joint", None, seed).folder], results)
    done = publish(remote, results, patience=LONG)
    assert len(warnings_of) == 1 and warnings_of == [done.problem] == [sync(remote, results).problem]
    proxy.well()
    assert_repaired(remote, results)
    assert len(warnings_of) == 1


def test_a_server_that_is_away(tmp_path: Path, warnings_of: list[str], server: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening: refused, and nobody else can have it.
        config = make_config(f"http://127.0.0.1:{taken.getsockname()[1]}", "away")
        write_results(tmp_path, config)
        publish_stage("finetune", [RunPath("finetune", "joint", None, 0).folder], tmp_path)
        settle(tmp_path, patience=LONG)
        assert len(warnings_of) == 1 and "Connection refused" in warnings_of[0]
        publish(config, tmp_path, patience=LONG)
        assert len(warnings_of) == 1, "one warning a pipeline run"
    moved = make_config(server.uri, "away")
    assert_repaired(moved, tmp_path)


def test_a_server_that_never_answers(tmp_path: Path, warnings_of: list[str]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        config = make_config(f"http://127.0.0.1:{silent.getsockname()[1]}", "silent")
        write_results(tmp_path, config)
        done = publish(config, tmp_path, patience=QUICK)
    assert done.new == 0
    assert len(warnings_of) == 1 and "mtl sync" in warnings_of[0]


@pytest.mark.slow
def test_a_slow_server_is_given_up_between_calls(
    remote: Config, results: Path, proxy: Proxy, warnings_of: list[str]
) -> None:
    publish_stage("pretrain", [RunPath("pretrain", None, None, 0).folder], results)
    settle(results, patience=LONG)
    proxy.delay = 0.5
    publish(remote, results, patience=4 * QUICK)
    assert len(warnings_of) == 1
    there = len(
        [run for run in runs_of(remote) if run.info.status == "FINISHED" and run.data.tags["stage"] != "pipeline"]
    )
    assert f"MLflow at {proxy.uri} is slow. {there} of {RUNS} runs are there." in warnings_of[0]
    assert 1 <= there < RUNS
    calls = len(proxy.calls)
    proxy.well()
    assert len(proxy.calls) == calls, "it goes on after it was given up"
    assert_repaired(remote, results)


@pytest.mark.slow
def test_answers_that_are_lost(
    remote: Config, results: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, warnings_of: list[str]
) -> None:
    """The call has arrived, so that calling again makes a run twice; MLflow's client calls again by itself."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    seen: Counter[str] = Counter()

    def every_third(method: str, path: str) -> str | None:
        seen[path] += 1
        return "lose" if method != "GET" and seen[path] % 3 == 1 else None

    proxy.rule = every_third
    done = sync(remote, results)
    assert (done.new, done.problem) == (RUNS, None)
    assert seen["/api/2.0/mlflow/runs/create"] > RUNS + 1, "nothing was called again"
    assert_complete(remote)
    proxy.well()
    assert_repaired(remote, results)


BREAKS = [
    pytest.param(where, how, id=f"{how} {where}", marks=[] if (where, how) in QUICK_BREAKS else pytest.mark.slow)
    for where in ("runs/create", "runs/log-batch", "runs/update", "weights.safetensors")
    for how in ("cut", "lose")
]


@pytest.mark.slow
@pytest.mark.parametrize(("where", "how"), BREAKS)
def test_a_connection_that_breaks_in_the_middle(
    where: str, how: str, remote: Config, results: Path, proxy: Proxy
) -> None:
    left = [3]

    def fourth(method: str, path: str) -> str | None:
        if where in path and method != "GET":
            left[0] -= 1
        return how if left[0] < 0 else None

    proxy.rule = fourth
    done = sync(remote, results)
    assert done.problem is not None and done.new < RUNS
    proxy.well()
    assert_repaired(remote, results)


@pytest.mark.slow
def test_two_clones_publish_at_once(remote: Config, results: Path, tmp_path: Path) -> None:
    """They share no lock, and what they publish is the same."""
    other = tmp_path / "other"
    write_results(other, remote)
    code = (
        "import sys; from pathlib import Path; from mtl.config import load_config; from mtl.tracking import sync;"
        "root = Path(sys.argv[1]); print(sync(load_config(root / 'params.yaml'), root))"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(root)]) for root in (results, other)]
    assert [child.wait(timeout=300) for child in children] == [0, 0]
    assert_repaired(remote, results)


def storm(kills: int, tmp_path: Path) -> None:
    """Kills the server at random moments while the publisher and `sync` publish, then lets `sync` finish."""
    server = Server(tmp_path)
    server.start()
    config = make_config(server.uri, "storm")
    root = tmp_path / "project"
    write_results(root, config)
    ended = threading.Event()
    failures = 0

    def blows() -> None:
        try:
            for number in range(kills):
                ended.wait(0.2 + 0.37 * (number % 4))
                server.kill()
                server.start()
        finally:
            ended.set()  # A server that does not start again fails the test, which else would publish for ever.

    thread = threading.Thread(target=blows)
    thread.start()
    try:
        while not ended.is_set():
            failures += sync(config, root).problem is not None
    finally:
        thread.join()
    assert failures > 0, "no kill was noticed"
    assert_repaired(config, root)
    server.kill()


@pytest.mark.slow
@pytest.mark.processes
def test_a_server_that_is_killed_and_started_again(tmp_path: Path) -> None:
    storm(1, tmp_path)


@pytest.mark.processes
@pytest.mark.slow
def test_a_server_that_is_killed_again_and_again(tmp_path: Path) -> None:
    storm(12, tmp_path)
