"""Networks from the configuration. Every part draws its first weights from a seed of its own.

The encoder's weights depend on the seed alone and a head's on the seed and its task's name, so the single-task and
the joint run of one seed start from the same weights, whichever tasks they hold. Torch's global generator is left
as it was found.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import assert_never

import torch
from torch import nn

from mtl.config import (
    CnnEncoder,
    DenoiseObjective,
    DiffusionObjective,
    EncoderConfig,
    LinearEncoder,
    MlpEncoder,
    NoObjective,
    PythonEncoder,
    RecurrentEncoder,
    ResNetEncoder,
    RocketEncoder,
    TabularEncoder,
    TimeDartEncoder,
)
from mtl.config.common import Problem
from mtl.config.encoder import FusionEncoder
from mtl.config.encoder_checks import encoder_problem, objective_problem
from mtl.config.inputs import WINDOWS, PartLayout, RowLayout, Sample
from mtl.config.pretrained import PretrainedEncoder
from mtl.config.sharing import (
    BranchedSharing,
    CrossStitchSharing,
    HardSharing,
    SeparateSharing,
    Sharing,
    SoftSharing,
)
from mtl.config.text_encoder import TextEncoder
from mtl.config.training import Objective, Precision
from mtl.errors import SettingError
from mtl.models.base import Encoder, StagedEncoder
from mtl.models.cnn import Cnn
from mtl.models.diffusion import DiffusionPretrainer
from mtl.models.fusion import Fusion
from mtl.models.heads import LinearHead, StackedHeads, start_at_zero
from mtl.models.linear import LinearBackbone
from mtl.models.linear_map import LinearMap
from mtl.models.mlp import Mlp
from mtl.models.multitask import MultiTaskModel
from mtl.models.plugins import load_encoder
from mtl.models.pretrained import load_pretrained
from mtl.models.pretrained_images import load_images
from mtl.models.pretraining import DenoisePretrainer, Pretrainer
from mtl.models.recurrent import Recurrent
from mtl.models.resnet import ResNet
from mtl.models.rocket import Rocket
from mtl.models.rows import OneHot, one_hot
from mtl.models.sharing import BranchedTrunk, CrossStitchTrunk, HardTrunk, SeparateTrunk, Trunk
from mtl.models.tabular import Tabular
from mtl.models.text import TextTransformer
from mtl.models.timedart import TimeDart
from mtl.tasks.base import TaskSpec

TRIAL_CHANNELS = 2
"""Channels of windows of which only the length is known: an encoder that can be pretrained takes any number."""
HARD = HardSharing()


@contextmanager
def _seeded(seed: int, part: str) -> Iterator[None]:
    """First weights drawn inside depend on `seed` and `part` alone."""
    digest = hashlib.sha256(f"{seed}/{part}".encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int.from_bytes(digest[:8], "little") % 2**63)
        yield


def build_encoder(config: EncoderConfig, samples: Sequence[Sample], seed: int, pretraining: bool = False) -> Encoder:
    """The encoder with its first weights.

    Args:
        config: section `encoder`.
        samples: a sample of each task that it will see; a user's own encoder is tried on each shape.
        seed: of its first weights.
        pretraining: it is to be pretrained.

    Raises:
        UserError: it cannot take samples of those shapes, or not be pretrained.
    """
    problem = encoder_problem(config, samples)
    if problem is not None:
        raise SettingError(*problem)
    with _seeded(seed, "encoder"):
        return _built(config, samples, pretraining)


def _built(config: EncoderConfig, samples: Sequence[Sample], pretraining: bool) -> Encoder:
    """The encoder of samples that it takes, with weights of torch's generator as it is."""
    shapes = {whole_shape(sample) for sample in samples}
    match config:
        case TimeDartEncoder():
            return TimeDart(config)
        case LinearEncoder():
            return LinearBackbone(config)
        case RecurrentEncoder():
            (channels,) = {shape[0] for shape in shapes}
            return Recurrent(config, channels)
        case RocketEncoder():
            return Rocket(config)
        case MlpEncoder():
            (shape,) = shapes
            return Mlp(config, math.prod(shape))
        case CnnEncoder():
            ((channels, height, width),) = shapes
            return Cnn(config, (channels, height, width))
        case ResNetEncoder():
            ((channels, height, width),) = shapes
            return ResNet(config, (channels, height, width))
        case TabularEncoder():
            ((wide,),) = shapes
            return Tabular(config, samples[0].layout or RowLayout(wide))
        case TextEncoder():
            layout = samples[0].layout
            assert layout is not None, "the code of a token is one of so many"
            return TextTransformer(config, layout.codes[0])
        case PretrainedEncoder():
            layout = samples[0].layout
            if layout is None:
                return load_images(config, whole_shape(samples[0]))
            return load_pretrained(config, layout.codes[0])
        case FusionEncoder():
            return Fusion(config, {part.name: (part, _of_part(config, part)) for part in samples[0].parts})
        case PythonEncoder():
            return load_encoder(config, samples, pretraining)
        case _:
            assert_never(config)


