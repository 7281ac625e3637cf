"""The programs behind MGDA, DualProj, UPGrad and CAGrad, and the equations of Nash-MTL and FairGrad."""

import itertools

import numpy as np
import pytest
import quadprog
import torch
from torch import Tensor
from torchjd.linalg import QuadprogProjector

from mtl.balancing.conflict_averse import CaGrad
from mtl.balancing.fairness import fair_weights
from mtl.balancing.mgda import Mgda
from mtl.balancing.nonnegative import ITERATIONS, ROW_TOLERANCE, definite, kkt_residual, solve, solve_rows
from mtl.balancing.projection import UpGrad, scaled
from mtl.balancing.surgery import PcGrad


def gradients(count: int, width: int, seed: int, spread: float = 0.0, common: float = 0.0) -> Tensor:
    """Random rows, their lengths 10^±spread, with a shared part of random sign and size `common` (conflict)."""
    dice = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, width, generator=dice, dtype=torch.float64)
    shared = torch.randn(1, width, generator=dice, dtype=torch.float64)
    rows = rows + common * shared * torch.randn(count, 1, generator=dice, dtype=torch.float64)
    lengths = torch.rand(count, 1, generator=dice, dtype=torch.float64)
    return rows * 10 ** (spread * (2 * lengths - 1))


def ill_conditioned() -> dict[str, Tensor]:
    """Gramians of many kinds, by name."""
    jacobians = {
        "independent": gradients(100, 5000, 0),
        "square": gradients(100, 100, 1),
        "in conflict": gradients(100, 5000, 2, common=3),
        "square, in conflict": gradients(100, 100, 3, common=3),
        "rank 30": gradients(100, 30, 4),
        "rank 30, in conflict": gradients(100, 30, 5, common=3),
        "a hundredfold conflict": gradients(60, 100, 1, common=30),
        "rank 2": gradients(100, 2, 6),
        "scales 10^±1.5": gradients(100, 200, 7, spread=1.5),
        "scales 10^±6": gradients(100, 200, 8, spread=6),
        "pairs of opposites": torch.cat([gradients(50, 80, 9), -gradients(50, 80, 9)]),
        "few": gradients(5, 8, 10, spread=1.5, common=1),
        "twenty-one": gradients(21, 40, 11, common=1),
    }
    return {name: rows @ rows.T for name, rows in jacobians.items()}


@pytest.mark.parametrize("name", ill_conditioned())
def test_upgrad_against_torchjds(name: str) -> None:
    gramian = ill_conditioned()[name]
    count = len(gramian)
    found = UpGrad(None, count)(gramian, list(range(count)))
    wanted = QuadprogProjector()(torch.eye(count, dtype=torch.float64) / count, gramian).sum(dim=0)
    lengths = [float((w @ gramian @ w).clamp_min(0).sqrt() / gramian.trace().sqrt()) for w in (found, wanted)]
    if name == "pairs of opposites":
        assert max(lengths) <= 1e-7  # nothing helps all tasks, so there is no direction to compare
    else:
        assert found @ gramian @ wanted / gramian.trace() >= 0.999 * lengths[0] * lengths[1] > 0
    regular, scale, matrix = scaled(gramian)
    slopes = regular * scale / count
    z = solve_rows(matrix, slopes)
    assert (z >= 0).all()
    assert (kkt_residual(matrix, slopes, z) <= 1e-4 * slopes.norm(dim=1)).all()


def test_rows_that_do_not_converge_are_solved_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl.balancing.nonnegative.ITERATIONS", 10)
    _, scale, matrix = scaled(ill_conditioned()["rank 30, in conflict"])
    slopes = matrix / scale / len(matrix)
    residual = kkt_residual(matrix, slopes, solve_rows(matrix, slopes)) / slopes.norm(dim=1)
    assert (residual <= 1e-4).all() and ITERATIONS > 10 and ROW_TOLERANCE < 1e-4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("common", [0.0, 1.0])
