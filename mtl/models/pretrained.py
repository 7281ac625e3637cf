"""Encoders that were trained elsewhere, of the package transformers, from the files of a folder; those of texts.

The network is the package's own, without its pooler. Networks like BERT and RoBERTa are run block by block, so that
every form of sharing works on them; others are run as a whole. Dropout acts at the rate of the run, in front of what
blocks add; none acts inside of attention, nor in parts that are not trained.

B samples, N places of the longest text, D width of a token, W words that may have a tag.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint

from mtl.config.pretrained import PretrainedEncoder
from mtl.data.inputs.vocabulary import FIRST, PADDING
from mtl.data.inputs.words import first_of_words, inside_of_words
from mtl.errors import SettingError
from mtl.models.backbone import (
    checked_folder,
    follow_rate,
    mark_trained,
    network_of,
    set_rate,
    used_blocks,
    width_of,
)
from mtl.models.base import Encoder, StagedEncoder, Window
from mtl.models.features import Features
from mtl.models.heads import PositionHead
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
        self.prefix = self.digest[:16] + ("" if config.blocks is None else f"-{config.blocks}")
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
    def below(self) -> int:
        """Number of the first stages that rest, and whose vectors are kept, while others are trained; 0: none."""
        return 0

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
            vectors = torch.cat(vectors_of(self.each(x), self.alone, self.kept_as))
        else:
            vectors = self.vector(x, self.rate(dropout))
        return Features(self.above(vectors)[:, None, None])

    @property
    def kept_as(self) -> str:
        """Name of the folder that vectors of samples are kept in."""
        return f"{self.prefix}-{self.pool}"

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


class PretrainedText(Pretrained):
    """A network of texts, which gives a vector of each text and of each of its words that may have a tag."""

    def __init__(self, config: PretrainedEncoder, backbone: nn.Module, blocks: list[str]) -> None:
        super().__init__(config, backbone, blocks)
        self.pool_words = config.pool_words

    @abstractmethod
    def tokens(self, x: Float[Tensor, "B N"], rate: float) -> Float[Tensor, "B N D"]:
        """The vector of each token, below the layers above."""

    def vector(self, x: Float[Tensor, "B N"], rate: float) -> Float[Tensor, "B D"]:
        return self.pooled(self.tokens(x, rate), self.codes_of(x)[1])

    def forward(self, x: Float[Tensor, "B N"], dropout: float | None = None) -> Features:
        firsts, inside = first_of_words(x), inside_of_words(x)
        if self.resting != ["backbone"]:
            return self.features(self.tokens(x, self.rate(dropout)), self.codes_of(x)[1], firsts, inside)
        if not bool(firsts.any()):  # waits for the device
            return self._without_words(torch.cat(vectors_of(self.each(x), self.alone, self.kept_as)))
        rows = vectors_of(self.each(x), self.with_words, f"{self.kept_as}-{self.pool_words}-words")
        words = pad_sequence([row[1:] for row in rows], batch_first=True)
        counts = torch.tensor([len(row) - 1 for row in rows], device=x.device)
        there = torch.arange(words.shape[1], device=x.device) < counts[:, None]
        vectors = torch.stack([row[0] for row in rows])
        return Features(self.above(vectors)[:, None, None], places=self.above(words), firsts=there)

    def position_head(self, shape: tuple[int, ...], numbers: int, rate: float) -> PositionHead:
        del shape
        return PositionHead(self.width, numbers, rate)

    def with_words(self, sample: Float[Tensor, "1 N"]) -> Float[Tensor, "R D"]:
        """The vector of a text, then that of each of its W words: R is 1 + W."""
        tokens = self.tokens(sample, 0.0)
        words, firsts = self._words(tokens, first_of_words(sample), inside_of_words(sample))
        return torch.cat([self.pooled(tokens, self.codes_of(sample)[1]), words[firsts]])

    def features(
        self, tokens: Float[Tensor, "B N D"], there: Bool[Tensor, "B N"],
        firsts: Bool[Tensor, "B N"], inside: Bool[Tensor, "B N"],
    ) -> Features:  # fmt: skip
        """Features that heads read.

        Args:
            tokens: the vector of each token, below the layers above.
            there: mask of the places that hold a token.
            firsts, inside: masks of the places that begin and that continue a word.
        """
        vectors = self.pooled(tokens, there)
        if not bool(firsts.any()):  # waits for the device, and spares the layers above of every token
            return self._without_words(vectors)
        words, firsts = self._words(tokens, firsts, inside)
        return Features(self.above(vectors)[:, None, None], places=self.above(words), firsts=firsts)

    def _without_words(self, vectors: Float[Tensor, "B D"]) -> Features:
        none = vectors.new_zeros(len(vectors), 0, self.width)
        return Features(self.above(vectors)[:, None, None], places=none, firsts=none[..., 0].bool())

    def _words(
        self, tokens: Float[Tensor, "B N D"], firsts: Bool[Tensor, "B N"], inside: Bool[Tensor, "B N"]
    ) -> tuple[Float[Tensor, "B N D"], Bool[Tensor, "B N"]]:
        """Vectors at places, and the mask of those places that have that of a word."""
        if self.pool_words == "first":
            return tokens, firsts
        number = torch.where(firsts | inside, firsts.cumsum(dim=1) - 1, -1)
        places = torch.arange(tokens.shape[1], device=tokens.device)
        belongs = (number[:, None] == places[:, None]).to(tokens.dtype)  # [B, word, place]
        counts = belongs.sum(dim=2, keepdim=True)
        return belongs @ tokens / counts.clamp(min=1), counts[..., 0] > 0


class WholeText(PretrainedText):
    """A network of texts that is run as a whole."""

    def tokens(self, x: Float[Tensor, "B N"], rate: float) -> Float[Tensor, "B N D"]:
        set_rate(self.backbone, rate)
        codes, there = self.codes_of(x)
        given: Tensor = self.backbone(input_ids=codes, attention_mask=there.long()).last_hidden_state
        return given


class TextByBlocks(PretrainedText, StagedEncoder):
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

    @property
    def below(self) -> int:
        """Number of them as above: 0 where all rest, or no block does."""
        resting = [name in self.resting for name in self.stages]
        first = resting.index(False) if False in resting and self.resting != ["backbone"] else 0
        return first if first > 1 else 0

    def tokens(self, x: Float[Tensor, "B N"], rate: float) -> Float[Tensor, "B N D"]:
        below = self.below
        tensor = self._kept_below(x, below) if below else x
        for number in range(below, len(self.stages)):
            tensor = self.stage(number, tensor, rate)
        return tensor

    def _kept_below(self, x: Float[Tensor, "B N"], below: int) -> Float[Tensor, "B N D"]:
        """Vectors that the first stages give of each text, computed once for all runs: no step changes it."""

        def alone(sample: Float[Tensor, "1 N"]) -> Float[Tensor, "N D"]:
            tensor = sample
            for number in range(below):
                tensor = self.stage(number, tensor, 0.0)
            return tensor[0]

        rows = vectors_of(self.each(x), alone, f"{self.digest[:16]}-below-{below}")  # whatever stands above
        together = pad_sequence(list(rows), batch_first=True)
        return functional.pad(together, (0, 0, 0, x.shape[1] - together.shape[1]))

    def begin(self, x: Float[Tensor, "B N"]) -> tuple[Float[Tensor, "B N"], Window]:
        return x, Window(tuple(x.shape), firsts=first_of_words(x), inside=inside_of_words(x))

    def end(self, tensor: Float[Tensor, "B N D"], window: Window) -> Features:
        assert window.firsts is not None and window.inside is not None
        tensor = tensor.contiguous()
        return self.features(tensor, places_there(tensor), window.firsts, window.inside)


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
    kind = TextByBlocks if settings.model_type in BY_BLOCKS else WholeText
    encoder = kind(config, backbone, used_blocks(config, backbone, folder, in_turn=kind is TextByBlocks))
    if config.checkpointing and kind is WholeText:
        backbone.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
    return encoder


__all__ = ["Pretrained", "TextByBlocks", "WholeText", "load_pretrained"]
