"""Encoders that were trained elsewhere, of the package transformers, from the files of a folder; those of texts.

The network is the package's own, without its pooler. Networks like BERT and RoBERTa are run block by block, so that
every form of sharing works on them; others are run as a whole. Dropout acts at the rate of the run, in front of what
blocks add; none acts inside of attention, nor in parts that are not trained.

B samples, N places of the longest text, D width of a token.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mtl.config.pretrained import PretrainedEncoder
from mtl.data.inputs.vocabulary import FIRST, PADDING
from mtl.errors import SettingError
from mtl.models.backbone import (
    blocks_of,
    check_top,
    checked_folder,
    follow_rate,
    mark_trained,
    network_of,
    set_rate,
    width_of,
)
from mtl.models.base import Encoder, StagedEncoder, Window
from mtl.models.features import Features
from mtl.models.kept_features import vectors_of
from mtl.models.text import places_there

BY_BLOCKS = ("bert", "roberta", "xlm-roberta", "camembert")
"""Networks that are embeddings and then blocks from (hidden states, mask) to hidden states, by `model_type`."""


class Pretrained(Encoder):
    """Base of encoders with a pretrained network: which part of it is trained, and the layers above.

    Args:
        config: section `encoder`.
        backbone: the network.
        blocks: its blocks, from the first to the last.
    """

    def __init__(self, config: PretrainedEncoder, backbone: nn.Module, blocks: list[str]) -> None:
        super().__init__()
        self.pool, self.dropout, self.factor = config.pool, config.dropout, config.backbone_rate
        self.checkpointing, self.digest = config.checkpointing, str(config.digest)
        follow_rate(backbone)
        self.backbone = backbone
        self.block_names = [f"backbone.{name}" for name in blocks]
        mark_trained(config, backbone, blocks)
        own = dict(backbone.named_parameters())
        trained = {f"backbone.{name}" for name, weight in own.items() if weight.requires_grad}
        self.base = frozenset(f"backbone.{name}" for name, weight in own.items() if not weight.requires_grad)
        if not trained:  # Statistics of batches are weights too.
            self.base = frozenset(f"backbone.{name}" for name in backbone.state_dict())
        # What holds no trained weight is run as in evaluation.
        self.resting = ["backbone"] if not trained else [
            name for name in ("backbone.embeddings", *self.block_names)
            if not any(weight.startswith(f"{name}.") for weight in trained)
        ]  # fmt: skip
        width = width_of(backbone.config)
        layers: list[nn.Module] = []
        for size in config.sizes:
            layers += [nn.Linear(width, size), nn.ReLU()]
            width = size
        self.above = nn.Sequential(*layers)
        self.width = width

    def count_tokens(self, input_len: int) -> int:
        del input_len
        return 1

    @property
    def slow(self) -> tuple[float, list[nn.Parameter]]:
        return self.factor, [weight for weight in self.backbone.parameters() if weight.requires_grad]

    def train(self, mode: bool = True) -> "Pretrained":
        super().train(mode)
        for name in self.resting:
            self.get_submodule(name).eval()
        return self

    def codes_of(self, x: Float[Tensor, "B N"]) -> tuple[Tensor, Bool[Tensor, "B N"]]:
        """Numbers of tokens in the network's own vocabulary, and which places hold one; the first always does."""
        there = x != PADDING
        there = torch.cat([torch.ones_like(there[:, :1]), there[:, 1:]], dim=1)
        padding = int(getattr(self.backbone.config, "pad_token_id", None) or 0)
        codes = x.long() - FIRST
        most = int(self.backbone.config.vocab_size) - 1  # type: ignore[union-attr, arg-type]
        return torch.where(codes < 0, padding, codes).clamp(max=most), there

    def forward(self, x: Float[Tensor, "B *S"], dropout: float | None = None) -> Features:
        if self.resting == ["backbone"]:
            name = f"{self.digest[:16]}-{self.pool}"
            return Features(self.above(vectors_of(self.each(x), self.alone, name))[:, None, None])
        return Features(self.above(self.vector(x, self.rate(dropout)))[:, None, None])

    @abstractmethod
    def vector(self, x: Float[Tensor, "B *S"], rate: float) -> Float[Tensor, "B D"]:
        """The vector that stands for each sample, below the layers above."""

    def alone(self, sample: Shaped[Tensor, "1 *S"]) -> Float[Tensor, "1 D"]:
        """The vector of one of the samples that `each` gives."""
        return self.vector(sample, 0.0)

    def each(self, x: Float[Tensor, "B *S"]) -> Sequence[Tensor]:
        """Samples of a batch by themselves, texts without padding."""
        lengths = (x != PADDING).sum(dim=1).clamp(min=1).tolist()
        return [x[place : place + 1, :length] for place, length in enumerate(lengths)]

    def pooled(self, tokens: Float[Tensor, "B N D"], there: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
        """The mean over the tokens of each text, or the first of them."""
        if self.pool == "cls":
            return tokens[:, 0]
        share = there[..., None].to(tokens.dtype)
        return (tokens * share).sum(dim=1) / share.sum(dim=1)


class WholeText(Pretrained):
    """A network of texts that is run as a whole."""

    def vector(self, x: Float[Tensor, "B N"], rate: float) -> Float[Tensor, "B D"]:
        set_rate(self.backbone, rate)
        codes, there = self.codes_of(x)
        tokens = self.backbone(input_ids=codes, attention_mask=there.long()).last_hidden_state
        return self.pooled(tokens, there)


class TextByBlocks(Pretrained, StagedEncoder):
    """A network of texts whose embeddings and blocks are stages. As in `mtl.models.text`, a place behind the end of a
    text is a vector of zeros between stages."""

    @property
    def stages(self) -> tuple[str, ...]:
        return ("backbone.embeddings", *self.block_names)

    @property
    def stage_widths(self) -> tuple[int, ...]:
        return (int(self.backbone.config.hidden_size),) * len(self.stages)  # type: ignore[union-attr, arg-type]

    def stage(self, number: int, tensor: Float[Tensor, "B N *D"], rate: float) -> Float[Tensor, "B N D"]:
        part = self.get_submodule(self.stages[number])
        set_rate(part, rate)
        if number == 0:
            codes, there = self.codes_of(tensor)
            features = part(input_ids=codes)
        else:
            tensor = tensor.contiguous()  # as it is without stitches, whose layout would change the last bits
            there = places_there(tensor)
            mask = there[:, None, None]
            if self.checkpointing and part.training and torch.is_grad_enabled():
                features = checkpoint(part, tensor, mask, use_reentrant=False)
            else:
                features = part(tensor, mask)
        given: Tensor = features * there[..., None]
        return given

    def vector(self, x: Float[Tensor, "B N"], rate: float) -> Float[Tensor, "B D"]:
        tensor = x
        for number in range(len(self.stages)):
            tensor = self.stage(number, tensor, rate)
        return self.pooled(tensor, places_there(tensor))

    def end(self, tensor: Float[Tensor, "B N D"], window: Window) -> Features:
        del window
        tensor = tensor.contiguous()
        return Features(self.above(self.pooled(tensor, places_there(tensor)))[:, None, None])


def load_pretrained(config: PretrainedEncoder, codes: int) -> Pretrained:
    """The encoder of texts with its pretrained weights; what is new of it is drawn.

    Args:
        config: section `encoder`.
        codes: of the vocabulary by which texts were cut.

    Raises:
        UserError: the folder, its weights, a package or a setting cannot be used.
    """
    folder = checked_folder(config)
    backbone = network_of(str(folder), "input_ids")
    settings: Any = backbone.config
    if codes - FIRST > settings.vocab_size:
        raise SettingError(
            "encoder.model",
            f"should know the {codes - FIRST:,} tokens of the texts, found {settings.vocab_size:,} in {folder}: cut "
            f"the texts by its own, with `texts: {{tokenizer: {config.model}}}` of their source.",
        )
    names = blocks_of(backbone)
    check_top(config, names, folder)
    kind = TextByBlocks if settings.model_type in BY_BLOCKS else WholeText
    encoder = kind(config, backbone, names)
    if config.checkpointing and kind is WholeText:
        backbone.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
    return encoder


__all__ = ["Pretrained", "TextByBlocks", "WholeText", "load_pretrained"]
