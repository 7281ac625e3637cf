"""How long, how fast and in which batches the networks of a new project learn, by the number of rows."""

from dataclasses import dataclass

TRAINED = 0.64
"""Share of the rows that train: four fifths of those that are not tested on."""
STEPS = 1500
"""Steps of a run, about: as many as the presets of tables take, whose rates were chosen on validation data."""
FEWEST, MOST = 4, 100
"""Epochs."""
SMALL, LARGE = 1000, 20_000
"""Rows up to which networks are kept from learning rows by heart, and from which on that needs little."""


@dataclass(frozen=True)
class Budget:
    """Settings that depend on the number of rows.

    Args:
        epochs: of a run.
        steps: of an epoch, about.
        batch_size: rows of a step.
        dropout: of the network.
    """

    epochs: int
    steps: int
    batch_size: int
    dropout: float


def budget(rows: int) -> Budget:
    """Batches of an eightieth of the rows, between 32 and 256, and about STEPS of them."""
    size = 256 if rows >= LARGE else 128 if rows >= 5_000 else 64 if rows >= 2_000 else 32
    steps = max(1, round(TRAINED * rows / size))
    dropout = 0.3 if rows <= SMALL else 0.2 if rows < LARGE else 0.1
    return Budget(min(max(round(STEPS / steps), FEWEST), MOST), steps, size, dropout)
