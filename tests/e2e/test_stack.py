"""docker/compose.yaml from start to a tuned study, its services as processes of this machine (`compose` says how).

PostgreSQL is Debian's, made as the image makes it: a user and a database as the environment names them, then the files
of docker-entrypoint-initdb.d.
"""

import base64
import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg
import pytest

from tests.e2e.compose import DOCKER, Stack, free_ports
from tests.e2e.killing import interruptible, until
from tests.e2e.project import Project
from tests.e2e.test_tune import states, tuned
from tests.helpers.postgres import USER, running

Json = dict[str, Any]


@pytest.fixture
def stack(workspace: Project, tmp_path: Path) -> Iterator[Stack]:
    """Everything but PostgreSQL's image, started in the order of `depends_on`."""
    with running("stack") as server:
        given = {
            "MTL_DB_PASSWORD": server.password,
            "MTL_MLFLOW_PASSWORD": secrets.token_hex(12),
            "MTL_MLFLOW_SECRET": secrets.token_hex(24),
        }
        made = Stack(tmp_path / "stack", workspace.root, given, free_ports() | {"5432": str(server.port)})
        declared = made.services["postgres"]["environment"]
        assert (declared["POSTGRES_USER"], declared["POSTGRES_PASSWORD"]) == (USER, server.password)
        text = f"CREATE DATABASE {declared['POSTGRES_DB']};" + (DOCKER / "databases.sql").read_text()
        with psycopg.connect(server.url, autocommit=True) as connection:
            for statement in filter(str.strip, text.split(";")):
                connection.execute(statement.encode())
        try:
            assert made.is_healthy("postgres")
            for service in ("mlflow", "scheduler"):
                assert not made.is_healthy(service)
                made.start(service)
            for service in ("mlflow", "scheduler"):
                made.await_health(service)
            for number in range(made.services["worker"]["deploy"]["replicas"]):
                made.start("worker", f"worker-{number + 1}")
            made.start("dashboard")
            for name in ("worker-1", "worker-2"):
                made.await_health("worker", name)
            made.await_health("dashboard")
            yield made
        finally:
            made.close()


def asked(
    stack: Stack, path: str, body: Json | None = None, password: str | None = None, host: str | None = None
) -> Any:
    """MLflow's answer to a question by its API."""
    request = Request(f"http://127.0.0.1:{stack.ports['5000']}{path}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if password is not None:
        user = stack.services["mlflow"]["environment"]["MLFLOW_AUTH_ADMIN_USERNAME"]
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    if host is not None:
        request.add_header("Host", host)
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def runs_of(stack: Stack) -> list[Json]:
    """All runs that MLflow has."""
    password = stack.secrets["MTL_MLFLOW_PASSWORD"]
    experiments = asked(stack, "/api/2.0/mlflow/experiments/search", {"max_results": 100}, password)["experiments"]
    found: list[Json] = asked(
        stack, "/api/2.0/mlflow/runs/search",
        {"experiment_ids": [one["experiment_id"] for one in experiments], "max_results": 1000}, password,
    ).get("runs", [])  # fmt: skip
    return found


def tags_of(run: Json) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}


@pytest.mark.slow
def test_a_study_on_the_stack_outlives_a_restart_of_mlflow(stack: Stack, workspace: Project) -> None:
    trials = 8
    params = tuned()
    params["tracking"] = {"enabled": True}
    params["train"]["epochs"] = 40
    workspace.use(params)

    # Nobody is let in without the password, or by another name.
    experiments = "/api/2.0/mlflow/experiments/search?max_results=1"
    for password in (None, "wrong-password-1"):
        with pytest.raises(HTTPError) as refused:
            asked(stack, experiments, password=password)
        assert refused.value.code == 401
    with pytest.raises(HTTPError) as refused:
        asked(stack, experiments, password=stack.secrets["MTL_MLFLOW_PASSWORD"], host="evil.example.org")
    assert refused.value.code == 403
    assert asked(stack, experiments, password=stack.secrets["MTL_MLFLOW_PASSWORD"])["experiments"]

    words = stack.command("mtl", "tune", "--trials", str(trials), "--workers", "2")
    assert words[:3] == ["python", "-m", "mtl.cli"]
    process = subprocess.Popen(
        interruptible(*words[1:]), cwd=workspace.root, env=stack.environment("mtl"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    folders = workspace.root / ".mtl/studies/study/joint"

    def finished() -> int:
        return len(list(folders.glob("trial-*/outputs/finetune/joint/seed-*/run.json")))

    try:
        until(lambda: finished() >= 2 or process.poll() is not None, 240, "two finished trials")
        assert process.poll() is None, process.communicate()
        stack.kill("mlflow")
        time.sleep(2)
        assert process.poll() is None, process.communicate()
        stack.start("mlflow")
        stack.await_health("mlflow")
        out, err = process.communicate(timeout=400)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, out + err
    assert "is complete" in out
    secret_values = [value for value in stack.secrets.values() if value in out + err]
    assert not secret_values

    if "`mtl sync`" in out + err:  # It was told that MLflow is away, and says what then makes up for it.
        done = subprocess.run(
            stack.command("mtl", "sync"), cwd=workspace.root, env=stack.environment("mtl"), capture_output=True,
            text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert states(workspace, "joint").count("complete") == trials
    runs = [run for run in runs_of(stack) if tags_of(run).get("stage") == "trial"]
    assert len({tags_of(run)["seed"] for run in runs}) == len(runs) == trials
    assert {run["info"]["status"] for run in runs} == {"FINISHED"}
    parents = {tags_of(run)["mlflow.parentRunId"] for run in runs}
    assert len(parents) == 1
    assert all(any(m["key"] == "val/ahead/mse" for m in run["data"]["metrics"]) for run in runs)
    address = stack.environment("mtl")["MTL_STORAGE"]
    with psycopg.connect(address, password=stack.secrets["MTL_DB_PASSWORD"]) as connection:
        query = "SELECT count(DISTINCT value_json) FROM trial_user_attributes WHERE key = 'worker'"
        assert connection.execute(query).fetchone() == (2,)  # Both have trained.

    applied = subprocess.run(
        stack.command("mtl", "tune", "--apply", "best"), cwd=workspace.root, env=stack.environment("mtl"),
        capture_output=True, text=True,
    )  # fmt: skip
    assert applied.returncode == 0, applied.stderr
    assert "+      lambda: " in applied.stdout
