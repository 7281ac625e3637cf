"""Config of a method that combines gradients → balancer; apart, since torchjd and its solvers take a second to load."""

from typing import assert_never

from mtl.balancing.aggregation import Direction, Weigher
from mtl.balancing.conflict_averse import CaGrad
from mtl.balancing.excess import ExcessMtl
from mtl.balancing.fairness import FairGrad, NashMtl
from mtl.balancing.jacobian import JacobianDescent
from mtl.balancing.mgda import Mgda
from mtl.balancing.projection import DualProj, UpGrad
from mtl.balancing.surgery import GradVac, PcGrad
from mtl.balancing.torchjd_methods import AlignedMtl, ConFig, ImtlG, Mean, Random, SignDrop, Sum
from mtl.config import balancing as methods
from mtl.tasks.base import TaskSpec


def build_descent(method: methods.GradientMethod, specs: list[TaskSpec], seed: int) -> JacobianDescent:
    """The balancer of a method that combines gradients; arguments and errors as in `build_balancer`."""
    on_features = isinstance(method, methods.Surrogate) and method.features == "features"
    return JacobianDescent(specs, _aggregation(method, len(specs), seed), on_features)


def _aggregation(method: methods.GradientMethod, count: int, seed: int) -> Weigher | Direction:
    match method:
        case methods.UpGradMethod():
            return UpGrad(method.preferences, count)
        case methods.DualProjMethod():
            return DualProj(method.preferences, count)
        case methods.MgdaMethod():
            return Mgda()
        case methods.PcGradMethod():
            return PcGrad(seed)
        case methods.GradVacMethod():
            return GradVac(count, method.beta, seed)
        case methods.CaGradMethod():
            return CaGrad(method.c)
        case methods.NashMtlMethod():
            return NashMtl(method.max_norm)
        case methods.ImtlGMethod():
            return ImtlG()
        case methods.AlignedMtlMethod():
            return AlignedMtl(method.preferences, count)
        case methods.GradDropMethod():
            return SignDrop(seed)
        case methods.ConFigMethod():
            return ConFig(method.preferences, count)
        case methods.FairGradMethod():
            return FairGrad(method.alpha)
        case methods.ExcessMtlMethod():
            return ExcessMtl(count, method.step_size, method.warmup_steps)
        case methods.MeanMethod():
            return Mean()
        case methods.SumMethod():
            return Sum()
        case methods.RandomMethod():
            return Random(seed)
        case _:
            assert_never(method)
