"""Gradient boosting of decision trees on binned features, by scikit-learn, written out as tables of nodes.

n samples, P features, R rounds, O sums (k of a label of k > 2 classes, else 1).
"""

from collections.abc import Sequence
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
MOST_CODES = 255
"""Codes of a category that is read as one; of more, codes are read as numbers."""
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
    features: Float[Tensor, "n P"],
    target: Tensor,
    weights: Float[Tensor, " n"] | None,
    rounds: int,
    threads: int,
    categories: Sequence[int] = (),
) -> Any:
    """A fitted estimator of scikit-learn: of classes for whole targets, else of numbers.

    Args:
        features: NaN is missing.
        target: of the samples.
        weights: of the samples; None: all weigh the same.
        rounds: that are fitted.
        threads: that the fit may use.
        categories: places of the features that are codes of categories, at most MOST_CODES of them each.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    kind = HistGradientBoostingRegressor if target.is_floating_point() else HistGradientBoostingClassifier
    settings: dict[str, Any] = {
        "learning_rate": LEARNING_RATE,
        "max_iter": rounds,
        "max_leaf_nodes": LEAVES,
        "early_stopping": False,
    }
    if categories:
        settings["categorical_features"] = list(categories)
    estimator = kind(random_state=0, **settings)
    with threadpool_limits(threads):
        estimator.fit(features.double().numpy(), target.numpy(), None if weights is None else weights.numpy())
    return estimator


def written_out(estimator: Any, classes: int | None, categories: Sequence[int] = (), codes: int = 0) -> TreeScores:
    """The trees of a fitted estimator: what it predicts from, before any link function.

    Args:
        estimator: of `fit_boosting`.
        classes: k of a label with a logit for each of its classes; None: one number a sample stands alone.
        categories: places of the features that are codes, as they were given to `fit_boosting`.
        codes: number of codes of the category with the most of them.
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
    asks, lefts = _sets(estimator, nodes, categories, codes)
    # The estimator puts categories before the other features.
    width = estimator.n_features_in_
    order = np.array([*categories, *(place for place in range(width) if place not in set(categories))])
    scores = TreeScores(outputs, len(estimator._predictors), len(nodes), depth, classes, len(lefts), codes)
    columns = {
        "roots": starts.reshape(-1, outputs),
        "feature": np.where(leaf, 0, order[nodes["feature_idx"]]),
        "left": np.where(leaf, here, first + nodes["left"]),
        "right": np.where(leaf, here, first + nodes["right"]),
        "threshold": np.where(leaf | (asks >= 0), 0.0, nodes["num_threshold"]),
        "value": np.where(leaf, nodes["value"], 0.0),
        "start": np.asarray(estimator._baseline_prediction).reshape(-1),
        "missing_left": nodes["missing_go_to_left"].astype(bool),
    }
    if len(lefts):
        columns |= {"set_of": asks, "lefts": lefts}
    state = scores.state_dict()
    scores.load_state_dict({name: torch.tensor(value).to(state[name].dtype) for name, value in columns.items()})
    return scores


def _sets(estimator: Any, nodes: np.ndarray, categories: Sequence[int], codes: int) -> tuple[np.ndarray, np.ndarray]:
    """For each node the number of its set of categories, −1 where it asks for a number; and for each set the codes that
    go left: those that the node was fitted on, and the others as missing ones do."""
    asks = np.where(nodes["is_categorical"].astype(bool) & ~nodes["is_leaf"].astype(bool), 0, -1)
    places = np.flatnonzero(asks == 0)
    asks[places] = np.arange(len(places))
    lefts = np.zeros((len(places), codes), dtype=bool)
    if not len(places):
        return asks, lefts
    known = estimator._preprocessor.named_transformers_["encoder"].categories_
    trees = [tree for trees in estimator._predictors for tree in trees]
    bits = [tree.raw_left_cat_bitsets for tree in trees]
    tree_of = np.repeat(np.arange(len(trees)), [len(tree.nodes) for tree in trees])
    for number, place in enumerate(places):
        node, words = nodes[place], bits[tree_of[place]]
        lefts[number] = bool(node["missing_go_to_left"])
        fitted = known[node["feature_idx"]]
        fitted = fitted[~np.isnan(fitted)].astype(int)
        ranks = np.arange(len(fitted))
        lefts[number, fitted] = (words[node["bitset_idx"], ranks // 32] >> (ranks % 32)) & 1
    return asks, lefts


def first_rounds(scores: TreeScores, rounds: int) -> TreeScores:
    """The trees of the first rounds alone."""
    outputs = scores.roots.shape[1]
    if rounds == len(scores.roots):
        return scores
    nodes = int(scores.roots[rounds, 0])
    state = {name: value if name in ("start", "lefts") else value[: rounds if name == "roots" else nodes]
             for name, value in scores.state_dict().items()}  # fmt: skip
    sets = codes = 0
    if scores.lefts is not None:
        sets, codes = int(state["set_of"].max()) + 1, scores.lefts.shape[1]
        state["lefts"] = state["lefts"][:sets]
        if not sets:
            del state["set_of"], state["lefts"]
            codes = 0
    kept = TreeScores(outputs, rounds, nodes, scores.depth, scores.classes, sets, codes)
    kept.load_state_dict(state)
    return kept
