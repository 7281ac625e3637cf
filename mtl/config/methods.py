"""Sections of the start of a run and of the settings that every joint method has."""

from typing import Annotated, Literal

from pydantic import Field

from mtl.config.common import Name, NonNegativeFloat, PositiveFloat, PositiveFraction, PositiveInt, Section
from mtl.config.grouping import DataMapConfig, LookaheadConfig
from mtl.config.sharing import HardSharing, Sharing


class Start(Section):
    """Weights that a run starts from, and the part of them that is trained."""

    init: Literal["random", "pretrained"] = "random"
    freeze: Literal["none", "encoder"] = "none"
    width: PositiveFloat = 1.0
    """Factor on the encoder's widths, for a sweep of capacity."""

    @property
    def label(self) -> str:
        """Folder and display name, e.g. `pretrained-frozen` or `random-width0.5`."""
        wide = "" if self.width == 1 else f"-width{self.width:g}"
        return self.init + ("-frozen" if self.freeze == "encoder" else "") + wide


class Curriculum(Section):
    """Easy samples first, tasks one after the other (Bengio 2009).

    A sample's difficulty is its loss under the single-task model of the same seed and start, as a rank among the
    samples of its task, averaged over its tasks.
    """

    samples: bool = True
    """False: only `start_epoch` applies."""
    pacing: Literal["linear", "root", "step"] = "linear"
    """Course of the share of the samples that are in use, from `start` to 1."""
    start: PositiveFraction = 0.3
    full: PositiveFraction = 0.5
    """Share of the epochs after which all samples are in use."""
    levels: PositiveInt = 3
    """`step`: in how many equal steps."""
    start_epoch: dict[Name, PositiveInt] = {}
    """Task → first epoch that trains it."""


class OwnTraining(Section):
    """Values of one method in place of those of `train`; null keeps those. The budget stays the common one."""

    lr: PositiveFloat | None = None
    head_lr: PositiveFloat | None = None
    weight_decay: NonNegativeFloat | None = None


class MethodBase(Start):
    tasks: Annotated[list[Name], Field(min_length=1)] | None = None
    """Tasks trained together; null takes all."""
    train: OwnTraining = OwnTraining()
    """Its own learning rate and weight decay, so that a method can be tuned without moving its baselines."""
    sharing: Sharing = HardSharing()
    """Way in which the tasks share the network."""
    target: Name | None = None
    """After the joint training, this task alone is trained on for another whole budget, and judged alone."""
    curriculum: Curriculum | None = None
    datamap: DataMapConfig | None = None
    """Data map to be recorded of every training sample; null records none."""
    lookahead: LookaheadConfig | None = None
    """Measurement of how a step for one task changes the losses of the others; null measures nothing."""

    @property
    def trains(self) -> tuple[str, list[Name] | None]:
        """(key of the setting that names the tasks, their names); None for all tasks of the file."""
        return "tasks", self.tasks
