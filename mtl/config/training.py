"""`train`, `pretrain`, `baseline`, `finetune`, `evaluate`, `tracking` and `base`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mtl.config.common import (
    Count,
    Fraction,
    Name,
    NonNegativeFloat,
    PositiveFloat,
    PositiveFraction,
    PositiveInt,
    Section,
    Seed,
)
from mtl.config.sharing import HardSharing, Sharing


class BaseConfig(Section):
    """`base`: what every training stage uses."""

    seeds: Annotated[list[Seed], Field(min_length=1)] = [0, 1, 2, 3, 4]
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt = 1
    """Threads of one training process; part of a result's identity, since it changes the order of sums."""
    jobs: Literal["auto"] | PositiveInt = "auto"
    """Processes side by side (`auto`: cores / threads)."""
    state_seconds: NonNegativeFloat = 60.0
    """A training state is written after every epoch, and in the middle of one when the last is this old."""

    EXECUTION: ClassVar = ("jobs", "state_seconds")
    """What never changes a result, so that no stage depends on it and no identity holds it."""

    @model_validator(mode="after")
    def _distinct(self) -> "BaseConfig":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds should be distinct, found {self.seeds}")
        return self


class SamplerConfig(Section):
    """How a joint step divides its batch among pools of samples (methods 3)."""

    kind: Literal["uniform", "proportional", "temperature"] = "uniform"
    temperature: PositiveFloat = 2.0
    """p ∝ n^(1/T): T = 1 is proportional, larger T flattens towards uniform."""
    allocation: Literal["largest_remainder", "multinomial"] = "largest_remainder"
    """Whole numbers of samples from the shares: as even as possible, or drawn at random."""
    epoch: Literal["total", "largest", "smallest"] = "total"
    """What an epoch's length is taken from: as many draws as all pools hold together, or one pass over the
    pool that takes longest or shortest."""


class StoppingConfig(Section):
    """Which epoch is kept, judged on validation data with fixed weights."""

    criterion: Literal["forecast", "combined", "constrained"] = "combined"
    patience: PositiveInt | None = 5
    """Epochs without improvement before training ends; null trains to the end. The best epoch is kept either way."""
    tolerance: NonNegativeFloat = 0.05
    """`constrained`: how much validation MSE may lie above the single-task run's."""
    default_lambda: Fraction = 0.5
    """Weight of the labels in `combined` for methods that have no λ of their own."""


class TrainConfig(Section):
    """`train`: one budget for baselines and joint runs alike."""

    epochs: PositiveInt = 10
    batch_size: Annotated[int, Field(ge=2, strict=True)] = 64
    lr: PositiveFloat = 1e-3
    head_lr: PositiveFloat | None = None
    """Learning rate of the heads; null takes `lr`."""
    weight_decay: NonNegativeFloat = 0.01
    schedule: Literal["constant", "onecycle", "cosine"] = "onecycle"
    """Of the learning rate, per step."""
    clip: PositiveFloat | None = 1.0
    """Global norm of the combined gradient; null does not clip."""
    sampler: SamplerConfig = SamplerConfig()
    stopping: StoppingConfig = StoppingConfig()
    watch_test: bool = False
    """Also measure the test part after every epoch, for the optimistic row of published protocols that pick the best
    epoch there; nothing is selected by it."""
    gradient_probes: Count = 2
    """Steps an epoch on which each task's gradient on the shared parameters is measured."""


class DiffusionObjective(Section):
    """Denoising diffusion of patches given the clean past (TimeDART)."""

    kind: Literal["diffusion"]
    steps: PositiveInt = 1000
    noise: Literal["cosine", "linear"] = "cosine"
    decoder_layers: PositiveInt = 1
    head: Literal["per_patch", "flatten"] = "per_patch"
    """`flatten` is the published form, which leaks clean patches (methods 1.2)."""
    condition_on_step: bool = True


class DenoiseObjective(Section):
    """Reconstruct the clean window from one with Gaussian noise added."""

    kind: Literal["denoise"]
    noise_level: PositiveFloat = 0.1
    """In standard deviations of each channel."""


class NoObjective(Section):
    """No pretraining: the stage writes a summary and no weights."""

    kind: Literal["none"]


Objective = Annotated[DiffusionObjective | DenoiseObjective | NoObjective, Field(discriminator="kind")]


