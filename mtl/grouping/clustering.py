"""Clusters of tasks: memberships [K, C] from points [K, F], each row summing to 1.

Fuzzy c-means (Bezdek 1981): u_kc ∝ d_kc^(−2/(m−1)), computed as softmax(−2/(m−1)·log d), since the direct form leaves
float64 for m close to 1. Centroids: Σ u^m·x / Σ u^m. K tasks, C clusters, F features.
"""

from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture

from mtl.config.grouping import Clusterer, FuzzyCMeans, HardKMeans, KMeansMemberships
from mtl.config.grouping import GaussianMixture as Mixture
from mtl.errors import UserError

Array = NDArray[np.float64]
RESTARTS = 10
"""Number of runs from other first centroids; the best objective counts."""
STEPS = 500
CLOSE = 1e-6
"""Distances below this share of the largest count as zero: duplicates differ by rounding."""


@dataclass(frozen=True)
class Clustering:
    """Memberships of tasks in clusters."""

    memberships: Array
    """[K, C]; clusters in the order of the first task that belongs to each most."""

    @property
    def labels(self) -> list[int]:
        """The cluster that each task belongs to most."""
        return [int(c) for c in self.memberships.argmax(axis=1)]

    @property
    def partition_coefficient(self) -> float:
        """Mean of Σ_c u² over tasks: 1 when memberships are hard, 1/C when they say nothing."""
        return float((self.memberships**2).sum(axis=1).mean())


def cluster(points: Array, algorithm: Clusterer, clusters: int, seed: int) -> Clustering:
    """Groups tasks.

    Args:
        points: [K, F] features, on one scale.
        algorithm: which one, with its settings.
        clusters: C.
        seed: draws the first centroids.

    Raises:
        UserError: fewer distinct tasks than clusters.
    """
    most = distinct(points)
    if clusters > most:
        raise UserError(f"`cluster.clusters` should be at most the {most} tasks that differ, found {clusters}.")
    if clusters == 1:
        return Clustering(np.ones((len(points), 1)))
    match algorithm:
        case FuzzyCMeans():
            membership = fuzzy_c_means(points, clusters, algorithm.m, seed)
        case KMeansMemberships():
            fitted = _kmeans(points, clusters, seed)
            membership = memberships(distances(points, fitted.cluster_centers_), algorithm.m)
        case HardKMeans():
            membership = np.eye(clusters)[_kmeans(points, clusters, seed).labels_]
        case Mixture():
            membership = _mixture(points, clusters, seed)
        case _:
            assert_never(algorithm)
    return Clustering(_ordered(membership))


def choose(
    points: Array, algorithm: Clusterer, by: str, seed: int, largest: int = 10
) -> tuple[Clustering, dict[str, dict[str, float]]]:
    """Tries 2 clusters to `largest`, or one fewer than the tasks that differ, and keeps the best score.

    Returns:
        The clusters, and number of clusters → both scores.

    Raises:
        UserError: fewer than three tasks differ, so that there is nothing to choose.
    """
    most = distinct(points)
    if most < 3:
        raise UserError(
            f"`cluster.clusters` should be a number when fewer than 3 tasks differ ({most} do), found 'auto'."
        )
    clusterings = {c: cluster(points, algorithm, c, seed) for c in range(2, min(largest, most - 1) + 1)}
    scores = {c: scores_of(points, clustering) for c, clustering in clusterings.items()}
    best = max(scores, key=lambda c: (scores[c][by], -c))
    return clusterings[best], {str(c): score for c, score in scores.items()}


def scores_of(points: Array, clustering: Clustering) -> dict[str, float]:
    """Silhouette (Rousseeuw 1987; −1 where it is not defined) and partition coefficient (Bezdek 1974)."""
    labels = clustering.labels
    defined = 1 < len(set(labels)) < len(points)
    silhouette = float(silhouette_score(points, labels)) if defined else -1.0
    return {"silhouette": silhouette, "partition_coefficient": clustering.partition_coefficient}


def agreement(labels: list[list[int]]) -> float | None:
    """Mean adjusted Rand index over all pairs of groupings of the same tasks; None for fewer than two."""
    pairs = [(a, b) for i, a in enumerate(labels) for b in labels[i + 1 :]]
    return sum(float(adjusted_rand_score(a, b)) for a, b in pairs) / len(pairs) if pairs else None


def distinct(points: Array) -> int:
    """Number of points that differ by more than rounding."""
    between = distances(points, points)
    same = between <= CLOSE * between.max(initial=0.0)
    return sum(not same[k, :k].any() for k in range(len(points)))


def distances(points: Array, centroids: Array) -> Array:
    """[K, C] Euclidean."""
    lengths: Array = np.linalg.norm(points[:, None] - centroids[None], axis=2)
    return lengths


def memberships(d: Array, m: float) -> Array:
    """Bezdek's memberships from distances [K, C]; a task on one or several centroids is shared among those."""
    zero = d <= CLOSE * d.max(initial=0.0)
    with np.errstate(divide="ignore"):
        logs = -2 / (m - 1) * np.log(d)
    logs = np.where(zero.any(axis=1, keepdims=True), np.where(zero, 0.0, -np.inf), logs)
    return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))


def fuzzy_c_means(points: Array, clusters: int, m: float, seed: int) -> Array:
    """The memberships [K, C] of the best of several starts from k-means++ centroids."""
    best, lowest = None, np.inf
    for start in range(RESTARTS):
        centroids, _ = kmeans_plusplus(points, clusters, random_state=seed + start)
        u = memberships(distances(points, centroids), m)
        for _ in range(STEPS):
            weights = u**m
            centroids = weights.T @ points / np.maximum(weights.sum(axis=0), np.finfo(float).tiny)[:, None]
            before, u = u, memberships(distances(points, centroids), m)
            if np.abs(u - before).max() < 1e-9:
                break
        objective = float((u**m * distances(points, centroids) ** 2).sum())
        if objective < lowest * (1 - 1e-12):
            best, lowest = u, objective
    assert best is not None
    return best


def _kmeans(points: Array, clusters: int, seed: int) -> KMeans:
    return KMeans(clusters, n_init=RESTARTS, random_state=seed).fit(points)


def _mixture(points: Array, clusters: int, seed: int) -> Array:
    """Spherical Gaussians, whose variance keeps a floor of a thousandth of all variance: with about as many features as
    tasks, anything freer would close in on single tasks."""
    spread = float(points.var(axis=0).mean())
    fitted = GaussianMixture(
        clusters, covariance_type="spherical", reg_covar=max(1e-3 * spread, 1e-12), n_init=RESTARTS, random_state=seed
    ).fit(points)
    return np.asarray(fitted.predict_proba(points))


def _ordered(membership: Array) -> Array:
    """Clusters by the first task that belongs to each most; those that nobody belongs to most come last."""
    labels = membership.argmax(axis=1)
    first = [
        int((labels == c).argmax()) if (labels == c).any() else len(membership) + c for c in range(membership.shape[1])
    ]
    return np.asarray(membership[:, np.argsort(first)])
