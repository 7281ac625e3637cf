"""docker/compose.yaml as Docker Compose reads it, and its services as processes of this machine.

A container's own ports and host names are mapped: each port that a service listens on becomes a free one of 127.0.0.1
(for every copy of a service), the names `postgres`, `mlflow` and `scheduler` and the address 0.0.0.0 become 127.0.0.1,
and the paths in containers become paths here. Commands, environments and health checks are otherwise those of the file.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.helpers.dask_cluster import free_port

DOCKER = Path(__file__).resolve().parents[2] / "docker"
FILE = DOCKER / "compose.yaml"
PORTS = ("5432", "5000", "8786", "8787", "8788", "8080", "8000")
"""Ports that containers listen on."""
HOSTS = ("postgres", "mlflow", "scheduler")
VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?:(:[-?])([^}]*))?\}")
Json = dict[str, Any]


class MissingVariable(Exception):
    """Compose ends with its message."""


def interpolated(text: str, environment: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `$$`, as Compose puts them in."""

    def value(found: re.Match[str]) -> str:
        if found.group() == "$$":
            return "$"
        name, kind, rest = found.groups()
        given = environment.get(name, "")
        if given or kind is None:
            return given
        if kind == ":?":
            raise MissingVariable(f"{name}: {rest}")
        return str(rest)

    return VARIABLE.sub(value, text)


def load(environment: Mapping[str, str] | None) -> Json:
    """The file as it stands (None), or with variables put in."""

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: walk(value) for key, value in node.items()}
        if isinstance(node, list):
            return [walk(value) for value in node]
        return interpolated(node, environment or {}) if isinstance(node, str) else node

    plain: Json = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return plain if environment is None else walk(plain)


def free_ports() -> dict[str, str]:
    """A port of ours for each."""
    return {port: str(free_port()) for port in PORTS}


@dataclass
class Stack:
    """Services as processes on loopback."""

    folder: Path
    """For logs and volumes."""
    project: Path
    """/project of the containers."""
    secrets: Mapping[str, str]
    ports: dict[str, str]
    """Port in a container → port here."""
    running: dict[str, tuple[subprocess.Popen[bytes], dict[str, str]]] = field(default_factory=dict)
    """Name of a copy of a service → its process and ports."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.services: Json = load(self.secrets)["services"]
        self.auth = self.folder / "mlflow-auth.ini"
        self.auth.write_text(self.here((DOCKER / "mlflow-auth.ini").read_text(), self.ports))

    def here(self, text: str, ports: Mapping[str, str]) -> str:
        """Translates addresses and paths of the containers into those of this machine."""
        text = re.sub(rf"\b({'|'.join(HOSTS)}):", "127.0.0.1:", text).replace("0.0.0.0", "127.0.0.1")
        text = re.sub(rf"(?<!\d)({'|'.join(PORTS)})(?!\d)", lambda found: ports[found.group()], text)
        for there, ours in {
            "/etc/mtl/mlflow-auth.ini": self.auth, "/artefacts": self.folder / "artefacts",
            "/tmp/dask": self.folder / "dask",
        }.items():  # fmt: skip
            text = text.replace(there, str(ours))
        return re.sub(r"^/project\b", str(self.project), text)

    def environment(self, service: str, ports: Mapping[str, str] | None = None) -> dict[str, str]:
        """Environment of a service's process: nothing of ours but the way to programs."""
        kept = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.folder)}
        kept |= {"DO_NOT_TRACK": "true", "DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}  # The image's.
        declared = self.services[service].get("environment", {})
        return kept | {name: self.here(str(value), ports or self.ports) for name, value in declared.items()}

    def command(self, service: str, *arguments: str) -> list[str]:
        """A service's command; `arguments` take the place of its own, as with `docker compose run`."""
        body = self.services[service]
        words = [*body.get("entrypoint", []), *(arguments or body["command"])]
        return [self.here(str(word), self.ports) for word in words]

    def start(self, service: str, name: str | None = None) -> subprocess.Popen[bytes]:
        """A copy of a service."""
        name = name or service
        own = self.running[name][1] if name in self.running else dict(self.ports)
        if name != service and name not in self.running:
            own |= {"8788": str(free_port())}
        body = self.services[service]
        words = [self.here(str(word), own) for word in [*body.get("entrypoint", []), *body["command"]]]
        folder = self.here(body.get("working_dir", str(self.folder)), own)
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                words, env=self.environment(service, own), cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.running[name] = (process, own)
        return process

    def kill(self, name: str) -> None:
        """A copy of a service and everything that it started, with -9."""
        process, _ = self.running[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def is_healthy(self, service: str, name: str | None = None) -> bool:
        """Runs the health check of a service."""
        ports = self.running[name or service][1] if (name or service) in self.running else self.ports
        kind, *words = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        words = [self.here(str(word), ports) for word in words]
        if words[0] == "healthy":
            words[:1] = [sys.executable, str(DOCKER / "healthy.py")]
        done = subprocess.run(
            words, env=self.environment(service), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return done.returncode == 0

    def await_health(self, service: str, name: str | None = None, seconds: float = 120) -> None:
        """As `docker compose up --wait` does."""
        end = time.monotonic() + seconds
        while not self.is_healthy(service, name):
            assert time.monotonic() < end, self.log(name or service)
            assert self.running[name or service][0].poll() is None, self.log(name or service)
            time.sleep(0.3)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]

    def close(self) -> None:
        for process, _ in self.running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
