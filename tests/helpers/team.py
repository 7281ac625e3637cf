"""Real processes that share one training, joined by gloo on the loopback address.

They are forked from a process of their own, which has imported this and done nothing else: the test's process may have
threads of torch, whose locks a fork would take along for ever.
"""

import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

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
        task, found = Path(folder, "task"), Path(folder, "found")
        task.write_bytes(cloudpickle.dumps((size, work)))  # pickle cannot name a test's own function
        command = [sys.executable, "-m", "tests.helpers.team", str(task), str(found)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        values: list[Any] = pickle.loads(found.read_bytes())
        return values


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
    Path(sys.argv[2]).write_bytes(pickle.dumps(_answers(*pickle.loads(Path(sys.argv[1]).read_bytes()))))
