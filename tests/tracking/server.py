"""A real MLflow server on loopback, and a proxy before it that is slow, refuses, or loses what it was told to."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Server:
    """`mlflow server` on a SQLite database of its own; killed and started again it is the same one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self, wait: bool = True) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(self.port), "--workers", "1",
                   "--backend-store-uri", f"sqlite:///{self.folder}/server.db",
                   "--artifacts-destination", str(self.folder / "files")]  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        environment = kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        if wait:
            self.wait()

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return int(answer.status) == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait(self) -> None:
        end = time.monotonic() + 180
        while not self.answers():
            assert self.process is not None and self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        """-9, it and its workers."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


Rule = Callable[[str, str], str | None]
"""(method, path) → None, or what goes wrong: `cut` (nothing arrives) or `lose` (it arrives, the answer does not)."""


class Proxy:
    """Hands on what it is sent, unless it was told otherwise."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay = 0.0
        self.status: int | None = None
        """Answered to everything."""
        self.rule: Rule = lambda method, path: None
        self.calls: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy._handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def uri(self) -> str:
        return f"http://{HOST}:{self.server.server_address[1]}"

    def well(self) -> None:
        """From now on nothing goes wrong."""
        self.delay, self.status, self.rule = 0.0, None, lambda method, path: None

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.calls.append(f"{request.command} {request.path}")
        time.sleep(self.delay)
        wrong = self.rule(request.command, request.path)
        if wrong == "cut":
            request.close_connection = True
            return
        if self.status is not None:
            self._answer(request, self.status, b"no", "text/plain")
            return
        connection = http.client.HTTPConnection(HOST, self.target, timeout=60)
        try:
            headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "connection")}
            connection.request(request.command, request.path, body, headers)
            answer = connection.getresponse()
            content, kind = answer.read(), answer.headers.get("Content-Type", "text/plain")
        except (OSError, http.client.HTTPException):
            request.close_connection = True
            return
        finally:
            connection.close()
        if wrong == "lose":
            request.close_connection = True
            return
        self._answer(request, answer.status, content, kind)

    @staticmethod
    def _answer(request: BaseHTTPRequestHandler, status: int, content: bytes, kind: str) -> None:
        try:
            request.send_response(status)
            request.send_header("Content-Type", kind)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)
        except OSError:
            request.close_connection = True  # Who asked has given up.
