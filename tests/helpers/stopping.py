"""A run that is stopped in its middle and started again: it ends with the very bits of one that nothing happened to."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mtl.config import Config
from mtl.experiment import run_finetune


def ends_as_if_never_stopped(
    settings: Config, name: str, seed: int, root: Path, at: tuple[type, str], call: int
) -> None:
    """Stops the run of a method by Ctrl-C at a call of some function, goes on, and compares every file.

    Args:
        settings: whose `base.state_seconds` say how often a state is saved.
        name: of the method.
        seed: of the run.
        root: a project folder with prepared data, in which the undisturbed run is made; the other below it.
        at: a class and the method of it that is interrupted before it does anything.
        call: at which of its calls, from 1.
    """
    owner, function = at
    whole = run_finetune(settings, name, seed, root)
    expected = {path.name: path.read_bytes() for path in whole.iterdir()}
    other = root / "other"
    other.mkdir()
    (other / "data").symlink_to((root / "data").resolve())
    original, calls = vars(owner)[function], 0

    def stopped(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, function, stopped)
        with pytest.raises(KeyboardInterrupt):
            run_finetune(settings, name, seed, other)
    assert not (other / whole.relative_to(root)).exists()
    torch.rand(3)  # Another process starts with other random numbers.
    resumed = run_finetune(settings, name, seed, other)
    assert {path.name: path.read_bytes() for path in resumed.iterdir()} == expected
