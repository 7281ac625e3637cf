"""A user's own encoder: `target: module:callable`, a module under `plugins/` of the current folder.

The callable is given the section's options by keyword, and `width` and `dropout` of the section where it has parameters
of these names; one with a parameter `options` is given the options as one mapping instead. It returns a plain
`torch.nn.Module` from a batch to [B, D], or a whole `mtl.models.base.Encoder`, which may have stages and be pretrained.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from mtl.config import PythonEncoder
from mtl.config.common import Problem
from mtl.config.encoder_checks import constant_problem
from mtl.config.inputs import Sample
from mtl.errors import SettingError
from mtl.models.base import Encoder
from mtl.models.contract import missed_points, network_width
from mtl.models.plain import PlainEncoder
from mtl.plugins import Plugin, PluginError, load

TARGET = "encoder.target"
GUIDE = "plugins/README.md"


def load_encoder(
    config: PythonEncoder, samples: Sequence[Sample], pretraining: bool = False, root: Path | None = None
) -> Encoder:
    """The encoder that the user's target builds, tried on every shape of sample.

    Args:
        config: section `encoder`.
        samples: a sample of each task, of known shape; a plain network needs at least one, unless `config.width` is
            given.
        pretraining: it is to be pretrained.
        root: folder of the project; None: the current one.

    Raises:
        SettingError: the target cannot be imported or called, what it returns misses points of the contract, or it
            cannot be pretrained.
    """
    network = build_network(config, root)
    if pretraining and (problem := pretraining_problem(network)) is not None:
        raise SettingError(*problem)
    if isinstance(network, Encoder):
        network.classification = config.classification
        _refuse(config.target, "an encoder", missed_points(network, samples))
        return network
    for sample in samples:
        problem = constant_problem(sample, "the encoder of a plain network")
        if problem is not None:
            raise SettingError(*problem)
    width, problems = network_width(network, samples, config.width)
    _refuse(config.target, "a plain network", problems)
    if width is None:
        raise SettingError("encoder.width", f"is missing: no sample is known on which {config.target} can be tried.")
    encoder = PlainEncoder(network, width, config.dropout)
    encoder.classification = config.classification
    _refuse(config.target, "a plain network", missed_points(encoder, samples))
    return encoder


def build_network(config: PythonEncoder, root: Path | None = None) -> nn.Module:
    """Network that the user's target returns: an `Encoder`, or a plain network.

    Raises:
        SettingError: it cannot be imported or called, or returns something else.
    """
    try:
        plugin = load(config.target, root)
        network = plugin.call(**_arguments(plugin, config))
    except PluginError as error:
        raise SettingError(TARGET, str(error)) from error
    if not isinstance(network, nn.Module):
        raise SettingError(
            TARGET,
            f"{config.target} should return a torch.nn.Module from a batch to [B, D], or a mtl.models.base.Encoder, "
            f"found {type(network).__name__}.",
        )
    return network


def pretraining_problem(network: nn.Module) -> Problem | None:
    """Problem that keeps a network from being pretrained, whatever its samples are, or None."""
    if isinstance(network, Encoder):
        return None
    message = "should be none for a plain network: one that is pretrained should be an mtl.models.base.Encoder, with "
    return "pretrain.objective.kind", f"{message}tokens for each channel."


def _arguments(plugin: Plugin, config: PythonEncoder) -> dict[str, Any]:
    """Arguments of the target, by name."""
    parameters, options = plugin.parameters, copy.deepcopy(config.options)
    arguments: dict[str, Any] = options
    if "options" in parameters and "options" not in options:
        arguments = {"options": options}
    offered = {"dropout": config.dropout} | ({} if config.width is None else {"width": config.width})
    return {name: value for name, value in offered.items() if name in parameters} | arguments


def _refuse(target: str, what: str, problems: list[str]) -> None:
    """Raises one SettingError that tells all problems, if there are any."""
    if len(problems) == 1:
        raise SettingError(TARGET, f"{target} misses a point of the contract of {what} ({GUIDE}): {problems[0]}.")
    if problems:
        told = "; ".join(f"({number}) {problem}" for number, problem in enumerate(problems, start=1))
        raise SettingError(
            TARGET, f"{target} misses {len(problems)} points of the contract of {what} ({GUIDE}): {told}."
        )
