"""The encoders under test, one row a kind, and small tasks for them."""

from pathlib import Path

import torch
from torch import Tensor

from mtl.config import (
    CnnEncoder,
    EncoderConfig,
    LinearEncoder,
    MlpEncoder,
    PythonEncoder,
    RecurrentEncoder,
    ResNetEncoder,
    RocketEncoder,
    TabularEncoder,
    TimeDartEncoder,
)
from mtl.config.encoder import FusionEncoder, FusionParts
from mtl.config.inputs import IMAGES, MIXED, ROWS, TOKENS, PartLayout, RowLayout
from mtl.config.text_encoder import TextEncoder
from mtl.tasks.base import TaskSpec
from tests.helpers.specs import Kind, a_task
from tests.helpers.tiny_networks import TINY, tiny_bert

LENGTH, CHANNELS = 32, 3
IMAGE = (8, 10)
"""Rows and columns of the images."""
ROW = RowLayout(4, (1,), (5, 3))
"""Rows of a table: four numbers, one of which may be missing, and two categories."""
TEXT = RowLayout(0, (), (40,))
"""Texts of 40 different tokens."""
PARTS = (
    PartLayout("rows", (ROW.width,), ROW), PartLayout("image", (CHANNELS, *IMAGE)), PartLayout("text", (1,), TEXT)
)  # fmt: skip
"""Mixtures of all three."""

PLUGIN = '''
"""A user's encoder: two rows a token, one linear layer."""
import torch
from torch import nn
from mtl.models.base import Encoder, Features
from mtl.models.normalisation import normalise


class Pairs(Encoder):
    def __init__(self, options, dropout):
        super().__init__()
        self.width, self.dropout = options["width"], dropout
        self.linear = nn.Linear(2, self.width)

    def count_tokens(self, input_len):
        return input_len // 2

    def forward(self, x, dropout=None):
        normalised, mean, std = normalise(x)
        tokens = self.linear(normalised.unflatten(-1, (-1, 2))).tanh()
        return Features(tokens, mean, std)
'''

ENCODERS: dict[str, EncoderConfig] = {
    "timedart": TimeDartEncoder(kind="timedart", patch_len=8, d_model=16, heads=2, layers=1, d_ff=32, dropout=0.0),
    "linear": LinearEncoder(kind="linear", input_len=LENGTH, width=32, dropout=0.0),
    "recurrent": RecurrentEncoder(kind="recurrent", width=16, layers=2, dropout=0.0),
    "rocket": RocketEncoder(kind="rocket", kernels=8, dilations=[1, 2, 3], width=16),
    "mlp": MlpEncoder(kind="mlp", sizes=[24, 16]),
    "tabular": TabularEncoder(kind="tabular", width=16, members=3, dropout=0.0),
    "tabular-piecewise": TabularEncoder(
        kind="tabular", numbers="piecewise", width=16, layers=1, members=1, dropout=0.0
    ),
    "text": TextEncoder(kind="text", width=16, layers=1, heads=2, d_ff=32, dropout=0.0),
    "text-first": TextEncoder(kind="text", width=16, layers=1, heads=1, d_ff=16, pool="first", dropout=0.0),
    "huggingface": tiny_bert(TINY, train="all"),
    "fusion": FusionEncoder(
        kind="fusion",
        parts=FusionParts(
            image=CnnEncoder(kind="cnn", widths=[8]),
            text=TextEncoder(kind="text", width=8, layers=1, heads=2, d_ff=16, dropout=0.0),
        ),
        sizes=[16],
    ),
    "cnn": CnnEncoder(kind="cnn", widths=[8, 16], depth=2),
    "resnet": ResNetEncoder(kind="resnet", widths=[8, 16], depth=2, pool="flatten"),
    "python": PythonEncoder(kind="python", target="mtl_test_pairs:Pairs", dropout=0.0, options={"width": 8}),
}


def on_images(encoder: EncoderConfig) -> bool:
    """True for an encoder that reads images instead of windows."""
    return encoder.kind in ("mlp", "cnn", "resnet")


def on_rows(encoder: EncoderConfig) -> bool:
    """True for an encoder that reads rows of a table, or a text or several parts of each, instead of windows."""
    return encoder.kind in ("tabular", "text", "huggingface", "fusion")


def inputs(encoder: EncoderConfig, n: int) -> Tensor:
    """n random samples of what the encoder reads."""
    if encoder.kind in ("text", "huggingface"):
        tokens = torch.randint(1, TEXT.codes[0], (n, LENGTH)).float()
        return tokens * (torch.arange(LENGTH) < torch.randint(1, LENGTH, (n, 1)))
    if encoder.kind == "fusion":
        others = ENCODERS["tabular"], ENCODERS["cnn"], ENCODERS["text"]
        return torch.cat([inputs(other, n).flatten(1) for other in others], dim=1)
    if on_rows(encoder):
        codes = [torch.randint(0, count, (n, 1)).float() for count in ROW.codes]
        flags = torch.randint(0, 2, (n, len(ROW.flags))).float()
        return torch.cat([torch.randn(n, ROW.numbers), flags, *codes], dim=1)
    return torch.randn(n, CHANNELS, *(IMAGE if on_images(encoder) else (LENGTH,)))


def write_plugin(folder: Path, text: str = PLUGIN, name: str = "mtl_test_pairs") -> None:
    """Puts a plugin module where a project in `folder` has it."""
    (folder / "plugins").mkdir(exist_ok=True)
    (folder / "plugins" / f"{name}.py").write_text(text)


def task(kind: Kind = "forecast", name: str = "task", **changes: object) -> TaskSpec:
    """A task on windows of LENGTH rows and CHANNELS channels."""
    values: dict[str, object] = {
        "name": name,
        "source": "source",
        "shape": (CHANNELS, LENGTH),
        "columns": [f"c{i}" for i in range(CHANNELS)],
    }
    targets = {"targets": [0, 2]} if kind == "forecast" else {}
    return a_task(kind, **{**values, **targets, **changes})


def task_for(encoder: EncoderConfig, kind: Kind, name: str = "task", **changes: object) -> TaskSpec:
    """A task on what the encoder reads."""
    own: dict[str, object] = {}
    if on_images(encoder):
        own = {"input": IMAGES, "shape": (CHANNELS, *IMAGE)}
    elif encoder.kind in ("text", "huggingface"):
        own = {"input": TOKENS, "shape": (1,), "columns": ["notes"], "layout": TEXT}
    elif encoder.kind == "fusion":
        columns = [*(f"c{number}" for number in range(ROW.numbers + len(ROW.codes))), "photo", "notes"]
        wide = sum(part.numbers for part in PARTS)
        own = {"input": MIXED, "shape": (wide,), "columns": columns, "parts": PARTS}
    elif on_rows(encoder):
        columns = [f"c{number}" for number in range(ROW.numbers + len(ROW.codes))]
        own = {"input": ROWS, "shape": (ROW.width,), "columns": columns, "layout": ROW}
    return task(kind, name, **{**own, **changes})


def kinds(encoder: EncoderConfig) -> list[Kind]:
    """Kinds of task that can be learnt from the encoder's kind of input."""
    labels: list[Kind] = ["classification", "binary", "regression"]
    return labels if on_images(encoder) or on_rows(encoder) else ["forecast", *labels]
