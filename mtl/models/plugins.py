"""A user's own encoder: `target: module:callable`, a module under `plugins/` of the current folder.

The callable gets (options, dropout) and returns an `Encoder`; a trial forward pass checks it against the contract.
"""

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from mtl.config import PythonEncoder
from mtl.errors import SettingError, UserError
from mtl.models.base import Encoder, Features

FOLDER = "plugins"
_TRIAL_BATCH = 2


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _find(target: str) -> Callable[..., object]:
    """The callable of a target.

    Raises:
        UserError: It cannot be imported, or stands outside `plugins/`, which is what a result's identity covers.
    """
    module_name, name = target.split(":")
    folder = Path(FOLDER).resolve()
    with _importable(folder):
        try:
            module = importlib.import_module(module_name)
        except Exception as error:  # the user's module may fail in any way while it is imported
            raise SettingError(
                "encoder.target",
                f"{target}: `{FOLDER}/{module_name.replace('.', '/')}.py` cannot be imported "
                f"({type(error).__name__}: {error}).",
            ) from error
    if not Path(module.__file__ or "/").resolve().is_relative_to(folder):
        raise SettingError(
            "encoder.target", f"{target}: the module should stand in `{FOLDER}/`, found {module.__file__}."
        )
    found = vars(module).get(name)
    if not callable(found):
        raise SettingError(
            "encoder.target", f"{target}: `{name}` should be a function or class in it, found {found!r}."
        )
    return found


def load_encoder(config: PythonEncoder) -> Encoder:
    """Calls the user's target.

    Raises:
        UserError: The target cannot be imported, fails, or returns something else than an `Encoder`.
    """
    target = _find(config.target)
    with _importable(Path(FOLDER).resolve()):
        try:
            encoder = target(dict(config.options), config.dropout)
        except Exception as error:  # the user's code may fail in any way
            raise SettingError(
                "encoder.target",
                f"{config.target} failed for options {config.options} ({type(error).__name__}: {error}).",
            ) from error
    if not isinstance(encoder, Encoder):
        raise SettingError(
            "encoder.target",
            f"{config.target} should return a mtl.models.base.Encoder, found {type(encoder).__name__}.",
        )
    return encoder


def check_contract(encoder: Encoder, target: str, shapes: Iterable[tuple[int, ...]]) -> None:
    """A trial forward pass for each (channels C, rows L) or (C, Y, X).

    Raises:
        UserError: It fails, or what it returns has other types or shapes than the contract names.
    """
    for name, kind in (("width", int), ("dropout", float)):
        if type(getattr(encoder, name, None)) is not kind:
            found = getattr(encoder, name, None)
            raise SettingError(
                "encoder.target",
                f"{target}: its attribute `{name}` should be of type {kind.__name__}, found {found!r}.",
            )
    was_training = encoder.training
    encoder.eval()
    for shape in sorted(set(shapes)):
        channels, rows = (1, 0) if len(shape) == 3 else shape  # an image is one token of one channel
        x = torch.randn(_TRIAL_BATCH, *shape, generator=torch.Generator().manual_seed(0))
        try:
            with torch.no_grad():
                tokens = encoder.count_tokens(rows)
                features = encoder(x, 0.0)
        except UserError:
            raise
        except Exception as error:  # the user's code may fail in any way
            raise SettingError(
                "encoder.target",
                f"{target} failed on a trial input [B, C, …] = {list(x.shape)} ({type(error).__name__}: {error}).",
            ) from error
        _check_features(features, target, channels, tokens, encoder.width, len(shape) == 2)
    encoder.train(was_training)


def _check_features(features: object, target: str, channels: int, tokens: int, width: int, windows: bool) -> None:
    if not isinstance(features, Features):
        raise SettingError("encoder.target", f"{target} should return Features, found {type(features).__name__}.")
    wanted: dict[str, tuple[int, ...]] = {"tokens": (_TRIAL_BATCH, channels, tokens, width)}
    if windows:
        wanted |= {"mean": (_TRIAL_BATCH, channels), "std": (_TRIAL_BATCH, channels)}
    for name, shape in wanted.items():
        tensor = vars(features)[name]
        found = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
        if found != shape:
            raise SettingError(
                "encoder.target", f"{target}: Features.{name} should have the shape {shape}, found {found}."
            )
        if not bool(tensor.isfinite().all()):
            raise SettingError("encoder.target", f"{target}: Features.{name} should be finite, found NaN or infinity.")
    if features.std is not None and not bool((features.std > 0).all()):
        raise SettingError(
            "encoder.target", f"{target}: Features.std should be positive, found {float(features.std.min())}."
        )