def test_the_active_set_finds_the_best_of_all_supports(seed: int, common: float) -> None:
    rows = gradients(6, 9, seed, spread=0.5, common=common)
    matrix = (rows @ rows.T).numpy()
    slope = np.random.default_rng(seed).standard_normal(6)
    best = 0.0
    for size in range(1, 7):
        for support in itertools.combinations(range(6), size):
            at = list(support)
            z = np.linalg.solve(matrix[np.ix_(at, at)], -slope[at])
            if (z >= 0).all():
                best = min(best, float(0.5 * slope[at] @ z))
    found = solve(matrix, slope)
    assert (found >= 0).all()
    assert 0.5 * found @ matrix @ found + slope @ found == pytest.approx(best, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("common", [0.0, 0.5])
@pytest.mark.parametrize("count", [2, 5, 20])
def test_mgda_is_the_shortest_vector(count: int, common: float, seed: int) -> None:
    rows = gradients(count, 40, seed, spread=1.5, common=common)
    gramian = rows @ rows.T
    weights = Mgda()(gramian, list(range(count)))
    assert (weights >= 0).all() and float(weights.sum()) == pytest.approx(1, abs=1e-12)
    square = float(weights @ gramian @ weights)
    # Exact program of quadprog's, in units in which the gradients have a length of 1.
    length = gramian.diagonal().sqrt()
    scaled_gramian = (gramian / length[:, None] / length).numpy()
    sides = np.concatenate([(1 / length.numpy())[:, None], np.eye(count)], axis=1)
    best = quadprog.solve_qp(scaled_gramian, np.zeros(count), sides, np.array([1.0, *[0.0] * count]), meq=1)[1]
    assert square <= 2 * best * (1 + 1e-6)
    # And without a second solver: the duality gap bounds what is left.
    assert square - float((gramian @ weights).min()) <= 1e-6 * square


def test_mgda_where_the_shortest_vector_is_zero() -> None:
    opposite = torch.tensor([[1.0, 2.0], [-2.0, -4.0]], dtype=torch.float64)
    assert Mgda()(opposite @ opposite.T, [0, 1]).tolist() == pytest.approx([2 / 3, 1 / 3])
    still = torch.tensor([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]], dtype=torch.float64)
    assert Mgda()(still @ still.T, [0, 1, 2]).tolist() == [0.5, 0.0, 0.5]
    flat = gradients(50, 3, 0)
    weights = Mgda()(flat @ flat.T, list(range(50)))
    assert float(weights @ (flat @ flat.T) @ weights) <= 1e-12


def narrow() -> dict[str, Tensor]:
    """Jacobians of more tasks than directions, in numbers that float32 holds."""
    repeated = gradients(1, 2000, 20).expand(20, 2000) * torch.linspace(1, 2, 20, dtype=torch.float64)[:, None]
    against = -0.3 * gradients(1, 2000, 20) + 0.5 * gradients(1, 2000, 21)
    duplicates = gradients(10, 40, 22, common=1)
    jacobians = {
        "copies and one in conflict": torch.cat([repeated, against]),
        "duplicates": torch.cat([duplicates, duplicates]),
        "two directions": gradients(10, 2, 23),
        "rank 3, scales 10^±3, in conflict": gradients(10, 3, 24, spread=3, common=5),
        "a hundred tasks, rank 10": gradients(100, 10, 25),
        "a hundred tasks, rank 2, in conflict": gradients(100, 2, 26, spread=1, common=1),
    }
    return {name: rows.float().double() for name, rows in jacobians.items()}


def rounded(rows: Tensor) -> Tensor:
    """The Gramian as a network's gradients give it: computed in float32."""
    return (rows.float() @ rows.float().T).double()


@pytest.mark.parametrize("name", narrow())
def test_mgda_with_more_tasks_than_directions_in_float32(name: str) -> None:
    rows = narrow()[name]
    gramian, everyone = rows @ rows.T, list(range(len(rows)))
    found, best = Mgda()(rounded(rows), everyone), Mgda()(gramian, everyone)
    assert (found >= 0).all() and float(found.sum()) == pytest.approx(1, abs=1e-12)
    # What float32 cannot tell: 1e-6 of the gradients' own lengths.
    allowed = 1e-5 * float(best**2 @ gramian.diagonal())
    assert float(found @ gramian @ found) <= float(best @ gramian @ best) + allowed
    assert float(best @ gramian @ best) - float((gramian @ best).min()) <= allowed, "nor is the exact one far off"


@pytest.mark.parametrize("exact", [True, False], ids=["float64", "float32"])
@pytest.mark.parametrize("c", [0.1, 0.4, 0.5, 0.9, 1.0, 2.0])
@pytest.mark.parametrize("name", narrow())
def test_cagrad_with_more_tasks_than_directions(name: str, c: float, exact: bool) -> None:
    """Its ball is left by rounding alone, and no task gains less than the bound on the least gain allows."""
    rows = narrow()[name] / narrow()[name].norm()
    gramian = rows @ rows.T
    count = len(rows)
    weights = CaGrad(c)(gramian if exact else rounded(rows), list(range(count)))
    assert torch.isfinite(weights).all()
    radius = c * float(gramian.mean().sqrt())
    if (weights == 0).all():
        assert c >= 1, "in a ball without 0 there is always a direction"
        return
    away = weights - 1 / count
    assert (away >= -1e-12).all()
    length = float((away @ gramian @ away).clamp_min(0).sqrt())
    w = away / away.sum()
    scale = float((w**2 @ gramian.diagonal()).sqrt())
    assert length == pytest.approx(radius, rel=1e-3 if exact else 0.05)
    bound = float(gramian.mean(dim=1) @ w) + radius * float((w @ gramian @ w).clamp_min(0).sqrt())
    assert bound - float((gramian @ weights).min()) <= (1e-6 if exact else 1e-3) * (radius + scale)


