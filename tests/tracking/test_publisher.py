"""The process in the background: nobody waits for it, there is one, it ends, and what it is told of may change."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from mtl.config import Config
from mtl.paths import RunPath
from mtl.tracking import publish, publish_stage, settle, sync, tell_problem
from mtl.tracking.address import state_folder
from mtl.tracking.job import make
from mtl.tracking.ledger import is_published
from mtl.tracking.owner import current_owner
from mtl.tracking.spool import spool_of
from tests.tracking.results import RUNS, SEEDS, assert_complete, make_config, runs_of, write_results, write_run
from tests.tracking.server import Proxy

LONG = 120.0
JOINT = [RunPath("finetune", "joint", None, seed).folder for seed in SEEDS]
PRETRAINING = [RunPath("pretrain", None, None, seed).folder for seed in SEEDS]

pytestmark = pytest.mark.processes

STAGE = """
import sys
from pathlib import Path
import psutil
from mtl.paths import RunPath
from mtl.tracking import publish_stage

stage, name, start, seed = sys.argv[2:]
publish_stage(stage, [RunPath(stage, name or None, start or None, int(seed)).folder], Path(sys.argv[1]))
print("mlflow" in sys.modules, psutil.Process().net_connections())
"""


def stage(root: Path, *which: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", STAGE, str(root), *which]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def publishers(root: Path) -> list[psutil.Process]:
    folder = str(state_folder(root))
    return [p for p in psutil.process_iter(["cmdline"]) if folder in (p.info["cmdline"] or [])]


def until(found: Callable[[], object], seconds: float = LONG) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def local(database: str, request: pytest.FixtureRequest) -> Config:
    return make_config(database, request.node.name)


@pytest.fixture
def root(tmp_path: Path, local: Config) -> Path:
    folder = tmp_path / "project"
    write_results(folder, local)
    return folder


@pytest.mark.thorough
def test_a_stage_neither_imports_mlflow_nor_waits_for_the_tracker(tmp_path: Path) -> None:
    """The tracker takes connections and never answers. `communicate` returns: nothing of the stage's is held open."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(LONG)
        config = make_config(f"http://127.0.0.1:{silent.getsockname()[1]}", "silent")
        write_results(tmp_path, config)
        done = stage(tmp_path, "finetune", "joint", "", "0")
        out, err = done.communicate(timeout=LONG)
        assert (done.returncode, out, err) == (0, "False []\n", "")
        connection, _ = silent.accept()  # The publisher's, with the stage long gone.
        connection.close()
    until(lambda: not publishers(tmp_path))


@pytest.mark.slow
def test_one_publisher_serves_stages_that_end_at_once_and_then_ends(local: Config, root: Path) -> None:
    which = [("finetune", "joint", "", str(seed)) for seed in SEEDS] + [("pretrain", "", "", "0")]
    for child in [stage(root, *run) for run in which]:
        assert child.communicate(timeout=LONG) == ("False []\n", "")
    until(lambda: not spool_of(root).names())
    until(lambda: len(publishers(root)) <= 1)  # those that found another at work take a moment to end
    names = [run.info.run_name for run in runs_of(local) if run.data.tags["stage"] != "pipeline"]
    assert sorted(names) == ["s0 joint", "s0 pretraining", "s1 joint"]
    assert {run.data.tags["execution"] for run in runs_of(local)} == {"computed", "workspace"}
    until(lambda: not publishers(root))
    assert publish(local, root, patience=LONG).new == RUNS - 3
    assert_complete(local)


@pytest.mark.slow
def test_results_that_were_replaced_since_are_not_published(local: Config, root: Path) -> None:
    spool_of(root).put(make(local, root, set(JOINT)), current_owner(), None)
    write_run(root, RunPath("finetune", "joint", None, 0), ["ahead", "fault"], 0.3)
    (root / JOINT[1] / "history.json").unlink()
    publish_stage("pretrain", [RunPath("pretrain", None, None, 0).folder], root)
    settle(root, patience=LONG)
    assert [r.info.run_name for r in runs_of(local) if "mtl.content" in r.data.tags] == ["s0 pretraining"]


