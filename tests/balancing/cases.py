"""One row a method: what it is expected to do, and what it is known not to do.

test_every_method.py runs every property over every row. A property that a method lacks is declared here with the
reason; a method without a row fails the suite.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torchjd.aggregation import (
    IMTLG,
    MGDA,
    Aggregator,
    AlignedMTL,
    CAGrad,
    ConFIG,
    DualProj,
    FairGrad,
    Mean,
    NashMTL,
    PCGrad,
    Sum,
    UPGrad,
)

PINNED_JACOBIAN = [[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]]
"""The example of torchjd's documentation: two gradients in conflict."""
PINNED_LOSSES = [2.0, 0.5]
TORCHJD = "torchjd 0.18.0, example of its documentation"


@dataclass(frozen=True)
class Case:
    """A method and its properties."""

    config: dict[str, Any]
    pinned: list[float]
    """Weights in a first step with the gradients `PINNED_JACOBIAN` and the losses `PINNED_LOSSES`."""
    source: str
    """Where they come from."""
    lacks: dict[str, str] = field(default_factory=dict)
    """Property → why the method does not have it."""
    peer: Callable[[int], Aggregator] | None = None
    """Torchjd's own for K tasks, which must go the same way on any gradients."""

    @property
    def kind(self) -> str:
        return str(self.config["kind"])


BY_PLACE = "its weights belong to places"
BY_CHANCE = "its weights are drawn"
ORDER = "the order in which gradients are altered is drawn"

CASES = [
    Case({"kind": "equal"}, [1, 1], "definition"),
    Case({"kind": "fixed", "weights": [0.3, 0.7]}, [0.3, 0.7], "definition",
         {"alone": "its weight is not 1", "permutes": BY_PLACE, "cancels": BY_PLACE}),
    Case({"kind": "weighted", "lambda": 0.2}, [0.8, 0.2], "1 − λ and λ",
         {"alone": "a forecast weighs 1 − λ", "cancels": "λ is not ½"}),
    Case({"kind": "uncertainty"}, [0.5, 1], "½·e^{−s} for a forecast, e^{−s} for a label, s = 0",
         {"alone": "a forecast starts at ½"}),
    Case({"kind": "dwa"}, [1, 1], "equal in the first two epochs"),
    Case({"kind": "gradnorm"}, [1, 1], "starts equal"),
    Case({"kind": "rlw"}, [0.1105674, 0.8894326], "softmax of two normal numbers of the stream with seed 0",
         {"permutes": BY_CHANCE, "cancels": BY_CHANCE}),
    Case({"kind": "imtl_l"}, [1, 1], "e^s, s = 0"),
    Case({"kind": "geometric_mean"}, [0.25, 1], "√(L₁L₂) / (2·L_k) = 1 / (2·L_k), by hand"),
    Case({"kind": "stch", "mu": 0.5}, [0.5 / (1 + 2.718281828**-1.5), 0.5 / (1 + 2.718281828**1.5)],
         "½·softmax(½·L / μ), by hand"),
    Case({"kind": "famo"}, [0.2, 0.8], "proportional to 1 / L_k at equal z, by hand"),
    Case({"kind": "upgrad"}, [1.1109, 0.7894], TORCHJD, peer=lambda k: UPGrad()),
    Case({"kind": "dualproj"}, [0.5 + 1 / 9, 0.5], "the mean plus 2/18 of the first gradient, by hand",
         peer=lambda k: DualProj()),
    Case({"kind": "mgda"}, [0.6, 0.4], "the foot [0, 1, 1] of the perpendicular on the segment, by hand",
         peer=lambda k: MGDA(epsilon=1e-5, max_iters=20_000)),
    Case({"kind": "pcgrad"}, [1 + 22 / 18, 1 + 22 / 38], "1 − g₁·g₂ / ‖g_k‖², by hand", {"permutes": ORDER},
         peer=lambda k: PCGrad()),
    Case({"kind": "gradvac"}, [1 + 22 / 18, 1 + 22 / 38], "as PCGrad, since the running means start at 0",
         {"permutes": ORDER, "toy": "it comes late: from one of the starts it is 1.7 away after 500 steps"}),
    Case({"kind": "cagrad", "c": 0.5}, [0.70412, 0.5], TORCHJD,
         {"alone": "it adds c times the gradient", "moves": "a common direction of 1e-8 of the gradients counts as 0"},
         peer=lambda k: CAGrad(c=0.5)),
    Case({"kind": "nash_mtl"}, [0.41823, 0.28784], TORCHJD, {"alone": "it has a length of 1"},
         peer=lambda k: NashMTL(k)),
    Case({"kind": "imtl_g"}, [0.59233, 0.40767], TORCHJD, peer=lambda k: IMTLG()),
    Case({"kind": "aligned_mtl"}, [0.55907, 0.40826], TORCHJD, peer=lambda k: AlignedMTL()),
    Case({"kind": "graddrop"}, [1, 1], "it weighs numbers, not tasks",
         {"permutes": BY_CHANCE, "cancels": "numbers of one sign are kept",
          "descends": "it rests only where all gradients are 0, and else walks about in the box between the minima"}),
    Case({"kind": "config"}, [1.22648, 0.84412], TORCHJD, peer=lambda k: ConFIG()),
    Case({"kind": "fairgrad"}, [0.59144, 0.40706], "torchjd 0.18.0, FairGrad(alpha=1)",
         {"alone": "its length depends on α alone"}, peer=lambda k: FairGrad(alpha=1.0)),
    Case({"kind": "excess_mtl"}, [0.5, 0.5], "equal in the first steps"),
    Case({"kind": "mean"}, [0.5, 0.5], "definition", peer=lambda k: Mean()),
    Case({"kind": "sum"}, [1, 1], "definition", peer=lambda k: Sum()),
    Case({"kind": "random"}, [0.1105674, 0.8894326], "as rlw", {"permutes": BY_CHANCE, "cancels": BY_CHANCE}),
]  # fmt: skip
