"""Method config → balancer."""

from typing import assert_never

from mtl.balancing.aggregation import Direction, Weigher
from mtl.balancing.base import Balancer
from mtl.balancing.dwa import Dwa
from mtl.balancing.excess import ExcessMtl
from mtl.balancing.fairness import FairGrad, NashMtl
from mtl.balancing.famo import Famo
from mtl.balancing.gradnorm import GradNorm
from mtl.balancing.jacobian import JacobianDescent
from mtl.balancing.mgda import Mgda
from mtl.balancing.normalisation import Normalised
from mtl.balancing.projection import DualProj, UpGrad
from mtl.balancing.random_weights import RandomWeights
from mtl.balancing.scalarised import GeometricLoss, ImtlL, Stch
from mtl.balancing.surgery import GradVac, PcGrad
from mtl.balancing.torchjd_methods import AlignedMtl, CaGrad, ConFig, ImtlG, Mean, Random, SignDrop, Sum
from mtl.balancing.uncertainty import Uncertainty
from mtl.balancing.weighted import FixedWeights, WeightedSum
from mtl.config import Method
from mtl.config import balancing as methods
from mtl.types import TaskSpec


def build_balancer(method: Method | None, specs: list[TaskSpec], seed: int = 0) -> Balancer:
    """The balancer of a method; None (a single-task run) and a phase of a sequential run weigh every loss by 1.

    Args:
        method: its section of params.yaml.
        specs: the tasks of the run, in order.
        seed: of the run; methods that draw have a stream of their own from it.

    Raises:
        UserError: a package that the method needs is not installed.
    """
    if method is None or isinstance(method, methods.SequentialMethod):
        return FixedWeights(specs)
    balancer = (
        JacobianDescent(specs, _aggregation(method, len(specs), seed), _on_features(method))
        if isinstance(method, methods.GradientMethod)
        else _weighting(method, specs, seed)
    )
    return balancer if method.normalise == "none" else Normalised(specs, balancer, method.normalise)


def _on_features(method: methods.GradientMethod) -> bool:
    return isinstance(method, methods.Surrogate) and method.features == "features"


def _weighting(method: methods.LossMethod, specs: list[TaskSpec], seed: int) -> Balancer:
    match method:
        case methods.EqualMethod():
            return FixedWeights(specs)
        case methods.FixedMethod():
            return FixedWeights(specs, method.weights)
        case methods.WeightedMethod():
            return WeightedSum(specs, method.lam, method.schedule)
        case methods.UncertaintyMethod():
            return Uncertainty(specs, method.form)
        case methods.DwaMethod():
            return Dwa(specs, method.temperature)
        case methods.GradNormMethod():
            return GradNorm(specs, method.alpha)
        case methods.RlwMethod():
            return RandomWeights(specs, seed)
        case methods.ImtlLMethod():
            return ImtlL(specs)
        case methods.GeometricMeanMethod():
            return GeometricLoss(specs)
        case methods.StchMethod():
            return Stch(specs, method.mu, method.preferences)
        case methods.FamoMethod():
            return Famo(specs, method.lr, method.decay)
        case _:
            assert_never(method)


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
