"""Method config → balancer."""

from typing import assert_never

from mtl.balancing.base import Balancer
from mtl.balancing.uncertainty import Uncertainty
from mtl.balancing.weighted import FixedWeights, WeightedSum
from mtl.config import EqualMethod, Method, SequentialMethod, UncertaintyMethod, WeightedMethod
from mtl.types import TaskSpec


def build_balancer(method: Method | None, specs: list[TaskSpec]) -> Balancer:
    """The balancer of a method; None (a single-task run) and a phase of a sequential run weigh every loss by 1."""
    match method:
        case None | EqualMethod() | SequentialMethod():
            return FixedWeights(specs)
        case WeightedMethod():
            return WeightedSum(specs, method.lam, method.schedule)
        case UncertaintyMethod():
            return Uncertainty(specs, method.form)
        case _:
            assert_never(method)
