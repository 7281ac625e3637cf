"""Linear models of features: ridge regression in closed form, logistic regression of many tasks at once.

n samples, P features, O outputs. Features are standardised by the training samples; the maps that are returned are for
features as they are.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mtl.training.eager import LBFGS

RIDGE_PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(2, -11, -1))
"""λ over the number of samples, from 10 to 1e-5: features have the variance 1."""
LOGISTIC_PENALTIES = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
ITERATIONS = 100
"""Iterations of L-BFGS for a penalty, at most."""
WORK = 4e10
"""Multiplications of a fit for an output, at most: one or two seconds."""
FEWEST = 15
SMALL = 1 << 22
"""Numbers up to which features are fitted in float64."""
PRECISION = 1e-9
"""Largest gradient that counts as converged."""


@dataclass(frozen=True)
class Map:
    """O numbers from P features."""

    weight: Float[Tensor, "O P"]
    bias: Float[Tensor, " O"]
    penalty: float
    factor: float = 1.0
    """The factor on its outputs, which holds them already."""

    def __call__(self, features: Float[Tensor, "n P"]) -> Float[Tensor, "n O"]:
        return features.double() @ self.weight.T + self.bias

    def times(self, factor: float) -> "Map":
        """The map with its outputs scaled."""
        return Map(self.weight * factor, self.bias * factor, self.penalty, self.factor * factor)


@dataclass(frozen=True)
class Setting:
    """Choices that validation data made for a linear map; other samples can be fitted with them, without validation."""

    penalty: float
    factor: float = 1.0
    """Factor on the outputs of a ridge regression of a label."""
    tried: tuple[float, ...] = ()
    """Penalties of the logistic regression, the largest first: each starts where the one before has ended."""

    def of(self, maps: Iterable[Map]) -> Map:
        """The map with this penalty among those of other samples, with this factor."""
        return next(map_ for map_ in maps if map_.penalty == self.penalty).times(self.factor)


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of features; 1 for those that are constant, and so weigh nothing."""

    mean: Float[Tensor, " P"]
    std: Float[Tensor, " P"]

    @classmethod
    def of(cls, features: Float[Tensor, "n P"]) -> "Scale":
        mean = features.mean(dim=0, dtype=torch.float64)
        blocks = torch.split(features, 4096)
        variance = sum((block.double() - mean).square().sum(dim=0) for block in blocks) / len(features)
        assert isinstance(variance, Tensor)
        std = variance.sqrt()
        return cls(mean, torch.where(std > 1e-12, std, torch.ones_like(std)))

    def unscaled(self, weight: Float[Tensor, "O P"], bias: Float[Tensor, " O"], penalty: float) -> Map:
        """The map of features as they are, from that of standardised ones."""
        weight = weight.double() / self.std
        return Map(weight, bias.double() - weight @ self.mean, penalty)


class Ridge:
    """Ridge regressions of any targets on the same features, by one eigendecomposition: of the Gram matrix of the
    features, or of the samples where there are fewer of these.

    Args:
        features: of the training samples.
        weights: of the samples; None: all weigh 1.
    """

    def __init__(self, features: Float[Tensor, "n P"], weights: Float[Tensor, " n"] | None) -> None:
        count = len(features)
        self.scale = Scale.of(features)
        x = (features.double() - self.scale.mean) / self.scale.std
        self.share = (
            torch.full((count,), 1 / count, dtype=torch.float64) if weights is None else weights / weights.sum()
        )
        self.middle = self.share @ x
        self.root = self.share.sqrt()[:, None]
        self.x = (x - self.middle) * self.root
        self.tall = count >= x.shape[1]
        values, self.vectors = torch.linalg.eigh(self.x.T @ self.x if self.tall else self.x @ self.x.T)
        self.values = values.clamp(min=0)

    def maps(self, targets: Float[Tensor, "n O"]) -> Iterator[Map]:
        """Maps to targets, from the largest penalty to the smallest."""
        y = targets.double()
        level = self.share @ y
        y = (y - level) * self.root
        projected = self.vectors.T @ (self.x.T @ y if self.tall else y)
        for penalty in RIDGE_PENALTIES:
            solved = self.vectors @ (projected / (self.values + penalty)[:, None])
            weight = (solved if self.tall else self.x.T @ solved).T
            yield self.scale.unscaled(weight, level - weight @ self.middle, penalty)


