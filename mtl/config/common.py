"""Base of every section of params.yaml: frozen, no unknown keys, a few bounded number types."""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Problem = tuple[str, str]
"""(path in params.yaml, message)."""
Extent = Literal["train", "train+val", "all"]
"""Parts of the data that a model is trained on."""


class Section(BaseModel):
    """A part of params.yaml: immutable once read; a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
TARGET_PATTERN = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
"""Something in a module, as `module:name`."""
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=60)]
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
Folds = Annotated[int, Field(ge=1, le=50, strict=True)]
"""Parts that training samples are dealt into; seed s validates on part s mod F. 1: one fixed validation part for every
seed, a fifth."""
FIXED_PARTS = 5
"""Number of parts of the training samples with `folds: 1`; the first of them is the validation part."""
Seed = Annotated[int, Field(ge=0, lt=2**31, strict=True)]


def parts_dealt(folds: int) -> int:
    """Parts that training samples are dealt into for a setting `folds`."""
    return FIXED_PARTS if folds == 1 else folds


def tag(section: type[Section]) -> str:
    """The kind of a section as params.yaml names it."""
    return str(get_args(section.model_fields["kind"].annotation)[0])