def _of_part(config: FusionEncoder, part: PartLayout) -> Encoder:
    """The encoder of a part of mixed samples."""
    own = config.parts.of(part.name)
    sample = Sample(f"encoder.parts.{part.name}", part.kind, part.shape, layout=part.layout)
    return _built(own, [sample if own.reads_codes else sample.without_codes], pretraining=False)


def build_head(encoder: Encoder, task: TaskSpec) -> nn.Module:
    """The head of one task; its shapes follow from the task's own channels and length."""
    return task.head(encoder, encoder.dropout if task.dropout is None else task.dropout)


def whole_shape(sample: Sample) -> tuple[int, ...]:
    """Shape of a sample that was read."""
    return tuple(number for number in sample.shape if number is not None)


def build_trunk(sharing: Sharing, encoder: Encoder, tasks: Sequence[str]) -> Trunk:
    """Trunk in which `tasks` share copies of an encoder.

    Raises:
        UserError: the form needs stages and the encoder has none, or more tasks, or other groups.
    """
    match sharing:
        case HardSharing():
            return HardTrunk(encoder)
        case SeparateSharing():
            return SeparateTrunk(encoder, tasks)
        case SoftSharing():
            return SeparateTrunk(encoder, tasks, sharing.penalty)
        case CrossStitchSharing():
            if len(tasks) < 2:
                raise SettingError("sharing.kind", f"cross_stitch needs two tasks or more, found {', '.join(tasks)}.")
            return CrossStitchTrunk(_staged(sharing, encoder), tasks, sharing.units == "channel",
                                    sharing.init == "lean")  # fmt: skip
        case BranchedSharing():
            staged = _staged(sharing, encoder)
            listed = [name for group in sharing.groups for name in group]
            if set(listed) != set(tasks):
                odd = sorted(set(listed) ^ set(tasks))[0]
                what = "a task of the method" if odd in listed else "left out"
                raise SettingError("sharing.groups", f"should hold every task of the method once: {odd} is "
                                f"{'not ' if odd in listed else ''}{what}.")  # fmt: skip
            return BranchedTrunk(staged, sharing.groups, sharing.shared_stages)
        case _:
            assert_never(sharing)


def stages_problem(sharing: Sharing, encoder: nn.Module) -> Problem | None:
    """Problem of a form of sharing with the stages of an encoder, or None; its path begins with `sharing`."""
    if not isinstance(sharing, CrossStitchSharing | BranchedSharing):
        return None
    if not isinstance(encoder, StagedEncoder):
        message = f"{sharing.kind} needs an encoder with stages (mtl.models.base.StagedEncoder), found "
        ways = "hard, separate and soft go with every encoder"
        return "sharing.kind", f"{message}{type(encoder).__name__}; {ways}."
    if isinstance(sharing, BranchedSharing) and sharing.shared_stages > len(encoder.stages):
        message = f"should be at most {len(encoder.stages)}, the stages of the encoder, found {sharing.shared_stages}."
        return "sharing.shared_stages", message
    return None


def _staged(sharing: Sharing, encoder: Encoder) -> StagedEncoder:
    problem = stages_problem(sharing, encoder)
    if problem is not None:
        raise SettingError(*problem)
    assert isinstance(encoder, StagedEncoder)
    return encoder


