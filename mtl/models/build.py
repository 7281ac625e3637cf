"""From the configuration to networks. Every part draws its first weights from a seed of its own.

The encoder's weights depend on the seed alone and a head's on the seed and its task's name, so the single-task and
the joint run of one seed start from the same weights, whichever tasks they hold. Torch's global generator is left
as it was found.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import assert_never

import torch
from torch import nn

from mtl.config import (
    DenoiseObjective,
    DiffusionObjective,
    EncoderConfig,
    LinearEncoder,
    NoObjective,
    PythonEncoder,
    TimeDartEncoder,
)
from mtl.config.training import Objective
from mtl.errors import UserError
from mtl.models.base import Encoder
from mtl.models.diffusion import DiffusionPretrainer
from mtl.models.heads import ConvClassifier, FlatForecastHead, PooledClassifier, WideForecastHead
from mtl.models.linear import LinearBackbone
from mtl.models.multitask import MultiTaskModel
from mtl.models.plugins import check_contract, load_encoder
from mtl.models.pretraining import DenoisePretrainer, Pretrainer
from mtl.models.timedart import TimeDart
from mtl.types import TaskSpec

_TRIAL_CHANNELS = 2


@contextmanager
def _seeded(seed: int, part: str) -> Iterator[None]:
    """First weights drawn inside depend on `seed` and `part` alone."""
    digest = hashlib.sha256(f"{seed}/{part}".encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int.from_bytes(digest[:8], "little") % 2**63)
        yield


def build_encoder(config: EncoderConfig, shapes: Iterable[tuple[int, int]], seed: int) -> Encoder:
    """The encoder with its first weights; a user's own is tried on inputs of (channels, rows) in `shapes`."""
    with _seeded(seed, "encoder"):
        match config:
            case TimeDartEncoder():
                return TimeDart(config)
            case LinearEncoder():
                return LinearBackbone(config)
            case PythonEncoder():
                encoder = load_encoder(config)
                check_contract(encoder, config.target, shapes)
                return encoder
            case _:
                assert_never(config)


def build_head(config: EncoderConfig, encoder: Encoder, task: TaskSpec) -> nn.Module:
    """The head of one task; its shapes follow from the task's own channels and length."""
    channels, tokens = len(task.columns), encoder.count_tokens(task.input_len)
    rate = encoder.dropout if task.dropout is None else task.dropout
    match config, task.kind:
        case LinearEncoder(), "forecast":
            return WideForecastHead(encoder.width, task.horizon, task.targets, channels, rate)
        case LinearEncoder(), _:
            return ConvClassifier(config.classification, channels, task.outputs, rate)
        case _, "forecast":
            return FlatForecastHead(tokens, encoder.width, task.horizon, task.targets, channels, rate)
        case _, _:
            return PooledClassifier(config.classification, channels, encoder.width, task.outputs, rate)


def build_model(encoder: EncoderConfig, tasks: Sequence[TaskSpec], seed: int) -> MultiTaskModel:
    """The network of `tasks`, on the CPU, in train mode.

    Raises:
        UserError: A task's windows do not fit the encoder, or a user's own encoder breaks its contract.
    """
    network = build_encoder(encoder, {(len(task.columns), task.input_len) for task in tasks}, seed)
    heads: dict[str, nn.Module] = {}
    for task in tasks:
        with _seeded(seed, f"head/{task.name}"):
            heads[task.name] = build_head(encoder, network, task)
    return MultiTaskModel(network, heads, tasks)


def build_pretrainer(encoder: EncoderConfig, objective: Objective, input_lens: Iterable[int], seed: int) -> Pretrainer:
    """The pretrainer of an objective for windows of `input_lens` rows; its encoder starts as `build_model`'s does.

    Raises:
        UserError: Some length does not fit the encoder, the objective does not fit it, or there is no objective.
    """
    lengths = sorted(set(input_lens))
    network = build_encoder(encoder, {(_TRIAL_CHANNELS, length) for length in lengths}, seed)
    with _seeded(seed, "pretrainer"):
        match objective:
            case DiffusionObjective():
                if not isinstance(encoder, TimeDartEncoder) or not isinstance(network, TimeDart):
                    raise UserError(
                        f"`pretrain.objective` diffusion needs `encoder.kind` timedart, found {encoder.kind!r}; "
                        "denoise goes with every encoder."
                    )
                return DiffusionPretrainer(network, objective, encoder.d_ff, lengths)
            case DenoiseObjective():
                return DenoisePretrainer(network, objective.noise_level, lengths)
            case NoObjective():
                raise UserError("`pretrain.objective` should be diffusion or denoise to pretrain, found 'none'.")
            case _:
                assert_never(objective)
