"""Checks that an encoder can take the samples of a run, and that it can be pretrained as asked.

They are made on params.yaml as far as the shapes of samples are known without the data, and again before a network is
built.
"""

from collections.abc import Sequence
from dataclasses import replace

from mtl.config.common import Problem
from mtl.config.encoder import EncoderConfig, kinds_for
from mtl.config.inputs import WINDOWS, InputKind, Sample, Shape
from mtl.config.schema import Config
from mtl.config.training import DiffusionObjective, Objective
from mtl.config.window_encoders import RocketEncoder


def encoder_problem(encoder: EncoderConfig, samples: Sequence[Sample]) -> Problem | None:
    """Problem of an encoder with the samples of one run, or None.

    Args:
        encoder: section `encoder`.
        samples: a sample of each task.
    """
    for sample in samples:
        if sample.kind not in encoder.inputs:
            kinds = _either(kinds_for(sample.kind))
            message = f"should be {kinds} for {sample.whose} ({sample.kind.words(sample.shape)}), "
            return "encoder.kind", f"{message}found {encoder.kind!r}."
        if sample.steps and not encoder.keeps_steps:
            kinds = _either(kinds_for(sample.kind, steps=True))
            message = f"should be {kinds} for {sample.whose}, which learns a class at every step of a window, found "
            return "encoder.kind", f"{message}{encoder.kind!r}, which has features of whole windows alone."
        # First: a window of one row stays a constant whatever the encoder's own sizes are changed to.
        constant = constant_problem(sample, encoder.kind) if encoder.normalises(sample.source) else None
        problem = constant or encoder.problem(sample)
        if problem is not None:
            return problem
    if encoder.one_shape:
        return _of_one_shape(encoder, samples)
    return _of_as_many_channels(encoder, samples) if encoder.joins_channels else None


def _either(kinds: Sequence[str]) -> str:
    *others, last = kinds
    return f"{', '.join(others)} or {last}" if others else last


def _of_one_shape(encoder: EncoderConfig, samples: Sequence[Sample]) -> Problem | None:
    unlike: dict[Sample, Sample] = {}
    """Sample without its name → the first one that is like it: a thousand tasks are of a few kinds."""
    for sample in samples:
        unlike.setdefault(replace(sample, whose=""), sample)
    distinct = list(unlike.values())
    for number, sample in enumerate(distinct):
        for other in distinct[:number]:
            if sample.kind.ragged and sample.source != other.source:
                message = (
                    f"{encoder.kind} reads {sample.kind.noun} of one source in a run, for each has a vocabulary of its "
                    "own, found "
                )
                ways = "put them in one table, with a column for each task that is empty elsewhere"
                return (
                    "encoder.kind",
                    f"{message}{other.source} for {other.whose} and {sample.source} for {sample.whose}: {ways}.",
                )
            pairs = zip(sample.shape, other.shape, strict=False)
            if sample.layout != other.layout:
                message = f"{encoder.kind} reads rows of the same columns and categories in a run, found others for "
                ways = "mlp and python read a column for each category"
                return "encoder.kind", f"{message}{other.whose} than for {sample.whose}; {ways}."
            if sample.kind != other.kind or any(a != b for a, b in pairs if a is not None and b is not None):
                words = [f"{each.kind.words(each.shape)} for {each.whose}" for each in (other, sample)]
                message = f"{encoder.kind} takes {sample.kind.noun} of one shape in a run, found {' and '.join(words)}."
                return "encoder.kind", message
    return None


def _of_as_many_channels(encoder: EncoderConfig, samples: Sequence[Sample]) -> Problem | None:
    known = [sample for sample in samples if sample.shape[0] is not None]
    for sample in known[1:]:
        first = known[0]
        if sample.shape[0] != first.shape[0]:
            words = " and ".join(f"{unlike.shape[0]} for {unlike.whose}" for unlike in (first, sample))
            message = (
                f"{encoder.kind} reads the channels of a window together, so that all tasks of a run should have as "
                f"many of them, found {words}; timedart, linear and rocket read each channel alone."
            )
            return "encoder.kind", message
    return None


def constant_problem(sample: Sample, encoder: str) -> Problem | None:
    """Problem of a window of one row with an encoder that brings each window to mean 0 and variance 1, or None."""
    if not sample.kind.has_length or sample.shape[1] != 1:
        return None
    message = (
        f"should be at least 2 rows: {encoder} brings each channel of a window to mean 0, so that a window of one "
    )
    return f"{sample.whose}.input_len", f"{message}row is nothing but zeros, found 1."


