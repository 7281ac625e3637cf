"""How losses are weighed: schedules, shares within a kind, missing tasks, learnt weights; values and gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtl.balancing.base import Balancer, Step
from mtl.balancing.build import build_balancer
from mtl.balancing.uncertainty import Uncertainty
from mtl.balancing.weighted import FixedWeights, WeightedSum, scheduled, task_weights
from mtl.config import EqualMethod, SequentialMethod, UncertaintyMethod, WeightedMethod
from mtl.tasks.base import TaskSpec
from tests.helpers.problems import spec

F, G = spec("forecast", "f"), spec("regression", "g", weight=3.0)
C, D = spec("classification", "c"), spec("binary", "d", weight=4.0)
LOSSES = {"f": 2.0, "g": 0.5, "c": 1.5, "d": 0.25}


def tensors(names: str = "fgcd") -> dict[str, Tensor]:
    """Leaf losses, so that their gradient is the weight that they really got."""
    return {name: torch.tensor(LOSSES[name], requires_grad=True) for name in names}


def step(balancer: Balancer, losses: dict[str, Tensor], progress: float = 0.0) -> Step:
    """A step with these losses, in the order of the balancer's tasks."""
    names = [task.name for task in balancer.specs]
    present = tuple(place for place, name in enumerate(names) if name in losses)
    return Step(torch.stack([losses[names[place]] for place in present]), present, progress)


def gradients(balancer: Balancer, losses: dict[str, Tensor], progress: float) -> dict[str, float]:
    balancer.backward(step(balancer, losses, progress))
    return {name: loss.grad.item() for name, loss in losses.items() if loss.grad is not None}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.4, 0.4, 0.4, 0.4, 0.4]),
        ("linear", [0.0, 0.04, 0.08, 0.2, 0.4]),
        ("cosine", [0.0, 0.2 * (1 - math.cos(0.1 * math.pi)), 0.2 * (1 - math.cos(0.2 * math.pi)), 0.2, 0.4]),
        ("warmup", [0.0, 0.2, 0.4, 0.4, 0.4]),
    ],
)
def test_schedules(schedule: str, expected: list[float]) -> None:
    points = (0.0, 0.1, 0.2, 0.5, 1.0)
    found = [scheduled(0.4, schedule, p) for p in points]  # type: ignore[arg-type]
    assert found == pytest.approx(expected, abs=1e-12)
    balancer = WeightedSum([F, C], 0.4, schedule)  # type: ignore[arg-type]
    assert [balancer.share(p) for p in points] == found
    for progress, share in zip(points, found, strict=True):
        assert gradients(balancer, tensors("fc"), progress) == pytest.approx({"f": 1 - share, "c": share}, abs=1e-7)


def test_each_kinds_share_is_split_by_the_tasks_own_weights() -> None:
    expected = {"f": 0.7 / 4, "g": 0.7 * 3 / 4, "c": 0.3 / 5, "d": 0.3 * 4 / 5}
    assert task_weights([F, G, C, D], 0.3) == pytest.approx(expected)
    assert gradients(WeightedSum([F, G, C, D], 0.3, "constant"), tensors(), 0.5) == pytest.approx(expected)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.01, 100)), min_size=1, max_size=6).filter(
        lambda tasks: len({kind for kind, _ in tasks}) == 2
    ),
    st.floats(0, 1),
)
def test_weights_sum_to_one_and_each_kind_to_its_share(tasks: list[tuple[bool, float]], lam: float) -> None:
    specs = [spec("binary" if label else "forecast", f"t{i}", weight=w) for i, (label, w) in enumerate(tasks)]
    weights = task_weights(specs, lam)
    labels = sum(weights[task.name] for task in specs if task.kind == "binary")
    assert sum(weights.values()) == pytest.approx(1)
    assert labels == pytest.approx(lam, abs=1e-12)


def test_a_task_missing_from_a_step_leaves_the_others_weights_as_they_are() -> None:
    balancer = WeightedSum([F, G, C, D], 0.3, "constant")
    losses = tensors("gd")
    objective, weights = balancer.combine(step(balancer, losses, 0.5))
    assert objective.item() == pytest.approx(0.7 * 0.75 * 0.5 + 0.3 * 0.8 * 0.25)
    assert weights.tolist() == pytest.approx(list(task_weights([F, G, C, D], 0.3).values()))


def test_a_plain_sum_weighs_by_one_and_has_no_share() -> None:
    balancer = FixedWeights([F, G])
    objective, weights = balancer.combine(step(balancer, tensors("fg"), 0.3))
    assert (objective.item(), weights.tolist()) == (2.5, [1.0, 1.0])
    assert gradients(balancer, tensors("g"), 0.3) == {"g": 1.0}
    assert balancer.share(0.3) is None and not list(balancer.parameters())


