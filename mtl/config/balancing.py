"""`finetune.methods.<name>`: how losses are weighed or gradients combined; one class a method."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mtl.config.common import Count, Fraction, Name, NonNegativeFloat, PositiveFloat
from mtl.config.methods import MethodBase


def _some(values: list[float]) -> list[float]:
    if sum(values) == 0:
        raise ValueError("should have a sum above 0")
    return values


def _phase(given: Any) -> Any:
    """A task by itself is a phase of one task."""
    return [given] if isinstance(given, str) else given


def _once(order: list[list[str]]) -> list[list[str]]:
    names = [name for phase in order for name in phase]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"should name each task once, found {twice[0]!r} {names.count(twice[0])} times")
    return order


Phase = Annotated[list[Name], Field(min_length=1), BeforeValidator(_phase)]
Order = Annotated[list[Phase], Field(min_length=2), AfterValidator(_once)]
"""Tasks, or lists of tasks, in the order in which they are trained."""
NAMED = 3
"""Tasks of a phase that are listed; more are counted."""
Shares = Annotated[list[NonNegativeFloat], Field(min_length=1), AfterValidator(_some)]
"""One number for each task of the method, in the order of `tasks:` at the top of the file."""


class Balanced(MethodBase):
    """Settings that all of these methods share."""

    normalise: Literal["none", "initial", "log_classes", "ema"] = "none"
    """Divides each loss by its first value, by log k of a task with k classes, or by its running mean."""
    title: ClassVar[str]

    @property
    def words(self) -> str:
        """The method as tables and legends call it."""
        return self.title + ("" if self.normalise == "none" else f", losses normalised ({self.normalise})")


class Learnt(Balanced):
    """Weights that the optimiser learns."""

    lr: PositiveFloat = 1e-2
    """Learning rate of what the method learns."""


class Aggregated(Balanced):
    """Combines the gradients of the tasks on the shared weights; heads follow their own task alone."""


class Surrogate(Aggregated):
    """Sees the gradients through their inner products alone."""

    features: Literal["exact", "features"] = "exact"
    """`exact`: gradients on the shared weights, a backward pass for each task. `features`: gradients on the features,
    one backward pass for any number of tasks, which must read the same samples."""

    @property
    def words(self) -> str:
        return super().words + (" (on the features)" if self.features == "features" else "")


class EqualMethod(Balanced):
    """Every loss with weight 1."""

    title: ClassVar = "equal weights"
    kind: Literal["equal"]


class FixedMethod(Balanced):
    """Σ w_k · L_k."""

    title: ClassVar = "fixed weights"
    kind: Literal["fixed"]
    weights: Shares


class WeightedMethod(Balanced):
    """(1 − λ(t)) · forecasts + λ(t) · labels."""

    kind: Literal["weighted"]
    lam: Annotated[float, Field(ge=0, le=1, alias="lambda", strict=True)]
    schedule: Literal["constant", "linear", "cosine", "warmup"] = "constant"

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"λ = {self.lam:.3g}, {self.schedule}"


class UncertaintyMethod(Learnt):
    """Homoscedastic uncertainty weighting (Kendall, Gal, Cipolla 2018, arXiv 1705.07115)."""

    kind: Literal["uncertainty"]
    form: Literal["kendall", "half"] = "kendall"

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"learned weights ({self.form})"


class DwaMethod(Balanced):
    """Dynamic weight average (Liu 2019, arXiv 1803.10704): tasks whose loss falls slowly gain weight."""

    title: ClassVar = "dynamic weight average"
    kind: Literal["dwa"]
    temperature: PositiveFloat = 2.0


class GradNormMethod(Learnt):
    """Learns weights at which tasks train at similar rates (Chen 2018, arXiv 1711.02257)."""

    title: ClassVar = "GradNorm"
    kind: Literal["gradnorm"]
    alpha: NonNegativeFloat = 1.5
    """Strength with which the rates of the tasks are pulled together."""


class RlwMethod(Balanced):
    """Random weights in every step (Lin 2021, arXiv 2111.10603)."""

    title: ClassVar = "random weights"
    kind: Literal["rlw"]


class ImtlLMethod(Learnt):
    """Learnt scales that bring all losses to one size (Liu 2021, ICLR, impartial multi-task learning)."""

    title: ClassVar = "IMTL-L"
    kind: Literal["imtl_l"]


class GeometricMeanMethod(Balanced):
    """The geometric mean of the losses (Chennupati 2019, GLS)."""

    title: ClassVar = "geometric mean"
    kind: Literal["geometric_mean"]


class StchMethod(Balanced):
    """A smooth maximum of the losses (Lin 2024, arXiv 2402.19078)."""

    title: ClassVar = "smooth Tchebycheff"
    kind: Literal["stch"]
    mu: PositiveFloat = 0.1
    """Smaller is closer to the maximum."""
    preferences: Shares | None = None


class FamoMethod(Balanced):
    """All losses fall at one relative rate (Liu 2023, arXiv 2306.03792)."""

    title: ClassVar = "FAMO"
    kind: Literal["famo"]
    lr: PositiveFloat = 0.025
    """Learning rate of the weights, which have an Adam of their own."""
    decay: NonNegativeFloat = 1e-3
    """Pull of the weights towards equality."""


class UpGradMethod(Surrogate):
    """Each gradient projected so that it harms no task, then summed (Quinton & Rey 2024, arXiv 2406.16232)."""

    title: ClassVar = "UPGrad"
    kind: Literal["upgrad"]
    preferences: Shares | None = None


class DualProjMethod(Surrogate):
    """The mean gradient projected so that it harms no task (Lopez-Paz & Ranzato 2017, arXiv 1706.08840)."""

    title: ClassVar = "DualProj"
    kind: Literal["dualproj"]
    preferences: Shares | None = None


class MgdaMethod(Surrogate):
    """The shortest convex combination of the gradients (Désidéri 2012)."""

    title: ClassVar = "MGDA"
    kind: Literal["mgda"]


class PcGradMethod(Surrogate):
    """Conflicting gradients projected onto each other's normal plane (Yu 2020, arXiv 2001.06782)."""

    title: ClassVar = "PCGrad"
    kind: Literal["pcgrad"]


