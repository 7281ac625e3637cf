"""This process as one of a team that torchrun has started: gloo on CPUs, nccl on GPUs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from mtl.checks import bad
from mtl.errors import UserError
from mtl.training.team import Team, answered

ENVIRONMENT = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables in which torchrun tells each process its place: https://docs.pytorch.org/docs/stable/elastic/run.html."""


@contextmanager
def joined(processes: int, device: torch.device) -> Iterator[Team]:
    """This process as one of those that torchrun has started, by its environment (RANK, WORLD_SIZE, MASTER_ADDR, …).

    Raises:
        UserError: there are not `processes` of them, or more on this machine than it has GPUs; or torchrun has not
            started them.
    """
    missing = [name for name in ENVIRONMENT if name not in os.environ]
    if missing:
        raise UserError(f"{missing[0]} is not set: several processes are started by torchrun, which sets it.")
    started = int(os.environ["WORLD_SIZE"])
    if started != processes:
        raise bad("pretrain.processes", f"be {started}, the processes that torchrun has started", processes)
    if device.type == "cuda":
        check_gpus(int(os.environ["LOCAL_WORLD_SIZE"]))
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    with answered():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    yield Team(dist.get_rank(), dist.get_world_size())
    dist.destroy_process_group()  # not after an error: the others might not answer


def check_gpus(processes: int) -> None:
    """Raises a UserError unless each process of this machine can have a GPU of its own."""
    gpus = torch.cuda.device_count()
    if processes > gpus:
        should = f"be at most the {gpus} GPU{'' if gpus == 1 else 's'} of this machine, or `base.device` cpu"
        raise bad("pretrain.processes", should, processes)
