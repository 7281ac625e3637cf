"""`mtl.balancer`: known answers on two gradients that conflict, heads that follow their own task, errors in words."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mtl
from mtl.errors import UserError
from tests.api.conftest import unchecked

FIRST, SECOND = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])
"""Gradients of two tasks on two shared numbers."""


def gradient(
    method: str, first: Tensor = FIRST, second: Tensor = SECOND, **settings: Any
) -> tuple[Tensor, list[float]]:
    """Gradient on the shared numbers, and the weights."""
    shared = nn.Parameter(torch.zeros(2))
    balancer = mtl.balancer(method, tasks=["a", "b"], **settings)
    weights = balancer.backward([shared @ first + 1, shared @ second + 1])
    assert shared.grad is not None
    return shared.grad, list(weights.values())


@pytest.mark.parametrize(
    ("method", "settings", "wanted"),
    [
        ("equal", {}, [0.0, 1.0]),
        ("fixed", {"weights": [2.0, 1.0]}, [1.0, 1.0]),
        # Yu 2020, algorithm 1: each gradient without its part against the other, (½, ½) and (0, 1), summed.
        ("pcgrad", {}, [0.5, 1.5]),
        # Sener and Koltun 2018: the shortest convex sum, (2·a + 1·… ) at w = 3/5, 2/5.
        ("mgda", {}, [0.2, 0.4]),
        ("mean", {}, [0.0, 0.5]),
    ],
)
def test_known_gradients(method: str, settings: dict[str, Any], wanted: list[float]) -> None:
    made, weights = gradient(method, **settings)
    torch.testing.assert_close(made, torch.tensor(wanted))
    assert len(weights) == 2


def test_weights_that_are_learnt_begin_as_kendall_has_them() -> None:
    shared = nn.Parameter(torch.ones(2))
    balancer = mtl.balancer("uncertainty", tasks={"a": "regression", "b": "binary"})
    weights = balancer.backward({"b": 3 * shared.sum(), "a": shared.sum()})
    assert weights == {"a": 0.5, "b": 1.0}
    (learnt,) = balancer.parameters()
    # d/ds of ½·e^(−s)·2 + ½·s and of e^(−s)·6 + ½·s at 0.
    torch.testing.assert_close(learnt.grad, torch.tensor([-0.5, -5.5]))


def test_dwa_weighs_by_the_last_two_epochs() -> None:
    balancer = mtl.balancer("dwa", tasks=["a", "b"], temperature=1.0)
    shared = nn.Parameter(torch.ones(1))
    for epoch, (a, b) in enumerate([(4.0, 4.0), (2.0, 4.0), (1.0, 1.0)], start=1):
        weights = balancer.backward([a * shared.sum(), b * shared.sum()], epoch=epoch)
    ends = [math.exp(2 / 4), math.exp(4 / 4)]
    assert list(weights.values()) == pytest.approx([2 * end / sum(ends) for end in ends], rel=1e-6)
    other = mtl.balancer("dwa", tasks=["a", "b"], temperature=1.0)
    other.load_state_dict(balancer.state_dict())
    again = other.backward([shared.sum(), shared.sum()], epoch=3)
    assert again == weights


@pytest.mark.parametrize(("features", "given"), [("exact", False), ("exact", True), ("features", True)])
def test_heads_follow_their_own_task(features: str, given: bool) -> None:
    """The shortest convex sum on a network; on its features where that is asked for."""
    torch.manual_seed(0)
    trunk, heads = nn.Linear(3, 2), nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)])
    x, y = torch.randn(8, 3), torch.randn(8, 2)
    z = trunk(x)
    losses = [(head(z)[:, 0] - y[:, place]).square().mean() for place, head in enumerate(heads)]
    on = [z] if features == "features" else list(trunk.parameters())
    rows = torch.stack([
        torch.cat([part.flatten() for part in torch.autograd.grad(loss, on, retain_graph=True)]) for loss in losses
    ])  # fmt: skip
    a, b = rows
    share = float(((b - a) @ b / (b - a).square().sum()).clamp(0, 1))
    wanted = torch.autograd.grad(
        share * losses[0] + (1 - share) * losses[1], list(trunk.parameters()), retain_graph=True
    )
    own = [
        torch.autograd.grad(loss, list(head.parameters()), retain_graph=True)
        for loss, head in zip(losses, heads, strict=True)
    ]
    weights = mtl.balancer("mgda", tasks=["a", "b"], features=features).backward(losses, features=z if given else None)
    assert list(weights.values()) == pytest.approx([share, 1 - share], abs=1e-5)
    for parameter, part in zip(trunk.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, part, rtol=1e-4, atol=1e-6)
    for head, parts in zip(heads, own, strict=True):
        for parameter, part in zip(head.parameters(), parts, strict=True):
            torch.testing.assert_close(parameter.grad, part)


def test_a_step_without_a_task_leaves_it_out() -> None:
    shared, own = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    balancer = mtl.balancer("pcgrad", tasks=["a", "b"])
    balancer.backward([shared @ FIRST + own.sum(), shared @ SECOND + 1])
    shared.grad = own.grad = None
    assert balancer.backward({"a": shared @ FIRST + own.sum()}).keys() == {"a"}
    torch.testing.assert_close(shared.grad, FIRST)
    torch.testing.assert_close(own.grad, torch.ones(1))


W = nn.Parameter(torch.ones(2))


@pytest.mark.parametrize(
    ("made", "step", "told"),
    [
        ({"method": "pcgrd"}, {}, "`method` should be one of equal, fixed"),
        ({"method": "sequential"}, {}, "`method` should be one of"),
        ({"method": 3}, {}, "`method` should be one of"),
        ({"tasks": 3}, {}, "`tasks` should be a list of names, or a mapping of names to kinds, found 3"),
        ({"seed": "x"}, {}, "`seed` should be a whole number from 0 on, found 'x'"),
        ({"tasks": "a"}, {}, "`tasks` should be a list of names"),
        ({"tasks": ["a", "a"]}, {}, "different names"),
        ({"tasks": {"a": "number", "b": "binary"}}, {}, "`tasks['a']` should be a kind among"),
        ({"curriculum": {}}, {}, "`curriculum` is no setting of pcgrad; it has features, normalise"),
        ({"features": "some"}, {}, "`features` should be 'exact' or 'features', found 'some'"),
        ({"method": "fixed"}, {}, "`weights` is missing"),
        ({"method": "fixed", "weights": [1.0]}, {}, "`weights` should be 2 numbers"),
        ({"method": "uncertainty"}, {}, "`tasks` should say the kind of each for uncertainty"),
        ({"method": "weighted", "lambda": 0.2, "tasks": {"a": "binary", "b": "binary"}}, {}, "numbers and classes"),
        ({"normalise": "log_classes"}, {}, "log_classes asks for the classes"),
        ({"method": "dwa"}, {}, "`epoch` is missing"),
        ({"method": "dwa"}, {"epoch": 0}, "`epoch` should be a whole number from 1 on"),
        ({"method": "weighted", "lambda": 0.2, "schedule": "linear", "tasks": {"a": "binary", "b": "forecast"}}, {},
         "`progress` is missing"),
        ({}, {"progress": 2.0}, "`progress` should be a number from 0 to 1"),
        ({"features": "features"}, {}, "`features` is missing: pcgrad"),
        ({}, {"features": W.detach()}, "`features` should have a graph"),
        ({}, {"features": 2 * nn.Parameter(torch.ones(2))}, "found a tensor of another pass"),
        ({}, {"losses": [W.sum()]}, "`losses` should be 2, one for each task (a, b), found 1 of them"),
        ({}, {"losses": {"c": W.sum()}}, "`losses` should name tasks (a, b), found 'c'"),
        ({}, {"losses": {}}, "found none"),
        ({}, {"losses": "ab"}, "`losses` should be tensors, by name or in order, found str"),
        ({}, {"losses": [W.sum(), None]}, "`losses['b']` should be a tensor, found NoneType"),
        ({}, {"features": 3}, "`features` should be one tensor [B, D], found int"),
        ({"method": "dwa"}, {"epoch": "1"}, "`epoch` should be a whole number from 1 on, found '1'"),
        ({}, {"losses": [W, W]}, "should be one real number, found torch.float32 of the shape [2]"),
        ({}, {"losses": torch.ones(2)}, "should have a graph"),
        ({}, {"losses": torch.ones(2, 1)}, "found the shape [2, 1]"),
        ({}, {"losses": [W.sum(), nn.Parameter(torch.ones(1)) * 1]}, "parameters that tasks share"),
    ],
)  # fmt: skip
def test_errors(made: dict[str, Any], step: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as caught:
        balancer = unchecked(mtl.balancer)(**({"method": "pcgrad", "tasks": ["a", "b"]} | made))
        unchecked(type(balancer).backward)(balancer, **({"losses": [W.sum(), (2 * W).sum()]} | step))
    assert told in str(caught.value)
