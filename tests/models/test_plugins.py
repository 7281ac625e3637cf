"""A user's own encoder: found under plugins/, checked when loaded, errors that say what is wrong."""

from pathlib import Path

import pytest

from mtl.config import PythonEncoder
from mtl.errors import UserError
from mtl.models.base import Encoder
from mtl.models.build import build_model
from tests.models.cases import PLUGIN, task, write_plugin


def build(target: str, **options: str | int | float | bool | None) -> Encoder:
    config = PythonEncoder(kind="python", target=target, dropout=0.25, options=options)
    return build_model(config, [task()], seed=0).trunk.encoders()[0]


def test_gets_options_and_dropout() -> None:
    encoder = build("mtl_test_pairs:Pairs", width=6)
    assert encoder.width == 6 and encoder.dropout == 0.25 and encoder.training


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mtl_test_absent:Pairs", r"plugins/mtl_test_absent.py` cannot be imported.*ModuleNotFoundError"),
        ("mtl_test_pairs:Absent", "`Absent` should be a function or class in it, found None"),
        ("json:loads", "the module should stand in `plugins/`"),
        ("mtl_test_pairs:Pairs", "failed for options.*KeyError: 'width'"),
    ],
)
def test_target_that_cannot_be_used(target: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(target)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("import torch", "import no_such_library", "cannot be imported.*no_such_library"),
        ("class Pairs(Encoder)", "def Pairs(o, d):\n    return 3\nclass Other(Encoder)", "should return.*found int"),
        (
            "return input_len // 2",
            "return 5",
            r"Features.tokens should have the shape \(2, 3, 5, 8\).*found \(2, 3, 16, 8\)",
        ),
        ("    def count_tokens", "    def count", "failed for options.*abstract"),
        (
            'options["width"], dropout',
            "8.0, dropout\n        return",
            "attribute `width` should be of type int, found 8.0",
        ),
        ("nn.Linear(2,", "nn.Linear(3,", r"failed on a trial input \[B, C, …\] = \[2, 3, 32\].*RuntimeError"),
        ("Features(tokens, mean", "Features(tokens / 0, mean", "Features.tokens should be finite"),
        ("mean, std)\n", "mean, -std)\n", "Features.std should be positive"),
        ("return Features(tokens, mean, std)", "return tokens", "should return Features, found Tensor"),
    ],
)
def test_broken_contract(project_folder: Path, old: str, new: str, message: str) -> None:
    assert old in PLUGIN
    write_plugin(project_folder, PLUGIN.replace(old, new), "mtl_test_broken")
    with pytest.raises(UserError, match=message):
        build("mtl_test_broken:Pairs", width=8)