@dataclass(frozen=True)
class Question:
    """One label of some samples, as a logistic regression fits it."""

    target: Int[Tensor, " m"]
    """Class of each sample that has one."""
    places: Int[Tensor, " m"] | None
    """Places of those samples; None: all."""
    classes: int
    single: bool
    """One logit, that of class 1."""
    weights: tuple[float, ...] | None
    """Weight of each class."""
    of_samples: Float[Tensor, " m"] | None = None
    """Weight of each sample; None: all weigh the same."""

    @property
    def outputs(self) -> int:
        return 1 if self.single else self.classes

    def loss(self, logits: Float[Tensor, "n O"]) -> Float[Tensor, ""]:
        """Mean cross-entropy, weighted by the classes."""
        logits = logits if self.places is None else logits[self.places]
        weights = None if self.weights is None else torch.tensor(self.weights, dtype=logits.dtype)
        if self.of_samples is not None:
            return self._weighted(logits, weights, self.of_samples.to(logits.dtype))
        if not self.single:
            return F.cross_entropy(logits, self.target, weight=weights)
        of_sample = None if weights is None else weights[self.target]
        losses = F.binary_cross_entropy_with_logits(
            logits[:, 0], self.target.to(logits.dtype), weight=of_sample, reduction="sum"
        )
        return losses / (len(self.target) if of_sample is None else of_sample.sum())

    def _weighted(self, logits: Tensor, weights: Tensor | None, of_samples: Tensor) -> Float[Tensor, ""]:
        """The mean cross-entropy of weighted samples."""
        if weights is not None:
            of_samples = of_samples * weights[self.target]
        if self.single:
            wanted = self.target.to(logits.dtype)
            losses = F.binary_cross_entropy_with_logits(logits[:, 0], wanted, reduction="none")
        else:
            losses = F.cross_entropy(logits, self.target, reduction="none")
        return (losses * of_samples).sum() / of_samples.sum()


def logistic_maps(
    features: Float[Tensor, "n P"], questions: list[Question], penalties: Sequence[float] = ()
) -> Iterator[list[Map]]:
    """Logistic regressions of several labels of the same samples, a map a label, from the largest penalty on.

    Minimises the mean cross-entropy + λ/2 · |W|² of every label, all in one run of L-BFGS (Liu and Nocedal 1989): the
    labels share no weight, so each gets its own minimum. A smaller penalty starts where the larger one ended.

    Args:
        features: of the samples.
        questions: the labels.
        penalties: the largest first; none: as many as are affordable.
    """
    count, width = features.shape
    sizes = [question.outputs for question in questions]
    outputs = sum(sizes)
    dtype = torch.float64 if features.numel() <= SMALL else torch.float32
    scale = Scale.of(features)
    x = features.to(dtype)
    mean, std = scale.mean.to(dtype), scale.std.to(dtype)
    weight = torch.zeros(outputs, width, dtype=dtype, requires_grad=True)
    bias = torch.zeros(outputs, dtype=dtype, requires_grad=True)
    affordable = int(WORK * outputs / (4.0 * count * width * outputs))
    if not penalties:
        penalties = LOGISTIC_PENALTIES if affordable >= FEWEST * len(LOGISTIC_PENALTIES) else LOGISTIC_PENALTIES[2:4]
    iterations = min(ITERATIONS, max(FEWEST, affordable // len(penalties)))

    def logits() -> Tensor:
        scaled = weight / std
        return x @ scaled.T + (bias - scaled @ mean)

    def objective(penalty: float) -> Tensor:
        return _objective(logits(), weight, penalty, questions, sizes)

    for penalty in penalties:
        _minimise(partial(objective, penalty), [weight, bias], iterations)
        parts = zip(torch.split(weight.detach(), sizes), torch.split(bias.detach(), sizes), strict=True)
        yield [scale.unscaled(part, offset, penalty) for part, offset in parts]


def _objective(
    logits: Tensor, weight: Tensor, penalty: float, questions: list[Question], sizes: list[int]
) -> Float[Tensor, ""]:
    losses = [question.loss(part) for question, part in zip(questions, torch.split(logits, sizes, dim=1), strict=True)]
    return torch.stack(losses).sum() + penalty / 2 * weight.square().sum()


def _minimise(objective: Callable[[], Tensor], parameters: list[Tensor], iterations: int) -> None:
    """Moves the parameters to the minimum of a convex function."""
    optimiser = LBFGS(
        parameters, max_iter=iterations, tolerance_grad=PRECISION, tolerance_change=1e-14, history_size=20,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> float:
        optimiser.zero_grad()
        value = objective()
        value.backward()
        return value.item()

    with torch.enable_grad():
        optimiser.step(closure)


def temperature(logits: Float[Tensor, "n O"], question: Question) -> float:
    """Factor on scores that gives them the smallest mean cross-entropy, by golden section of its logarithm; convex."""
    low, high = -4.0, 6.0
    golden = (5**0.5 - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)

    def value(exponent: float) -> float:
        return float(question.loss(logits * 2.718281828459045**exponent))

    at_left, at_right = value(left), value(right)
    for _ in range(40):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = value(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = value(right)
    return float(2.718281828459045 ** ((low + high) / 2))