@pytest.mark.slow
def test_settings_that_change_meanwhile_belong_to_other_runs(local: Config, root: Path) -> None:
    spool_of(root).put(make(local, root, set(JOINT)), current_owner(), None)
    write_results(root / "elsewhere", local)
    other = local.model_copy(update={"train": local.train.model_copy(update={"lr": 0.5})})
    (root / "params.yaml").write_text((root / "params.yaml").read_text().replace('"lr": 0.001', '"lr": 0.5'))
    assert make(other, root).key != make(local, root).key
    settle(root, patience=LONG)
    parents = [run for run in runs_of(local) if run.data.tags["stage"] == "pipeline"]
    assert [run.data.params["train.lr"] for run in parents] == ["0.001"]


@pytest.mark.slow
def test_a_publisher_that_is_killed_leaves_nothing_that_sync_does_not_repair(
    remote: Config, results: Path, proxy: Proxy
) -> None:
    for name, folders in (("finetune", JOINT), ("pretrain", PRETRAINING)):
        proxy.calls.clear()
        proxy.delay = 0.1
        publish_stage(name, folders, results)
        until(lambda: len([call for call in proxy.calls if "log-batch" in call]) > 1)
        for process in publishers(results):
            process.kill()
            process.wait()
    proxy.well()
    assert sync(remote, results).problem is None
    assert_complete(remote)


@pytest.mark.slow
def test_what_is_known_to_be_there_is_not_asked_for(remote: Config, results: Path, proxy: Proxy) -> None:
    assert not is_published(make(remote, results))
    assert sync(remote, results).new == RUNS
    calls = len(proxy.calls)
    assert publish(remote, results, patience=LONG).new == 0
    assert len(proxy.calls) == calls
    (results / "report/report.html").write_text("<html>another</html>")
    publish(remote, results, patience=LONG)
    assert len(proxy.calls) > calls
    assert is_published(make(remote, results))
    assert sync(remote, results).present == RUNS, "sync asks the store itself"


@pytest.mark.thorough
def test_a_problem_of_training_stages_is_told_once_and_by_somebody_else(
    remote: Config, results: Path, proxy: Proxy, warnings_of: list[str]
) -> None:
    proxy.status = 401
    child = stage(results, "finetune", "joint", "", "0")
    assert child.communicate(timeout=LONG) == ("False []\n", "")
    until(lambda: not spool_of(results).names())
    for _ in range(2):
        tell_problem(results)
    assert len(warnings_of) == 1 and "401" in warnings_of[0]
    proxy.well()
    assert publish(remote, results, patience=LONG).new == RUNS
    assert len(warnings_of) == 1


@pytest.mark.slow
def test_a_temporary_workspace_is_published_before_it_vanishes(
    local: Config, root: Path, tmp_path: Path, warnings_of: list[str]
) -> None:
    workspace = root / ".dvc/tmp/exps/tmpab12"
    write_results(workspace, local)
    publish_stage("finetune", JOINT, workspace)
    assert {run.info.run_name for run in runs_of(local)} >= {"s0 joint", "s1 joint"}
    assert not (workspace / ".mtl").exists()
    broken = make_config(f"sqlite:///{tmp_path}", "a folder")
    write_results(workspace.with_name("tmpcd34"), broken)
    for _ in range(2):
        publish_stage("finetune", JOINT, workspace.with_name("tmpcd34"))
    assert len(warnings_of) == 1 and "`dvc exp apply" in warnings_of[0]


@pytest.mark.parametrize("shell", ["exec {}", "{}; exit $?"], ids=["a shell that is replaced", "a shell that stays"])
def test_the_owner_of_a_stage_is_dvc_whatever_shell_stands_between(shell: str) -> None:
    code = "from mtl.tracking.owner import current_owner; print(current_owner().pid, current_owner().pipeline)"
    command = shell.format(f'"{sys.executable}" -c "{code}"')
    done = subprocess.run(
        ["/bin/sh", "-c", command], env={**os.environ, "DVC_STAGE": "x"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(os.getpid()), "True"]
