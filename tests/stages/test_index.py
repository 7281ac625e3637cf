"""The index knows what each kind of source holds, as the tasks that are trained on it find it."""

import json
from pathlib import Path
from typing import Any

import pytest

from mtl.config import parse_config
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.errors import SettingError
from mtl.paths import PREPARED
from mtl.stages.index import index
from tests.helpers.mixtures import SOURCE as GOODS
from tests.helpers.mixtures import goods_table
from tests.helpers.pictures import colours_table

Json = dict[str, Any]
COLOURS: Json = {
    "kind": "table", "path": "labels.csv", "inputs": {"photo": "image"}, "folds": 3,
    "images": {"folder": "photos", "size": [8, 8]}, "split": {"kind": "group", "column": "site"},
}  # fmt: skip
TEXTS: Json = {
    "kind": "table", "path": "goods.csv", "inputs": {"note": "text"}, "ignore": ["photo"], "folds": 3,
    "texts": {"size": 300, "longest": 12},
}  # fmt: skip
MLP: Json = {"kind": "mlp", "sizes": [8]}
CASES: dict[str, tuple[Json, Json, str]] = {
    "images": (COLOURS, MLP, "colour"),
    "texts": (TEXTS, {"kind": "text", "width": 8, "layers": 1, "heads": 1, "d_ff": 8}, "odd"),
    "mixture": (GOODS, {"kind": "fusion"}, "odd"),
    "digits": ({"kind": "digits"}, MLP, "even"),
}  # fmt: skip


def indexed(kind: str, label: str, root: Path) -> Json:
    source, encoder, _ = CASES[kind]
    colours_table(root)
    goods_table(root)
    config = parse_config(
        {
            "prepare": {"sources": {"own": source}},
            "tasks": {"what": {"kind": "classification", "source": "own", "label": label}},
            "encoder": encoder,
            "finetune": {"methods": {"joint": {"kind": "equal"}}},
        }
    )
    write_prepared(read_source("own", config.prepare.sources["own"], root), root / PREPARED / "own", {})
    index(config, root)
    written: Json = json.loads((root / "data/index.json").read_text())
    return written


@pytest.mark.parametrize("kind", CASES)
def test_a_label_of_every_kind_of_source_is_known(kind: str, tmp_path: Path) -> None:
    assert list(indexed(kind, CASES[kind][2], tmp_path)) == ["own"]


@pytest.mark.parametrize("kind", ["images", "texts", "mixture"])
def test_a_label_that_no_column_holds_ends_the_stage(kind: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="colr"):
        indexed(kind, "colr", tmp_path)
    assert not (tmp_path / "data/index.json").exists()
