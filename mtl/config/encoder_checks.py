"""Whether an encoder can take the samples of a run, and whether it can be pretrained as asked.

Asked of params.yaml as far as the shapes of samples are known without the data, and again before a network is built.
"""

from collections.abc import Sequence

from mtl.config.encoder import CnnEncoder, EncoderConfig, LinearEncoder, MlpEncoder, PythonEncoder, TimeDartEncoder
from mtl.config.image_sets import BuiltIn, Shape, known_set
from mtl.config.schema import Config
from mtl.config.sensors import SensorsSource
from mtl.config.sources import PythonSource, SeriesSource
from mtl.config.training import DiffusionObjective, Objective

Problem = tuple[str, str]
"""(path, message)."""


def encoder_problem(encoder: EncoderConfig, samples: Sequence[tuple[str, Shape]]) -> Problem | None:
    """What is wrong with an encoder for the samples of one run.

    Args:
        encoder: section `encoder`.
        samples: whose they are (`tasks.NAME`, `pretrain`), and the shape of one of them.
    """
    match encoder:
        case PythonEncoder():
            return None  # Tried out when it is built.
        case TimeDartEncoder() | LinearEncoder():
            return next((found for whose, shape in samples if (found := _for_windows(encoder, whose, shape))), None)
        case MlpEncoder() | CnnEncoder():
            return next((found for whose, shape in samples if (found := _for_images(encoder, whose, shape))), None) or (
                _of_one_shape(encoder, samples)
            )


def _for_windows(encoder: TimeDartEncoder | LinearEncoder, whose: str, shape: Shape) -> Problem | None:
    if len(shape) == 3:
        message = f"should be mlp, cnn or python for {whose} ({_words(shape)}), found {encoder.kind!r}."
        return "encoder.kind", message
    rows = shape[1]
    if rows is None:
        return None
    if isinstance(encoder, TimeDartEncoder):
        if encoder.patch_len > rows:
            message = f"should be at most the window of {whose} ({rows} rows), found {encoder.patch_len}."
            return "encoder.patch_len", message
    elif encoder.resize == "error" and rows != encoder.input_len:
        message = f"should be {rows}, the rows in a window of {whose}, or `encoder.resize` not error, found "
        return "encoder.input_len", f"{message}{encoder.input_len}."
    elif encoder.resize == "left_pad" and rows > encoder.input_len:
        message = f"should be at least {rows}, the rows in a window of {whose}, for `resize: left_pad`, found "
        return "encoder.input_len", f"{message}{encoder.input_len}."
    return None


def _for_images(encoder: MlpEncoder | CnnEncoder, whose: str, shape: Shape) -> Problem | None:
    if len(shape) != 3:
        message = f"should be timedart, linear or python for {whose} ({_words(shape)}), found {encoder.kind!r}."
        return "encoder.kind", message
    channels, height, width = shape
    if None not in (channels, encoder.in_channels) and encoder.in_channels != channels:
        message = f"should be {channels} for {whose} ({_words(shape)}), or null, found {encoder.in_channels}."
        return "encoder.in_channels", message
    if isinstance(encoder, CnnEncoder) and height is not None and width is not None:
        most = min(height, width).bit_length() - 1
        if len(encoder.widths) > most:
            message = f"should be {most} at most for {whose}, since each halves images of {height} × {width} pixels, "
            return "encoder.widths", f"{message}found {len(encoder.widths)}: {encoder.widths}."
    return None


def _of_one_shape(encoder: MlpEncoder | CnnEncoder, samples: Sequence[tuple[str, Shape]]) -> Problem | None:
    for number, (whose, shape) in enumerate(samples):
        for other, another in samples[:number]:
            if any(a != b for a, b in zip(shape, another, strict=True) if a is not None and b is not None):
                message = f"{encoder.kind} takes images of one shape in a run, found {_words(another)} for {other} and "
                return "encoder.kind", f"{message}{_words(shape)} for {whose}."
    return None


def _words(shape: Shape) -> str:
    if len(shape) != 3:
        return "windows" if shape[1] is None else f"windows of {shape[1]} rows"
    if None in shape:
        return f"images of {shape[0]} channel{'' if shape[0] == 1 else 's'}"
    return f"images of {' × '.join(map(str, shape))}: channels, rows, columns"


def encoder_problems(config: Config) -> list[Problem]:
    """What is known to be wrong, without the data, in any run of `pretrain`, `baseline` or `finetune`."""
    shapes = {name: _shape(config, name) for name in config.tasks}
    runs = [[name] for name in config.baseline_tasks] + [config.method_tasks(name) for name in config.finetune.methods]
    found = _pretraining(config)
    for tasks in runs:
        samples = [(f"tasks.{name}", shape) for name in tasks if (shape := shapes.get(name)) is not None]
        problem = encoder_problem(config.encoder, samples)
        if problem is not None:
            found.append(problem)
    return found


def _shape(config: Config, name: str) -> Shape | None:
    """Of a sample of a task; None when nothing is known of it."""
    task = config.tasks[name]
    source = config.prepare.sources.get(task.source)
    if source is None or isinstance(source, PythonSource):
        return None
    return known_set(source).shape if isinstance(source, BuiltIn) else (None, task.input_len)


def _pretraining(config: Config) -> list[Problem]:
    """What is known to be wrong with the pretraining of the encoder."""
    objective, sources = config.pretrain.objective, config.prepare.sources
    if objective.kind == "none":
        return []
    used = {name: sources[name] for name in config.pretrain.sources or sources if name in sources}
    found = [pretrain_source_problem(name) for name, source in used.items() if isinstance(source, BuiltIn)]
    rows = [
        config.pretrain.input_len if isinstance(source, SensorsSource | SeriesSource) else None
        for source in used.values()
        if not isinstance(source, PythonSource)
    ]
    windows: list[tuple[str, Shape]] = [("pretrain", (None, length)) for length in rows]
    problems = objective_problem(config.encoder, objective), encoder_problem(config.encoder, windows)
    return found + [problem for problem in problems if problem is not None]


def objective_problem(encoder: EncoderConfig, objective: Objective) -> Problem | None:
    """What is wrong with a pretraining objective for an encoder."""
    if not isinstance(objective, DiffusionObjective) or isinstance(encoder, TimeDartEncoder):
        return None
    message = f"should be denoise for `encoder.kind: {encoder.kind}`, since diffusion is for timedart alone, found "
    return "pretrain.objective.kind", f"{message}'diffusion'."


def pretrain_source_problem(images: str) -> Problem:
    """What is wrong with pretraining on the source `images`, which holds images."""
    return "pretrain.sources", f"should name sources of windows; {images} holds images."
