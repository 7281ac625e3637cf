"""`train`, `pretrain`, `baseline`, `finetune`, `evaluate`, `tracking` and `base`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mtl.config.augment import Augment
from mtl.config.balancing import Method
from mtl.config.common import (
    Count,
    Fraction,
    Name,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Section,
    Seed,
)
from mtl.config.decisions import Calibration, CalibrationKind, Costs
from mtl.config.methods import Start
from mtl.config.metrics import Family
from mtl.config.shares import Margin, Tolerance

Precision = Literal["float32", "bf16"]


class BaseConfig(Section):
    """`base`: what every training stage uses."""

    seeds: Annotated[list[Seed], Field(min_length=1)] = [0, 1, 2, 3, 4]
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt = 1
    """Threads of one training process; part of a result's identity, since it changes the order of sums."""
    precision: Precision = "float32"
    """Numbers in which encoders multiply and convolve in joint and single-task runs, and in what is computed with them
    later; heads, losses, weights and pretraining stay in float32."""
    jobs: Literal["auto"] | PositiveInt = "auto"
    """Processes side by side (`auto`: cores / threads)."""
    state_seconds: NonNegativeFloat = 60.0
    """A training state is written when the last is this old, and after every epoch that is not a short one."""

    EXECUTION: ClassVar = ("jobs", "state_seconds")
    """Fields that never change a result, so that no stage depends on them and no identity holds them."""

    @model_validator(mode="after")
    def _distinct(self) -> "BaseConfig":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds should be distinct, found {self.seeds}")
        return self


class SamplerConfig(Section):
    """Division of the batch of a joint step among pools of samples; temperatures as in Arivazhagan et al. 2019."""

    kind: Literal["uniform", "proportional", "temperature"] = "uniform"
    temperature: PositiveFloat = 2.0
    """p ∝ n^(1/T): T = 1 is proportional, larger T flattens towards uniform."""
    allocation: Literal["largest_remainder", "multinomial"] = "largest_remainder"
    """Whole numbers of samples from the shares: as even as possible, or drawn at random."""
    epoch: Literal["total", "largest", "smallest"] = "total"
    """Measure of an epoch's length: as many draws as all pools hold together, or one pass over the
    pool that takes longest or shortest."""
    shuffle: Literal["exact", "blocks"] = "exact"
    """Order of a pass through a pool: every order is as likely as any other; or, for data that do not fit into memory,
    blocks of samples that follow each other come in random order, and those of `buffer` blocks are mixed."""
    block: PositiveInt = 4096
    """`blocks`: samples of a block."""
    buffer: PositiveInt = 64
    """`blocks`: blocks whose samples are mixed with each other."""
    bucket_steps: Annotated[int, Field(ge=2, strict=True)] | None = None
    """Texts: the samples of as many steps are dealt among these by length, so that batches are padded less; null: as
    they were shuffled. Each epoch holds the same samples either way."""


class StoppingConfig(Section):
    """Choice of the epoch that is kept, judged on validation data with fixed weights."""

    criterion: Literal["forecast", "combined", "constrained"] = "combined"
    """Measure of an epoch on validation data. `combined`: the mean error of the main tasks by λ, labels by their error
    rate; `forecast`: the mean error of the tasks of numbers alone, forecasts and regressions; `constrained`: the error
    of the labels among the epochs that keep each task of numbers within `tolerance` of its single-task run. They differ
    for runs that train both numbers and labels alone: any other run is judged by the mean of its tasks. A label is
    never the constraint; whether one was kept is answered after training (`evaluate.tolerance`)."""
    patience: PositiveInt | None = 5
    """Epochs without improvement before training ends; null trains to the end. The best epoch is kept either way."""
    tolerance: Fraction = 0.05
    """`constrained`: the share by which the validation error of a task of numbers may lie above the single-task
    run's."""
    default_lambda: Fraction = 0.5
    """Weight of the labels in `combined` for methods that have no λ of their own."""


class EmaAverage(Section):
    """Exponential moving average of the weights over the steps."""

    kind: Literal["ema"]
    decay: Annotated[float, Field(gt=0, lt=1, strict=True)] = 0.98
    """Share of the average that stays at each step: with 0.98 it reaches back about 50 steps, at first fewer."""


class TrainConfig(Section):
    """`train`: one budget for baselines and joint runs alike."""

    epochs: PositiveInt = 10
    batch_size: Annotated[int, Field(ge=2, strict=True)] = 64
    lr: PositiveFloat = 1e-3
    head_lr: PositiveFloat | None = None
    """Learning rate of the heads; null takes `lr`."""
    weight_decay: NonNegativeFloat = 0.01
    schedule: Literal["constant", "onecycle", "cosine"] = "onecycle"
    """Schedule of the learning rate, per step."""
    clip: PositiveFloat | None = 1.0
    """Global norm of the combined gradient; null does not clip."""
    average: EmaAverage | None = None
    """Weights that are validated, kept and tested: an average over the steps, or null, those of the step itself."""
    augment: Augment | None = Field(default=None, exclude_if=lambda augment: augment is None)
    """Random changes of training images, the same for every run of a seed; null: none. Left out where it is null, so
    that what is derived from the section stays as it was before."""
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
    """`flatten` is the published form, which lets clean patches leak into their own prediction."""
    condition_on_step: bool = True


