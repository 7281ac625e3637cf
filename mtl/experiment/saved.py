"""The networks of runs: freshly built, described beside their weights, and loaded again when a run is finished."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtl.config.pretrained import FrozenNetwork, PretrainedEncoder
from mtl.data.inputs import scratch
from mtl.data.inputs.base import Fitted
from mtl.data.inputs.pretrained import TOKENIZER, PretrainedVocabulary, folder_of, sha256_of
from mtl.data.inputs.tokens import FittedTokens
from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.errors import SettingError, UserError
from mtl.experiment.linear_start import solve_linear_maps
from mtl.experiment.recipe import Recipe
from mtl.models import saved
from mtl.models.build import build_model
from mtl.models.multitask import MultiTaskModel
from mtl.models.pretrained_images import WholeImage
from mtl.results.model import WEIGHTS, MadeAgain, ModelInput, SavedModel, Scaler
from mtl.tasks.plain import plain
from mtl.version import __version__

BLOCK = 1 << 14
"""Samples that are gathered together to fit an encoder."""


def build_network(recipe: Recipe, data: TaskSet, chosen_on: Callable[[], TaskSet] | None = None) -> MultiTaskModel:
    """The network of a run with its first weights, on the CPU, in train mode.

    Args:
        recipe: of the run.
        data: every configured task, for its seed.
        chosen_on: as in `solve_linear_maps`.

    Raises:
        UserError: a task's samples do not fit the encoder, or the encoder cannot be shared as asked.
    """
    specs = [data.specs[name] for name in recipe.tasks]
    if isinstance(recipe.encoder, PretrainedEncoder):
        check_tokens(recipe.encoder, {spec.source: data.fitted[spec.source] for spec in specs})
    model = build_model(recipe.encoder, specs, recipe.seed, recipe.method.sharing, recipe.config.base.precision)
    _tell_brightness(model, recipe, data)
    fit_encoders(model, data)
    solve_linear_maps(model, data, recipe.seed, chosen_on)
    return model


def check_tokens(network: PretrainedEncoder | FrozenNetwork, fitted: Mapping[str, Fitted]) -> None:
    """Refuses texts that were cut by another vocabulary than that of the pretrained network.

    Args:
        network: section `encoder`, or `simple.probe`.
        fitted: source → what was fitted to it.

    Raises:
        UserError: names the source and the remedy.
    """
    file = folder_of(network.model, network.revision) / TOKENIZER
    for source, fit in fitted.items():
        if not isinstance(fit, FittedTokens):
            continue
        own = fit.vocabulary
        if not isinstance(own, PretrainedVocabulary):
            raise SettingError(
                f"prepare.sources.{source}.texts.tokenizer",
                f"should be {network.model!r}, the pretrained network, found none: it reads its own tokens alone.",
            )
        if not file.is_file() or own.sha256 != sha256_of(file):
            raise UserError(
                f"data/prepared/{source}: the texts were cut by the tokenizer of {own.model}, and {file} is another: "
                f"run `mtl repro --force prepare@{source}`, or let `texts.tokenizer` be {network.model}."
            )


def _tell_brightness(model: MultiTaskModel, recipe: Recipe, data: TaskSet) -> None:
    """Tells pretrained networks of images by which mean and deviation the images of the run are z-scored."""
    encoders = [encoder for encoder in model.trunk.encoders() if isinstance(encoder, WholeImage)]
    if not encoders:
        return
    assert isinstance(recipe.encoder, PretrainedEncoder)
    sources = list(dict.fromkeys(spec.source for spec in model.tasks.values()))
    if len(sources) > 1:
        message = f"reads images of one source in a run, whose brightness it is told, found {' and '.join(sources)}."
        raise SettingError("encoder.kind", f"huggingface {message}")
    fitted = data.fitted[sources[0]]
    for encoder in encoders:
        encoder.brought_from(fitted.mean, fitted.std, folder_of(recipe.encoder.model, recipe.encoder.revision))


def fit_encoders(model: MultiTaskModel, data: TaskSet) -> None:
    """Fits the encoders to the training samples of every configured task; the same for every run of a seed."""
    encoders = [encoder for encoder in model.trunk.encoders() if encoder.fits]
    if not encoders:
        return
    sources = {spec.source for spec in model.tasks.values()}
    pools = [pool for pool in data.pools["train"] if pool.source in sources]
    samples = _gathered(pools)
    for encoder in encoders:
        encoder.fit(samples)


def _gathered(pools: Sequence[Pool]) -> Float[Tensor, "n *S"]:
    """The different samples of some pools of a source, as batches hold them: of one pool in its order, of several by
    their numbers, each once, whichever of its tasks have a target. They are gathered some at a time, many of them into
    a file without a name, so that little of one's own memory is needed."""
    ends = np.cumsum([0, *(len(pool) for pool in pools)])
    places = np.arange(ends[-1])
    if len(pools) > 1:
        first = np.unique(np.concatenate([pool.samples.numbers.numpy() for pool in pools]), return_index=True)[1]
        places = np.full(ends[-1], -1)
        places[first] = np.arange(len(first))
    count = int(places.max(initial=-1)) + 1
    shape = pools[0].samples.of_rows.gather(torch.arange(1), 0)[0].shape[1:]
    samples = torch.from_numpy(scratch.empty((count, *shape), np.float32))
    for pool, begin in zip(pools, ends[:-1], strict=True):
        for some in scratch.blocks(len(pool), BLOCK):
            place = torch.from_numpy(places[begin + some.start : begin + some.stop])
            wanted = (place >= 0).nonzero().squeeze(1)
            samples[place[wanted]] = pool.samples.of_rows.gather(wanted + some.start, 0)[0]
    return samples


