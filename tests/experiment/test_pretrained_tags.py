"""Tags of words beside a label of the text on a pretrained network: from a table to predictions and their service."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mtl
from mtl.config import Config, Start, parse_config
from mtl.data.build import read_source
from mtl.data.inputs.pretrained import digest_of
from mtl.data.loading.store import write_prepared
from mtl.experiment import run_baseline, run_finetune
from mtl.paths import PREPARED
from mtl.plugins import project
from mtl.results.record import Run
from mtl.serving.app import answer
from mtl.serving.request import JSON
from mtl.serving.service import Service
from mtl.tasks.answers import Tags
from tests.helpers.tiny_networks import write_bert

TAGS = {"good": "A", "bad": "A", "word1": "N", "word-2": "N", "\u200b": "O"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of sentences whose words tell their tag, and one of whose words tells the label."""
    root = tmp_path_factory.mktemp("tags")
    write_bert(root / "data/models/tiny")
    words = list(TAGS)
    texts = [[words[(n * step) % 5] for step in range(1, 2 + n % 4)] for n in range(60)]
    rows = {
        "words": [json.dumps(text) for text in texts], "pos": [" ".join(TAGS[word] for word in text) for text in texts],
        "mood": ["up" if "good" in text else "down" for text in texts],
    }  # fmt: skip
    pd.DataFrame(rows).to_csv(root / "own.csv", index=False)
    config = configure(root, "none")
    write_prepared(read_source("own", config.prepare.sources["own"], root), root / PREPARED / "own", {})
    return root


def configure(root: Path, train: Any) -> Config:
    source = {
        "kind": "table", "path": "own.csv", "inputs": {"words": "text"}, "tags": {"pos": "plain"},
        "texts": {"tokenizer": "tiny", "longest": 24},
    }  # fmt: skip
    return parse_config({
        "base": {"seeds": [0], "device": "cpu"},
        "prepare": {"sources": {"own": source}},
        "tasks": {
            "pos": {"kind": "tagging", "source": "own", "label": "pos"},
            "mood": {"kind": "binary", "source": "own", "label": "mood"},
        },
        "encoder": {"kind": "huggingface", "model": "tiny", "digest": digest_of(root / "data/models/tiny"),
                    "dropout": 0.0, "train": train, "backbone_rate": 0.5},
        "train": {"epochs": 12, "batch_size": 8, "lr": 0.03, "stopping": {"patience": None}},
        "finetune": {"methods": {"joint": {"kind": "equal"}}},
    })  # fmt: skip


@pytest.mark.parametrize("train", ["none", {"lora": {"rank": 2}}], ids=["none", "lora"])
def test_a_run_learns_tags_and_gives_each_new_word_one(home: Path, tmp_path: Path, train: Any) -> None:
    with project(home):
        folder = run_finetune(configure(home, train), "joint", 0, home, out=tmp_path)
        run = Run.read(folder / "run.json")
        assert run.test["pos"]["accuracy"] > 0.95
        model = mtl.load_model(folder)
        said = model.predict(['["word-2", "bad", "\\u200b", "word1"]', "", "bad word1"])["pos"]
        assert isinstance(said, Tags)
        assert [list(tags) for tags in said.predicted] == [["N", "A", "O", "N"], [], ["A", "N"]]
        content = {"dataframe_records": [{"words": "bad word1"}]}
        (told,) = json.loads(answer(Service(model), json.dumps(content).encode(), JSON))["predictions"]
        assert told["pos"] == "A N"


def test_words_are_computed_once_for_all_runs(home: Path, tmp_path: Path) -> None:
    config = configure(home, "none")
    with project(home):
        run_finetune(config, "joint", 0, home, out=tmp_path)
        pieces = sorted((home / ".mtl/features").glob("*-mean-first-words/*"))
        assert pieces
        run_baseline(config, "pos", Start(), 0, home, out=tmp_path)
    assert sorted((home / ".mtl/features").glob("*-words/*")) == pieces
