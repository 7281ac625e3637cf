"""docker/: the file is valid, nothing in it is secret, nothing is open to others unless it is asked for."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.e2e.compose import DOCKER, FILE, PORTS, MissingVariable, interpolated, load
from tests.e2e.project import clone

PROJECT = DOCKER.parent
SECRETS = {name: f"secret-of-{name}" for name in ("MTL_DB_PASSWORD", "MTL_MLFLOW_PASSWORD", "MTL_MLFLOW_SECRET")}
SECRET_NAMES = re.compile(r"PASSWORD|SECRET|KEY|TOKEN")


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = load(SECRETS)["services"]
    return found


def test_it_keeps_to_the_published_schema() -> None:
    """compose-spec.json is the Compose Specification's own (Apache-2.0), as Docker Compose 2.40.3 holds it."""
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
    jsonschema.Draft7Validator(schema).validate(load(SECRETS))
    broken = load(SECRETS)
    broken["services"]["worker"]["comand"] = []
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.Draft7Validator(schema).validate(broken)


def test_docker_compose_reads_it_as_we_do() -> None:
    program = shutil.which("docker-compose")
    words = [program] if program else ["docker", "compose"]
    if program is None and (shutil.which("docker") is None or subprocess.run([*words, "version"]).returncode != 0):
        pytest.skip("Docker Compose is not installed")
    command = [*words, "-f", str(FILE), "--profile", "*", "config", "--format", "json"]
    missing = subprocess.run(command, env={"PATH": "/usr/bin"}, capture_output=True, text=True)
    assert missing.returncode != 0
    assert "set it in docker/.env" in missing.stderr
    done = subprocess.run(command, env=SECRETS | {"PATH": "/usr/bin"}, capture_output=True, text=True, check=True)
    # What it prints is a file for itself again, in which a dollar is written twice.
    theirs, ours = json.loads(done.stdout.replace("$$", "$"))["services"], load(SECRETS)["services"]
    assert theirs.keys() == ours.keys()
    for name, service in ours.items():
        assert theirs[name].get("environment", {}) == service.get("environment", {})
        assert theirs[name].get("command") == service.get("command")
        assert theirs[name]["healthcheck"].get("test") == service["healthcheck"].get("test")


def test_every_service_says_what_it_runs_and_how_it_is_asked(services: dict[str, Any]) -> None:
    assert services.keys() == {"postgres", "mlflow", "scheduler", "worker", "dashboard", "serve", "mtl"}
    for name, service in services.items():
        assert re.fullmatch(r"[\w./-]+:[\w.-]+", service["image"]), name
        assert "no-new-privileges:true" in service["security_opt"], name
        if name == "postgres":
            continue
        assert service["image"] == "mtl:latest" and service["build"]["dockerfile"] == "docker/Dockerfile"
        assert service["cap_drop"] == ["ALL"]
        assert all(isinstance(word, str) for word in service["command"]), name
        check = service["healthcheck"]
        assert check == {"disable": True} if name == "mtl" else check["test"][:2] == ["CMD", "healthy"]
        for other, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"} and other in services
    assert services["serve"]["profiles"] == ["serve"]
    assert services["mtl"]["profiles"] == ["command"]  # Not started with the others.
    # Copies of a worker have no name and no port of the host's to quarrel over.
    assert not {"ports", "container_name", "hostname"} & services["worker"].keys()


def test_ports_are_opened_on_loopback_alone(services: dict[str, Any]) -> None:
    opened = [port for service in services.values() for port in service.get("ports", [])]
    assert len(opened) == 5
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:(\d+)", port) and port.rpartition(":")[2] in PORTS for port in opened)
    others = load(SECRETS | {"MTL_BIND": "10.0.0.5"})["services"]
    assert others["mlflow"]["ports"] == ["10.0.0.5:5000:5000"]
    assert others["dashboard"]["ports"] == ["127.0.0.1:8080:8080"]  # It knows no users.


def test_no_file_holds_a_secret(services: dict[str, Any]) -> None:
    for name, service in load(None)["services"].items():
        for key, value in service.get("environment", {}).items():
            if SECRET_NAMES.search(key):
                assert re.fullmatch(r"\$\{MTL_\w+:\?set it in docker/\.env, as \.env\.example says\}", value), (
                    name,
                    key,
                )
        words = [*service.get("command", []), *service.get("entrypoint", [])]
        assert not any(SECRET_NAMES.search(word) for word in words), name  # Everybody sees a command.
        assert not any(re.search(r"://[^/@\s]*:[^/@\s]*@", str(word)) for word in words), name
    for path in (DOCKER / "mlflow-auth.ini", DOCKER / "databases.sql", DOCKER / "Dockerfile"):
        assert not re.search(r"(?i)(password|secret|token)\s*[=:]\s*\S", path.read_text()), path
    example = dict(line.split("=", 1) for line in (DOCKER / ".env.example").read_text().splitlines()
                   if line and not line.startswith("#"))  # fmt: skip
    assert {name for name, value in example.items() if not value} == set(SECRETS)
    for secret in SECRETS:
        with pytest.raises(MissingVariable, match=f"{secret}: set it in docker/.env"):
            load(SECRETS | {secret: ""})
    used = set(re.findall(r"\$\{(MTL_\w+)", FILE.read_text()))
    assert set(example) <= used
    ignored = subprocess.run(["git", "check-ignore", "-q", "docker/.env"], cwd=PROJECT)
    assert ignored.returncode == 0


def test_variables_are_put_in_as_compose_does() -> None:
    assert interpolated("${A}-${B:-x:y}-${C:?m}-$$D", {"C": "c"}) == "-x:y-c-$D"
    with pytest.raises(MissingVariable, match="C: m"):
        interpolated("${C:?m}", {"C": ""})


def test_the_image_is_pinned_small_and_nobody_is_root_in_it(tmp_path: Path) -> None:
    text = (DOCKER / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.11-slim-\w+$", text, re.MULTILINE)
    torch = """RUN pip install --no-deps --index-url "$TORCH_INDEX" "$(grep '^torch==' constraints.txt)"\n"""
    assert torch in text
    assert re.search(r"^RUN pip install -c constraints\.txt -e '\.\[cluster\]'$", text, re.MULTILINE)
    assert re.search(r"^USER mtl$", text, re.MULTILINE) and not re.search(r"^USER root$", text, re.MULTILINE)
    pinned = (PROJECT / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in pinned
    for name in ("dask", "distributed", "mlflow", "optuna", "optuna-dashboard", "psycopg", "Flask-WTF", "dvc"):
        assert any(line.startswith(f"{name}==") for line in pinned), name
    # What is copied exists in a clone.
    fresh = clone(PROJECT, tmp_path).root
    sources = [word for line in re.findall(r"^COPY (?:--\S+ )?(.*) \S+$", text, re.MULTILINE) for word in line.split()]
    assert sources and all((fresh / source).exists() for source in sources)
    kept = [line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all(any(fresh.glob(path)) for path in kept)
    copied = [file for path in kept for file in fresh.glob(path)]
    links = [link for link in (fresh / "mtl").rglob("*") if link.is_symlink()]
    for target in (link.resolve() for link in links):
        inside = [target] if target.is_file() else list(target.glob("*.*"))
        assert inside and all(any(file.is_relative_to(place) for place in copied) for file in inside), target
    assert {"constraints.txt", "pyproject.toml", "mtl", "docker/healthy.py"} <= set(kept)
