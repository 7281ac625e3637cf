"""A finished network from the folder of its run: model.json says what it is, weights.safetensors what it learnt.

Nothing of a folder is trusted: no code runs but a user's own plugin whose bytes are those that trained, and no tensor
is made that the weights do not fill.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from mtl.config.pretrained import FrozenNetwork, PretrainedEncoder
from mtl.data.inputs.pretrained import digest_of, folder_of
from mtl.errors import UserError
from mtl.models.base import stored as stored_state
from mtl.models.build import build_model
from mtl.models.predictor import Predictor
from mtl.models.simple.build import build_simple
from mtl.plugins import file_of
from mtl.results.model import MODEL, WEIGHTS, Code, SavedModel
from mtl.results.simple import FrozenFeatures, LinearFit
from mtl.tasks.base import TaskSpec
from mtl.tasks.plain import from_plain

MAX_NUMBERS = 1 << 24
"""Most numbers of one sample: 2,000 × 2,000 pixels in colour are 12 million."""
Shapes = Mapping[str, tuple[torch.dtype, tuple[int, ...]]]
"""Tensor → its type and shape."""


@dataclass(frozen=True)
class Network:
    """A finished network or simple model on the CPU in eval mode, the tasks that it predicts, and its description."""

    model: Predictor
    specs: dict[str, TaskSpec]
    saved: SavedModel


def load(folder: Path, remedy: str | None = None) -> Network:
    """The network of a finished run.

    Args:
        folder: of the run.
        remedy: command that makes the run anew; None where the folder may be a copy.

    Raises:
        UserError: a file is missing, damaged, of a newer version or does not fit the other, or the user's own code
            that built it is not there or has changed.
    """
    saved = SavedModel.of_folder(folder, remedy)
    file, description = folder / WEIGHTS, str(folder / MODEL)
    again = "copy the folder of the run anew" if remedy is None else f"run `{remedy} --force`"
    if not file.is_file():
        raise UserError(f"{file} is missing: it belongs beside {MODEL}; {again}.")
    if _sha256(file) != saved.weights:
        raise UserError(f"{file} is damaged, or of another run than {MODEL} beside it; {again}.")
    specs = _tasks(saved, description)
    try:
        stored = _stored(file)
    except SafetensorError as error:
        raise UserError(f"{file} is damaged ({error}); {again}.") from None
    _check_size(saved, specs, stored, description)
    _check_code(saved, description)
    _check_base(saved, description)
    try:
        if saved.code is None:  # own code may not run on tensors without values
            with torch.device("meta"):
                _check_fits(_network(saved, specs), stored)
        model = _network(saved, specs)
        _check_fits(model, stored)
    except Exception as error:  # sections and tasks of a file that anybody may have written fail in any way
        if saved.code is not None and isinstance(error, UserError):
            raise
        raise UserError(f"{description} and {file.name} do not belong together: {error}; {again}.") from None
    model.load_state_dict(load_file(file), strict=False)  # Names were compared; the rest is there from the build.
    return Network(model.eval(), specs, saved)


def code_of(target: str | None, root: Path | None = None) -> Code | None:
    """Target and hash of a user's own code, as `model.json` holds them; None without such code."""
    return None if target is None else Code(target=target, sha256=_sha256(file_of(target, root)))


def _network(saved: SavedModel, specs: Mapping[str, TaskSpec]) -> Predictor:
    if saved.simple is not None:
        (spec,) = specs.values()
        return build_simple(saved.simple.fit, spec)
    assert saved.encoder is not None, "model.json has either"
    return build_model(saved.encoder, list(specs.values()), saved.seed, saved.sharing, saved.precision)


