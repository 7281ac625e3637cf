"""Known optima of labels and numeric targets as the files of a prepared source hold them, and back.

n samples or rows, k classes.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from jaxtyping import Float
from torch import Tensor


class Optima(TypedDict):
    """The fields of a source that tell the optima of its labels and numeric targets."""

    oracle_labels: dict[str, Float[Tensor, "n _"]]
    """Label → P(class | what is known), [n, k]."""
    oracle_numbers: dict[str, Float[Tensor, " n"]]
    """Numeric target → its mean given what is known."""


def as_tensors(labels: Mapping[str, Tensor], numbers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Optima by the names that they have in a file."""
    known = {f"oracle_labels.{label}": chance for label, chance in labels.items()}
    return known | {f"oracle_numbers.{target}": mean for target, mean in numbers.items()}


def from_tensors(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Optima:
    """Optima that `as_tensors` named; `meta` lists them."""
    return {
        "oracle_labels": {label: tensors[f"oracle_labels.{label}"] for label in meta["oracle_labels"]},
        "oracle_numbers": {name: tensors[f"oracle_numbers.{name}"] for name in meta.get("oracle_numbers", [])},
    }