@pytest.mark.parametrize(("form", "halves"), [("kendall", (0.5, 0.5, 1.0, 1.0)), ("half", (0.5, 0.5, 0.5, 0.5))])
def test_uncertainty_by_hand(form: str, halves: tuple[float, ...]) -> None:
    balancer = Uncertainty([F, G, C, D], form)  # type: ignore[arg-type]
    logs = [0.3, -0.7, 1.1, 0.0]
    balancer.log_variance.data = torch.tensor(logs)
    losses = tensors()
    objective, weights = balancer.combine(step(balancer, losses, 0.9))
    terms = zip(halves, logs, LOSSES.values(), strict=True)
    assert objective.item() == pytest.approx(sum(h * math.exp(-s) * v + s / 2 for h, s, v in terms), rel=1e-6)
    expected = {name: h * math.exp(-s) for name, h, s in zip("fgcd", halves, logs, strict=True)}
    assert weights.tolist() == pytest.approx(list(expected.values()))
    objective.backward()
    assert {n: loss.grad.item() for n, loss in losses.items() if loss.grad is not None} == pytest.approx(expected)
    slopes = [0.5 - h * math.exp(-s) * v for h, s, v in zip(halves, logs, LOSSES.values(), strict=True)]
    assert balancer.log_variance.grad is not None
    assert balancer.log_variance.grad.tolist() == pytest.approx(slopes, abs=1e-6)


def test_uncertainty_starts_at_the_fixed_weights_of_its_form() -> None:
    assert gradients(Uncertainty([F, C], "kendall"), tensors("fc"), 0.0) == {"f": 0.5, "c": 1.0}
    assert gradients(Uncertainty([F, C], "half"), tensors("fc"), 0.0) == {"f": 0.5, "c": 0.5}


@pytest.mark.parametrize(("form", "label"), [("kendall", 2 * 1.5), ("half", 1.5)])
def test_uncertainty_settles_at_its_optimum(form: str, label: float) -> None:
    # d/ds (½e^{−s}L + ½s) = 0 at s = log L; with e^{−s}L + ½s at s = log 2L.
    balancer = Uncertainty([F, C], form)  # type: ignore[arg-type]
    optimiser = torch.optim.SGD(balancer.parameters(), lr=0.5)
    for _ in range(200):
        optimiser.zero_grad()
        balancer.backward(step(balancer, tensors("fc")))
        optimiser.step()
    assert balancer.log_variance.tolist() == pytest.approx([math.log(2.0), math.log(label)], abs=1e-4)


def test_uncertainty_of_a_missing_task_rests_and_order_does_not_matter() -> None:
    balancer = Uncertainty([F, G, C], "kendall")
    balancer.log_variance.data = torch.tensor([0.1, 0.2, 0.3])
    losses = tensors("cf")
    objective, weights = balancer.combine(step(balancer, losses))
    assert objective.item() == pytest.approx(math.exp(-0.3) * 1.5 + 0.15 + 0.5 * math.exp(-0.1) * 2 + 0.05)
    assert weights.shape == (3,)
    objective.backward()
    assert balancer.log_variance.grad is not None and balancer.log_variance.grad[1] == 0


@pytest.mark.parametrize(
    "make", [lambda s: FixedWeights(s), lambda s: WeightedSum(s, 0.3, "cosine"), lambda s: Uncertainty(s, "kendall")]
)
def test_the_gradient_of_shared_weights_is_that_of_the_formula(make: object) -> None:
    balancer: Balancer = make([F, C])  # type: ignore[operator]
    x = torch.tensor([0.5, -1.2], requires_grad=True)

    def losses() -> dict[str, Tensor]:
        return {"f": x.square().sum(), "c": torch.log1p(x.exp()).sum()}

    weights = balancer.backward(step(balancer, losses(), 0.4))
    rows = {name: torch.autograd.grad(loss, x)[0] for name, loss in losses().items()}
    torch.testing.assert_close(x.grad, weights @ torch.stack(list(rows.values())))


def methods() -> list[tuple[object, type[Balancer]]]:
    return [
        (EqualMethod(kind="equal"), FixedWeights),
        (SequentialMethod(kind="sequential", first="labels"), FixedWeights),
        (WeightedMethod.model_validate({"kind": "weighted", "lambda": 0.2, "schedule": "linear"}), WeightedSum),
        (UncertaintyMethod(kind="uncertainty", form="half"), Uncertainty),
    ]


@pytest.mark.parametrize(("method", "expected"), methods())
def test_every_method_gets_its_balancer(method: object, expected: type[Balancer]) -> None:
    specs: list[TaskSpec] = [F, C]
    balancer = build_balancer(method, specs)  # type: ignore[arg-type]
    assert type(balancer) is expected
    if isinstance(balancer, WeightedSum):
        assert balancer.share(0.5) == pytest.approx(0.1)
    if isinstance(balancer, Uncertainty):
        assert balancer.factor.tolist() == [0.5, 0.5]
