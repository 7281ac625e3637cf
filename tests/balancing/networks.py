"""A small network with stacked, several-class and regression heads, as the loop hands it to a balancer."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtl.balancing.base import Pass, Step
from mtl.tasks.base import TaskSpec
from mtl.tasks.binary import Binary
from mtl.tasks.classification import Classification
from mtl.tasks.forecast import Forecast
from mtl.types import Predictions, Stack

BINARY, CLASSES, AHEAD = 3, 4, 5


@dataclass
class Network:
    """Trunk 10 → 8 → 6; binary tasks b0…b2 stacked, `many` of four classes, `next` a regression of five numbers."""

    trunk: nn.Module
    binary: nn.Linear
    many: nn.Linear
    ahead: nn.Module

    @property
    def specs(self) -> list[TaskSpec]:
        at = {"source": "line", "shape": (1, 8), "columns": ["c"]}
        own = [Binary(name=f"b{k}", classes=["no", "yes"], **at) for k in range(BINARY)]
        many = Classification(name="many", classes=list("abcd"), **at)
        return [Forecast(name="next", targets=[0], horizon=AHEAD, **at), own[0], many, *own[1:]]

    @property
    def shared(self) -> list[nn.Parameter]:
        return list(self.trunk.parameters())

    @property
    def heads(self) -> list[nn.Parameter]:
        return [p for head in (self.binary, self.many, self.ahead) for p in head.parameters()]

    def step(self, seed: int = 0, absent: str | None = None) -> Step:
        """A forward pass on 16 random samples."""
        dice = torch.Generator().manual_seed(seed)
        x, y = torch.randn(16, 10, generator=dice), torch.randn(16, 1, AHEAD, generator=dice)
        labels = (torch.rand(16, BINARY, generator=dice) < 0.5).float()
        classes = torch.randint(CLASSES, (16,), generator=dice)
        features = self.trunk(x)
        own = {"next": self.ahead(features)[:, None], "many": self.many(features)}
        logits = self.binary(features)
        binary = F.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(dim=0)
        losses = {"next": F.mse_loss(own["next"], y), "many": F.cross_entropy(own["many"], classes)}
        losses |= {f"b{k}": binary[k] for k in range(BINARY)}
        names = [spec.name for spec in self.specs]
        places = {name: place for place, name in enumerate(names) if name != absent}
        rows = [k for k in range(BINARY) if f"b{k}" in places]
        linear = {tuple(f"b{k}" for k in rows): self.binary.weight.detach()[rows]}
        for name, head in (("many", self.many), ("next", self.ahead)):
            if name in places and isinstance(head, nn.Linear):
                linear[name,] = head.weight.detach()
        predictions = Predictions(own, {"binary": Stack(tuple(f"b{k}" for k in range(BINARY)), logits)}, (features,))
        vector = torch.stack([losses[name] for name in places])
        passes = [Pass(places, predictions, linear)]
        return Step(vector, tuple(places.values()), 0.5, passes, self.shared, self.heads)

    def rows(self, tensors: list[Tensor], step: Step) -> Tensor:
        """Each loss's gradient on the tensors, one after the other: [k, n]."""
        found = []
        for loss in step.losses:
            parts = torch.autograd.grad(loss, tensors, retain_graph=True, allow_unused=True)
            found.append(torch.cat([torch.zeros(t.numel()) if g is None else g.flatten()
                                    for t, g in zip(tensors, parts, strict=True)]))  # fmt: skip
        return torch.stack(found)


def network(linear: bool = True) -> Network:
    """The network with weights from seed 0; `linear` False makes the regression head one of two layers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        trunk = nn.Sequential(nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh())
        deep = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, AHEAD))
        return Network(trunk, nn.Linear(6, BINARY), nn.Linear(6, CLASSES), nn.Linear(6, AHEAD) if linear else deep)
