"""What every section of params.yaml shares: frozen, no unknown keys, a few bounded number types."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Problem = tuple[str, str]
"""(path in params.yaml, message)."""


class Section(BaseModel):
    """A part of params.yaml: immutable once read; a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
"""The key of a source, task or method: it becomes a folder, a DVC stage and an MLflow metric."""

PositiveInt = Annotated[int, Field(gt=0, strict=True)]
Count = Annotated[int, Field(ge=0, strict=True)]
Number = Annotated[float, Field(strict=True)]
"""Whole or not; `true` and "0.1" are none."""
PositiveFloat = Annotated[float, Field(gt=0, strict=True)]
NonNegativeFloat = Annotated[float, Field(ge=0, strict=True)]
Fraction = Annotated[float, Field(ge=0, le=1, strict=True)]
PositiveFraction = Annotated[float, Field(gt=0, le=1, strict=True)]
DropRate = Annotated[float, Field(ge=0, lt=1, strict=True)]
Seed = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
