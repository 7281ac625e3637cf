"""`finetune.methods.<name>.sharing`: how the tasks of a run share a network; one class a form."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mtl.config.common import Count, Name, NonNegativeFloat, PositiveFloat, Section


class SharingBase(Section):
    """Properties that every form of sharing has."""

    columns: ClassVar[bool] = False
    """Each task has a copy of the encoder."""


class HardSharing(SharingBase):
    """One encoder for all tasks, a head each (Caruana 1997)."""

    kind: Literal["hard"] = "hard"


class SeparateSharing(SharingBase):
    """An encoder for each task: the single-task networks, trained side by side on the joint loss."""

    columns: ClassVar[bool] = True

    kind: Literal["separate"]


class SoftSharing(SharingBase):
    """An encoder for each task, held together by an L2 distance between them (Duong 2015)."""

    columns: ClassVar[bool] = True

    kind: Literal["soft"]
    penalty: NonNegativeFloat = 1e-3
    """Weight of the summed squared distances of the encoders from their mean."""


class CrossStitchSharing(SharingBase):
    """An encoder for each task, mixed after every stage: x̃_k = Σ_j α_kj x_j (Misra 2016, arXiv 1604.03539)."""

    columns: ClassVar[bool] = True

    kind: Literal["cross_stitch"]
    units: Literal["scalar", "channel"] = "scalar"
    """One K × K unit a stage, or one for each of its channels."""
    init: Literal["identity", "lean"] = "identity"
    """`lean`: 0.9 of the own column, 0.1 divided among the others."""
    lr_factor: PositiveFloat = 10.0
    """Factor on `train.lr` for the units."""


class BranchedSharing(SharingBase):
    """Lower stages shared by all tasks, upper stages by the tasks of a group."""

    kind: Literal["branched"]
    groups: Annotated[list[Annotated[list[Name], Field(min_length=1)]], Field(min_length=1)]
    """Every task of the method in exactly one group."""
    shared_stages: Count = 1
    """Stages, counted from the input, that all tasks share."""

    @model_validator(mode="after")
    def _disjoint(self) -> "BranchedSharing":
        listed = [name for group in self.groups for name in group]
        twice = sorted({name for name in listed if listed.count(name) > 1})
        if twice:
            raise ValueError(f"groups should hold every task once, found {twice[0]} twice")
        return self


Sharing = Annotated[
    HardSharing | SeparateSharing | SoftSharing | CrossStitchSharing | BranchedSharing, Field(discriminator="kind")
]