def encoder_problems(config: Config) -> list[Problem]:
    """Problems of the encoder in the runs of `pretrain`, `baseline` and `finetune` that are known without data."""
    samples = known_samples(config)
    runs = [[name] for name in config.baseline_tasks] + [config.method_tasks(name) for name in config.finetune.methods]
    problems = _pretraining(config) + _normalised(config)
    for tasks in runs:
        problem = encoder_problem(config.encoder, [samples[name] for name in tasks if name in samples])
        if problem is not None:
            problems.append(problem)
    return problems


def _normalised(config: Config) -> list[Problem]:
    """Names of no source among those that an encoder is to normalise."""
    encoder, sources = config.encoder, config.prepare.sources
    if not isinstance(encoder, RocketEncoder) or not isinstance(encoder.normalise, dict):
        return []
    message = f"should name sources among {', '.join(sources)}, found "
    return [("encoder.normalise", f"{message}{name!r}.") for name in encoder.normalise if name not in sources]


def known_samples(config: Config) -> dict[str, Sample]:
    """A sample of each task of which something is known, without the data."""
    return {name: sample for name in config.tasks if (sample := _sample(config, name)) is not None}


def _sample(config: Config, name: str) -> Sample | None:
    """A sample of a task; None when nothing is known of it."""
    task = config.tasks[name]
    source = config.prepare.sources.get(task.source)
    if source is None or source.input is None:
        return None
    shape: Shape = (None,) if source.known is None else source.known.shape
    if source.input.has_length:
        shape = (shape[0], task.input_len)
    steps = task.at_positions and source.input.has_length
    return Sample(f"tasks.{name}", source.input, shape, task.source, steps=steps, parts=source.parts)


def _pretraining(config: Config) -> list[Problem]:
    """Problems of the pretraining of the encoder that are known without data."""
    objective, sources = config.pretrain.objective, config.prepare.sources
    if objective.kind == "none":
        return []
    used = {name: sources[name] for name in config.pretrain.sources or sources if name in sources}
    problems = [
        pretrain_source_problem(name, source.input)
        for name, source in used.items()
        if source.input is not None and not source.input.continues
    ]
    windows = [Sample("pretrain", WINDOWS, (None, length)) for length in _window_lengths(config)]
    possible = objective_problem(config.encoder, objective), encoder_problem(config.encoder, windows)
    return problems + [problem for problem in possible if problem is not None]


def _window_lengths(config: Config) -> list[int | None]:
    """Rows of the windows of each source that is pretrained on; None where only the data tell."""
    sources = config.prepare.sources
    used = [sources[name] for name in config.pretrain.sources or sources if name in sources]
    return [config.pretrain.input_len if source.series else None for source in used if source.input is not None]


def pretraining_lengths(config: Config) -> list[int]:
    """Lengths of the windows that are pretrained on, as far as they are known without the data."""
    return sorted({length for length in _window_lengths(config) if length is not None})


def objective_problem(encoder: EncoderConfig, objective: Objective) -> Problem | None:
    """Problem of a pretraining objective with an encoder, or None."""
    if encoder.joins_channels and objective.kind != "none":
        message = (
            f"should be none for `encoder.kind: {encoder.kind}`, which reads the channels of a window together: a "
        )
        return "pretrain.objective.kind", f"{message}pretraining gives each of them back, found {objective.kind!r}."
    if isinstance(encoder, RocketEncoder) and encoder.normalise != "none" and objective.kind != "none":
        message = "should be none for an encoder with `normalise`, since pretraining shows it windows as they are, "
        return "pretrain.objective.kind", f"{message}found {objective.kind!r}."
    if not isinstance(objective, DiffusionObjective) or encoder.diffusion:
        return None
    message = f"should be denoise for `encoder.kind: {encoder.kind}`, since diffusion is for timedart alone, found "
    return "pretrain.objective.kind", f"{message}'diffusion'."


def pretrain_source_problem(source: str, kind: InputKind) -> Problem:
    """Problem of pretraining on the source `source`, whose samples are of a kind that is no window."""
    return "pretrain.sources", f"should name sources of windows; {source} holds {kind.noun}."
