"""Optimisers without torch's compiler: the bits of torch's own, and processes that train without loading it."""

import copy
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtl.training.eager import LBFGS, AdamW
from tests.helpers.problems import same

WITHOUT = """
import sys
import torch
from torch import nn
from mtl.seeding import make_deterministic
from mtl.simple.linear import Question, logistic_maps
from mtl.training.checkpoint import Checkpoint
from mtl.training.optimiser import adamw

make_deterministic(0, 1)
assert torch.are_deterministic_algorithms_enabled()
layer = nn.Linear(3, 2)
optimiser = adamw([(list(layer.parameters()), 0.1, 0.1)])
layer(torch.ones(4, 3)).sum().backward()
optimiser.step()
optimiser.zero_grad(set_to_none=True)
optimiser.load_state_dict(optimiser.state_dict())
list(logistic_maps(torch.randn(20, 3), [Question(torch.arange(20) % 2, None, 2, True, None)]))
assert "torch._dynamo" not in sys.modules, "the compiler was loaded"
"""


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))


def groups(model: nn.Sequential) -> list[dict[str, Any]]:
    return [
        {"params": list(model[0].parameters()), "lr": 0.03, "weight_decay": 0.1, "places": [0, 1]},
        {"params": list(model[2].parameters()), "lr": 0.2, "weight_decay": 0.0, "places": [2, 3]},
    ]


def descended(model: nn.Sequential, optimiser: torch.optim.Optimizer, steps: int, again: int = 3) -> None:
    """Steps on fixed samples, of which some leave a layer without a gradient, and a rate that falls; the state is
    written and read in between."""
    for number in range(steps):
        x = torch.linspace(-1, 2, 20).reshape(4, 5) * (number + 1)
        optimiser.zero_grad(set_to_none=True)
        model(x).square().mean().backward()
        if number % 3 == 1:
            model[0].bias.grad = None
        optimiser.param_groups[0]["lr"] = 0.03 / (number + 1)
        optimiser.step()
        if number == again:
            optimiser.load_state_dict(optimiser.state_dict())


def test_adamw_has_the_bits_and_the_state_of_torchs() -> None:
    ours, theirs = layers(), layers()
    here, there = AdamW(groups(ours)), torch.optim.AdamW(groups(theirs), fused=True)
    descended(ours, here, 12)
    descended(theirs, there, 12)
    assert same(dict(ours.state_dict()), dict(theirs.state_dict()))
    mine, torchs = here.state_dict(), there.state_dict()
    assert mine["state"].keys() == torchs["state"].keys() == {0, 1, 2, 3}
    assert all(same(mine["state"][number], torchs["state"][number]) for number in range(4))
    assert [group["params"] for group in mine["param_groups"]] == [group["params"] for group in torchs["param_groups"]]
    other = layers()
    taken_over = AdamW(groups(other))
    taken_over.load_state_dict(copy.deepcopy(torchs))
    other.load_state_dict(theirs.state_dict())
    descended(other, taken_over, 2)
    descended(theirs, there, 2)
    assert same(dict(other.state_dict()), dict(theirs.state_dict()))


def test_lbfgs_has_the_bits_of_torchs() -> None:
    ended = []
    for kind in (LBFGS, torch.optim.LBFGS):
        model = layers()
        optimiser = kind(model.parameters(), max_iter=30, line_search_fn="strong_wolfe")

        def closure(model: nn.Module = model, optimiser: torch.optim.Optimizer = optimiser) -> Tensor:
            optimiser.zero_grad()
            loss: Tensor = (model(torch.linspace(-1, 2, 20).reshape(4, 5)) - 0.3).square().mean()
            loss.backward()
            return loss

        optimiser.step(closure)
        ended.append(dict(model.state_dict()))
    assert same(*ended)


def test_a_parameter_is_in_one_group_and_a_state_belongs_to_its_groups() -> None:
    model = layers()
    twice = groups(model)
    twice[1]["params"] = [*twice[1]["params"], model[0].weight]
    with pytest.raises(ValueError, match="in one group"):
        AdamW(twice)
    optimiser = AdamW(groups(model))
    state = optimiser.state_dict()
    state["param_groups"][0]["params"] = [0]
    with pytest.raises(ValueError, match=r"groups of \[2, 2\] parameters, found one of \[1, 2\]"):
        optimiser.load_state_dict(state)


def test_gradients_are_forgotten_or_filled_with_zeros() -> None:
    model = layers()
    optimiser = AdamW(groups(model))
    model(torch.ones(1, 5)).sum().backward()
    optimiser.zero_grad(set_to_none=False)
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())
    optimiser.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_what_trains_loads_no_compiler() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", WITHOUT], check=True, timeout=120)
