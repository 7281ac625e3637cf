"""Real processes that share one training, joined by gloo on the loopback address.

They are forked from a process of their own, which has imported what they need and does nothing else: the test's process
may have threads of torch, whose locks a fork would take along for ever. It serves all tests of a session, since its
imports take longer than any of them.
"""

import atexit
import importlib
import json
import multiprocessing
import os
import pickle
import selectors
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import cloudpickle
import torch
from torch.distributed import TCPStore

from mtl.errors import UserError
from mtl.training.processes import joined
from mtl.training.team import Team

PATIENCE = 300.0
CPU = torch.device("cpu")
PROJECT = Path(__file__).resolve().parents[2]


def together(size: int, work: Callable[[Team], Any]) -> list[Any]:
    """Runs `work` in `size` processes; returns each one's value or UserError, or None where it was killed."""
    with tempfile.TemporaryDirectory() as folder:
        task, found, said = (Path(folder, name) for name in ("task", "found", "said"))
        task.write_bytes(cloudpickle.dumps((dict(os.environ), size, work)))  # pickle cannot name a test's own function
        starter = _starter()
        assert starter.stdin is not None and starter.stdout is not None
        order = {"module": work.__module__, "task": str(task), "found": str(found), "said": str(said)}
        starter.stdin.write(json.dumps(order) + "\n")
        starter.stdin.flush()
        with selectors.DefaultSelector() as waiting:
            waiting.register(starter.stdout, selectors.EVENT_READ)
            if not waiting.select(2 * PATIENCE):
                _starter.cache_clear()
                starter.kill()
                raise TimeoutError(f"no answer within {2 * PATIENCE:.0f} s")
        assert starter.stdout.readline() == "0\n", said.read_text(encoding="utf-8")
        values: list[Any] = pickle.loads(found.read_bytes())
        return values


@cache
def _starter() -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.helpers.team"]
    process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end() -> None:
        process.communicate()  # it ends where its orders do

    atexit.register(end)
    return process


def _serve() -> None:
    """Forks a process for every order, which starts the others, and says its exit code."""
    for line in sys.stdin:
        order = json.loads(line)
        importlib.import_module(order["module"])
        child = os.fork()
        if child == 0:
            _start(Path(order["task"]), Path(order["found"]), Path(order["said"]))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _start(task: Path, found: Path, said: Path) -> NoReturn:
    code = 1
    try:
        output = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        environment, size, work = pickle.loads(task.read_bytes())
        os.environ.clear()
        os.environ.update(environment)
        found.write_bytes(pickle.dumps(_answers(size, work)))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _answers(size: int, work: Callable[[Team], Any]) -> list[Any]:
    """The port is one that the system has chosen, of a store that this process holds as torchrun does."""
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe() for _ in range(size)]
    members = [context.Process(target=_member, args=(rank, size, work, pipes[rank][1])) for rank in range(size)]
    for member in members:
        member.start()
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=PATIENCE))
    for (ours, theirs), _ in zip(pipes, members, strict=True):
        theirs.close()
        ours.send(store.port)
    found = []
    for rank, (ours, _) in enumerate(pipes):
        assert ours.poll(PATIENCE), f"process {rank} of {size} does not answer"
        try:
            kind, value = ours.recv()
        except EOFError:
            kind, value = "killed", None
        assert kind != "bug", value
        found.append(value)
    for member in members:
        member.join(PATIENCE)
        assert member.exitcode is not None
    return found


def _member(rank: int, size: int, work: Callable[[Team], Any], pipe: Any) -> None:
    environment = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size,
                   "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": pipe.recv(), "GLOO_SOCKET_IFNAME": "lo",
                   "TORCHELASTIC_USE_AGENT_STORE": True}  # fmt: skip
    os.environ.update({name: str(value) for name, value in environment.items()})
    try:
        with joined(size, CPU) as team:
            found = work(team)
        pipe.send(("value", found))
    except UserError as error:
        pipe.send(("error", error))
    except BaseException:
        pipe.send(("bug", traceback.format_exc()))
    os._exit(0)


if __name__ == "__main__":
    _serve()
