"""`mtl validate` and code of the user's own: what it cannot do for params.yaml is said before anything is trained."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtl.cli.plugin_checks import check_plugins
from mtl.config import Config
from mtl.config.load import parse_config
from mtl.config.yaml_file import parse_yaml
from mtl.errors import ConfigError

PARAMS = """
prepare:
  sources:
    sensors: {kind: sensors, channels: 3}
    own: {kind: python, target: "mtl_test_own:read", options: {days: [1, 2]}}
tasks:
  next: {kind: forecast, source: sensors, input_len: 24, horizon: 2}
  state: {kind: classification, source: sensors, input_len: 24, label: load_state}
encoder: {kind: python, target: "mtl_test_own:Net", width: 6}
baseline: {starts: [{init: random}]}
finetune:
  methods:
    joint: {kind: equal}
"""
CODE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=6, channels=5):
        super().__init__()
        self.linear = nn.Linear(channels * 24, width)

    def forward(self, x):
        return self.linear(x.flatten(1))


def read(name, path, days):
    raise AssertionError("a source is not read before `mtl repro`")


def whole(shifted=False, statistics=True):
    from mtl.models.base import StagedEncoder, Features, Window
    from mtl.models.normalisation import normalise

    class Whole(StagedEncoder):
        width, dropout, stages, stage_widths = 4, 0.0, ("first",), (4,)

        def __init__(self):
            super().__init__()
            self.first = nn.Linear(24, 4)

        def count_tokens(self, input_len):
            return 1

        def begin(self, x):
            x, mean, std = normalise(x)
            return x, Window(tuple(x.shape), mean, std)

        def stage(self, number, tensor, rate):
            return self.first(tensor)

        def end(self, tensor, window):
            kept = (window.mean, window.std) if statistics else ()
            return Features(tensor.unsqueeze(3 if shifted else 2), *kept)

    return Whole()
"""


@pytest.fixture(autouse=True)
def project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/mtl_test_own.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("mtl_test_own", None)


def config(*changes: tuple[str, str]) -> Config:
    text = PARAMS
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return parse_config(parse_yaml(text, "params.yaml"))


METHOD = "joint: {kind: equal}"


def test_code_that_fits_is_fine_and_is_not_run_further_than_needed() -> None:
    channels = len(config().prepare.sources["sensors"].columns)  # type: ignore[union-attr]
    assert check_plugins(config(("width: 6}", f"width: 6, options: {{channels: {channels}}}}}"))) == []


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ([], [r"`encoder.target` mtl_test_own:Net misses a point .* it failed for tasks.next, a batch \[3, \d, 24\]"]),
        (
            [("own:read", "own:reed"), ("own:Net", "own:Nett")],
            ["`prepare.sources.own.target` mtl_test_own:reed: .* has no function or class `reed`",
             "`encoder.target` mtl_test_own:Nett: .* has no function or class `Nett`"],
        ),
        (
            [("days: [1, 2]", "hours: 3")],
            [r"takes \(name, path, days\): `hours` is no parameter of it, its parameter `days` is given no value"],
        ),
        (
            [('own:Net", width: 6', 'own:whole"'),
             (METHOD, "a: {kind: equal, sharing: {kind: branched, groups: [[next], [state]], shared_stages: 2}}")],
            ["^params.yaml: `finetune.methods.a.sharing.shared_stages` should be at most 1, the stages of the encoder"],
        ),
        (
            [("own:Net", "own:whole"), ("width: 6", "options: {shifted: true}")],
            [r"Features.tokens should have the shape \(3, \d, 1, 4\)"],
        ),
        (
            [("own:Net", "own:whole"), ("width: 6", "options: {statistics: false}"),
             ("baseline:", "pretrain: {objective: {kind: denoise, noise_level: 0.1}, input_len: 24}\nbaseline:")],
            ["`pretrain.objective.kind` should be none for an encoder whose features join the channels, or hold no"],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_at_once(changes: list[tuple[str, str]], messages: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        check_plugins(config(*changes))
    for message in messages:
        assert caught.match(message), str(caught.value)


def test_all_that_sharing_and_pretraining_ask_of_a_plain_network_is_told_together() -> None:
    stitched = f"{METHOD}\n    stitched: {{kind: equal, sharing: {{kind: cross_stitch}}}}"
    denoise = "pretrain: {objective: {kind: denoise, noise_level: 0.1}, input_len: 24}\nbaseline:"
    with pytest.raises(ConfigError) as caught:
        check_plugins(config((METHOD, stitched), ("baseline:", denoise)))
    for message in (
        "`encoder.target` mtl_test_own:Net misses a point",
        "`finetune.methods.stitched.sharing.kind` cross_stitch needs an encoder with stages",
        "`pretrain.objective.kind` should be none for a plain network",
    ):
        assert caught.match(message), str(caught.value)


def test_what_only_the_data_tell_is_noted() -> None:
    source = "sensors: {kind: series, path: data/raw/sensors.csv, labels: [load_state]}"
    notes = check_plugins(config(("sensors: {kind: sensors, channels: 3}", source)))
    assert notes == ["mtl_test_own:Net was built; it is tried once the data tell the shape of a sample"]
