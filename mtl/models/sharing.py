"""Trunks, in which the tasks of a run share an encoder: the part between a batch and the heads.

B samples, K tasks of the run, x_j the tensor that stage s of task j's column gave. Every copy of the encoder starts
from the same weights, those of the single-task run with the same seed.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.models.base import Encoder, StagedEncoder
from mtl.models.features import Features


class Trunk(nn.Module, ABC):
    """Part of the network that turns a batch into the features that each task's head reads."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "B C *S"], rates: Mapping[str, float]) -> dict[str, Features]:
        """Features of each task in `rates` (its dropout rate in training); tasks may be given one and the same."""

    @abstractmethod
    def encoders(self) -> list[Encoder]:
        """Every encoder or part of one, for pretrained weights and for freezing."""

    @abstractmethod
    def shared_parameters(self) -> list[nn.Parameter]:
        """Parameters that the losses of several tasks reach."""

    def columns_of_all(self) -> list[list[nn.Parameter]]:
        """Parameters that the losses of all tasks reach, by layer: one list, or one for each column that is mixed."""
        return [self.shared_parameters()]

    def units(self) -> list[nn.Parameter]:
        """Shared parameters that mix columns; they have a learning rate of their own."""
        return []

    def penalty(self) -> Float[Tensor, ""] | None:
        """A term of the objective that needs no batch."""
        return None


class HardTrunk(Trunk):
    """One encoder (Caruana 1997), which drops at the largest of the tasks' rates."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Float[Tensor, "B C *S"], rates: Mapping[str, float]) -> dict[str, Features]:
        return dict.fromkeys(rates, self.encoder(x, max(rates.values())))

    def encoders(self) -> list[Encoder]:
        return [self.encoder]

    def shared_parameters(self) -> list[nn.Parameter]:
        return list(self.encoder.parameters())


class SeparateTrunk(Trunk):
    """An encoder a task; soft sharing adds `penalty` · Σ_k ‖θ_k − mean θ‖² (Duong 2015, eq. 2, for K trunks)."""

    def __init__(self, encoder: Encoder, tasks: Sequence[str], penalty: float = 0.0) -> None:
        super().__init__()
        self._columns: list[Encoder] = [copy.deepcopy(encoder) for _ in tasks]
        self.columns = nn.ModuleList(self._columns)
        self.place = {task: k for k, task in enumerate(tasks)}
        self.weight = penalty

    def forward(self, x: Float[Tensor, "B C *S"], rates: Mapping[str, float]) -> dict[str, Features]:
        return {task: self._columns[self.place[task]](x, rate) for task, rate in rates.items()}

    def encoders(self) -> list[Encoder]:
        return list(self._columns)

    def shared_parameters(self) -> list[nn.Parameter]:
        return []

    def penalty(self) -> Float[Tensor, ""] | None:
        if self.weight == 0:
            return None
        total = []
        for same in zip(*(column.parameters() for column in self._columns), strict=True):
            stacked = torch.stack(same)
            total.append((stacked - stacked.mean(dim=0)).square().sum())
        return self.weight * torch.stack(total).sum()


class CrossStitchTrunk(Trunk):
    """Columns that are mixed after every stage: x̃_k = Σ_j α_kj x_j (Misra 2016, arXiv 1604.03539, eq. 1).

    Args:
        encoder: what every column is a copy of.
        tasks: K ≥ 2 of them.
        per_channel: a unit for each channel of a stage instead of one for all.
        lean: α_kk = 0.9 and 0.1/(K − 1) elsewhere, instead of the identity.
    """

    def __init__(self, encoder: StagedEncoder, tasks: Sequence[str], per_channel: bool, lean: bool) -> None:
        super().__init__()
        k = len(tasks)
        self._columns: list[StagedEncoder] = [copy.deepcopy(encoder) for _ in tasks]
        self.columns = nn.ModuleList(self._columns)
        self.place = {task: position for position, task in enumerate(tasks)}
        self.channel_dim = encoder.channel_dim
        first = torch.full((k, k), 0.1 / (k - 1)).fill_diagonal_(0.9) if lean else torch.eye(k)
        self.stitches = nn.ParameterList(
            first[:, :, None].repeat(1, 1, width) if per_channel else first.clone() for width in encoder.stage_widths
        )

    def forward(self, x: Float[Tensor, "B C *S"], rates: Mapping[str, float]) -> dict[str, Features]:
        columns = self._columns
        begun = [column.begin(x) for column in columns[:1]] * len(columns)  # without weights: the same for all
        tensors = [tensor for tensor, _ in begun]
        # A column whose task is not asked for feeds the others, at its encoder's own rate.
        asked = [column.rate(rates.get(task)) for column, task in zip(columns, self.place, strict=True)]
        for number, stitch in enumerate(self.stitches):
            given = [c.stage(number, t, rate) for c, t, rate in zip(columns, tensors, asked, strict=True)]
            tensors = list(self.mix(torch.stack(given), stitch))
        return {task: columns[k].end(tensors[k], begun[k][1]) for task in rates for k in [self.place[task]]}

    def mix(self, x: Float[Tensor, "K B *S"], stitch: Tensor) -> Float[Tensor, "K B *S"]:
        """Every column's share of every other."""
        if stitch.ndim == 2:
            return (stitch @ x.flatten(1)).view_as(x)
        moved = x.movedim(self.channel_dim + 1 if self.channel_dim >= 0 else self.channel_dim, -1)
        mixed = torch.einsum("kjc,j...c->k...c", stitch, moved)
        return mixed.movedim(-1, self.channel_dim + 1 if self.channel_dim >= 0 else self.channel_dim)

    def encoders(self) -> list[Encoder]:
        return list(self._columns)

    def shared_parameters(self) -> list[nn.Parameter]:
        """Through the units every loss reaches the stages of every column; the ends are each task's own."""
        return [*self.stitches, *(parameter for column in self.columns_of_all() for parameter in column)]

    def columns_of_all(self) -> list[list[nn.Parameter]]:
        return [
            [parameter for name in column.stages for parameter in column.get_submodule(name).parameters()]
            for column in self._columns
        ]

    def units(self) -> list[nn.Parameter]:
        return list(self.stitches)


