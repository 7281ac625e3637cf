"""The class that is said of a sample, by probabilities and by what mistakes cost.

n samples, k classes; costs [k, k] have the truth in rows and what is said in columns.
"""

from collections.abc import Sequence
from typing import assert_never

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from mtl.results.decision import Cheapest, Threshold

EQUAL = 1e-12
"""Relative difference of two costs that is none."""


def decided(
    logits: Float[Tensor, "n k"] | Float[Tensor, " n"], decision: Threshold | Cheapest | None
) -> Int[Tensor, " n"]:
    """Numbers of the classes that are said; without a decision the most probable ones.

    Args:
        logits: [n, k], or [n] of two classes, the logit of class 1.
        decision: the rule; a threshold is for one logit.
    """
    match decision:
        case None:
            return (logits > 0).long() if logits.ndim == 1 else logits.softmax(dim=1).argmax(dim=1)
        case Threshold():
            return (logits.double().sigmoid() > decision.threshold).long()
        case Cheapest():
            return expected_costs(logits.double().softmax(dim=1), decision).argmin(dim=1)
        case _:
            assert_never(decision)


def expected_costs(chance: Float[Tensor, "n k"], decision: Cheapest) -> Float[Tensor, "n k"]:
    """Expected cost of saying each class."""
    return chance @ torch.tensor(decision.costs, dtype=chance.dtype)


def decision_problem(decision: Threshold | Cheapest, outputs: int) -> str | None:
    """The reason why a decision is none for so many logits of a sample, a clause; None where it is one."""
    match decision:
        case Threshold():
            return None if outputs == 1 else "should be `cheapest` for several classes, found `threshold`"
        case Cheapest() if outputs == 1:
            return "should be `threshold` for two classes with one logit, found `cheapest`"
        case Cheapest():
            count = len(decision.costs)
            return None if count == outputs else f"should have costs of {outputs} classes, found {count}"
        case _:
            assert_never(decision)


def margins(chance: Float[Tensor, "n k"], decision: Threshold | Cheapest | None) -> Float[Tensor, " n"]:
    """Distance of each sample from where another class would be said: of the two greatest probabilities, or of those
    of both classes from the threshold, or of the two least costs relative to the greatest of all."""
    match decision:
        case None:
            first, second = chance.topk(2, dim=1).values.unbind(dim=1)
            return first - second
        case Threshold():
            return 2 * (chance[:, 1] - decision.threshold).abs()
        case Cheapest():
            first, second = expected_costs(chance, decision).topk(2, dim=1, largest=False).values.unbind(dim=1)
            return (second - first) / max(map(max, decision.costs))
        case _:
            assert_never(decision)


def mean_cost(said: Int[Tensor, " n"], truth: Int[Tensor, " n"], costs: Sequence[Sequence[float]]) -> float:
    """Mean cost of the samples."""
    return torch.tensor(costs, dtype=torch.float64)[truth, said].mean().item()


def cheapest_threshold(
    chance: Float64[Tensor, " n"],
    positive: Bool[Tensor, " n"],
    weight: Float64[Tensor, " n"],
    false_positive: float,
    false_negative: float,
) -> float:
    """The threshold that costs least on some samples, half-way between the probabilities of two neighbours.

    Of thresholds that cost the same it is the one nearest to false_positive / (false_positive + false_negative), which
    costs least in expectation where probabilities are true (Elkan 2001, The foundations of cost-sensitive learning,
    equation 2).

    Args:
        chance: probability of class 1.
        positive: mask of the samples of class 1.
        weight: of each sample.
        false_positive: cost of saying class 1 wrongly.
        false_negative: cost of saying class 0 wrongly.
    """
    values, place = torch.unique(chance, return_inverse=True)
    zero = chance.new_zeros(1)
    missed, right = (
        chance.new_zeros(len(values)).index_add_(0, place, weight * part).cumsum(0)
        for part in (positive.double(), (~positive).double())
    )
    # Cut i says class 1 of all values but the i least.
    costs = false_negative * torch.cat([zero, missed]) + false_positive * (right[-1] - torch.cat([zero, right]))
    ends = torch.cat([zero, values, zero + 1])
    cuts = (ends[:-1] + ends[1:]) / 2
    best = costs <= costs.min() + EQUAL * (false_negative + false_positive) * weight.sum()
    true_one = false_positive / (false_positive + false_negative)
    able = cuts[best]
    return float(able[(able - true_one).abs().argmin()])
