"""Vibration of rotating machines: a source of stored windows with labels and a number to learn.

W windows of L rows, C axes. Each machine turns at a speed that differs from window to window; what its sensor picks up
is a sum of waves at multiples of the speed. A worn bearing adds a wave at a multiple of its own. The data are made
here, so that the example needs no file; where yours lie in one, read it from `path`.

    prepare:
      sources:
        machines: {kind: python, target: "examples.machines:read", options: {machines: 40, orders: [1, 2, 3]}}

Labels: `bearing` (sound or worn). Numeric targets: `speed` in turns a second.
"""

from pathlib import Path

import numpy as np
import torch

from mtl.errors import DataError
from mtl.types import Prepared

ROWS = 64
"""L."""
RATE = 256.0
"""Rows a second."""
AXES = ("x", "y", "z")
WORN_ORDER = 3.6
"""Multiple of the speed at which a worn bearing rings."""
FOLDS = 3
LEAST_MACHINES = 5
"""One is tested, and each fold has one at least."""


def read(
    name: str,
    path: Path | None,
    machines: int = 40,
    windows: int = 20,
    orders: list[float] | None = None,
    seed: int = 0,
) -> Prepared:
    """Windows of all machines; the last quarter of the machines is the test part.

    Args:
        name: of the source, as params.yaml calls it.
        path: its file; this source has none.
        machines: how many there are.
        windows: of each machine.
        orders: multiples of the speed at which every machine rings.
        seed: of the machines and their noise.

    Raises:
        DataError: there are too few machines for the parts.
    """
    if machines < LEAST_MACHINES:
        raise DataError(f"{name}: `machines` should be at least {LEAST_MACHINES}, found {machines}.")
    orders = [1.0, 2.0, 3.0] if orders is None else orders
    chance = np.random.default_rng(seed)
    machine = np.repeat(np.arange(machines), windows)
    speed = chance.uniform(8.0, 16.0, len(machine))
    worn = chance.integers(0, 2, len(machine))

    strength = chance.uniform(0.5, 1.5, (machines, len(AXES), len(orders)))
    seconds = np.arange(ROWS) / RATE
    values = chance.normal(0.0, 0.5, (len(machine), ROWS, len(AXES)))
    for number, order in enumerate(orders):
        values += strength[machine, :, number][:, None] * _wave(order * speed, seconds, chance)
    values += 1.2 * worn[:, None, None] * _wave(WORN_ORDER * speed, seconds, chance)

    tested = machine >= machines - machines // 4
    return Prepared(
        name=name,
        values=torch.from_numpy(values.reshape(-1, len(AXES))),  # all windows, end to end
        columns=list(AXES),
        units=dict.fromkeys(AXES, "m/s²") | {"speed": "turns a second"},
        window=ROWS,
        borders=None,
        # -1 is a test window. The others have the fold that they are held out with: a machine's windows stay together.
        fold=torch.from_numpy(np.where(tested, -1, machine % FOLDS)),
        folds=FOLDS,
        groups=torch.from_numpy(machine),
        labels={"bearing": torch.from_numpy(worn)},
        classes={"bearing": ["sound", "worn"]},
        numbers={"speed": torch.from_numpy(speed)},
        notes=[f"{machines} machines with {windows} windows each; {machines // 4} of them are the test part"],
    )


def _wave(frequency: np.ndarray, seconds: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """[W, L, 1] sine waves of these frequencies (turns a second), each from a place of its own."""
    start = chance.uniform(0.0, 2 * np.pi, (len(frequency), 1))
    wave: np.ndarray = np.sin(2 * np.pi * frequency[:, None] * seconds + start)
    return wave[:, :, None]
