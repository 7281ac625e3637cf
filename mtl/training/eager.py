"""Optimisers of torch that do not load its compiler: the same numbers, bit for bit, and seconds less in every process.

Methods of `torch.optim.Optimizer` tell `torch.compile` to leave them alone, for which they import `torch._dynamo` when
they are called first: as much work as importing torch itself, and more than a small run trains. Here nothing is
compiled. `Eager` has these methods without that, and steps are those of torch: of its functional AdamW, of its L-BFGS.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw as adamw_step

Group = dict[str, Any]
"""Parameters under `params`, and what holds for them."""


class Eager(torch.optim.Optimizer):
    """The bookkeeping of an optimiser: groups of parameters, gradients that are forgotten, the state as it is saved."""

    def add_param_group(self, param_group: Group) -> None:
        """Takes in a group; what it leaves out is as for all.

        Raises:
            ValueError: a parameter is in a group already.
        """
        parameters = list(param_group["params"])
        known = {parameter for group in self.param_groups for parameter in group["params"]}
        if len(known.union(parameters)) < len(known) + len(parameters):
            raise ValueError("a parameter should be in one group, found it twice.")
        self.param_groups.append({**self.defaults, **param_group, "params": parameters})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets all gradients, or fills them with zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none or parameter.grad is None:
                    parameter.grad = None
                else:
                    parameter.grad = torch.zeros_like(parameter.grad)

    def state_dict(self) -> dict[str, Any]:
        """The state by the numbers of the parameters, counted over all groups, and the groups."""
        number = {parameter: place for place, parameter in enumerate(self._parameters())}
        groups = [{**group, "params": [number[p] for p in group["params"]]} for group in self.param_groups]
        return {"state": {number[p]: values for p, values in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what `state_dict` gave, on the devices of the parameters.

        Raises:
            ValueError: it belongs to other groups.
        """
        sizes = [
            [len(group["params"]) for group in groups] for groups in (self.param_groups, state_dict["param_groups"])
        ]
        parameters = self._parameters()
        if sizes[0] != sizes[1] or any(not 0 <= place < len(parameters) for place in state_dict["state"]):
            raise ValueError(f"a state should be one of groups of {sizes[0]} parameters, found one of {sizes[1]}.")
        self.param_groups = [
            {**told, "params": group["params"]}
            for told, group in zip(state_dict["param_groups"], self.param_groups, strict=True)
        ]
        self.state.clear()
        for place, values in state_dict["state"].items():
            parameter = parameters[place]
            self.state[parameter] = {name: value.to(parameter.device) for name, value in values.items()}

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]


class AdamW(Eager):
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) by torch's fused kernel; the numbers of
    `torch.optim.AdamW(…, fused=True)`.

    Args:
        groups: parameters, each group with its `lr` and `weight_decay`.
    """

    def __init__(self, groups: Iterable[Group]) -> None:
        super().__init__(list(groups), {"betas": (0.9, 0.999), "eps": 1e-8})

    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nothing is evaluated anew for a step
        """Moves every parameter that has a gradient."""
        assert closure is None
        with torch.no_grad():
            for group in self.param_groups:
                moved = [parameter for parameter in group["params"] if parameter.grad is not None]
                states = [self.state[parameter] or self._begun(parameter) for parameter in moved]
                adamw_step(
                    moved,
                    [parameter.grad for parameter in moved],
                    [state["exp_avg"] for state in states],
                    [state["exp_avg_sq"] for state in states],
                    [],
                    [state["step"] for state in states],
                    fused=True,
                    amsgrad=False,
                    beta1=group["betas"][0],
                    beta2=group["betas"][1],
                    lr=group["lr"],
                    weight_decay=group["weight_decay"],
                    eps=group["eps"],
                    maximize=False,
                )

    def _begun(self, parameter: Tensor) -> dict[str, Tensor]:
        """The state of a parameter before its first step, as torch has it."""
        state: dict[str, Tensor] = self.state[parameter]
        state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
        for name in ("exp_avg", "exp_avg_sq"):
            state[name] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        return state


class LBFGS(Eager, torch.optim.LBFGS):
    """L-BFGS of torch."""
