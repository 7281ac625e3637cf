"""Vectors of words by pretrained networks: what transformers itself gives at their pieces, however it is run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mtl.config.sharing import BranchedSharing, CrossStitchSharing, HardSharing, SeparateSharing, Sharing
from mtl.data.inputs.vocabulary import FIRST
from mtl.data.inputs.words import FIRST_OF_WORD, INSIDE_WORD
from mtl.models.build import build_model
from mtl.models.kept_features import keeping
from mtl.models.pretrained import PretrainedText, WholeText, load_pretrained
from mtl.tasks.tagging import Tagging
from tests.helpers.tiny_networks import TINY, VOCABULARY, WIDTH, tiny_bert
from tests.models.cases import task_for

TEXTS = [[2, 7, 3], [2, 7, 40, 41, 9, 3], [2, 3], [2, 5, 6, 44, 8, 42, 43, 3]]
"""Numbers of tokens in the network's vocabulary."""
PIECES = [[[1]], [[1, 2, 3], [4]], [], [[1], [2, 3], [4, 5, 6]]]
"""Places of the pieces of each word."""
FORMS: list[Sharing] = [
    HardSharing(),
    SeparateSharing(kind="separate"),
    CrossStitchSharing(kind="cross_stitch", init="lean"),
    BranchedSharing(kind="branched", groups=[["tags"], ["label"]], shared_stages=1),
]


def codes(length: int = 8) -> Tensor:
    x = torch.zeros(len(TEXTS), length)
    for row, (text, words) in enumerate(zip(TEXTS, PIECES, strict=True)):
        x[row, : len(text)] = torch.tensor(text) + FIRST
        for pieces in words:
            x[row, pieces[0]] += FIRST_OF_WORD
            x[row, pieces[1:]] += INSIDE_WORD
    return x


def expected(pool: str) -> list[Tensor]:
    """Vectors [W, D] of the words of each text alone, by transformers."""
    from transformers import AutoModel

    network = AutoModel.from_pretrained(TINY, dtype=torch.float32).eval()
    vectors = []
    for text, words in zip(TEXTS, PIECES, strict=True):
        with torch.no_grad():
            states = network(input_ids=torch.tensor([text])).last_hidden_state[0]
        own = [states[pieces[0]] if pool == "first" else states[pieces].mean(dim=0) for pieces in words]
        vectors.append(torch.stack(own) if own else torch.zeros(0, WIDTH))
    return vectors


def built(**changes: Any) -> PretrainedText:
    encoder = load_pretrained(tiny_bert(TINY, **changes), FIRST + len(VOCABULARY))
    assert isinstance(encoder, PretrainedText)
    return encoder


def of_words(encoder: PretrainedText, x: Tensor) -> list[Tensor]:
    given = encoder(x)
    assert given.places is not None and given.firsts is not None
    return [places[firsts] for places, firsts in zip(given.places, given.firsts, strict=True)]


@pytest.mark.parametrize("train", ["all", "none"])
@pytest.mark.parametrize("pool", ["first", "mean"])
def test_a_word_has_what_transformers_gives_at_its_pieces(pool: str, train: str) -> None:
    encoder = built(pool_words=pool, train=train).eval()
    whole = WholeText(tiny_bert(TINY, pool_words=pool), encoder.backbone, ["encoder.layer.0"]).eval()
    for length in (8, 20):
        for network in (encoder, whole):
            for own, wanted in zip(of_words(network, codes(length)), expected(pool), strict=True):
                torch.testing.assert_close(own, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("train", ["all", "none"])
def test_marks_change_no_vector_of_a_text(train: str) -> None:
    encoder = built(train=train, sizes=[5]).eval()
    torch.testing.assert_close(encoder(codes()).tokens, encoder(codes().floor()).tokens, atol=1e-6, rtol=0)
    plain = encoder(codes().floor())
    assert plain.places is not None and plain.places.shape == (len(TEXTS), 0, 5)


def test_words_of_a_resting_network_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = built(train="none").eval()
    alone, vectors = of_words(encoder, codes()), encoder(codes()).tokens
    asked: list[int] = []
    compute = encoder.tokens

    def counted(x: Tensor, rate: float) -> Tensor:
        asked.append(x.shape[1])
        return compute(x, rate)

    monkeypatch.setattr(encoder, "tokens", counted)
    for length in (8, 12):  # the second time in another process, as it were, and with more padding
        with keeping(tmp_path):
            for _ in range(2):
                assert all(torch.equal(*pair) for pair in zip(of_words(encoder, codes(length)), alone, strict=True))
                assert torch.equal(encoder(codes(length)).tokens, vectors)
    assert asked == [3, 6, 2, 8]
    (piece,) = (tmp_path / ".mtl/features").glob("*/*")
    assert piece.parent.name.endswith("-mean-first-words")
    kept = np.load(piece / "vectors.npy", mmap_mode="r")
    assert kept.shape == (len(TEXTS) + 6, WIDTH) and kept.dtype == np.float32
    (piece / "counts.npy").write_bytes(b"damaged")
    with keeping(tmp_path):
        assert all(torch.equal(*pair) for pair in zip(of_words(encoder, codes()), alone, strict=True))
    assert len(asked) == 2 * len(TEXTS)


@pytest.mark.parametrize("sharing", FORMS, ids=["hard", "separate", "stitches", "branched"])
@pytest.mark.parametrize("train", [{"lora": {"rank": 2}}, "none"], ids=["lora", "none"])
def test_tags_and_a_label_on_one_network(sharing: Sharing, train: Any) -> None:
    config = tiny_bert(TINY, train=train, sizes=[6], pool_words="mean")
    label = task_for(config, "classification", "label")
    tags = Tagging(
        name="tags", source=label.source, input=label.input, shape=label.shape, columns=label.columns,
        layout=label.layout, label="tags", classes=["A", "B", "C"],
    )  # fmt: skip
    model = build_model(config, [tags, label], 0, sharing).eval()
    short, long = model(codes(), ["tags", "label"]), model(codes(30), ["tags", "label"])
    assert short["tags"][..., 0].isfinite().sum(dim=1).tolist() == [len(words) for words in PIECES]
    most = max(len(words) for words in PIECES)
    for given, padded in ((short["label"], long["label"]), (short["tags"][:, :most], long["tags"][:, :most])):
        torch.testing.assert_close(given, padded, atol=1e-5, rtol=1e-5, equal_nan=True)
    trained = model.train()(codes(), ["tags"])["tags"]
    trained[trained.isfinite()].square().sum().backward()
    named = dict(model.trunk.named_parameters())
    assert all(weight.grad is None or bool(weight.grad.isfinite().all()) for weight in named.values())
    assert any("lora_B" in name and weight.grad is not None for name, weight in named.items()) is (train != "none")


@pytest.mark.parametrize("tagged", [True, False])
def test_a_resting_network_is_computed_in_32_bits_whatever_a_run_multiplies_in(tagged: bool, tmp_path: Path) -> None:
    """So that vectors that one run keeps are those of every other; the layers above may take 16 bits."""
    encoder = built(train="none", sizes=[]).eval()
    x = codes() if tagged else codes().floor()
    plain = encoder(x)
    with torch.autocast("cpu", torch.bfloat16), keeping(tmp_path):
        narrow = encoder(x)
    with keeping(tmp_path):
        kept = encoder(x)
    for features in (narrow, kept):
        assert features.tokens.dtype == torch.float32 and torch.equal(features.tokens, plain.tokens)
        assert features.places is not None and plain.places is not None
        assert (features.places.shape[1] > 0) == tagged and torch.equal(features.places, plain.places)
