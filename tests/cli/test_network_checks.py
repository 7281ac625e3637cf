"""Words of `mtl validate` and `mtl model get` about a pretrained network."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtl.cli.main import app
from mtl.cli.network_checks import check_network
from mtl.config import parse_config
from mtl.data.inputs.pretrained import digest_of
from mtl.errors import UserError
from tests.helpers.tiny_networks import write_bert


def raw(**encoder: object) -> dict[str, object]:
    return {
        "prepare": {"sources": {"own": {
            "kind": "table", "path": "own.csv", "inputs": {"note": "text"},
            "texts": {"tokenizer": "tiny", "longest": 16},
        }}},
        "tasks": {"mood": {"kind": "binary", "source": "own", "label": "mood"}},
        "encoder": {"kind": "huggingface", "model": "tiny", **encoder},
        "train": {"batch_size": 8},
        "finetune": {"methods": {"joint": {"kind": "equal"}}},
    }  # fmt: skip


def test_weights_and_a_batch_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bert(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["model", "get", "tiny", "--from", "elsewhere"])
    digest = digest_of(tmp_path / "elsewhere")
    assert done.exit_code == 0 and done.output.startswith("data/models/tiny: 3 files, ")
    assert f"`encoder: {{kind: huggingface, model: tiny, digest: {digest}}}`" in done.output.replace("\n", "")
    told, below = check_network(parse_config(raw(digest=digest, train={"top": 1}, sizes=[4])), tmp_path)
    block = 4 * (16 * 16 + 16) + 2 * 16 * 24 + 24 + 16 + 4 * 16
    table = (64 + 2 + 70) * 16 + 2 * 16
    assert told == (
        f"tiny: {block + 17 * 4:,} weights are trained, {table + block:,} rest as they are; a batch of 8 texts is at "
        "most 128 tokens (512 bytes)"
    )
    assert below == (
        "what tiny gives below the blocks that are trained is kept in .mtl/features, 64 bytes for each token"
    )
    tagged = raw(digest=digest, train="none")
    tagged["prepare"]["sources"]["own"] |= {"tags": {"pos": "plain"}}  # type: ignore[index]
    _, kept = check_network(parse_config(tagged), tmp_path)
    assert kept == (
        "what tiny gives is kept in .mtl/features, 64 bytes for each text, and as many for each word that may have a "
        "tag"
    )
    with pytest.raises(UserError, match=f"`encoder.digest` is missing: it should be {digest}"):
        check_network(parse_config(raw()), tmp_path)
    (tmp_path / "data/models/tiny/config.json").write_text("{}")
    with pytest.raises(UserError, match=r"config.json is not the file that `mtl model get` put there"):
        check_network(parse_config(raw(digest=digest)), tmp_path)


def test_an_image_passes_the_network_before_anything_is_trained(tmp_path: Path) -> None:
    from transformers import AutoModel, ViTConfig

    folder = tmp_path / "data/models/tiny"
    section = ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12, image_size=8, patch_size=4
    )
    AutoModel.from_config(section).save_pretrained(folder)
    own: dict[str, object] = raw(digest=digest_of(folder))

    def told(size: int) -> list[str]:
        source = {
            "kind": "table", "path": "own.csv", "inputs": {"photo": "image"},
            "images": {"folder": "photos", "size": [size, size]},
        }  # fmt: skip
        return check_network(parse_config(own | {"prepare": {"sources": {"own": source}}}), tmp_path)

    with pytest.raises(UserError, match=r"preprocessor_config.json should say how bright images should be"):
        told(8)
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [1.0, 1.0, 1.0]}')
    own = raw(digest=digest_of(folder))
    (said,) = told(8)
    assert "a batch of 8 images is 6,144 bytes" in said
    with pytest.raises(UserError, match=r"should read images of 16 × 16 pixels, found 8 × 8"):
        told(16)