def _tasks(saved: SavedModel, where: str) -> dict[str, TaskSpec]:
    """Name → task, after what each must agree in with the rest of the file."""
    specs: dict[str, TaskSpec] = {}
    for number, content in enumerate(saved.tasks):
        spec = from_plain(content, f"{where}: `tasks.{number}`")
        source = saved.sources.get(spec.source)
        if source is None or (source.kind, source.columns) != (spec.input.name, spec.columns):
            raise UserError(f"{where}: `tasks.{number}` should read a source of `sources`, with its kind and columns.")
        problem = source.scaler.problem()
        if len(source.columns) != source.scaler.columns or problem is not None:
            told = problem or "should have a number for each column"
            raise UserError(f"{where}: `sources.{spec.source}.scaler` {told}.")
        if len(spec.shape) != spec.input.dimensions or prod(spec.shape) > MAX_NUMBERS:
            allowed = f"{spec.input.dimensions} numbers, whose product is at most {MAX_NUMBERS:,}"
            raise UserError(f"{where}: `tasks.{number}.shape` should be {allowed}, found {spec.shape}.")
        specs[spec.name] = spec
    if len(specs) != len(saved.tasks) or not set(saved.judged) <= set(specs):
        raise UserError(f"{where}: `tasks` should have different names, and `judged` should be among them.")
    return specs


def _stored(file: Path) -> Shapes:
    """Type and shape of every tensor in a file of weights."""
    shapes: dict[str, tuple[torch.dtype, tuple[int, ...]]] = {}
    with safe_open(file, framework="pt") as opened:
        for name in opened.keys():  # noqa: SIM118 (no mapping)
            part = opened.get_tensor(name)
            shapes[name] = (part.dtype, tuple(part.shape))
    return shapes


def _check_size(saved: SavedModel, specs: Mapping[str, TaskSpec], stored: Shapes, where: str) -> None:
    """Refuses what would build more modules than the weights hold tensors."""
    if (saved.encoder is None) == (saved.simple is None):
        raise UserError(f"{where}: there should be either `encoder` or `simple`.")
    if saved.encoder is None:
        if len(specs) != 1:
            raise UserError(f"{where}: a simple model should have one task, found {len(specs)}.")
        return
    stages = saved.encoder.stage_count or 1
    columns = len(specs) if saved.sharing.columns else 1
    if stages * columns > len(stored):
        raise UserError(
            f"{where}: `encoder` and `sharing` ask for {stages * columns:,} stages, the weights hold {len(stored)} "
            "tensors."
        )


def _check_code(saved: SavedModel, where: str) -> None:
    """Refuses own code that is not there, or not that which trained."""
    target = None if saved.encoder is None else saved.encoder.own_code
    noted = None if saved.code is None else saved.code.target
    if target != noted:
        raise UserError(f"{where}: `code` should be that of the encoder ({target}), found {noted}.")
    if saved.code is not None and code_of(target) != saved.code:
        file = file_of(saved.code.target).as_posix()
        raise UserError(
            f"{where}: the network was built by {saved.code.target}, and {file} is not the file that it was trained "
            "with: put that version there, or train again."
        )


def _check_base(saved: SavedModel, where: str) -> None:
    """Refuses a network that stands on files of a pretrained one which are not there, or others."""
    base = _base_of(saved)
    if base is None:
        return
    try:
        folder = folder_of(base.model, base.revision)
    except UserError as error:
        raise UserError(f"{where}: the network stands on a pretrained one, which is not there. {error}") from None
    if digest_of(folder) != base.digest:
        raise UserError(
            f"{where}: the network stands on a pretrained one whose files have the hash {base.digest}, and those in "
            f"{folder} have another: put that version there, or train again."
        )


def _base_of(saved: SavedModel) -> PretrainedEncoder | FrozenNetwork | None:
    """The pretrained network on whose files a model stands."""
    if isinstance(saved.encoder, PretrainedEncoder):
        return saved.encoder
    fit = None if saved.simple is None else saved.simple.fit
    if isinstance(fit, LinearFit) and isinstance(fit.features, FrozenFeatures):
        return fit.features.network
    return None


def _check_fits(model: nn.Module, stored: Shapes) -> None:
    """Refuses weights of other names, types or shapes than those of the network.

    Raises:
        ValueError: names the first tensor that does not fit.
    """
    wanted = {name: (part.dtype, tuple(part.shape)) for name, part in stored_state(model).items()}
    for name in sorted(wanted.keys() | stored.keys()):
        if wanted.get(name) != stored.get(name):
            told = [f"{parts[name][1]}" if name in parts else "none" for parts in (wanted, stored)]
            raise ValueError(f"tensor {name} should be {told[0]}, found {told[1]}")


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
