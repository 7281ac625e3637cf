"""An encoder of rows of a table: each number and category embedded, then residual blocks.

A number is embedded by where it lies between the quantiles of training rows, or periodically (Gorishniy et al. 2022,
arXiv 2203.05556, sections 3.2 and 3.3), a category by a vector of its own. Several members share all matrices and
differ by factors of the inputs and outputs of these (Wen et al. 2020, arXiv 2002.06715, eq. 1; for tables Gorishniy et
al. 2025, arXiv 2410.24210). In training a sample passes one of them, so that each member has a loss of its own at the
price of one network; else it passes all, and heads, which are linear, read the mean of their features.

B rows, W numbers of a row (`mtl.config.inputs.RowLayout`), M members, D width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtl.config.inputs import RowLayout
from mtl.config.tabular import TabularEncoder
from mtl.models.base import StagedEncoder, Window
from mtl.models.cells import Cells
from mtl.models.dropout import drop
from mtl.models.features import Features


class MemberLinear(nn.Module):
    """y = ((x ∘ r_m) W) ∘ s_m + b_m for each member m (Wen et al. 2020, eq. 1 and 5).

    Args:
        inputs: numbers of x.
        outputs: numbers of y.
        members: M.
        apart: first factors r are ±1 at random, which sets members apart; else they are 1.
    """

    def __init__(self, inputs: int, outputs: int, members: int, apart: bool = False) -> None:
        super().__init__()
        self.matrix = nn.Linear(inputs, outputs, bias=False)
        bound = max(1, inputs) ** -0.5
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-bound, bound))
        self.factors: nn.Parameter | None = None
        self.scales: nn.Parameter | None = None
        if members > 1:
            signs = 2.0 * torch.randint(0, 2, (members, inputs)) - 1
            self.factors = nn.Parameter(signs if apart else torch.ones(members, inputs))
            self.scales = nn.Parameter(torch.ones(members, outputs))

    def forward(self, x: Float[Tensor, "B *M I"]) -> Float[Tensor, "B *M O"]:
        if self.factors is not None:
            x = x * of_members(self.factors, x)
        y: Tensor = self.matrix(x)
        if self.scales is not None:
            y = y * of_members(self.scales, y)
        return y + of_members(self.bias, y)


def of_members(numbers: Float[Tensor, "M D"], x: Float[Tensor, "B *M D"]) -> Float[Tensor, "*B D"]:
    """Numbers of the members that rows pass: of all of them for [B, M, D], else of one each in turn."""
    if x.ndim == 3:
        return numbers
    members = len(numbers)
    return numbers if members == 1 else numbers.repeat(-(-len(x) // members), 1)[: len(x)]


class Embedding(nn.Module):
    """Embedded cells → MemberLinear → D."""

    def __init__(self, config: TabularEncoder, layout: RowLayout) -> None:
        super().__init__()
        self.cells = Cells(config, layout)
        self.linear = MemberLinear(self.cells.width, config.width, config.members, apart=True)

    def forward(self, x: Float[Tensor, "B W"], every: bool) -> Float[Tensor, "B *M D"]:
        """Rows, of each member if `every` is asked for, else of one member each."""
        cells: Tensor = self.cells(x)
        if every:
            cells = cells[:, None].expand(-1, len(self.linear.bias), -1)
        mixed: Tensor = self.linear(cells)
        return mixed


class Block(nn.Module):
    """Norm → MemberLinear(D→2D) → ReLU → dropout → MemberLinear(2D→D), added to its input."""

    def __init__(self, width: int, members: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = MemberLinear(width, 2 * width, members)
        self.down = MemberLinear(2 * width, width, members)

    def forward(self, x: Float[Tensor, "B *M D"], rate: float) -> Float[Tensor, "B *M D"]:
        change: Tensor = self.down(drop(F.relu(self.up(self.norm(x))), rate))
        return x + change


class Tabular(StagedEncoder):
    """Embeddings and a linear layer, then residual blocks; a row is one token.

    Args:
        config: sizes and dropout.
        layout: meaning of the W numbers of a row.
    """

    def __init__(self, config: TabularEncoder, layout: RowLayout) -> None:
        super().__init__()
        self.width = config.width
        self.dropout = config.dropout
        self.members = config.members
        self.embedding = Embedding(config, layout)
        self.blocks = nn.ModuleList(Block(config.width, config.members) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.last: nn.Parameter | None = None
        if config.members > 1:
            self.last = nn.Parameter(torch.ones(config.members, config.width))

    @property
    def stages(self) -> tuple[str, ...]:
        """The embedding, then the blocks."""
        return ("embedding", *(f"blocks.{number}" for number in range(len(self.blocks))))

    @property
    def stage_widths(self) -> tuple[int, ...]:
        return (self.width,) * (len(self.blocks) + 1)

    @property
    def fits(self) -> bool:
        return isinstance(self.embedding, Embedding) and self.embedding.cells.fits

    def fit(self, samples: Float[Tensor, "n W"]) -> None:
        if isinstance(self.embedding, Embedding):  # a branch holds the upper stages alone
            self.embedding.cells.fit(samples)

    def stage(self, number: int, tensor: Float[Tensor, "B *_ _"], rate: float) -> Float[Tensor, "B *M D"]:
        if number == 0:
            every = self.members > 1 and not self.training
            return torch.as_tensor(self.embedding(tensor, every))
        features: Tensor = self.blocks[number - 1](tensor, rate)
        return features

    def end(self, tensor: Float[Tensor, "B *M D"], window: Window) -> Features:
        del window
        features = F.relu(self.norm(tensor))
        if self.last is not None:
            features = features * of_members(self.last, features)
        if features.ndim == 3:
            features = features.mean(dim=1)
        return Features(features[:, None, None])