class PretrainConfig(Section):
    """`pretrain`: self-supervised training of the encoder on the windows of some sources."""

    objective: Objective = NoObjective(kind="none")
    sources: list[Name] | None = None
    """Sources whose training windows are used; null takes all."""
    input_len: PositiveInt | None = None
    """Rows in a window of a series source; stored windows keep their own length."""
    shared: bool = False
    """One pretraining (with the first seed) for all seeds; results are then labelled as conditional on it."""
    epochs: PositiveInt = 10
    batch_size: Annotated[int, Field(ge=2, strict=True)] = 64
    lr: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.0
    schedule: Literal["constant", "onecycle", "cosine", "exponential"] = "onecycle"
    decay: Annotated[float, Field(gt=0, le=1, strict=True)] = 0.9
    """`exponential`: factor on the learning rate after each epoch."""
    clip: PositiveFloat | None = 1.0


class Start(Section):
    """What a run starts from and what of it is trained."""

    init: Literal["random", "pretrained"] = "random"
    freeze: Literal["none", "encoder"] = "none"
    width: PositiveFloat = 1.0
    """Factor on the encoder's widths, for a sweep of capacity."""

    @property
    def label(self) -> str:
        """Folder and display name, e.g. `pretrained-frozen` or `random-width0.5`."""
        wide = "" if self.width == 1 else f"-width{self.width:g}"
        return self.init + ("-frozen" if self.freeze == "encoder" else "") + wide


class BaselineConfig(Section):
    """`baseline`: single-task runs; one set for every start."""

    starts: Annotated[list[Start], Field(min_length=1)] = [Start()]
    tasks: Annotated[list[Name], Field(min_length=1)] | None = None
    """Tasks that are trained alone; null takes all. Without one a task has no verdict."""


class Curriculum(Section):
    """Easy samples first, tasks one after the other (Bengio 2009).

    A sample's difficulty is its loss under the single-task model of the same seed and start, as a rank among the
    samples of its task, averaged over its tasks.
    """

    samples: bool = True
    """False: only `start_epoch` applies."""
    pacing: Literal["linear", "root", "step"] = "linear"
    """How the share of the samples that are in use grows from `start` to 1."""
    start: PositiveFraction = 0.3
    full: PositiveFraction = 0.5
    """Share of the epochs after which all samples are in use."""
    levels: PositiveInt = 3
    """`step`: in how many equal steps."""
    start_epoch: dict[Name, PositiveInt] = {}
    """Task → first epoch that trains it."""


class MethodBase(Start):
    tasks: Annotated[list[Name], Field(min_length=1)] | None = None
    """Tasks trained together; null takes all."""
    sharing: Sharing = HardSharing()
    """How they share the network."""
    target: Name | None = None
    """After the joint training, this task alone is trained on for another whole budget, and judged alone."""
    curriculum: Curriculum | None = None


class EqualMethod(MethodBase):
    """Every loss with weight 1."""

    kind: Literal["equal"]


class WeightedMethod(MethodBase):
    """(1 − λ(t)) · forecasts + λ(t) · labels."""

    kind: Literal["weighted"]
    lam: Annotated[float, Field(ge=0, le=1, alias="lambda", strict=True)]
    schedule: Literal["constant", "linear", "cosine", "warmup"] = "constant"


class UncertaintyMethod(MethodBase):
    """Homoscedastic uncertainty weighting (Kendall, Gal, Cipolla 2018, arXiv 1705.07115)."""

    kind: Literal["uncertainty"]
    form: Literal["kendall", "half"] = "kendall"
    lr: PositiveFloat = 1e-2
    """Learning rate of the log variances."""


class SequentialMethod(MethodBase):
    """One kind of task after the other, each for a whole budget: the forgetting baseline."""

    kind: Literal["sequential"]
    first: Literal["forecast", "labels"]


Method = Annotated[EqualMethod | WeightedMethod | UncertaintyMethod | SequentialMethod, Field(discriminator="kind")]


class FinetuneConfig(Section):
    """`finetune`: one DVC stage a method, `finetune@<name>`."""

    methods: Annotated[dict[Name, Method], Field(min_length=1)]


class EvaluateConfig(Section):
    """`evaluate`: how results are compared and shown."""

    confidence: Annotated[float, Field(gt=0.5, lt=1, strict=True)] = 0.95
    tolerance: NonNegativeFloat = 0.05
    """A forecast counts as kept when its MSE is within this share of the single-task MSE."""


class TrackingConfig(Section):
    """`tracking`: the mirror of results in MLflow; no stage depends on it."""

    enabled: bool = True
    uri: str | None = None
    """Null takes MLFLOW_TRACKING_URI, else mlflow.db in the project's folder."""
    experiment: str = "mtl"
    log_weights: bool = True