class GradVacMethod(Surrogate):
    """Cosines of gradients raised to their running mean (Wang 2021, arXiv 2010.05874)."""

    title: ClassVar = "GradVac"
    kind: Literal["gradvac"]
    beta: Fraction = 0.5
    """Share of the newest cosine in the running mean."""


class CaGradMethod(Surrogate):
    """Near the mean gradient, what is best for the worst-off task (Liu 2021, arXiv 2110.14048)."""

    title: ClassVar = "CAGrad"
    kind: Literal["cagrad"]
    c: NonNegativeFloat = 0.5
    """Largest distance from the mean gradient, relative to its length."""


class NashMtlMethod(Surrogate):
    """Nash's bargaining solution (Navon 2022, arXiv 2202.01017)."""

    title: ClassVar = "Nash-MTL"
    kind: Literal["nash_mtl"]
    max_norm: PositiveFloat = 1.0
    """Largest norm of the combined gradient."""


class ImtlGMethod(Surrogate):
    """Equal projections onto every gradient (Liu 2021, ICLR, impartial multi-task learning)."""

    title: ClassVar = "IMTL-G"
    kind: Literal["imtl_g"]


class AlignedMtlMethod(Surrogate):
    """Aligned principal components of the gradients (Senushkin 2023, CVPR)."""

    title: ClassVar = "Aligned-MTL"
    kind: Literal["aligned_mtl"]
    preferences: Shares | None = None


class GradDropMethod(Aggregated):
    """Each number of the gradient follows one sign (Chen 2020, arXiv 2010.06808)."""

    title: ClassVar = "GradDrop"
    kind: Literal["graddrop"]


class ConFigMethod(Surrogate):
    """The direction with the same cosine to every gradient (Liu 2024, arXiv 2408.11104)."""

    title: ClassVar = "ConFIG"
    kind: Literal["config"]
    preferences: Shares | None = None


class FairGradMethod(Surrogate):
    """α-fair gains of the tasks (Ban & Ji 2024, arXiv 2402.15638)."""

    title: ClassVar = "FairGrad"
    kind: Literal["fairgrad"]
    alpha: PositiveFloat = 1.0


class ExcessMtlMethod(Aggregated):
    """Weights grow with a task's excess risk (He 2024, ICML)."""

    title: ClassVar = "ExcessMTL"
    kind: Literal["excess_mtl"]
    step_size: PositiveFloat = 0.01
    warmup_steps: Count = 30
    """Steps over which the first excess risk of each task is averaged."""


class MeanMethod(Aggregated):
    """The mean of the gradients; heads as in all methods that combine gradients."""

    title: ClassVar = "mean gradient"
    kind: Literal["mean"]


class SumMethod(Aggregated):
    """The sum of the gradients; heads as in all methods that combine gradients."""

    title: ClassVar = "sum of gradients"
    kind: Literal["sum"]


class RandomMethod(Aggregated):
    """A random convex combination of the gradients in every step (Lin 2021, arXiv 2111.10603)."""

    title: ClassVar = "random combination of gradients"
    kind: Literal["random"]


class SequentialMethod(MethodBase):
    """Some tasks after others, each phase for a whole budget: it measures transfer to the tasks of later phases, and
    forgetting of those of earlier ones."""

    kind: Literal["sequential"]
    first: Literal["forecast", "labels"] | None = None
    """Family of tasks that is trained before the other; `order` takes its place for any tasks."""
    order: Order | None = Field(None, exclude_if=lambda order: order is None)
    """Tasks that are trained one after the other, or lists of tasks that are trained together. It names all tasks of
    the method, so that `tasks` may be left out."""

    @model_validator(mode="after")
    def _either(self) -> "SequentialMethod":
        if (self.first is None) == (self.order is None):
            given = "neither" if self.order is None else "both"
            raise ValueError(f"should have `order`, or `first` for one family before the other; found {given}")
        return self

    @property
    def trains(self) -> tuple[str, list[Name] | None]:
        if self.order is None:
            return super().trains
        return "order", [name for phase in self.order for name in phase]

    @property
    def words(self) -> str:
        """The method as tables and legends call it."""
        if self.order is not None:
            phases = [", ".join(phase) if len(phase) <= NAMED else f"{len(phase)} tasks" for phase in self.order]
            return f"sequential, {' before '.join(phases)}"
        order = "forecasts before labels" if self.first == "forecast" else "labels before forecasts"
        return f"sequential, {order}"


LossMethod = (
    EqualMethod | FixedMethod | WeightedMethod | UncertaintyMethod | DwaMethod | GradNormMethod | RlwMethod
    | ImtlLMethod | GeometricMeanMethod | StchMethod | FamoMethod
)  # fmt: skip
GradientMethod = (
    UpGradMethod | DualProjMethod | MgdaMethod | PcGradMethod | GradVacMethod | CaGradMethod | NashMtlMethod
    | ImtlGMethod | AlignedMtlMethod | GradDropMethod | ConFigMethod | FairGradMethod | ExcessMtlMethod | MeanMethod
    | SumMethod | RandomMethod
)  # fmt: skip
Method = Annotated[LossMethod | GradientMethod | SequentialMethod, Field(discriminator="kind")]
