"""Known optima of labels and numeric targets as the files of a prepared source hold them, and back.

n samples or rows, k classes.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from jaxtyping import Float
from torch import Tensor

from mtl.types import Prepared


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


def oracle_problem(p: Prepared) -> str | None:
    """Problem of the optima of windows, or None."""
    length = None if p.oracle_forecast is None else len(p.oracle_forecast)
    if p.oracle_forecast is not None and (
        p.oracle_forecast.ndim != 3 or p.oracle_forecast.shape[2] != p.values.shape[1]
    ):
        return f"`oracle_forecast` should be n × H × {p.values.shape[1]}, found {list(p.oracle_forecast.shape)}."
    for name, chance in p.oracle_labels.items():
        if name not in p.classes:
            return f"`oracle_labels` should name labels among {sorted(p.classes)}, found {name!r}."
        if chance.ndim != 2 or chance.shape[1] != len(p.classes[name]) or length not in (None, len(chance)):
            return f"`oracle_labels` of `{name}` should be n × {len(p.classes[name])}, found {list(chance.shape)}."
    for name, mean in p.oracle_numbers.items():
        if name not in p.numbers:
            return f"`oracle_numbers` should name targets among {sorted(p.numbers)}, found {name!r}."
        if mean.ndim != 1 or length not in (None, len(mean)):
            return f"`oracle_numbers` of `{name}` should be n numbers, found {list(mean.shape)}."
    return None
