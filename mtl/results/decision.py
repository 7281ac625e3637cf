"""Decisions of a deployed model on the class that it says, by what mistakes cost; k classes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl.results.content import Part

Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Threshold(Part):
    """The second of two classes where its probability is above a number."""

    kind: Literal["threshold"]
    says: str
    """Name of that class."""
    threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    false_positive: Cost
    false_negative: Cost

    @property
    def matrix(self) -> list[list[float]]:
        """Costs, rows truth, columns what is said."""
        return [[0.0, self.false_positive], [self.false_negative, 0.0]]


class Cheapest(Part):
    """The class with the least expected cost."""

    kind: Literal["cheapest"]
    costs: Annotated[list[list[Cost]], Field(min_length=2)]
    """[k, k], rows truth, columns what is said."""

    @model_validator(mode="after")
    def _square(self) -> "Cheapest":
        if any(len(row) != len(self.costs) for row in self.costs):
            raise ValueError("should be as many rows as columns")
        return self

    @property
    def matrix(self) -> list[list[float]]:
        """Costs, rows truth, columns what is said."""
        return self.costs


Decision = Annotated[Threshold | Cheapest, Field(discriminator="kind")]


class MeanCosts(Part):
    """Mean cost of a sample of the test part."""

    usual: float
    """Where the most probable class is said."""
    chosen: float
    """By the decision."""
