"""Numbers from features: a linear map, or sums of decision trees.

B samples, P features, O outputs, N nodes of all trees.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class LinearScores(nn.Module):
    """O numbers, each a weighted sum of the features; one number stands alone, without a dimension.

    Args:
        inputs: P.
        outputs: O.
        single: one number a sample, [B]; else [B, O].
    """

    def __init__(self, inputs: int, outputs: int, single: bool) -> None:
        super().__init__()
        self.single = single
        self.register_buffer("weight", torch.zeros(outputs, inputs, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros(outputs, dtype=torch.float64))
        self.weight: Tensor
        self.bias: Tensor

    def forward(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B *O"]:
        numbers = features.double() @ self.weight.T + self.bias
        return numbers[:, 0] if self.single else numbers


class OnFeatures(nn.Module):
    """Numbers of samples: first their features, then the scores of these.

    Args:
        features: samples → [B, P].
        scores: [B, P] → numbers.
    """

    def __init__(self, features: nn.Module, scores: nn.Module) -> None:
        super().__init__()
        self.features, self.scores = features, scores

    def forward(self, x: Float[Tensor, "B *S"]) -> Float[Tensor, "B *O"]:
        numbers: Tensor = self.scores(self.features(x))
        return numbers


class TreeScores(nn.Module):
    """O sums over R rounds of a decision tree each, as tables of nodes; a leaf leads to itself.

    At a node a sample goes left when its feature is at most the threshold, or is missing and the node sends those left;
    at a node that asks for a category, when that is one of the node's set.

    Args:
        outputs: O.
        rounds: R.
        nodes: N.
        depth: questions from a root to the deepest leaf.
        classes: k of a label with a logit for each of its classes, whose trees add up to one sum where k is 2; None:
            one number a sample, [B].
        sets: nodes that ask for a category.
        codes: codes of the category with the most of them that a node asks for.
    """

    def __init__(
        self, outputs: int, rounds: int, nodes: int, depth: int, classes: int | None, sets: int = 0, codes: int = 0
    ) -> None:
        super().__init__()
        self.set_of: Int[Tensor, " N"] | None
        self.lefts: Tensor | None
        # Without categories the arrays are those of before there were any.
        self.register_buffer("set_of", torch.full((nodes,), -1, dtype=torch.int32) if sets else None)
        self.register_buffer("lefts", torch.zeros(sets, codes, dtype=torch.bool) if sets else None)
        self.depth, self.classes = depth, classes
        whole = {"roots": (rounds, outputs), "feature": (nodes,), "left": (nodes,), "right": (nodes,)}
        for name, shape in whole.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.int32))
        for name, shape in {"threshold": (nodes,), "value": (nodes,), "start": (outputs,)}.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("missing_left", torch.zeros(nodes, dtype=torch.bool))
        self.roots: Int[Tensor, "R O"]
        self.feature: Int[Tensor, " N"]
        self.left: Int[Tensor, " N"]
        self.right: Int[Tensor, " N"]
        self.threshold: Float[Tensor, " N"]
        self.value: Float[Tensor, " N"]
        self.start: Float[Tensor, " O"]
        self.missing_left: Tensor

    def forward(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B *O"]:
        return self.shaped(self.by_round(features).sum(dim=1) + self.start)

    def shaped(self, sums: Float[Tensor, "B O"]) -> Float[Tensor, "B *k"]:
        """One number of a sample, or a logit for each class."""
        match self.classes:
            case None:
                return sums[:, 0]
            case 2:
                return torch.cat([-sums / 2, sums / 2], dim=1)
            case _:
                return sums

    def by_round(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B R O"]:
        """Numbers that each tree adds."""
        values = features.double()
        roots = self.roots.flatten().long()
        node = roots.expand(values.shape[0], -1)
        for _ in range(self.depth):
            asked = values.gather(1, self.feature[node].long())
            left = (asked <= self.threshold[node]) | (asked.isnan() & self.missing_left[node])
            if self.set_of is not None and self.lefts is not None:
                place, code = self.set_of[node].long(), asked.nan_to_num().long().clamp(0, self.lefts.shape[1] - 1)
                member = torch.where(asked.isnan(), left, self.lefts[place.clamp(min=0), code])
                left = torch.where(place < 0, left, member)
            node = torch.where(left, self.left[node], self.right[node]).long()
        return torch.unflatten(self.value[node], 1, self.roots.shape)