def saved_weights(recipe: Recipe, root: Path) -> Path:
    """The file that holds the weights of a finished run.

    Raises:
        UserError: it is not there; says which stage writes it.
    """
    where = recipe.where
    path = root / where.folder / WEIGHTS
    if not path.exists():
        raise UserError(f"{path.relative_to(root)} is missing; run `mtl repro {where.target}`.")
    return path


def load_network(recipe: Recipe, root: Path) -> saved.Network:
    """The network of a finished run, with its weights.

    Args:
        recipe: of the run.
        root: folder of the project; results are read below it.

    Raises:
        UserError: the run is not finished, or its files cannot be used.
    """
    return saved.load(saved_weights(recipe, root).parent, f"mtl repro {recipe.where.target}")


def describe(recipe: Recipe, data: TaskSet, identity: dict[str, str], weights: str) -> SavedModel:
    """Content of `model.json`, which stands beside the weights of a run.

    Args:
        recipe: the run.
        data: every configured task, for its seed.
        identity: hashes of what the result depends on.
        weights: sha256 of the file of the weights.
    """
    where, specs = recipe.where, [data.specs[name] for name in recipe.tasks]
    assert where.stage != "simple" and where.stage != "pretrain" and where.name is not None
    return SavedModel(
        stage=where.stage,
        name=where.name,
        start=recipe.start.label,
        seed=where.seed,
        tasks=[plain(spec) for spec in specs],
        judged=recipe.judged,
        sources={name: model_input(data, name) for name in {spec.source for spec in specs}},
        encoder=recipe.encoder,
        sharing=recipe.method.sharing,
        precision=recipe.config.base.precision,
        code=saved.code_of(recipe.encoder.own_code),
        again=made_again(recipe),
        versions={"mtl": __version__, "torch": str(torch.__version__)},
        data=identity["data"],
        weights=weights,
    )


def made_again(recipe: Recipe) -> MadeAgain | None:
    """The parts and epochs that a run was made again with, as model.json says it; None for others."""
    again = recipe.again
    return None if again is None else MadeAgain(extent=again.extent, epochs=list(again.epochs))


def model_input(data: TaskSet, name: str) -> ModelInput:
    """Samples of a source as a saved model describes them."""
    source = data.sources[name]
    return ModelInput(
        kind=source.kind.name,
        columns=source.columns,
        scaler=Scaler(**data.fitted[name].plain()),
        units=source.units,
    )
