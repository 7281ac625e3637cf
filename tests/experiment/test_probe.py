"""A linear map of what a pretrained network at rest gives, as the simple model of labels, numbers and tags of texts."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import mtl
from mtl.config import Config, parse_config
from mtl.data.build import read_source
from mtl.data.inputs.pretrained import digest_of
from mtl.data.loading.store import write_prepared
from mtl.errors import ConfigError, UserError
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import simple
from mtl.experiment.saved import load_network
from mtl.experiment.simple import run_simple
from mtl.paths import PREPARED, RunPath
from mtl.plugins import project
from mtl.results.record import Run
from mtl.results.simple import LinearFit
from mtl.simple.again import Before, fit_again
from mtl.training.measure import predict
from tests.helpers.tiny_networks import WIDTH, write_bert

TASKS: dict[str, Any] = {
    "mood": {"kind": "binary", "source": "own", "label": "mood"},
    "size": {"kind": "classification", "source": "own", "label": "size"},
    "goods": {"kind": "regression", "source": "own", "target": "goods"},
    "kinds": {"kind": "tagging", "source": "own", "label": "kinds"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a table of texts of two to four words, a tiny network, and the finished simple models."""
    root = tmp_path_factory.mktemp("probe")
    write_bert(root / "data/models/tiny")
    draw = torch.Generator().manual_seed(3)
    rows = []
    for _ in range(240):
        count = int(torch.randint(2, 4, (), generator=draw))
        words = [("good", "bad", "word", "x")[n] for n in torch.randint(0, 4, (count,), generator=draw).tolist()]
        kinds = " ".join("M" if word in ("good", "bad") else "W" for word in words)
        goods = words.count("good")
        rows.append(
            (" ".join(words), kinds, "up" if goods else "down", "two" if count == 2 else "three", goods / count)
        )
    pd.DataFrame(rows, columns=["note", "kinds", "mood", "size", "goods"]).to_csv(root / "own.csv", index=False)
    config = configure(root)
    write_prepared(read_source("own", config.prepare.sources["own"], root), root / PREPARED / "own", {})
    with project(root):
        run_simple(config, [0], root)
    return root


def configure(root: Path, tokenizer: str | None = "tiny", **simple: Any) -> Config:
    texts = {"longest": 16} | ({} if tokenizer is None else {"tokenizer": tokenizer})
    source = {
        "kind": "table",
        "path": "own.csv",
        "inputs": {"note": "text"},
        "texts": texts,
        "tags": {"kinds": "plain"},
    }
    network = {"model": "tiny", "digest": digest_of(root / "data/models/tiny")}
    return parse_config({
        "base": {"seeds": [0], "device": "cpu", "threads": 1},
        "prepare": {"sources": {"own": source}},
        "tasks": TASKS,
        "encoder": {"kind": "text", "width": 8, "layers": 1, "heads": 2, "d_ff": 16},
        "simple": {"models": ["probe"], "probe": network} | simple,
        "finetune": {"methods": {"joint": {"kind": "equal"}}},
    })  # fmt: skip


def test_what_the_vectors_tell_is_learnt(home: Path) -> None:
    for task, metric, least in (("mood", "accuracy", 0.95), ("size", "accuracy", 0.95), ("goods", "r2", 0.9),
                                ("kinds", "accuracy", 1.0)):  # fmt: skip
        folder = home / RunPath("simple", task, None, 0).folder
        run = Run.read(folder / "run.json")
        assert run.simple is not None and run.simple.model == "probe"
        assert run.simple.about.startswith("on the vectors of tiny, λ ")
        assert run.test[task][metric] >= least, (task, run.test[task])
        assert {name.rpartition(".")[2] for name in load_file(folder / "weights.safetensors")} == {"weight", "bias"}
        assert run.parameters.total == sum(part.numel() for part in load_file(folder / "weights.safetensors").values())


def test_every_text_was_computed_once_for_all_models(home: Path) -> None:
    pieces = [*(home / ".mtl/features").glob("*-words/*")]
    assert len(pieces) == 1 and not [*(home / ".mtl/features").glob("*-mean/*")]


def test_a_model_answers_by_its_files_and_those_of_the_network(home: Path) -> None:
    with project(home):
        answers: dict[str, Any] = {
            task: mtl.load_model(home / RunPath("simple", task, None, 0).folder).predict(["good word", "x bad x"])[task]
            for task in TASKS
        }
        assert answers["mood"].predicted == ["up", "down"] and answers["size"].predicted == ["two", "three"]
        assert answers["kinds"].predicted == [["M", "W"], ["W", "M", "W"]]
        (home / "data/models/tiny").rename(home / "data/models/away")
        try:
            with pytest.raises(UserError, match=r"stands on a pretrained one, which is not there. tiny: there is no"):
                mtl.load_model(home / RunPath("simple", "mood", None, 0).folder)
        finally:
            (home / "data/models/away").rename(home / "data/models/tiny")


@pytest.mark.parametrize("task", TASKS)
def test_the_same_samples_give_the_same_model_again(home: Path, task: str) -> None:
    config = configure(home)
    with project(home):
        data, _ = load_tasks(config, 0, home)
        network = load_network(simple(config, task, 0), home)
        assert network.saved.simple is not None
        before = Before(network.saved.simple, network.model, lambda: data)  # type: ignore[arg-type]
        again, fit = fit_again(config.simple, data, task, before, 1)
        assert isinstance(fit, LinearFit) and fit == network.saved.simple.fit and fit.features.width == WIDTH  # type: ignore[union-attr]
        pools = data.select([task], "test")
        torch.testing.assert_close(
            predict(again, pools)[task][0], predict(network.model, pools)[task][0], atol=1e-3, rtol=1e-3, equal_nan=True
        )


def test_mistakes_are_told(home: Path) -> None:
    for tokenizer, told in ((None, "found none, by which"), ("other", "found 'other'")):
        with pytest.raises(ConfigError, match=f"should be 'tiny' as `simple.probe.model` is, .*{told}"):
            configure(home, tokenizer)
    with pytest.raises(ConfigError, match="probe should name the pretrained network that `models` asks"):
        configure(home, probe=None)
    with pytest.raises(ConfigError, match="digest"):
        configure(home, probe={"model": "tiny"})
    assert configure(home, models=None).simple.tries("probe")
    assert not configure(home, models=None, probe=None).simple.tries("probe")
