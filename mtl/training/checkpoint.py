"""The state of a run: one file, replaced atomically, from which the run goes on bit for bit.

It is written at the end of an epoch, unless the last is so young that writing would take more than a small share of
the run's time; after the last epoch in any case; and in the middle of one when the last is `seconds` old. When a state
is written changes no result: it holds everything that a step depends on, torch's random numbers included.
"""

import json
import logging
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mtl.errors import UserError

LOG = logging.getLogger("mtl.training")
UNUSABLE = ".unusable"
"""Ending of a state file that was set aside."""
SHARE = 0.02
"""Largest share of a run's time that goes into states at the ends of its epochs."""
Record = dict[str, Any]


@dataclass(frozen=True)
class Saved:
    """Content of a state besides what `load` has put back."""

    record: Record
    best: dict[str, Tensor]
    """Weights of the best epoch so far."""
    tally: dict[str, Tensor]
    """Sums of the epoch that was begun; empty at an epoch's end."""


class Checkpoint:
    """Saves and restores modules, an optimiser, torch's random state and a JSON-able record.

    Args:
        path: the file; None keeps nothing (tests, throw-away runs).
        key: hash of what the run depends on; a file with another key is not this run's.
        seconds: age of the last state at which another is due in the middle of an epoch.
    """

    def __init__(self, path: Path | None, key: str = "", seconds: float = 60.0) -> None:
        self.path, self.key, self.seconds = path, key, seconds
        self.last = self.born = monotonic()
        self.spent = 0.0
        """Seconds of training that went into the state before this process took it up."""
        self.cost = 0.0
        """Seconds that the last writing took; 0 before the first."""

    def due(self) -> bool:
        """True when a long epoch should save its state now."""
        return self.path is not None and monotonic() - self.last >= self.seconds

    def due_at_end(self) -> bool:
        """True when the end of an epoch, not the last of its run, should save its state."""
        return self.path is not None and monotonic() - self.last >= min(self.seconds, self.cost / SHARE)

    def save(
        self,
        modules: Mapping[str, nn.Module],
        optimiser: torch.optim.Optimizer,
        record: Record,
        best: Mapping[str, Tensor] | None = None,
        tally: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Writes everything to a temporary file beside `path` and puts it in place in one step.

        Raises:
            UserError: the folder cannot be written (read-only, disk full); the state before stays.
        """
        if self.path is None:
            return
        began = monotonic()
        tensors = {f"{label}/{name}": tensor for label, m in modules.items() for name, tensor in m.state_dict().items()}
        tensors |= {f"best/{name}": tensor for name, tensor in (best or {}).items()}
        tensors |= {f"tally/{name}": tensor for name, tensor in (tally or {}).items()}
        for index, values in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{index}/{key}": value for key, value in values.items()}
        tensors["random"] = torch.get_rng_state()
        if torch.cuda.is_initialized():  # dropout on a GPU draws there
            tensors["random_cuda"] = torch.cuda.get_rng_state()
        # Tensors that share memory (tied or expanded ones) would be refused.
        tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        spent = self.spent + monotonic() - self.born
        header = {"key": self.key, "record": record, "seconds": spent, "checksum": _checksum(tensors)}
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            save_file(tensors, temporary, metadata={"state": json.dumps(header, sort_keys=True)})
            temporary.replace(self.path)
        except (OSError, SafetensorError) as error:  # a full disk is the latter
            with suppress(OSError):
                temporary.unlink()
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"{self.path} cannot be written: {reason}. What was saved before is whole, and the run goes on from "
                "there when it is started again."
            ) from None
        self.last = monotonic()
        self.cost = self.last - began

    def load(self, modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer) -> Saved | None:
        """Restores the modules, the optimiser and the random state; None when there is nothing to go on from.

        A file that cannot be read, that belongs to another run or does not fit is set aside under another name, with
        a warning, and everything is left as it was: the run starts over.
        """
        self.last = self.born = monotonic()
        if self.path is None or not self.path.exists():
            return None
        before = {label: _copy(module.state_dict()) for label, module in modules.items()}
        random = torch.get_rng_state()
        fresh = optimiser.state_dict()
        try:
            header, tensors = read_state(self.path)
            if header["checksum"] != _checksum(tensors):
                raise ValueError("its checksum is another than its tensors'")
            if header["key"] != self.key:
                raise ValueError(f"it belongs to a run with the key {str(header['key'])[:16]!r}")
            for label, module in modules.items():
                module.load_state_dict(_below(tensors, f"{label}/"))
            _restore_optimiser(optimiser, _below(tensors, "optimiser/"))
            torch.set_rng_state(tensors["random"])
            if "random_cuda" in tensors:
                torch.cuda.set_rng_state(tensors["random_cuda"])
            self.spent = float(header["seconds"])
            return Saved(header["record"], _below(tensors, "best/"), _below(tensors, "tally/"))
        except Exception as error:  # any damage of the file shows as one of many types
            for label, module in modules.items():
                module.load_state_dict(before[label])
            optimiser.load_state_dict(fresh)
            torch.set_rng_state(random)
            self._set_aside(error)
            return None

    def _set_aside(self, error: Exception) -> None:
        assert self.path is not None
        aside = self.path.with_name(self.path.name + UNUSABLE)
        try:
            self.path.replace(aside)
        except OSError as failure:
            raise UserError(f"{self.path} is not a usable training state and cannot be moved: {failure}") from None
        reason = " ".join(str(error).split())[:200]
        LOG.warning(
            "%s is not a usable training state (%s); it is kept as %s, and the run starts over.",
            self.path, reason, aside.name,
        )  # fmt: skip

    def remove(self) -> None:
        """Deletes the file, once the run's results are written."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def read_state(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(header with `key` and `record`, tensors) of a state file; any error when it is none."""
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["state"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def read_header(path: Path) -> dict[str, Any]:
    """`key` and `record` of a state file, without its tensors; any error when it is none."""
    with safe_open(path, framework="pt") as file:
        header: dict[str, Any] = json.loads(file.metadata()["state"])
    return header


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    """Over names and bytes: safetensors itself notices a file that was cut, not one whose bits have changed."""
    checksum = 0
    for name in sorted(tensors):
        checksum = zlib.crc32(name.encode() + b"\0", checksum)
        checksum = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes(), checksum)
    return checksum


def _copy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state = optimiser.state_dict()
    state["state"] = {}
    for name, tensor in tensors.items():
        index, key = name.split("/", 1)
        state["state"].setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict(state)
