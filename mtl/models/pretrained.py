"""Encoders that were trained elsewhere, of the package transformers, from the files of a folder.

The network is the package's own, without its pooler. Networks like BERT and RoBERTa are run block by block, so that
every form of sharing works on them; others are run as a whole. Dropout acts at the rate of the run, in front of what
blocks add; none acts inside of attention, nor in parts that are not trained.

B texts, N places of the longest, D width of a token.
"""

import copy
from abc import abstractmethod
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mtl.config.pretrained import Lora, PretrainedEncoder
from mtl.data.inputs.pretrained import CONFIG, digest_of, folder_of
from mtl.data.inputs.vocabulary import FIRST, PADDING
from mtl.errors import SettingError, UserError
from mtl.models.base import Encoder, StagedEncoder, Window
from mtl.models.dropout import drop
from mtl.models.features import Features
from mtl.models.kept_features import vectors_of
from mtl.models.text import places_there

BY_BLOCKS = ("bert", "roberta", "xlm-roberta", "camembert")
"""Networks that are embeddings and then blocks from (hidden states, mask) to hidden states, by `model_type`."""
NO_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
"""Rates of dropout inside of attention: no kernel of a CPU has it."""


class Dropped(nn.Module):
    """Dropout at a rate that is set before each pass."""

    rate: float = 0.0

    def forward(self, x: Tensor) -> Tensor:
        return drop(x, self.rate) if self.training else x


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
        _follow(backbone)
        self.backbone = backbone
        self.block_names = [f"backbone.{name}" for name in blocks]
        _mark(config, backbone, blocks)
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
        width = int(backbone.config.hidden_size)  # type: ignore[union-attr, arg-type]
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

    def forward(self, x: Float[Tensor, "B N"], dropout: float | None = None) -> Features:
        if self.resting == ["backbone"]:
            rest = partial(self.vector, rate=0.0)
            return Features(self.above(vectors_of(x, rest, f"{self.digest[:16]}-{self.pool}"))[:, None, None])
        return Features(self.above(self.vector(x, self.rate(dropout)))[:, None, None])

    @abstractmethod
    def vector(self, x: Float[Tensor, "B N"], rate: float) -> Float[Tensor, "B D"]:
        """The vector that stands for each text, below the layers above."""

    def pooled(self, tokens: Float[Tensor, "B N D"], there: Bool[Tensor, "B N"]) -> Float[Tensor, "B D"]:
        """The mean over the tokens of each text, or the first of them."""
        if self.pool == "cls":
            return tokens[:, 0]
        share = there[..., None].to(tokens.dtype)
        return (tokens * share).sum(dim=1) / share.sum(dim=1)


class WholeText(Pretrained):
    """A network of texts that is run as a whole."""

    def vector(self, x: Float[Tensor, "B N"], rate: float) -> Float[Tensor, "B D"]:
        _set_rate(self.backbone, rate)
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

    def begin(self, x: Float[Tensor, "B N"]) -> tuple[Float[Tensor, "B N"], Window]:
        return x, Window(tuple(x.shape))

    def stage(self, number: int, tensor: Float[Tensor, "B N *D"], rate: float) -> Float[Tensor, "B N D"]:
        part = self.get_submodule(self.stages[number])
        _set_rate(part, rate)
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
    """The encoder with its pretrained weights; what is new of it is drawn.

    Args:
        config: section `encoder`.
        codes: of the vocabulary by which texts were cut.

    Raises:
        UserError: the folder, its weights, a package or a setting cannot be used.
    """
    folder = folder_of(config.model, config.revision)
    digest = digest_of(folder)
    if config.digest is None:
        message = (
            f"is missing: it should be {digest}, the hash of the files in {folder}, so that results belong to these."
        )
        raise SettingError("encoder.digest", message)
    if config.digest != digest:
        message = f"should be {digest}, the hash of the files in {folder}, found {config.digest}: put back the files "
        raise SettingError("encoder.digest", f"{message}that it means, or train with these by their hash.")
    backbone = _network(str(folder), "input_ids")
    settings: Any = backbone.config
    if codes - FIRST > settings.vocab_size:
        raise SettingError(
            "encoder.model",
            f"should know the {codes - FIRST:,} tokens of the texts, found {settings.vocab_size:,} in {folder}: cut "
            f"the texts by its own, with `texts: {{tokenizer: {config.model}}}` of their source.",
        )
    names = _blocks(backbone)
    top = getattr(config.train, "top", None)
    if top is not None and top > len(names):
        raise SettingError("encoder.train.top", f"should be at most {len(names)}, the blocks of {folder}, found {top}.")
    kind = TextByBlocks if settings.model_type in BY_BLOCKS else WholeText
    encoder = kind(config, backbone, names)
    if config.checkpointing and kind is WholeText:
        backbone.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
    return encoder


