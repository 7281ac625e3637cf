"""Tiny networks as files of the package transformers, which is not needed to write them: BERT of random weights, and
its tokenizer of some words and all small letters."""

import atexit
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from mtl.config.pretrained import PretrainedEncoder
from mtl.data.inputs.pretrained import digest_of

WIDTH, LAYERS, PLACES = 16, 2, 64
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [chr(ord("a") + n) for n in range(26)]
WORDS = ["good", "bad", "word"]
VOCABULARY = [*SPECIAL, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS), *(f"##{n}" for n in range(10))]

SETTINGS: dict[str, Any] = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_size": WIDTH, "intermediate_size": 24,
    "num_hidden_layers": LAYERS, "num_attention_heads": 2, "max_position_embeddings": PLACES, "type_vocab_size": 2,
    "vocab_size": len(VOCABULARY), "pad_token_id": 0, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
}  # fmt: skip


def weights(layers: int = LAYERS, codes: int = len(VOCABULARY)) -> dict[str, Tensor]:
    """Random weights by the names that BERT has, with its pooler, which is not read."""
    drawer = torch.Generator().manual_seed(5)

    def linear(name: str, outputs: int, inputs: int) -> dict[str, Tensor]:
        return {
            f"{name}.weight": 0.3 * torch.randn(outputs, inputs, generator=drawer),
            f"{name}.bias": 0.1 * torch.randn(outputs, generator=drawer),
        }

    def norm(name: str) -> dict[str, Tensor]:
        return {f"{name}.weight": torch.ones(WIDTH), f"{name}.bias": torch.zeros(WIDTH)}

    tables = {"word": codes, "position": PLACES, "token_type": 2}
    state = {
        f"embeddings.{name}_embeddings.weight": torch.randn(count, WIDTH, generator=drawer)
        for name, count in tables.items()
    }
    state |= norm("embeddings.LayerNorm") | linear("pooler.dense", WIDTH, WIDTH)
    for number in range(layers):
        block = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            state |= linear(f"{block}.attention.self.{part}", WIDTH, WIDTH)
        state |= linear(f"{block}.attention.output.dense", WIDTH, WIDTH) | norm(f"{block}.attention.output.LayerNorm")
        state |= linear(f"{block}.intermediate.dense", 24, WIDTH) | linear(f"{block}.output.dense", WIDTH, 24)
        state |= norm(f"{block}.output.LayerNorm")
    return state


def tokenizer() -> dict[str, Any]:
    """Content of tokenizer.json: WordPiece of `VOCABULARY`, with [CLS] in front and [SEP] behind."""
    added = [
        {
            "id": number, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": True,
        }
        for number, name in enumerate(SPECIAL)
    ]  # fmt: skip
    ends = {name: {"id": name, "ids": [SPECIAL.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")}
    first, text, last = (
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    )  # fmt: skip
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "single": [first, text, last], "pair": [first, text, last],
            "special_tokens": ends,
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": {name: number for number, name in enumerate(VOCABULARY)},
        },
    }  # fmt: skip


def write_bert(folder: Path, **settings: Any) -> Path:
    """The files of a tiny BERT; `settings` change its config.json, not its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(SETTINGS | settings))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()))
    save_file(weights(), folder / "model.safetensors", {"format": "pt"})
    return folder


def tiny_bert(folder: Path, **changes: Any) -> PretrainedEncoder:
    """Section `encoder` of a network in a folder."""
    own = {
        "kind": "huggingface",
        "model": str(folder),
        "digest": digest_of(folder),
        "dropout": 0.0,
        "backbone_rate": 1.0,
    }
    return PretrainedEncoder.model_validate(own | changes)


_HOME = tempfile.TemporaryDirectory(prefix="tiny-bert-")
atexit.register(_HOME.cleanup)
TINY = write_bert(Path(_HOME.name))
"""A tiny BERT that all tests of this process read."""