def build_model(
    encoder: EncoderConfig,
    tasks: Sequence[TaskSpec],
    seed: int,
    sharing: Sharing = HARD,
    precision: Precision = "float32",
) -> MultiTaskModel:
    """The network of `tasks`, on the CPU, in train mode.

    Raises:
        UserError: A task's samples do not fit the encoder, a user's own encoder breaks its contract, or the encoder
            cannot be shared as asked.
    """
    samples = [
        Sample(f"tasks.{task.name}", task.input, task.shape, task.source, task.layout, task.at_steps, task.parts or ())
        for task in tasks
    ]
    if not encoder.reads_codes:
        samples = [sample.without_codes for sample in samples]
    network = build_encoder(encoder, samples, seed)
    network.at_steps = any(task.at_steps for task in tasks)
    heads: dict[str, nn.Module] = {}
    maps: dict[str, LinearMap] = {}
    stacks: dict[tuple[str, float | None], dict[str, nn.Linear]] = {}
    for task in tasks:
        with _seeded(seed, f"head/{task.name}"):
            head = build_head(network, task)
        linear = task.linear_map(network)
        if linear is not None:
            assert isinstance(linear, LinearMap)
            if not start_at_zero(head):
                message = "should be left out: the encoder has a head of its own for it, which may not start at zero."
                raise SettingError(f"tasks.{task.name}.linear", message)
            maps[task.name] = linear
        if isinstance(head, LinearHead) and task.stacked and linear is None:
            # A stack has one kind of task and one learning rate.
            stacks.setdefault((task.kind, task.head_lr), {})[task.name] = head.linear
        else:
            heads[task.name] = head
    trunk = build_trunk(sharing, network, [task.name for task in tasks])
    # Other encoders that normalise do it themselves, whatever the source.
    chosen = isinstance(encoder, RocketEncoder)
    normalised = [task.name for task in tasks if chosen and encoder.normalises(task.source)]
    expanded = {} if encoder.reads_codes else _expanded(tasks)
    stacked = [StackedHeads(stack) for stack in stacks.values()]
    model = MultiTaskModel(trunk, heads, stacked, tasks, maps, normalised, expanded)
    model.precision = precision
    return model


def _expanded(tasks: Sequence[TaskSpec]) -> dict[str, OneHot]:
    """Task → module that gives each category of its rows a column; one for each source with categories."""
    modules = {task.source: one_hot(task.layout) for task in tasks}
    return {task.name: module for task in tasks if (module := modules[task.source]) is not None}


def build_pretrainer(encoder: EncoderConfig, objective: Objective, input_lens: Iterable[int], seed: int) -> Pretrainer:
    """The pretrainer of an objective for windows of `input_lens` rows; its encoder starts as `build_model`'s does.

    Raises:
        UserError: Some length does not fit the encoder, the objective does not fit it, or there is no objective.
    """
    lengths = sorted(set(input_lens))
    problem = objective_problem(encoder, objective)
    if problem is not None:
        raise SettingError(*problem)
    samples = pretraining_samples(lengths)
    network = build_encoder(encoder, samples, seed, pretraining=True)
    problem = channels_problem(network, samples)
    if problem is not None:
        raise SettingError(*problem)
    with _seeded(seed, "pretrainer"):
        match objective:
            case DiffusionObjective():
                assert isinstance(encoder, TimeDartEncoder) and isinstance(network, TimeDart)
                return DiffusionPretrainer(network, objective, encoder.d_ff, lengths)
            case DenoiseObjective():
                return DenoisePretrainer(network, objective.noise_level, lengths)
            case NoObjective():
                raise SettingError("pretrain.objective", "should be diffusion or denoise to pretrain, found 'none'.")
            case _:
                assert_never(objective)


def pretraining_samples(lengths: Iterable[int]) -> list[Sample]:
    """Windows on which an encoder is tried before it is pretrained."""
    return [Sample("pretrain", WINDOWS, (TRIAL_CHANNELS, length)) for length in lengths]


def channels_problem(encoder: Encoder, samples: Iterable[Sample]) -> Problem | None:
    """Problem that keeps an encoder with such features from being pretrained on windows, or None."""
    for sample in samples:
        features = encoder.sketch(whole_shape(sample))
        if features.tokens.shape[1] != sample.shape[0] or features.mean is None:
            message = "should be none for an encoder whose features join the channels, or hold no `mean` and `std`: "
            return "pretrain.objective.kind", f"{message}denoising gives each channel of a window back from its tokens."
    return None
