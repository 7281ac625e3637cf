"""Method config → balancer. What needs torchjd is imported only when it is used: it takes a second to load."""

from typing import assert_never

from mtl.balancing.base import Balancer
from mtl.balancing.dwa import Dwa
from mtl.balancing.famo import Famo
from mtl.balancing.gradnorm import GradNorm
from mtl.balancing.normalisation import Normalised
from mtl.balancing.random_weights import RandomWeights
from mtl.balancing.uncertainty import Uncertainty
from mtl.balancing.weighted import FixedWeights, WeightedSum
from mtl.config import Method
from mtl.config import balancing as methods
from mtl.errors import UserError
from mtl.tasks.base import TaskSpec

PACKAGES = {"torchjd": "'torchjd>=0.18,<0.19'"}
"""Requirements of packages of which not every version will do."""


def build_balancer(method: Method, specs: list[TaskSpec], seed: int = 0) -> Balancer:
    """The balancer of a method; a phase of a sequential run weighs every loss by 1.

    Args:
        method: its section of params.yaml.
        specs: the tasks of the run, in order.
        seed: of the run; methods that draw have a stream of their own from it.

    Raises:
        UserError: a package that the method needs is not installed.
    """
    if isinstance(method, methods.SequentialMethod):
        return FixedWeights(specs)
    try:
        if isinstance(method, methods.GradientMethod):
            from mtl.balancing.build_descent import build_descent

            balancer: Balancer = build_descent(method, specs, seed)
        else:
            balancer = _weighting(method, specs, seed)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        message = f"`kind: {method.kind}` cannot run: {package} is not installed; `pip install "
        raise UserError(f"{message}{PACKAGES.get(package, package)}` does it.") from None
    return balancer if method.normalise == "none" else Normalised(specs, balancer, method.normalise)


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
        case methods.ImtlLMethod() | methods.GeometricMeanMethod():
            from mtl.balancing.scalarised import GeometricLoss, ImtlL

            return ImtlL(specs) if isinstance(method, methods.ImtlLMethod) else GeometricLoss(specs)
        case methods.StchMethod():
            from mtl.balancing.scalarised import Stch

            return Stch(specs, method.mu, method.preferences)
        case methods.FamoMethod():
            return Famo(specs, method.lr, method.decay)
        case _:
            assert_never(method)