class DenoiseObjective(Section):
    """Reconstruct the clean window from one with Gaussian noise added."""

    kind: Literal["denoise"]
    noise_level: PositiveFloat = 0.1
    """Standard deviation of the noise, in standard deviations of each channel."""


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
    processes: PositiveInt = 1
    """Processes that share each batch (torchrun); above 1 part of a result's identity, since it changes the order of
    sums, and `base.jobs` is not used: seeds are pretrained one after the other."""


class BaselineConfig(Section):
    """`baseline`: single-task runs; one set for every start."""

    starts: Annotated[list[Start], Field(min_length=1)] = [Start()]
    tasks: Annotated[list[Name], Field(min_length=1)] | None = None
    """Tasks that are trained alone; null takes all. Without one a task has no verdict."""


class FinetuneConfig(Section):
    """`finetune`: the methods; `mtl repro finetune@<name>` makes the runs of one."""

    methods: Annotated[dict[Name, Method], Field(min_length=1)]


DEFAULT_MARGIN = 0.01
"""Margin of tasks for which none is given."""


class QuickConfig(Section):
    """`evaluate.quick`: whole budget of which a quick look trains a part."""

    seeds: PositiveInt
    """Number of seeds in params.yaml."""
    epochs: PositiveInt
    """`train.epochs` in params.yaml."""


class EvaluateConfig(Section):
    """`evaluate`: how results are compared and shown."""

    confidence: Annotated[float, Field(gt=0.5, lt=1, strict=True)] = 0.95
    tolerance: Tolerance = 0.05
    """A task counts as kept when its metric is at most this share worse than the single-task one. A number holds for
    every task of numbers, which are judged by their error; a mapping names tasks of any kind."""
    margin: Margin = DEFAULT_MARGIN
    """Relative change of a metric that is too little to matter: LEVEL is a change that is shown to lie within it. A
    mapping names tasks; the others keep the default. 0: every change matters, and nothing is LEVEL."""
    interval: Literal["widest", "training"] = "widest"
    """Interval that a verdict rests on: over the randomness of training alone (`training`), or the wider of that and of
    the one for new data, over the choice of test samples as well."""
    trials: dict[Name, Count] | None = None
    """Method, or `stl` → finished trials of tuning behind its settings, 0 where it is not named; the verdicts say where
    they are unequal. Null: none was tuned. `mtl tune --apply` writes it."""
    shared_by: Name | None = None
    """Method, or `stl`, whose trial chose the settings that all arms share; the verdicts say that the others did not
    choose them. Null: no trial did. `mtl tune --apply` writes it."""
    quick: QuickConfig | None = None
    """Marks results as a quick look, of which no verdict is known. Null: they are the real ones. `mtl repro --quick`
    writes it into its own copy of params.yaml."""

    predictions: bool = True
    """Keep every test prediction in results/predictions.parquet, not the losses alone."""
    slices: list[str] = []
    """Test metrics are also taken for each value of these: a label of the source, `groups` (whom stored windows belong
    to), or `class` (the classes of a task's own label)."""
    calibration: Calibration = Field(default="none", exclude_if=lambda kind: kind == "none")
    """Calibration of the probabilities of deployed models (`mtl deploy`), each network by its own validation samples:
    `temperature` divides the logits by one number (Guo et al. 2017, arXiv 1706.04599), `isotonic` maps each probability
    by a rising curve (Zadrozny and Elkan 2002). A mapping names tasks; the others keep theirs as they are. Left out
    where it is the default, as the next two are, so that what is derived from the section stays as it was before."""
    costs: Costs = Field(default={}, exclude_if=lambda costs: not costs)
    """Costs of mistakes, by which deployed models say a class: of two classes from the probability on that costs least
    on validation data, of several the class with the least expected cost. Without costs it is the most probable one."""

    importance: Annotated[int, Field(ge=0, le=100, strict=True, exclude_if=lambda count: count == 0)] = 0
    """Permutations of each input by which its importance to each task is measured (Breiman 2001), on the test part, for
    every network; 0 measures none."""

    @model_validator(mode="after")
    def _distinct(self) -> "EvaluateConfig":
        if len(set(self.slices)) != len(self.slices):
            raise ValueError(f"slices should be distinct, found {self.slices}")
        return self

    def tolerance_of(self, task: str, family: Family) -> float | None:
        """Tolerance of a task of a family; None where it has none."""
        if isinstance(self.tolerance, dict):
            return self.tolerance.get(task)
        return self.tolerance if family == "regression" else None

    def calibration_of(self, task: str) -> CalibrationKind:
        """Calibration of a task, if it has classes."""
        return self.calibration.get(task, "none") if isinstance(self.calibration, dict) else self.calibration

    def margin_of(self, task: str) -> float:
        """Margin of a task, a share."""
        return self.margin.get(task, DEFAULT_MARGIN) if isinstance(self.margin, dict) else self.margin


class TrackingConfig(Section):
    """`tracking`: the mirror of results in MLflow; no stage depends on it."""

    enabled: bool = True
    uri: str | None = None
    """Null takes MLFLOW_TRACKING_URI, else mlflow.db in the project's folder."""
    experiment: str = "mtl"
    log_weights: bool = True
