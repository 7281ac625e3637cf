"""`kind: regressions`: the settings of two planted regressions that pull a narrow network in two directions."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mtl.config.common import Fraction, Seed
from mtl.config.inputs import ROWS, InputKind, Known, SourceBase

TARGETS = ("first", "second")


class RegressionsSource(SourceBase):
    """Rows of independent standard normal numbers and two targets, each along a direction of its own.

    A network whose tasks share one number a row must choose a direction between the two: what it can reach, and what
    equal weights choose, is known exactly (`mtl.data.sources.regressions`).
    """

    holds: ClassVar[InputKind | None] = ROWS

    kind: Literal["regressions"]
    seed: Seed = 0
    rows: Annotated[int, Field(ge=100, le=1_000_000, strict=True)] = 6000
    inputs: Annotated[int, Field(ge=2, le=1000, strict=True)] = 10
    angle: Annotated[float, Field(gt=0, lt=90, strict=True)] = 60.0
    """Between the directions of the two targets, in degrees."""
    signal: tuple[Fraction, Fraction] = (0.9, 0.6)
    """Share of each target's variance that the inputs explain; 0 makes it noise, as in the example of Jacobian descent
    that others publish."""
    folds: Annotated[int, Field(ge=1, le=50, strict=True)] = 5
    """Training rows are dealt into this many parts; seed s holds out part s mod folds. 1: a fifth of them is the
    validation part of every seed."""
    test: Annotated[float, Field(ge=0.05, le=0.5, strict=True)] = 0.3
    """Share of the rows that is the test part."""

    @property
    def columns(self) -> list[str]:
        """Names of the inputs."""
        return [f"x{number + 1}" for number in range(self.inputs)]

    @property
    def known(self) -> Known:
        return Known((self.inputs,), {}, {}, columns=tuple(self.columns), numbers=TARGETS)
