"""The examples in plugins/: they keep their contract, learn what is planted, and the guide shows what is there."""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor

from mtl.cli.plugin_checks import check_plugins
from mtl.config import Config, PythonEncoder, parse_config
from mtl.config.inputs import IMAGES, Sample
from mtl.config.sources import PythonSource
from mtl.data.build import read_source
from mtl.data.loading.tasks import build_tasks
from mtl.errors import DataError, UserError
from mtl.models.build import build_encoder, build_model
from mtl.setup import presets
from mtl.types import Prepared


@pytest.fixture(autouse=True)
def project_folder(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with the examples, whose modules are forgotten afterwards."""
    shutil.copytree(project / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "examples"]:
        del sys.modules[name]


def preset(project: Path) -> Config:
    return parse_config(yaml.safe_load(presets.render("own-code", project)))


def of_guide(project: Path) -> list[Any]:
    """Content of the guide's YAML blocks."""
    text = (project / "plugins/README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^( *)```yaml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [yaml.safe_load(re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)) for indent, block in blocks]


def test_what_the_guide_shows_can_be_used(project: Path) -> None:
    source, encoder = of_guide(project)
    assert PythonSource.model_validate(source["prepare"]["sources"]["plant"]).options == {"days": [1, 2, 5]}
    section = PythonEncoder.model_validate(encoder["encoder"])
    network = build_encoder(section, [Sample("tasks.digit", IMAGES, (1, 8, 8))], seed=0)
    assert network(torch.randn(2, 1, 8, 8)).tokens.shape == (2, 1, 1, 64)


def test_machines_hold_what_they_say(project: Path, project_folder: Path) -> None:
    config = preset(project)
    assert check_plugins(config, project_folder)[0].startswith("examples.residual:ResNet was built")
    prepared = read_source("machines", config.prepare.sources["machines"], project_folder)
    assert isinstance(prepared, Prepared) and prepared.fold is not None and prepared.groups is not None
    parts = [set(prepared.groups[prepared.fold == fold].tolist()) for fold in range(-1, prepared.folds)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 40, "a machine is in one part alone"
    wave = prepared.values.view(-1, 64, 3).mean(dim=2)
    wave = (wave - wave.mean(dim=1, keepdim=True)) * torch.hann_window(64)
    strength = torch.fft.rfft(wave, n=4096).abs()
    loudest = strength.argmax(dim=1) * 256.0 / 4096
    orders = loudest / prepared.numbers["speed"]
    assert torch.tensor([1.0, 2.0, 3.0, 3.6]).sub(orders[:, None]).abs().amin(dim=1).median() < 0.1
    with pytest.raises(DataError, match=r"`machines` should be at least 5, found 4"):
        read_source("machines", PythonSource(kind="python", target="examples.machines:read", options={"machines": 4}))


def predicted_and_true(config: Config, seed: int, epochs: int, root: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """Predictions and targets on the test part, of a network trained on all tasks."""
    sources = {name: read_source(name, source, root) for name, source in config.prepare.sources.items()}
    torch.manual_seed(seed)  # of dropout
    data = build_tasks(config.tasks, sources, seed)
    model = build_model(config.encoder, list(data.specs.values()), seed)
    (train,), (test,) = data.pools["train"], data.pools["test"]
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.003)
    for epoch in range(epochs):
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(epoch))
        for index in order.split(32):
            batch = train.batch(index)
            predicted = model(batch.x, train.tasks)
            losses = [
                data.specs[name].sample_losses(predicted[name], batch.target(name)).mean() for name in train.tasks
            ]
            loss = torch.stack(losses).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    batch = test.batch(torch.arange(len(test)))
    with torch.no_grad():
        predicted = model.eval()(batch.x, test.tasks)
    return {name: (predicted[name], batch.target(name)) for name in test.tasks}


def test_speed_and_wear_are_learnt_together(project: Path, project_folder: Path) -> None:
    """On machines that were not seen in training."""
    told = predicted_and_true(preset(project), seed=0, epochs=8, root=project_folder)
    speed, true_speed = told["speed"]
    assert float(F.mse_loss(speed, true_speed)) < 0.5, "the variance is 1"
    worn, truly = told["worn"]
    assert float(((worn > 0) == truly.bool()).float().mean()) > 0.8, "a coin is right half of the time"


def test_images_need_nothing_but_another_number_of_dimensions(project: Path, project_folder: Path) -> None:
    raw = yaml.safe_load(presets.render("own-code", project))
    raw["prepare"] = {"sources": {"digits": {"kind": "digits"}}}
    raw["tasks"] = {"digit": {"kind": "classification", "source": "digits", "label": "classes"}}
    raw["encoder"]["options"] = {"dimensions": 2, "channels": 1, "widths": [8, 16]}
    raw["finetune"]["methods"] = {"joint": {"kind": "equal"}}
    config = parse_config(raw)
    assert check_plugins(config, project_folder) == []
    digit, truly = predicted_and_true(config, seed=0, epochs=2, root=project_folder)["digit"]
    assert float((digit.argmax(dim=1) == truly).float().mean()) > 0.7
    raw["encoder"]["options"]["channels"] = 3
    with pytest.raises(UserError, match=r"it failed for tasks\.digit, a batch \[3, 1, 8, 8\]"):
        check_plugins(parse_config(raw), project_folder)


def test_widths_that_make_no_network_are_a_users_error() -> None:
    section = PythonEncoder(kind="python", target="examples.residual:ResNet", options={"channels": 1, "widths": []})
    with pytest.raises(UserError, match=r"failed: ValueError: widths should name one stage or more.*of residual.py"):
        build_encoder(section, [Sample("tasks.digit", IMAGES, (1, 8, 8))], seed=0)