def _network(folder: str, reads: str) -> nn.Module:
    """The network of a folder with its weights, in float32; without values where tensors are made on no device."""
    try:
        import transformers
    except ImportError:
        raise UserError(
            "`encoder.kind: huggingface` needs the package transformers, which is not installed: "
            "`pip install 'mtl[pretrained]'`."
        ) from None
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        settings = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if settings.is_encoder_decoder:
            raise UserError(f"it is of an encoder and a decoder ({settings.model_type}); encoders alone are read")
        for name in NO_DROPOUT:
            if hasattr(settings, name):
                setattr(settings, name, 0.0)
        settings = copy.deepcopy(settings)
        if torch.empty(0).device.type == "meta":
            network, lacking = transformers.AutoModel.from_config(settings, dtype=torch.float32), []
        else:
            network, told = transformers.AutoModel.from_pretrained(
                folder, config=settings, local_files_only=True, trust_remote_code=False, use_safetensors=True,
                dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True,
            )  # fmt: skip
            unfit = {*told["missing_keys"], *(entry[0] for entry in told["mismatched_keys"])}
            lacking = sorted(name for name in unfit if not name.startswith("pooler."))
    except Exception as error:  # files that anybody may have written fail in any way
        raise UserError(
            f"{folder}: transformers cannot build the network of {CONFIG} with its weights: {error}"
        ) from None
    if network.main_input_name != reads:
        raise UserError(f"{folder}: {settings.model_type} reads {network.main_input_name}, and a text is {reads}.")
    if lacking:
        raise UserError(
            f"{folder}: the weights are of another architecture than {CONFIG} ({settings.model_type}): among them is "
            f"no {lacking[0]} of its shape, nor {len(lacking) - 1} others. Copy both from one place."
        )
    if hasattr(network, "pooler"):
        network.pooler = None
    module: nn.Module = network
    return module


def _blocks(backbone: nn.Module) -> list[str]:
    """Names of the blocks."""
    count = backbone.config.num_hidden_layers  # type: ignore[union-attr]
    for name, part in backbone.named_modules():
        if isinstance(part, nn.ModuleList) and len(part) == count:
            return [f"{name}.{number}" for number in range(len(part))]
    raise UserError(
        f"{type(backbone).__name__}: no list of its {count} blocks was found, so that no part can be named."
    )


def _mark(config: PretrainedEncoder, backbone: nn.Module, blocks: list[str]) -> None:
    """Leaves those weights with a gradient that are trained."""
    if config.train == "all":
        return
    backbone.requires_grad_(False)
    if config.train == "none":
        return
    for name in [] if config.train.top is None else blocks[-config.train.top :]:
        backbone.get_submodule(name).requires_grad_(True)
    if config.train.lora is not None:
        _add_lora(config.train.lora, backbone, blocks)


def _add_lora(lora: Lora, backbone: nn.Module, blocks: list[str]) -> None:
    """Puts two thin matrices beside every linear layer of the blocks; the second is 0 at first."""
    try:
        import peft
    except ImportError:
        raise UserError(
            "`encoder.train.lora` needs the package peft, which is not installed: `pip install 'mtl[pretrained]'`."
        ) from None
    names = [
        f"{block}.{name}"
        for block in blocks
        for name, part in backbone.get_submodule(block).named_modules()
        if isinstance(part, nn.Linear)
    ]
    alpha = 2 * lora.rank if lora.alpha is None else lora.alpha
    peft.inject_adapter_in_model(
        peft.LoraConfig(r=lora.rank, lora_alpha=alpha, target_modules=names, lora_dropout=0.0), backbone
    )


def _follow(backbone: nn.Module) -> None:
    """Lets the network's own dropout follow the rate of the run."""
    for part in list(backbone.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, nn.Dropout) and child.p > 0:
                setattr(part, name, Dropped())


def _set_rate(module: nn.Module, rate: float) -> None:
    for part in module.modules():
        if isinstance(part, Dropped):
            part.rate = rate


__all__ = ["Pretrained", "TextByBlocks", "WholeText", "load_pretrained"]
