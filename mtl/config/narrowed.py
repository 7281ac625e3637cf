"""`f1_over` of a classification: classes over which macro-F1 is the mean, as some benchmarks define it."""

from typing import Annotated

from pydantic import Field, model_validator

from mtl.config.common import Section


class NarrowedF1(Section):
    """The member, for the section of a task with `metric`."""

    metric: str | None = None
    f1_over: Annotated[list[str], Field(min_length=2)] | None = Field(
        default=None, exclude_if=lambda over: over is None
    )
    """Classes over which `metric: macro_f1` is the mean, such as [against, favor] without a neutral one; null: all."""

    @model_validator(mode="after")
    def _f1_is_judged(self) -> "NarrowedF1":
        if self.f1_over is None:
            return self
        if self.metric != "macro_f1":
            raise ValueError(f"f1_over should stand beside `metric: macro_f1`, found {self.metric!r}")
        if len(set(self.f1_over)) < len(self.f1_over):
            raise ValueError(f"f1_over should name different classes, found {self.f1_over}")
        return self

    @property
    def judges_all(self) -> bool:
        """The metric counts every class alike; False where it is a mean over some of them."""
        return self.f1_over is None
