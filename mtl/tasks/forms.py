"""Form of what a task predicts, for models that are fitted by a formula: rows ahead, a class, a number, or
a class at every position.

A simple model asks for the form and never for the kind of task, so that a new kind gets the simple models of its form.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class RowsForm:
    """The next rows of some channels."""

    targets: tuple[int, ...]
    """Numbers of the T channels."""
    horizon: int
    """H, rows that are predicted."""
    levels: tuple[float, ...] = ()
    """Levels of the Q quantiles of each number; empty where one number is predicted."""


@dataclass(frozen=True)
class LabelForm:
    """One of k classes."""

    classes: int
    """k."""
    single: bool
    """One logit, that of class 1, stands for both."""
    weights: tuple[float, ...] | None
    """Weight of the samples of each class in a fit; None: all weigh 1."""


@dataclass(frozen=True)
class NumberForm:
    """A number, z-scored."""

    levels: tuple[float, ...] = ()
    """Levels of the Q quantiles; empty where one number is predicted."""


@dataclass(frozen=True)
class TagForm:
    """One of k classes at every position of a sample."""

    classes: int
    """k."""


Form = RowsForm | LabelForm | NumberForm | TagForm
