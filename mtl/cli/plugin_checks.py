"""Checks of the user's own code under plugins/ against params.yaml, before anything is trained.

Only a configuration that names such code pays for it: torch is imported here and nowhere else in `mtl validate`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mtl.config import PARAMS, Config
from mtl.config.common import Problem
from mtl.config.encoder import PythonEncoder
from mtl.config.encoder_checks import known_samples, pretraining_lengths
from mtl.config.inputs import Sample, Shape
from mtl.config.sources import PythonSource
from mtl.errors import ConfigError, SettingError


def check_plugins(config: Config, root: Path = Path()) -> list[str]:
    """Loads the sources and the encoder that are the user's own, and holds the encoder against what is asked of it.

    Args:
        config: the checked content of params.yaml.
        root: folder of the project.

    Returns:
        Sentences on what could not be tried yet.

    Raises:
        ConfigError: everything that is wrong, in one message.
    """
    problems = list(_sources(config, root))
    untried: list[str] = []
    if isinstance(config.encoder, PythonEncoder):
        problems += _encoder(config, config.encoder, untried, root)
    if len(problems) == 1:
        raise SettingError(*problems[0])
    if problems:
        told = " ".join(f"`{path}` {message}" for path, message in dict.fromkeys(problems))
        raise ConfigError(f"{PARAMS}: {told}")
    return untried


def _sources(config: Config, root: Path) -> Iterator[Problem]:
    for name, source in config.prepare.sources.items():
        if isinstance(source, PythonSource):
            from mtl.data.sources.python import target_problem

            problem = target_problem(source, root)
            if problem is not None:
                yield f"prepare.sources.{name}.target", problem


def _encoder(config: Config, encoder: PythonEncoder, untried: list[str], root: Path) -> list[Problem]:
    """Faults of the encoder for any run; `untried` receives what could not be tried without the data."""
    from mtl.models import build
    from mtl.models.base import Encoder
    from mtl.models.plugins import build_network, load_encoder

    try:
        network = build_network(encoder, root)
    except SettingError as error:
        return [error.problem]
    problems: list[Problem] = []
    trials = list(_trials(config, build.TRIAL_CHANNELS if isinstance(network, Encoder) else None))
    if not trials:
        untried.append(f"{encoder.target} was built; it is tried once the data tell the shape of a sample")
    for samples in trials:
        try:
            load_encoder(encoder, samples, root=root)
        except SettingError as error:
            problems.append(error.problem)
    for name, method in config.finetune.methods.items():
        problem = build.stages_problem(method.sharing, network)
        if problem is not None:
            problems.append((f"finetune.methods.{name}.{problem[0]}", problem[1]))
    if config.pretrain.objective.kind != "none":
        windows = build.pretraining_samples(pretraining_lengths(config))
        try:
            pretrained = load_encoder(encoder, windows, pretraining=True, root=root)
            problem = build.channels_problem(pretrained, windows)
            problems += [] if problem is None else [problem]
        except SettingError as error:
            problems.append(error.problem)
    return problems


def _trials(config: Config, channels: int | None) -> Iterator[list[Sample]]:
    """Samples of whole shape, for every set of shapes that some run trains on together.

    Args:
        config: the whole configuration.
        channels: number that stands for one that only the data tell; None leaves such samples out.
    """
    samples: dict[str, Sample] = {}
    for name, sample in known_samples(config).items():
        shape = (sample.shape[0] or channels, *sample.shape[1:])
        if None not in shape:
            samples[name] = replace(sample, shape=shape)
    runs = [[name] for name in config.baseline_tasks] + [config.method_tasks(name) for name in config.finetune.methods]
    of_shapes: dict[frozenset[Shape], list[Sample]] = {}
    for tasks in runs:
        known = [samples[name] for name in tasks if name in samples]
        of_shapes.setdefault(frozenset(sample.shape for sample in known), known)
    yield from (known for shapes, known in of_shapes.items() if shapes)
