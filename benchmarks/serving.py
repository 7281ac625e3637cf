"""`mtl serve` under many clients at once: requests a second, latency, errors, and memory over time.

    python -m benchmarks.serving --model models/auto --clients 50 --seconds 60

The service runs in a process of its own; the clients, each with one connection, ask the printed example again and again
from this process, and so share the cores with it. Memory is looked at each second, after a tenth of the time.
"""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import perf_counter, sleep
from urllib.parse import urlsplit

import numpy as np
import psutil

from benchmarks.command import count, finish, parser, start
from benchmarks.machine import Result
from mtl.errors import UserError
from mtl.serving.app import INVOCATIONS, example_request
from mtl.serving.load import load_model
from mtl.serving.service import Service

GROWTH = 0.1
"""Share by which memory may grow once it is warm."""


@dataclass
class Seen:
    """Observations of all clients."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def _client(address: str, body: bytes, until: float, seen: Seen) -> None:
    place = urlsplit(address)
    connection = HTTPConnection(str(place.hostname), place.port, timeout=60)
    while perf_counter() < until:
        began = perf_counter()
        try:
            connection.request("POST", INVOCATIONS, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            if response.status == 200 and b'"predictions"' in text:
                seen.seconds.append(perf_counter() - began)
            else:
                seen.errors.append(f"{response.status}: {text[:200].decode(errors='replace')}")
        except (OSError, HTTPException) as error:
            seen.errors.append(repr(error))
            connection.close()
    connection.close()


def _under_load(
    address: str, body: bytes, clients: int, seconds: int, process: psutil.Process
) -> tuple[Seen, list[int]]:
    """Observations of the clients, and bytes of memory of the service each second."""
    seen, memory, until = Seen(), [], perf_counter() + seconds
    threads = [threading.Thread(target=_client, args=(address, body, until, seen)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    while perf_counter() < until:
        memory.append(process.memory_info().rss)
        sleep(min(1.0, max(0.0, until - perf_counter())))
    for thread in threads:
        thread.join()
    return seen, memory


def main(given: Sequence[str] | None = None) -> int:
    """Serves a model, asks it, and reports."""
    command = parser("serving", __doc__)
    command.add_argument("--model", type=Path, required=True, help="folder of a deployed model or of a run")
    command.add_argument("--tasks", help="which are answered, by commas; else all")
    command.add_argument("--clients", type=count, default=50, help="that ask at once (default: 50)")
    command.add_argument("--seconds", type=count, default=60, help="of asking (default: 60)")
    options = command.parse_args(given)
    tasks = None if options.tasks is None else options.tasks.split(",")
    body = example_request(Service(load_model(options.model), tasks)).encode()
    serve = [sys.executable, "-m", "mtl.cli", "serve", "--model", str(options.model), "--port", "0"]
    serve += [] if tasks is None else ["--tasks", options.tasks]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline().split()
            if not line:
                raise UserError("the service did not start; its message stands above.")
            seen, memory = _under_load(line[0], body, options.clients, options.seconds, psutil.Process(server.pid))
        finally:
            server.send_signal(signal.SIGINT)
    for error in sorted(set(seen.errors))[:5]:
        print(error, file=sys.stderr)
    warm = memory[len(memory) // 10 :]
    spent = np.array(seen.seconds or [0.0]) * 1000
    results = [
        Result("requests", len(seen.seconds) / options.seconds, "a second", note=f"{options.clients} clients"),
        *(Result(f"latency, {share} %", float(np.percentile(spent, share)), "ms") for share in (50, 90, 99)),
        Result("latency, most", float(spent.max()), "ms"),
        Result("errors", float(len(seen.errors)), "requests", 0.0, note=f"of {len(seen.seconds) + len(seen.errors):,}"),
        Result("memory at the start", memory[0] / 1e6, "MB", note="with the first requests"),
        Result("memory at the end", warm[-1] / 1e6, "MB"),
        Result("growth of memory", warm[-1] / warm[0] - 1, "share", GROWTH, note="after a tenth of the time"),
    ]
    return finish(options, results, {"request": json.loads(body), "memory": memory})


if __name__ == "__main__":
    start(lambda: main())
