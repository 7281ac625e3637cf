"""`simple`: models that are fitted in seconds and stand beside every network; imports no torch."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from mtl.config.common import Section
from mtl.config.linear_map import Kernels
from mtl.config.pretrained import FrozenNetwork

SimpleName = Literal["persistence", "seasonal", "ridge", "logistic", "boosting", "kernels", "ngrams", "words", "probe"]
"""Simple models with an input; `majority` or `mean`, which has none, is a candidate of every task besides."""
SIMPLE_NAMES: tuple[SimpleName, ...] = get_args(SimpleName)
"""In the order in which an equal validation value decides."""
PROBE: SimpleName = "probe"
"""The linear map of what a pretrained network gives, which is tried where that network is named."""


class SimpleConfig(Section):
    """`simple`: the simple models of every task, of which the best one on validation data is kept."""

    models: list[SimpleName] | None = None
    """Models that are tried where they fit a task; null tries all, an empty list switches the stage off."""
    period: Annotated[int, Field(ge=2, strict=True)] | None = None
    """Rows after which a series repeats itself, for the seasonal forecast; null finds it in the training data."""
    kernels: Kernels = 1000
    probe: FrozenNetwork | None = Field(default=None, exclude_if=lambda probe: probe is None)
    """Pretrained network of texts on whose vectors a linear map is fitted; null: none. Left out where it is null, so
    that what is derived from the section stays as it was before there was a choice."""

    @property
    def enabled(self) -> bool:
        """Says whether tasks have simple models at all."""
        return self.models is None or bool(self.models)

    def tries(self, name: SimpleName) -> bool:
        """Says whether a model is among those that are tried."""
        return (self.models is None or name in self.models) and (name != PROBE or self.probe is not None)

    @model_validator(mode="after")
    def _distinct(self) -> "SimpleConfig":
        if self.models is not None and len(set(self.models)) != len(self.models):
            raise ValueError(f"models should be distinct, found {self.models}")
        if self.models is not None and PROBE in self.models and self.probe is None:
            raise ValueError("probe should name the pretrained network that `models` asks for, found null")
        return self
