"""The state of a run at the end of an epoch: one file, replaced atomically, from which it goes on bit for bit."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mtl.errors import UserError

State = dict[str, Any]


class Checkpoint:
    """Saves and restores modules, an optimiser, torch's random state and a JSON-able record.

    Args:
        path: the file; None keeps nothing (tests, throw-away runs).
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def save(
        self, modules: dict[str, nn.Module], optimiser: torch.optim.Optimizer, best: dict[str, Tensor], record: State
    ) -> None:
        """Writes everything to a temporary file beside `path` and puts it in place in one step.

        Raises:
            UserError: the folder cannot be written (read-only, disk full).
        """
        if self.path is None:
            return
        tensors = {f"{label}/{name}": tensor for label, m in modules.items() for name, tensor in m.state_dict().items()}
        tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
        for index, values in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{index}/{key}": value for key, value in values.items()}
        tensors["random"] = torch.get_rng_state()
        if torch.cuda.is_initialized():  # dropout on a GPU draws there
            tensors["random_cuda"] = torch.cuda.get_rng_state()
        # Tensors that share memory (tied or expanded ones) would be refused.
        tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            save_file(tensors, temporary, metadata={"record": json.dumps(record, sort_keys=True)})
            temporary.replace(self.path)
        except (OSError, SafetensorError) as error:  # a full disk is the latter
            with suppress(OSError):
                temporary.unlink()
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"{self.path} cannot be written: {reason}.") from None

    def load(
        self, modules: dict[str, nn.Module], optimiser: torch.optim.Optimizer
    ) -> tuple[State, dict[str, Tensor]] | None:
        """Restores the modules, the optimiser and the random state; returns (record, best weights).

        None when there is no file. A file that cannot be read, or that does not fit, is an error that names it:
        starting over silently would hide a broken disk or a clash of keys.
        """
        if self.path is None or not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                record: State = json.loads(file.metadata()["record"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            for label, module in modules.items():
                module.load_state_dict(_below(tensors, f"{label}/"))
            _restore_optimiser(optimiser, _below(tensors, "optimiser/"))
            torch.set_rng_state(tensors["random"])
            if "random_cuda" in tensors:
                torch.cuda.set_rng_state(tensors["random_cuda"])
        except Exception as error:  # any damage of the file shows as one of many types
            raise UserError(
                f"{self.path} is not a usable training state ({error}); delete it to start over."
            ) from error
        return record, _below(tensors, "best/")

    def remove(self) -> None:
        """Deletes the file, once the run's results are written."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state = optimiser.state_dict()
    state["state"] = {}
    for name, tensor in tensors.items():
        index, key = name.split("/", 1)
        state["state"].setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict(state)