def test_a_matrix_that_is_not_definite_is_no_program() -> None:
    with pytest.raises(ArithmeticError, match="of 2 unknowns is not positive definite"):
        solve(np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([-1.0, -1.0]))
    with pytest.raises(ArithmeticError, match="of 2 gradients is not one"):
        definite(np.array([[1.0, 9.0], [9.0, 1.0]]))


def test_the_ridge_is_what_rounding_asks_for() -> None:
    rows = narrow()["duplicates"]
    unit = rows / rows.norm(dim=1, keepdim=True)
    for gramian, least, most in ((unit @ unit.T, 9e-11, 1e-10), (rounded(unit), 1e-8, 1e-5)):
        matrix = definite(gramian.numpy().copy())
        assert least <= matrix[0, 0] - 1 <= 1.1 * most and np.linalg.eigvalsh(matrix)[0] > 0


@pytest.mark.parametrize("c", [0.01, 0.1, 0.5, 0.9, 1.5])
@pytest.mark.parametrize("name", ill_conditioned())
def test_cagrads_direction_is_the_best_within_its_ball(name: str, c: float) -> None:
    """The least gain of a task, min_k g_k·d, is as large as the dual problem's bound on it: no better d is allowed."""
    gramian = ill_conditioned()[name]
    gramian = gramian / gramian.trace()
    count = len(gramian)
    weights = CaGrad(c)(gramian, list(range(count)))
    if name == "pairs of opposites":
        assert (weights == 1 / count).all()  # the mean is 0, and so is the ball
        return
    away = weights - 1 / count
    if (weights == 0).all():
        assert c > 1, "in a ball without 0 there is always a direction"
        shortest = Mgda()(gramian, list(range(count)))
        assert shortest @ gramian @ shortest <= 1e-6 * (shortest**2 @ gramian.diagonal())
        return
    slope = gramian.mean(dim=1)
    radius = c * float(slope.mean().sqrt())
    assert float((away @ gramian @ away).sqrt()) == pytest.approx(radius, rel=1e-8)
    assert (away >= 0).all()
    w = away / away.sum()
    bound = float(slope @ w) + radius * float((w @ gramian @ w).sqrt())
    least = float((gramian @ weights).min())
    assert least <= bound + 1e-12
    assert bound - least <= 1e-6 * radius


def test_cagrad_beside_a_task_without_a_gradient() -> None:
    rows = torch.tensor([[3.0, 0.0], [0.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    found = CaGrad(0.5)(rows @ rows.T, [0, 1, 2])
    # Half of the mean's length goes to the one that gains the least of those that can gain.
    assert found.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3 + 0.5 * (1 + 4 / 9) ** 0.5 / 2])
    opposite = torch.tensor([[3.0, 0.0], [0.0, 0.0], [-2.0, 0.0]], dtype=torch.float64)
    found = CaGrad(0.5)(opposite @ opposite.T, [0, 1, 2])
    assert found.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3 + 1 / 12])  # half of the mean's length, for the loser
    assert CaGrad(0.0)(rows @ rows.T, [0, 1, 2]).tolist() == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize(("count", "common"), [(2, 0.0), (5, 0.5), (100, 0.0), (100, 0.1)])
def test_fair_weights_solve_their_equation(count: int, common: float, alpha: float) -> None:
    rows = gradients(count, 400, count, spread=0.5, common=common)
    gramian = rows @ rows.T
    weights = fair_weights(gramian, alpha)
    assert (weights > 0).all()
    torch.testing.assert_close(
        (gramian @ weights) * weights ** (1 / alpha), torch.ones_like(weights), rtol=0, atol=2e-3
    )


def test_fair_weights_of_a_task_without_a_gradient() -> None:
    rows = torch.tensor([[3.0, 0.0], [0.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    assert fair_weights(rows @ rows.T, 1.0).tolist() == pytest.approx([1 / 3, 0, 1 / 2], rel=1e-4)


def test_pcgrad_alters_each_gradient_against_the_others_alone_in_some_order() -> None:
    """The first gradient, against the second and then the third, points away from what it was."""
    rows = torch.tensor([[0.5, -0.866], [0.0, 1.0], [-0.9, 0.436]], dtype=torch.float64)
    gramian = rows @ rows.T

    def altered(own: int, order: tuple[int, ...]) -> Tensor:
        weights = torch.eye(3, dtype=torch.float64)[own]
        for other in order:
            product = gramian[other] @ weights
            weights[other] -= product.clamp(max=0) / gramian[other, other]
        return weights

    ways = [[altered(own, order) for order in itertools.permutations({0, 1, 2} - {own})] for own in range(3)]
    assert gramian[0] @ ways[0][0] < 0, "what the first comes to conflicts with itself"
    allowed = torch.stack([torch.stack(chosen).sum(dim=0) for chosen in itertools.product(*ways)])
    found = torch.stack([PcGrad(seed)(gramian, [0, 1, 2]) for seed in range(40)])
    nearest = (found[:, None] - allowed).norm(dim=2).min(dim=1)
    assert nearest.values.max() < 1e-12
    assert len(set(nearest.indices.tolist())) > 2, "orders are drawn"
