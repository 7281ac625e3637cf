"""Grouping methods: agreement with scikit-fuzzy, safe memberships near m = 1, ties, choice of the number."""

import numpy as np
import pytest
import skfuzzy
from numpy.typing import NDArray

from mtl.config.grouping import Algorithm, FuzzyCMeans, GaussianMixture, HardKMeans, KMeansMemberships
from mtl.errors import UserError
from mtl.grouping.clustering import Clustering, agreement, choose, cluster, fuzzy_c_means, memberships
from mtl.grouping.features import from_affinity, reduced

Array = NDArray[np.float64]
ALGORITHMS: dict[str, Algorithm] = {
    "fuzzy": FuzzyCMeans(kind="fuzzy", m=1.5),
    "kmeans": KMeansMemberships(kind="kmeans", m=1.07),
    "hard": HardKMeans(kind="hard"),
    "gaussian_mixture": GaussianMixture(kind="gaussian_mixture"),
}


def groups(sizes: tuple[int, ...] = (4, 3, 5), spread: float = 0.3, features: int = 6, seed: int = 0) -> Array:
    """Tasks around centres that lie far apart; rows in the order of the groups."""
    dice = np.random.default_rng(seed)
    centres = 4 * np.eye(len(sizes), features)
    return np.concatenate([c + spread * dice.normal(size=(n, features)) for c, n in zip(centres, sizes, strict=True)])


TRUTH = [0] * 4 + [1] * 3 + [2] * 5


@pytest.mark.parametrize("m", [2.0, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_fuzzy_c_means_agrees_with_scikit_fuzzy(m: float, seed: int) -> None:
    points = groups(seed=seed, spread=0.8)
    _, theirs, _, _, _, _, _ = skfuzzy.cmeans(points.T, 3, m, error=1e-10, maxiter=1000, seed=seed)
    ours = fuzzy_c_means(points, 3, m, seed)
    order = [int(theirs[:, k].argmax()) for k in (0, 4, 7)]
    mine = [int(ours[k].argmax()) for k in (0, 4, 7)]
    assert sorted(order) == sorted(mine) == [0, 1, 2]
    np.testing.assert_allclose(ours[:, mine], theirs[order].T, atol=1e-6)


@pytest.mark.parametrize("m", [1.02, 1.05, 1.07, 1.1])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_memberships_are_numbers_where_the_direct_form_is_none(m: float, scale: float) -> None:
    d = scale * np.array([[1e-4, 1.0, 3e3], [2.0, 2.0 + 1e-9, 5.0], [700.0, 1.0, 699.0]])
    with np.errstate(all="ignore"):
        direct = d ** (-2 / (m - 1))
        direct /= direct.sum(axis=1, keepdims=True)
    if m < 1.05:
        assert not np.isfinite(direct).all()
    found = memberships(d, m)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found[0], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(found[1, :2], 0.5, atol=1e-6)
    whole = np.isfinite(direct).all(axis=1)
    np.testing.assert_allclose(found[whole], direct[whole], rtol=1e-9, atol=1e-50)


@pytest.mark.parametrize("m", [1.02, 1.5, 2.0])
def test_a_task_on_several_centroids_is_shared_among_them(m: float) -> None:
    found = memberships(np.array([[0.0, 3.0, 0.0], [1.0, 0.0, 2.0]]), m)
    np.testing.assert_array_equal(found, [[0.5, 0, 0.5], [0, 1, 0]])


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("seed", range(5))
def test_planted_groups_are_found(name: str, seed: int) -> None:
    found = cluster(reduced(groups(seed=seed)), ALGORITHMS[name], 3, seed)
    assert agreement([found.labels, TRUTH]) == 1.0
    assert found.labels == TRUTH  # clusters stand in the order of their first task
    np.testing.assert_allclose(found.memberships.sum(axis=1), 1)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_duplicates_have_the_same_memberships(name: str) -> None:
    points = groups()
    found = cluster(reduced(np.concatenate([points, points[:2]])), ALGORITHMS[name], 3, 0)
    np.testing.assert_allclose(found.memberships[-2:], found.memberships[:2], atol=1e-9)


@pytest.mark.parametrize(
    ("name", "by"), [*((name, "silhouette") for name in ALGORITHMS), ("fuzzy", "partition_coefficient")]
)
def test_the_number_of_clusters_is_found(name: str, by: str) -> None:
    found, scores = choose(groups(), ALGORITHMS[name], by, 0)
    assert found.memberships.shape == (12, 3)
    assert set(scores) == {str(c) for c in range(2, 11)}


def test_reduction_keeps_distances() -> None:
    points = np.random.default_rng(0).normal(size=(5, 400))
    small = reduced(points)
    assert small.shape == (5, 5)
    expected = np.linalg.norm(points[:, None] - points, axis=2)
    np.testing.assert_allclose(np.linalg.norm(small[:, None] - small, axis=2), expected, atol=1e-10)


def test_points_of_cosines_have_their_distances() -> None:
    vectors = np.random.default_rng(1).normal(size=(6, 40))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = from_affinity(unit @ unit.T)
    expected = np.linalg.norm(unit[:, None] - unit, axis=2)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found, axis=2), expected, atol=1e-7)


def test_more_clusters_than_tasks_that_differ() -> None:
    points = np.repeat(np.eye(3), 2, axis=0)
    with pytest.raises(UserError, match="at most the 3 tasks that differ, found 4"):
        cluster(points, ALGORITHMS["hard"], 4, 0)
    with pytest.raises(UserError, match=r"fewer than 3 tasks differ \(2 do\), found 'auto'"):
        choose(points[:4], ALGORITHMS["hard"], "silhouette", 0)


def test_one_cluster_holds_everybody_and_agreement_needs_two() -> None:
    found = cluster(groups(), ALGORITHMS["fuzzy"], 1, 0)
    assert found == Clustering(found.memberships) and found.labels == [0] * 12 and found.partition_coefficient == 1
    assert agreement([[0, 1]]) is None
    assert agreement([[0, 0, 1], [1, 1, 0], [0, 0, 1]]) == 1.0
