"""Gradient boosting of decision trees on binned features, by scikit-learn, written out as tables of nodes.

n samples, P features, R rounds, O sums (k of a label of k > 2 classes, else 1).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtl.models.simple.scores import TreeScores

ROUNDS = 150
"""Rounds that are fitted, of which validation data choose the first ones."""
LEARNING_RATE = 0.08
LEAVES = 15
CHOICES = (5, 10, 20, 40, 60, 80, 100, 125, ROUNDS)
"""Numbers of rounds that are compared."""
WORK = 6e8
"""Features × samples × rounds × sums of a fit, at most: some seconds."""


@dataclass(frozen=True)
class Forest:
    """Trees of all rounds."""

    scores: TreeScores
    rounds: int


def affordable_rounds(count: int, width: int, sums: int) -> int:
    """Rounds that fit into the budget, at most ROUNDS."""
    return min(ROUNDS, int(WORK / (count * width * sums)))


def fit_boosting(
    features: Float[Tensor, "n P"], target: Tensor, weights: Float[Tensor, " n"] | None, rounds: int, threads: int
) -> Any:
    """A fitted estimator of scikit-learn: of classes for whole targets, else of numbers."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    kind = HistGradientBoostingRegressor if target.is_floating_point() else HistGradientBoostingClassifier
    settings = {"learning_rate": LEARNING_RATE, "max_iter": rounds, "max_leaf_nodes": LEAVES, "early_stopping": False}
    estimator = kind(random_state=0, **settings)
    with threadpool_limits(threads):
        estimator.fit(features.double().numpy(), target.numpy(), None if weights is None else weights.numpy())
    return estimator


def written_out(estimator: Any, classes: int | None) -> TreeScores:
    """The trees of a fitted estimator: what it predicts from, before any link function.

    Args:
        estimator: of `fit_boosting`.
        classes: k of a label with a logit for each of its classes; None: one number a sample stands alone.
    """
    tables = [tree.nodes for trees in estimator._predictors for tree in trees]
    sizes = [len(table) for table in tables]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    outputs = len(estimator._predictors[0])
    nodes = np.concatenate(tables)
    first = np.repeat(starts, sizes)
    here = np.arange(len(nodes))
    leaf = nodes["is_leaf"].astype(bool)
    depth = max(1, int(nodes["depth"].max()))
    scores = TreeScores(outputs, len(estimator._predictors), len(nodes), depth, classes)
    columns = {
        "roots": starts.reshape(-1, outputs),
        "feature": np.where(leaf, 0, nodes["feature_idx"]),
        "left": np.where(leaf, here, first + nodes["left"]),
        "right": np.where(leaf, here, first + nodes["right"]),
        "threshold": np.where(leaf, 0.0, nodes["num_threshold"]),
        "value": np.where(leaf, nodes["value"], 0.0),
        "start": np.asarray(estimator._baseline_prediction).reshape(-1),
        "missing_left": nodes["missing_go_to_left"].astype(bool),
    }
    state = scores.state_dict()
    scores.load_state_dict({name: torch.tensor(value).to(state[name].dtype) for name, value in columns.items()})
    return scores


def first_rounds(scores: TreeScores, rounds: int) -> TreeScores:
    """The trees of the first rounds alone."""
    outputs = scores.roots.shape[1]
    if rounds == len(scores.roots):
        return scores
    nodes = int(scores.roots[rounds, 0])
    kept = TreeScores(outputs, rounds, nodes, scores.depth, scores.classes)
    state = {name: value if name == "start" else value[: rounds if name == "roots" else nodes]
             for name, value in scores.state_dict().items()}  # fmt: skip
    kept.load_state_dict(state)
    return kept