class BranchedTrunk(Trunk):
    """Lower stages once, upper stages and the end once for each group of tasks."""

    def __init__(self, encoder: StagedEncoder, groups: Sequence[Sequence[str]], shared_stages: int) -> None:
        super().__init__()
        self.split = shared_stages
        self.depth = len(encoder.stages)
        self.groups = [tuple(group) for group in groups]
        self.lower = _keep(copy.deepcopy(encoder), range(shared_stages), end=False)
        upper = range(shared_stages, self.depth)
        self._branches = [_keep(copy.deepcopy(encoder), upper, end=True) for _ in groups]
        self.branches = nn.ModuleList(self._branches)

    def forward(self, x: Float[Tensor, "B C *S"], rates: Mapping[str, float]) -> dict[str, Features]:
        tensor, window = self.lower.begin(x)
        rate = self.lower.rate(max(rates.values()))
        for number in range(self.split):
            tensor = self.lower.stage(number, tensor, rate)
        features: dict[str, Features] = {}
        for group, branch in zip(self.groups, self._branches, strict=True):
            asked = [task for task in group if task in rates]
            if not asked:
                continue
            upper, own = tensor, branch.rate(max(rates[task] for task in asked))
            for number in range(self.split, self.depth):
                upper = branch.stage(number, upper, own)
            features |= dict.fromkeys(asked, branch.end(upper, window))
        return {task: features[task] for task in rates}

    def encoders(self) -> list[Encoder]:
        return [self.lower, *self._branches]

    def shared_parameters(self) -> list[nn.Parameter]:
        """The lower stages, and the branches of groups with more than one task."""
        several = [branch for group, branch in zip(self.groups, self._branches, strict=True) if len(group) > 1]
        everybody = list(self.lower.parameters()) if sum(map(len, self.groups)) > 1 else []
        return everybody + [parameter for branch in several for parameter in branch.parameters()]

    def columns_of_all(self) -> list[list[nn.Parameter]]:
        return [list(self.lower.parameters())]


def _keep(encoder: StagedEncoder, stages: range, end: bool) -> StagedEncoder:
    """The encoder without the weights of the other stages, and of its end unless it is kept."""
    names = encoder.stages
    gone = [name for number, name in enumerate(names) if number not in stages]
    if not end:
        gone += [name for name, _ in encoder.named_children() if not any(s.split(".")[0] == name for s in names)]
    for name in gone:
        parent, _, leaf = name.rpartition(".")
        encoder.get_submodule(parent).register_module(leaf, nn.Identity())
    return encoder
