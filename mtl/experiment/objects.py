"""Config and recipe → the objects that a run is made of: prepared data, tasks, start, optimiser, instruments."""

from collections import Counter
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from mtl.balancing.base import Balancer
from mtl.config import Config, Method, TrainConfig
from mtl.config.balancing import Learnt
from mtl.config.common import Extent
from mtl.config.inputs import placed
from mtl.config.sharing import CrossStitchSharing
from mtl.data.inputs.every import input_of
from mtl.data.loading.labels import derive_labels
from mtl.data.loading.leaks import leaks
from mtl.data.loading.pools import Pool
from mtl.data.loading.remarks import remarks
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.store import load_prepared
from mtl.data.loading.tasks import TaskSet, build_tasks
from mtl.errors import UserError
from mtl.experiment.recipe import Recipe
from mtl.models.multitask import MultiTaskModel
from mtl.models.transfer import Transfer, hand_over
from mtl.paths import PREPARED, RunPath
from mtl.tasks.base import TaskSpec
from mtl.training.augment import WHOLE, Augmentation, Pixels
from mtl.training.eager import AdamW
from mtl.training.instruments import Instruments
from mtl.training.lookahead import Lookahead
from mtl.training.optimiser import adamw
from mtl.training.recording import Recorder
from mtl.types import SourceData, Split


def load_sources(names: list[str], root: Path) -> dict[str, SourceData]:
    """The prepared sources, by name."""
    return {name: load_prepared(name, root / PREPARED) for name in dict.fromkeys(names)}


def data_remarks(config: Config, root: Path = Path()) -> list[str]:
    """Sentences on the sources of the tasks that a reader of the results should know, for the first seed."""
    seed = config.base.seeds[0]
    sources = load_sources([task.source for task in config.tasks.values()], root)
    close = leaks(config.tasks, config.prepare.sources, sources)
    _, inputs = derive_labels(config.tasks, {name: input_of(source) for name, source in sources.items()})
    return [
        sentence
        for name, source in inputs.items()
        for sentence in remarks(source, seed % source.data.folds, close.get(name, []))
    ]


def load_tasks(
    config: Config, seed: int, root: Path, extent: Extent = "train"
) -> tuple[TaskSet, dict[str, SourceData]]:
    """Every configured task with its samples, for one seed. All of them, since the sampling plan is drawn for all.

    Args:
        config: the whole configuration.
        seed: of the run.
        root: folder of the project.
        extent: parts that are trained on.
    """
    sources = load_sources([task.source for task in config.tasks.values()], root)
    return build_tasks(config.tasks, sources, seed, extent), sources


def joint_plan(config: Config, data: TaskSet, seed: int) -> JointPlan:
    """The order of samples that every run of this seed takes its part of."""
    pools, sampler = data.pools["train"], config.train.sampler
    lengths: dict[str, Tensor] = {}
    if sampler.bucket_steps is not None:
        known = {pool.name: pool.samples.lengths for pool in pools}
        lengths = {name: own for name, own in known.items() if own is not None}
    return JointPlan({pool.name: len(pool) for pool in pools}, config.train.batch_size, sampler, seed, lengths=lengths)


def pretrained_seed(config: Config, seed: int) -> int:
    """The pretraining that a seed starts from: its own, or the first seed's when one is shared by all."""
    return config.base.seeds[0] if config.pretrain.shared else seed


def pretrained_weights(config: Config, seed: int, root: Path) -> Path:
    """The weights that a pretrained start of `seed` takes.

    Raises:
        UserError: they are not there.
    """
    path = root / RunPath("pretrain", None, None, pretrained_seed(config, seed)).folder / "weights.safetensors"
    if not path.exists():
        raise UserError(f"{path.relative_to(root)} is missing; run `dvc repro pretrain`.")
    return path


def start_from(model: MultiTaskModel, recipe: Recipe, root: Path) -> Transfer | None:
    """Puts a model at its start: hands pretrained weights over, freezes the encoder if asked.

    Raises:
        UserError: there is no pretraining to start from, or it does not fit the encoder.
    """
    start, transfer = recipe.start, None
    if start.init == "pretrained":
        weights = load_file(pretrained_weights(recipe.config, recipe.seed, root))
        transfer = hand_over(model.trunk.encoders(), weights)
    if start.freeze == "encoder":
        model.freeze_encoder()
    return transfer


def build_optimiser(
    train: TrainConfig, model: MultiTaskModel, tasks: list[str], balancer: Balancer, method: Method
) -> AdamW:
    """AdamW with groups for the trunk, what is pretrained of it, units that mix its columns, heads and learnt loss
    weights (never decayed)."""
    units = [] if model.frozen else model.trunk.units()
    mixing = {id(p) for p in units}
    apart = [] if model.frozen else [encoder.slow for encoder in model.trunk.encoders()]
    slow = {id(p) for _, parameters in apart for p in parameters}
    trunk = [] if model.frozen else [p for p in model.trunk.parameters() if id(p) not in mixing | slow]
    factor = method.sharing.lr_factor if isinstance(method.sharing, CrossStitchSharing) else 1.0
    heads: dict[float, list[torch.nn.Parameter]] = {}
    common = train.lr if train.head_lr is None else train.head_lr
    for name in tasks:
        rate = model.tasks[name].head_lr or common
        known = {id(p) for parameters in heads.values() for p in parameters}
        heads.setdefault(rate, []).extend(p for p in model.head_parameters([name]) if id(p) not in known)
    learnt = [p for p in balancer.parameters() if p.requires_grad]
    weights_lr = method.lr if isinstance(method, Learnt) else train.lr
    return adamw([
        (trunk, train.lr, train.weight_decay),
        *((parameters, train.lr * factor, train.weight_decay) for factor, parameters in apart),
        (units, train.lr * factor, 0.0),
        *((parameters, rate, train.weight_decay) for rate, parameters in heads.items()),
        (learnt, weights_lr, 0.0),
    ])  # fmt: skip


def build_instruments(
    train: TrainConfig, method: Method, specs: dict[str, TaskSpec], pools: dict[Split, list[Pool]], plan: JointPlan
) -> Instruments:
    """Builds the instruments that watch a training of the tasks `specs`, on the test pools too with `watch_test`."""
    watching = Instruments(train.gradient_probes, watched=pools["test"] if train.watch_test else ())
    if method.datamap is not None:
        watching.recorder = Recorder(method.datamap, pools["train"], specs, _first_draws(plan))
    if method.lookahead is not None:
        lr = train.lr if method.lookahead.lr is None else method.lookahead.lr
        watching.lookahead = Lookahead(list(specs), method.lookahead.every, lr)
    return watching


def augmentation(train: TrainConfig, seed: int, pools: list[Pool], specs: dict[str, TaskSpec]) -> Augmentation | None:
    """Random changes of the training samples of a run; None where none are asked for.

    Args:
        train: section `train`.
        seed: of the run.
        pools: its training samples.
        specs: its tasks.
    """
    if train.augment is None:
        return None
    images: dict[str, Pixels] = {}
    for pool in pools:
        spec = specs[pool.tasks[0]]
        for part, begin in placed(spec.parts or ()):
            if part.kind.pictured:
                images[pool.name] = Pixels.of(part, begin)
        if spec.input.pictured:
            images[pool.name] = WHOLE
    return Augmentation(train.augment, seed, images)


def _first_draws(plan: JointPlan) -> dict[str, int]:
    """Pool → how many samples of it the first epoch holds."""
    counts: Counter[str] = Counter()
    for step in next(iter(plan.epochs(1))):
        counts.update({name: len(index) for name, index in step.items()})
    return counts
