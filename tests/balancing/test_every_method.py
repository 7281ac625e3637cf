"""Every method of balancing against every property; what a method lacks is declared in its row (cases.py)."""

import copy
import typing

import pytest
import torch
from torch import Tensor

from mtl.balancing.base import Step
from mtl.config import Method
from tests.balancing.cases import CASES, PINNED_JACOBIAN, PINNED_LOSSES, Case
from tests.balancing.linear_losses import balancer, specs, take

JUDGED = [case for case in CASES if case.peer is not None]


def rows(property_: str) -> list[Case]:
    """The methods that should have a property."""
    return [case for case in CASES if property_ not in case.lacks]


def named(case: Case) -> str:
    return case.kind


def random_gradients(count: int, seed: int, width: int = 30) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_every_method_has_a_row() -> None:
    union = typing.get_args(typing.get_args(Method)[0])
    kinds = [typing.get_args(model.model_fields["kind"].annotation)[0] for model in union]
    assert sorted([*(case.kind for case in CASES), "sequential"]) == sorted(kinds)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_pinned_value(case: Case) -> None:
    weights, direction = take(balancer(case.config, specs(2, mixed=True)), torch.tensor(PINNED_JACOBIAN), PINNED_LOSSES)
    assert weights.tolist() == pytest.approx(case.pinned, abs=2e-4), case.source
    if case.kind != "graddrop":
        torch.testing.assert_close(direction, weights @ torch.tensor(PINNED_JACOBIAN), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("case", JUDGED, ids=named)
# cvxpy tells that torchjd's program is solved anew in every step
@pytest.mark.filterwarnings("ignore:You are solving a parameterized problem that is not DPP:UserWarning")
def test_it_goes_where_torchjds_goes(case: Case, count: int, seed: int) -> None:
    common = 0.5 * random_gradients(count, seed + 200)[:, :1] * random_gradients(1, seed + 100)
    jacobian = random_gradients(count, seed) + common
    _, direction = take(balancer(case.config, specs(count, mixed=True)), jacobian, torch.ones(count))
    assert case.peer is not None
    if case.kind == "pcgrad" and count > 2:
        # The same orders, drawn as ours are: torchjd takes them from the global generator.
        method = balancer(case.config, specs(count, mixed=True)).method
        with method.chance.own():  # type: ignore[union-attr, operator]
            wanted = case.peer(count)(jacobian)
    else:
        wanted = case.peer(count)(jacobian)
    assert torch.cosine_similarity(direction, wanted, dim=0) >= 0.999
    if case.kind != "nash_mtl":  # torchjd's stops early, and so is a little short
        assert float(direction.norm()) == pytest.approx(float(wanted.norm()), rel=5e-3)


@pytest.mark.parametrize("exponent", [-6, -3, 3, 6])
@pytest.mark.parametrize("case", CASES, ids=named)
def test_finite_at_every_scale(case: Case, exponent: int) -> None:
    scales = torch.tensor([10.0**exponent, 1.0, 10.0**-exponent])
    method = balancer(case.config, specs(3, mixed=True))
    for seed in range(3):
        weights, direction = take(method, random_gradients(3, seed) * scales[:, None], scales, epoch=seed + 1)
        assert torch.isfinite(weights).all() and torch.isfinite(direction).all()
        assert direction.abs().sum() > 0 or "moves" in case.lacks
    weights, direction = take(method, random_gradients(3, 9) * 10.0**exponent, scales, epoch=4)
    assert torch.isfinite(weights).all() and direction.abs().sum() > 0


@pytest.mark.parametrize("case", rows("permutes"), ids=named)
def test_weights_follow_their_tasks(case: Case) -> None:
    jacobian, losses, order = random_gradients(4, 1), torch.tensor([0.3, 2.0, 1.0, 0.7]), [2, 0, 3, 1]
    tasks = specs(4, mixed=True)
    weights, direction = take(balancer(case.config, tasks), jacobian, losses)
    turned, same = take(balancer(case.config, [tasks[k] for k in order]), jacobian[order], losses[order])
    torch.testing.assert_close(turned, weights[order], rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(same, direction, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_one_task_alone(case: Case) -> None:
    gradient = random_gradients(1, 4)
    _, direction = take(balancer(case.config, specs(1, mixed=True)), gradient, [0.7])
    if "alone" in case.lacks:
        assert torch.cosine_similarity(direction, gradient[0], dim=0) >= 1 - 1e-6
    else:
        torch.testing.assert_close(direction, gradient[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_identical_tasks_give_their_gradients_direction(case: Case) -> None:
    gradient = random_gradients(1, 5)
    _, direction = take(balancer(case.config, specs(3, mixed=True)), gradient.repeat(3, 1), [0.7, 0.7, 0.7])
    assert torch.cosine_similarity(direction, gradient[0], dim=0) >= 1 - 1e-6


@pytest.mark.parametrize("case", CASES, ids=named)
def test_opposite_tasks(case: Case) -> None:
    gradient = random_gradients(1, 6)
    both = torch.cat([gradient, -gradient])
    _, direction = take(balancer(case.config, specs(2, mixed=case.kind == "weighted")), both, [0.7, 0.7])
    assert torch.isfinite(direction).all()
    if "cancels" not in case.lacks:
        assert direction.norm() <= 1e-3 * gradient.norm()


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_restored_method_goes_on_bit_for_bit(case: Case) -> None:
    def steps(method: object, numbers: range) -> list[Tensor]:
        found = []
        for number in numbers:
            jacobian, losses = random_gradients(3, number), 0.2 + random_gradients(3, number + 50, 1)[:, 0].abs()
            found += take(method, jacobian, losses, epoch=1 + number // 2)  # type: ignore[arg-type]
            optimise(method)
        return found

    def optimise(method: object) -> None:
        with torch.no_grad():
            for parameter in method.parameters():  # type: ignore[attr-defined]
                parameter -= 0.1 * parameter.grad

    method = balancer(case.config, specs(3, mixed=True))
    steps(method, range(5))
    saved = copy.deepcopy(method.state_dict())
    wanted = steps(method, range(5, 10))
    restored = balancer(case.config, specs(3, mixed=True))
    restored.load_state_dict(saved)
    torch.manual_seed(123)  # what others draw meanwhile makes no difference
    for found, expected in zip(steps(restored, range(5, 10)), wanted, strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_it_leaves_torchs_generator_alone(case: Case) -> None:
    before = torch.get_rng_state()
    take(balancer(case.config, specs(3, mixed=True)), random_gradients(3, 0), [1.0, 2.0, 3.0])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_step_without_one_of_the_tasks(case: Case) -> None:
    method = balancer(case.config, specs(4, mixed=True))
    take(method, random_gradients(4, 0), [1.0, 2.0, 3.0, 0.5])
    jacobian = random_gradients(2, 1)
    weights, direction = take(method, jacobian, [1.5, 0.4], present=(0, 2))
    assert weights.shape == (4,) and torch.isfinite(weights).all() and direction.abs().sum() > 0
    if case.kind != "graddrop":
        torch.testing.assert_close(direction, weights[[0, 2]] @ jacobian, rtol=1e-5, atol=1e-5)
    weights, _ = take(method, random_gradients(4, 2), [1.0, 2.0, 3.0, 0.5])
    assert torch.isfinite(weights).all()


@pytest.mark.parametrize("normalise", ["initial", "log_classes", "ema"])
@pytest.mark.parametrize("case", CASES, ids=named)
def test_every_method_takes_normalised_losses(case: Case, normalise: str) -> None:
    method = balancer(case.config | {"normalise": normalise}, specs(3, mixed=True))
    for seed in range(2):
        jacobian = random_gradients(3, seed)
        weights, direction = take(method, jacobian, [100.0, 1.0, 0.01])
        if case.kind != "graddrop":
            torch.testing.assert_close(direction, weights @ jacobian, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", rows("descends"), ids=named)
def test_two_quadratics_end_in_their_pareto_set(case: Case) -> None:
    """½‖θ − a‖² and ½‖θ − b‖²: the Pareto set is the segment from a to b."""
    a, b = torch.tensor([0.0, 0.0]), torch.tensor([2.0, 1.0])
    theta = torch.nn.Parameter(torch.tensor([[-1.0, 2.0]]))
    method = balancer(case.config, specs(2, mixed=True))
    learnt = list(method.parameters())
    steps = 150
    for number in range(steps):
        theta.grad = None
        for parameter in learnt:
            parameter.grad = None
        losses = 0.5 * torch.cat([(theta - a).square(), (theta - b).square()]).sum(dim=1)
        method.backward(Step(losses, (0, 1), number / steps, shared=[theta], epoch=1 + number // 30))
        with torch.no_grad():
            theta -= 0.5 * (1 - number / steps) * theta.grad
            for parameter in learnt:
                parameter -= 0.01 * parameter.grad
    along = ((theta[0] - a) @ (b - a) / (b - a).square().sum()).clamp(0, 1)
    assert torch.dist(theta[0], a + along * (b - a)) < 0.02
