"""Runs on a pretrained network: from a table of texts to predictions by the files of a run and of the network."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from safetensors.torch import load_file

import mtl
from mtl.balancing.build import build_balancer
from mtl.config import Config, Start, parse_config
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.errors import ConfigError, UserError
from mtl.experiment import recipe, run_baseline, run_finetune
from mtl.experiment.objects import build_optimiser, load_tasks
from mtl.experiment.saved import build_network
from mtl.paths import PREPARED
from mtl.plugins import project
from tests.helpers.tiny_networks import digest_of, write_bert


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a table of texts, prepared, and a tiny network."""
    root = tmp_path_factory.mktemp("pretrained")
    write_bert(root / "data/models/tiny")
    words = [f"{'good' if n % 2 else 'bad'} {'word' if n % 3 else 'x'}" for n in range(60)]
    rows = {"note": words, "mood": ["up" if n % 2 else "down" for n in range(60)], "three": [n % 3 for n in range(60)]}
    pd.DataFrame(rows).to_csv(root / "own.csv", index=False)
    config = configure(root)
    write_prepared(read_source("own", config.prepare.sources["own"], root), root / PREPARED / "own", {})
    return root


def configure(root: Path, **encoder: Any) -> Config:
    own = {"kind": "huggingface", "model": "tiny", "digest": digest_of(root / "data/models/tiny"), "dropout": 0.0}
    texts = {"tokenizer": "tiny", "longest": 16}
    source = {"kind": "table", "path": "own.csv", "inputs": {"note": "text"}, "texts": texts}
    return parse_config({
        "base": {"seeds": [0], "device": "cpu"},
        "prepare": {"sources": {"own": source}},
        "tasks": {
            "mood": {"kind": "binary", "source": "own", "label": "mood"},
            "three": {"kind": "regression", "source": "own", "target": "three"},
        },
        "encoder": own | encoder,
        "train": {"epochs": 8, "batch_size": 8, "lr": 0.02, "stopping": {"patience": None}},
        "finetune": {"methods": {"joint": {"kind": "equal"}, "surgery": {"kind": "pcgrad"}}},
    })  # fmt: skip


@pytest.mark.parametrize("train", ["all", {"lora": {"rank": 2}}], ids=["all", "lora"])
def test_a_run_learns_and_predicts_from_its_files(home: Path, tmp_path: Path, train: Any) -> None:
    config = configure(home, train=train, backbone_rate=0.5)
    config = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 15})})
    with project(home):
        folder = run_finetune(config, "joint", 0, home, out=tmp_path)
        run = json.loads((folder / "run.json").read_text())
        assert run["test"]["mood"]["accuracy"] == 1.0
        names = set(load_file(folder / "weights.safetensors"))
        assert any("embeddings" in name for name in names) is (train == "all")
        model = mtl.load_model(folder)
        answer = model.predict(["good word", "bad x", "GOOD x"])["mood"]
        assert answer.predicted == ["up", "down", "up"]
        (home / "data/models/tiny").rename(home / "data/models/away")
        try:
            with pytest.raises(UserError, match=r"stands on a pretrained one, which is not there. tiny: there is no"):
                mtl.load_model(folder)
        finally:
            (home / "data/models/away").rename(home / "data/models/tiny")


def test_gradients_are_combined_over_what_is_trained(home: Path, tmp_path: Path) -> None:
    config = configure(home, train={"top": 1})
    with project(home):
        folder = run_finetune(config, "surgery", 0, home, out=tmp_path)
        first = load_file(folder / "weights.safetensors")
        alone = run_baseline(config, "mood", Start(), 0, home, out=tmp_path)
    assert not any("embeddings" in name or "layer.0" in name for name in first)
    assert set(load_file(alone / "weights.safetensors")) < set(first)


def test_the_network_has_a_rate_of_its_own(home: Path) -> None:
    config = configure(home, backbone_rate=0.25, sizes=[4])
    joint = recipe.joint(config, "joint", 0)
    with project(home):
        data, _ = load_tasks(config, 0, home)
        model = build_network(joint, data)
    balancer = build_balancer(joint.method, list(model.tasks.values()), 0)
    groups = build_optimiser(config.train, model, ["mood", "three"], balancer, joint.method).param_groups
    assert {group["lr"] for group in groups} == {0.02, 0.005}
    slow = {id(weight) for group in groups if group["lr"] == 0.005 for weight in group["params"]}
    named = dict(model.trunk.named_parameters())
    assert slow == {id(weight) for name, weight in named.items() if ".backbone." in name}


def test_texts_of_another_vocabulary(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"own.texts.tokenizer` should be 'other' as `encoder.model` is"):
        configure(home, model="other")
    config = configure(home)
    content = (home / "data/models/tiny/tokenizer.json").read_text()
    (home / "data/models/tiny/tokenizer.json").write_text(content + "\n")
    try:
        with (
            project(home),
            pytest.raises(UserError, match=r"tokenizer.json is not the tokenizer that cut the texts before"),
        ):
            run_finetune(config, "joint", 0, home)
    finally:
        (home / "data/models/tiny/tokenizer.json").write_text(content)


def test_rows_are_no_texts(home: Path) -> None:
    raw = configure(home).model_dump(mode="json", by_alias=True)
    raw["prepare"]["sources"]["own"] |= {"inputs": {"three": "number"}, "texts": {}}
    raw["tasks"].pop("three")
    with pytest.raises(
        ConfigError, match=r"`encoder.kind` should be .* for tasks.mood \(rows.*\), found 'huggingface'"
    ):
        parse_config(raw)
