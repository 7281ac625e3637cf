"""Aggregation on a network: shared weights, heads, the surrogate on the features, and what is refused."""

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchjd.aggregation import UPGrad
from torchjd.autojac import jac_to_grad, mtl_backward

from mtl.balancing.base import Balancer, NonFiniteGradientError, Step
from mtl.balancing.build import PACKAGES
from mtl.balancing.feature_gramian import feature_gramian
from mtl.balancing.gradients import look, task_gradients
from mtl.balancing.jacobian import JacobianDescent
from mtl.errors import UserError
from tests.balancing.cases import CASES, Case
from tests.balancing.linear_losses import balancer, specs
from tests.balancing.networks import Network, network

PROJECT = Path(__file__).resolve().parents[2]
GRADIENT = [case for case in CASES if isinstance(balancer(case.config, network().specs), JacobianDescent)]
ON_FEATURES = [case for case in GRADIENT if case.kind not in ("graddrop", "excess_mtl", "mean", "sum", "random")]


def named(case: Case) -> str:
    return case.kind


def flat(parameters: list[nn.Parameter]) -> Tensor:
    """Their gradients in one row; a head whose task is absent has none."""
    return torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in parameters])


@pytest.mark.parametrize("absent", [None, "b1", "next"])
@pytest.mark.parametrize("case", GRADIENT, ids=named)
def test_shared_weights_follow_the_combination_and_heads_their_own_task(case: Case, absent: str | None) -> None:
    net = network()
    step = net.step(absent=absent)
    shared, heads = net.rows(net.shared, step), net.rows(net.heads, step)
    weights = balancer(case.config, net.specs).backward(step)[list(step.present)]
    torch.testing.assert_close(flat(net.heads), heads.sum(dim=0), rtol=1e-5, atol=1e-7)
    if case.kind != "graddrop":
        torch.testing.assert_close(flat(net.shared), weights @ shared, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("linear", [True, False], ids=["closed form", "explicit"])
@pytest.mark.parametrize("absent", [None, "b1", "many", "next"])
@pytest.mark.parametrize("case", ON_FEATURES, ids=named)
def test_the_surrogate_sees_the_gradients_on_the_features(case: Case, absent: str | None, linear: bool) -> None:
    net = network(linear)
    step = net.step(absent=absent)
    shared, heads = net.rows(net.shared, step), net.rows(net.heads, step)
    on_features = net.rows([step.passes[0].predictions.features[0]], step)
    method = balancer(case.config | {"features": "features"}, net.specs)
    exact = balancer(case.config, net.specs)
    assert isinstance(exact, JacobianDescent)
    wanted = exact.method((on_features @ on_features.T).double(), list(step.present))
    weights = method.backward(step)[list(step.present)]
    torch.testing.assert_close(weights.double(), wanted, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(flat(net.shared), weights @ shared, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(flat(net.heads), heads.sum(dim=0), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("widths", [[1] * 7, [4, 1, 1, 3], [2, 5]])
def test_the_closed_form_is_the_loop(widths: list[int]) -> None:
    dice = torch.Generator().manual_seed(0)
    deltas = [torch.randn(32, width, generator=dice) for width in widths]
    heads = [torch.randn(width, 12, generator=dice) for width in widths]
    rows = torch.stack([(delta @ head).flatten() for delta, head in zip(deltas, heads, strict=True)])
    order = [place for place, width in enumerate(widths) for _ in range(width)]
    found = feature_gramian(torch.cat(deltas, dim=1), torch.cat(heads), order, len(widths))
    wanted = rows @ rows.T
    assert torch.dist(found, wanted) <= 1e-5 * wanted.norm()


def test_the_surrogates_cosine_to_the_exact_direction() -> None:
    net = network()
    step = net.step()
    rows = net.rows(net.shared, step)
    method = balancer({"kind": "upgrad", "features": "features"}, net.specs)
    weights = method.backward(step)
    exact = balancer({"kind": "upgrad"}, net.specs).backward(net.step())
    wanted = torch.cosine_similarity(weights @ rows, exact @ rows, dim=0)
    assert method.agreement(rows @ rows.T, weights, step.present) == pytest.approx(float(wanted), abs=1e-4)
    assert balancer({"kind": "upgrad"}, net.specs).agreement(rows @ rows.T, weights, step.present) is None
    scaled = balancer({"kind": "upgrad", "features": "features", "normalise": "initial"}, net.specs)
    agreement = scaled.agreement(rows @ rows.T, scaled.backward(net.step()), step.present)
    assert agreement is not None and 0 < agreement <= 1 + 1e-6


@pytest.mark.parametrize("config", [{"kind": "mgda"}, {"kind": "mgda", "features": "features"}, {"kind": "graddrop"}])
def test_a_gradient_that_is_not_finite_is_not_combined(config: dict[str, Any]) -> None:
    """Its task is named, and its head has what tells it from the others, which it spoils on what they share."""
    net = network()
    step = net.step()
    # A loss of 0 whose slope is infinite: √x at 0.
    parts = [(loss - loss.detach()).sqrt() if k == 3 else loss for k, loss in enumerate(step.losses.unbind())]
    with pytest.raises(NonFiniteGradientError, match=r"b1.* are not finite") as caught:
        balancer(config, net.specs).backward(dataclasses.replace(step, losses=torch.stack(parts)))
    assert "b1" in caught.value.tasks
    slope = net.binary.weight.grad
    assert slope is not None and torch.isfinite(slope).all(dim=1).tolist() == [True, False, True]
    assert net.many.weight.grad is not None and torch.isfinite(net.many.weight.grad).all()


def test_the_surrogate_refuses_separate_batches() -> None:
    net = network()
    step = net.step()
    apart = dataclasses.replace(step, passes=[*step.passes, *net.step(seed=1).passes])
    with pytest.raises(UserError, match=r"same features of the same batch, found 2 batches"):
        balancer({"kind": "mgda", "features": "features"}, net.specs).backward(apart)


class Doubled(torch.autograd.Function):
    """An autograd function that torch.vmap cannot enter."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        out = torch.empty(gradients[0].shape)
        return torch.mul(gradients[0], 2, out=out)


class Doubling(nn.Module):
    """`Doubled` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        return Doubled.apply(x)


def test_functions_in_python_are_differentiated_row_by_row() -> None:
    def directions(net: Network, kind: str) -> tuple[Tensor, Balancer]:
        method = balancer({"kind": kind}, net.specs)
        method.backward(net.step())
        return flat(net.shared), method

    plain, custom = network(), network()
    custom.trunk = nn.Sequential(custom.trunk, Doubling())
    plain.trunk = nn.Sequential(plain.trunk, nn.Identity())
    assert look(plain.step().losses).at_once is None and look(custom.step().losses).at_once == 1
    for kind in ("upgrad", "graddrop", "gradnorm"):
        assert torch.isfinite(directions(custom, kind)[0]).all()
    net = network()
    net.trunk = nn.Sequential(net.trunk, Doubling())
    step = net.step()
    rows = net.rows(net.shared, step)
    weights = balancer({"kind": "mgda"}, net.specs).backward(step)
    torch.testing.assert_close(flat(net.shared), weights @ rows, rtol=1e-4, atol=1e-6)


def test_convolutions_are_differentiated_row_by_row_with_the_same_numbers() -> None:
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    x = torch.randn(16, 1, 8, 8)

    def losses() -> Tensor:
        out: Tensor = trunk(x).square().mean(dim=0)
        return out

    assert look(losses()).at_once == 1
    kernel = next(trunk.parameters())
    one_by_one, together = (task_gradients(losses(), [kernel], at_once) for at_once in (1, None))
    assert float(together.norm()) > 0
    torch.testing.assert_close(one_by_one, together, rtol=1e-4, atol=1e-7)


def test_jacobian_descent_on_two_regressions() -> None:
    """The classic example: shared layers 10 → 5 → 3, two linear heads, 8 batches of 16, UPGrad (torchjd's README)."""
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU())
    heads = [nn.Linear(3, 1), nn.Linear(3, 1)]
    shared, own = list(trunk.parameters()), [p for head in heads for p in head.parameters()]
    optimiser = torch.optim.SGD([*shared, *own], lr=0.1)
    inputs, targets = torch.randn(8, 16, 10), torch.randn(2, 8, 16, 1)
    method = balancer({"kind": "upgrad"}, specs(2))

    def losses(number: int) -> tuple[list[Tensor], Tensor]:
        features = trunk(inputs[number])
        return [F.mse_loss(head(features), y[number]) for head, y in zip(heads, targets, strict=True)], features

    for number in range(8):
        optimiser.zero_grad()
        separate, features = losses(number)
        mtl_backward(separate, features=features)
        jac_to_grad(shared, UPGrad())
        wanted = [p.grad for p in [*shared, *own]]
        optimiser.zero_grad()
        separate, _ = losses(number)
        vector = torch.stack(separate)
        rows = torch.stack([
            torch.cat([g.flatten() for g in torch.autograd.grad(loss, shared, retain_graph=True)]) for loss in vector
        ])  # fmt: skip
        method.backward(Step(vector, (0, 1), number / 8, shared=shared, heads=own))
        for found, expected in zip([*shared, *own], wanted, strict=True):
            torch.testing.assert_close(found.grad, expected, rtol=1e-3, atol=1e-5)
        direction = flat(shared)
        assert (rows @ direction >= -1e-4 * rows.norm(dim=1) * direction.norm()).all()  # no task is harmed
        optimiser.step()


@pytest.mark.parametrize("kind", ["cagrad", "imtl_l", "geometric_mean", "stch"])
def test_a_package_that_is_not_installed_is_named_with_what_installs_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("mtl.balancing.build_descent", "mtl.balancing.torchjd_methods", "mtl.balancing.scalarised"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    for module in ("torchjd", "torchjd.aggregation", "torchjd.scalarization"):
        monkeypatch.setitem(sys.modules, module, None)
    wanted = PACKAGES["torchjd"]
    message = f"`kind: {kind}` cannot run: torchjd is not installed; `pip install {wanted}` does it."
    with pytest.raises(UserError, match=re.escape(message)):
        balancer({"kind": kind}, specs(2))
    assert f'"{wanted.strip(chr(39))}"' in (PROJECT / "pyproject.toml").read_text(), "as the project itself asks for it"
