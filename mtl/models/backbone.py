"""The networks of transformers inside of pretrained encoders: read from a folder, and marked where they are trained."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mtl.config.pretrained import Lora, PretrainedEncoder
from mtl.data.inputs.pretrained import CONFIG, digest_of, folder_of
from mtl.errors import SettingError, UserError
from mtl.models.dropout import drop

NO_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
"""Rates of dropout inside of attention: no kernel of a CPU has it."""


class Dropped(nn.Module):
    """Dropout at a rate that is set before each pass."""

    rate: float = 0.0

    def forward(self, x: Tensor) -> Tensor:
        return drop(x, self.rate) if self.training else x


def width_of(settings: Any) -> int:
    """Numbers of a vector: of networks of convolutions, those of the last stage."""
    return int(settings.hidden_size if hasattr(settings, "hidden_size") else settings.hidden_sizes[-1])


def checked_folder(config: PretrainedEncoder) -> Path:
    """The folder of the network, whose files are those that the digest means."""
    folder = folder_of(config.model, config.revision)
    digest = digest_of(folder)
    if config.digest is None:
        message = f"is missing: it should be {digest}, the hash of the files in {folder}, to which results belong."
        raise SettingError("encoder.digest", message)
    if config.digest != digest:
        message = f"should be {digest}, the hash of the files in {folder}, found {config.digest}: put back the files "
        raise SettingError("encoder.digest", f"{message}that it means, or train with these by their hash.")
    return folder


def network_of(folder: str, reads: str) -> nn.Module:
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
        raise UserError(
            f"{folder}: {settings.model_type} reads {network.main_input_name}, and the samples are {reads}."
        )
    if lacking:
        raise UserError(
            f"{folder}: the weights are of another architecture than {CONFIG} ({settings.model_type}): among them is "
            f"no {lacking[0]} of its shape, nor {len(lacking) - 1} others. Copy both from one place."
        )
    if hasattr(network, "pooler"):
        network.pooler = None
    module: nn.Module = network
    return module


def blocks_of(backbone: nn.Module) -> list[str]:
    """Names of the blocks."""
    settings: Any = backbone.config
    count = len(settings.depths) if hasattr(settings, "depths") else settings.num_hidden_layers
    for name, part in backbone.named_modules():
        if isinstance(part, nn.ModuleList) and len(part) == count:
            return [f"{name}.{number}" for number in range(len(part))]
    raise UserError(
        f"{type(backbone).__name__}: no list of its {count} blocks was found, so that no part can be named."
    )


def used_blocks(config: PretrainedEncoder, backbone: nn.Module, folder: Path, in_turn: bool) -> list[str]:
    """Names of the blocks that are used; the others are taken out of the network.

    Args:
        config: section `encoder`.
        backbone: the network.
        folder: of its files.
        in_turn: its blocks are run one after the other, rather than the network as a whole.

    Raises:
        SettingError: more blocks are to be used or trained than there are, or less of a network that is run as a whole.
    """
    names, top = blocks_of(backbone), getattr(config.train, "top", None)
    if config.blocks is not None:
        if not in_turn:
            told = f"should be null for {folder}, a network that is run as a whole, found {config.blocks}."
            raise SettingError("encoder.blocks", told)
        if config.blocks > len(names):
            told = f"should be at most {len(names)}, the blocks of {folder}, found {config.blocks}."
            raise SettingError("encoder.blocks", told)
        listed = backbone.get_submodule(names[0].rpartition(".")[0])
        assert isinstance(listed, nn.ModuleList)
        del listed[config.blocks :]
        names = names[: config.blocks]
    if top is not None and top > len(names):
        told = f"should be at most {len(names)}, the blocks of {folder}, found {top}."
        raise SettingError("encoder.train.top", told)
    return names


def mark_trained(config: PretrainedEncoder, backbone: nn.Module, blocks: list[str]) -> None:
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


def follow_rate(backbone: nn.Module) -> None:
    """Lets the network's own dropout follow the rate of the run."""
    for part in list(backbone.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, nn.Dropout) and child.p > 0:
                setattr(part, name, Dropped())


def set_rate(module: nn.Module, rate: float) -> None:
    for part in module.modules():
        if isinstance(part, Dropped):
            part.rate = rate
