"""`build_tasks`: config and prepared sources → task specs and pools of samples for train, val and test."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from mtl.config import Task
from mtl.config.common import Extent
from mtl.config.encoder_checks import pretrain_source_problem
from mtl.data.inputs.base import Fitted, Input, Sampler
from mtl.data.inputs.every import input_of
from mtl.data.inputs.extent import JOINED, trained_on
from mtl.data.inputs.tiles import Tiles
from mtl.data.loading.labels import derive_labels
from mtl.data.loading.pools import Pool, Target
from mtl.data.loading.samples import TaskAtSource
from mtl.errors import DataError, SettingError
from mtl.tasks.base import TaskSpec
from mtl.types import NO_LABEL, SPLITS, SourceData, Split

SHARED_SAMPLES = 0.5
"""A task joins a pool when it has a target for at least this share of the pool's samples. Below it (few labels),
most of a shared batch would be masked, so the task draws from a pool of its own."""


@dataclass(frozen=True)
class TaskSet:
    """Everything that training and evaluation need of the data for one seed."""

    specs: dict[str, TaskSpec]
    pools: dict[Split, list[Pool]]
    sources: dict[str, Input[SourceData]]
    """Inputs of the sources, with the labels that rules make."""
    fitted: dict[str, Fitted]
    """Source → what was fitted to its training samples."""
    fold: dict[str, int]
    """Source → the fold that is held out for validation."""

    def select(self, tasks: list[str], split: Split) -> list[Pool]:
        """The pools of a split, narrowed to `tasks`."""
        narrowed = (pool.only(tasks) for pool in self.pools[split])
        return [pool for pool in narrowed if pool is not None]

    def train_sizes(self) -> dict[str, int]:
        """Task → number of its training samples."""
        sizes = {}
        for pool in self.pools["train"]:
            for name, target in pool.targets.items():
                sizes[name] = len(pool) if target.valid is None else int(target.valid.sum())
        return {name: sizes[name] for name in self.specs}


def build_tasks(tasks: dict[str, Task], sources: dict[str, SourceData], seed: int, extent: Extent = "train") -> TaskSet:
    """Resolves every task against its source, for one seed.

    Args:
        tasks: section `tasks` of the config.
        sources: the prepared sources that they name.
        seed: picks the validation fold of stored windows, and the draw of `train_fraction`.
        extent: parts that are trained on; the pools of those that it joins to the training part are empty.

    Raises:
        ConfigError: a task asks for a column, label or length that its source does not have.
        DataError: a part has no sample for a task, or a class is missing from its training samples.
    """
    learns, inputs = derive_labels(tasks, {name: input_of(source) for name, source in sources.items()})
    fold = {name: seed % source.data.folds for name, source in inputs.items()}
    inputs = {name: trained_on(source, extent, fold[name]) for name, source in inputs.items()}
    there = [split for split in SPLITS if split not in JOINED[extent]]
    fitted = {name: source.fit(fold[name]) for name, source in inputs.items()}
    places: dict[str, TaskAtSource] = {}
    specs: dict[str, TaskSpec] = {}
    samples: dict[Split, dict[str, Tensor]] = {split: {} for split in SPLITS}
    for name, task in tasks.items():
        source = inputs[task.source]
        place = TaskAtSource(name, task, source, learns.get(name), source.length(name, task))
        for split in there:
            numbers = place.samples(split, fold[task.source])
            if split == "train":
                numbers = place.fraction(numbers, seed)
            if len(numbers) == 0:
                raise DataError(f"tasks.{name}: {place.no_samples(split, fold[task.source])}.")
            if split != "train":
                place.check_measurable(split, numbers, fold[task.source])
            samples[split][name] = numbers
        places[name] = place
        specs[name] = place.spec(samples["train"][name], fitted[task.source])
    # Only now: a horizon longer than the data would ask for as many rows of zeros.
    samplers = {
        name: source.sampler(fitted[name], max((t.rows_ahead for t in tasks.values() if t.source == name), default=0))
        for name, source in inputs.items()
    }
    tiles = {
        split: {name: place.tiles(split, fold[place.task.source]) for name, place in places.items()} for split in there
    }
    pools = {
        split: _pools(places, specs, samplers, samples[split], tiles[split]) if split in there else []
        for split in SPLITS
    }
    return TaskSet(specs, pools, inputs, fitted, fold)


def _pools(
    places: Mapping[str, TaskAtSource],
    specs: Mapping[str, TaskSpec],
    samplers: Mapping[str, Sampler],
    samples: Mapping[str, Int[Tensor, " n"]],
    tiles: Mapping[str, Tiles | None],
) -> list[Pool]:
    """Tasks on samples of one source and length share a pool when their samples overlap (SHARED_SAMPLES)."""
    groups: dict[tuple[str, int], list[tuple[list[str], Tensor]]] = {}
    for name in sorted(specs, key=lambda task: -len(samples[task])):
        shelves = groups.setdefault((specs[name].source, places[name].length), [])
        for position, (members, union) in enumerate(shelves):
            if torch.equal(samples[name], union):
                members.append(name)
                break
            common = int(torch.isin(samples[name], union, assume_unique=True).sum())
            if common >= SHARED_SAMPLES * len(union):
                shelves[position] = ([*members, name], torch.unique(torch.cat([union, samples[name]])))
                break
        else:
            shelves.append(([name], samples[name]))
    order = list(specs)
    pools = []
    for (source, length), shelves in groups.items():
        for members, union in shelves:
            targets = {
                name: _target(places[name], specs[name], (samples[name], tiles[name]), union)
                for name in sorted(members, key=order.index)
            }
            first = min(members, key=order.index)
            held = places[first].source
            weights = None if held.weights is None else held.weights[held.places(union, length)].float()
            pools.append(Pool(f"{source}/{first}", source, samplers[source](union, length), targets, weights))
    return sorted(pools, key=lambda pool: order.index(pool.tasks[0]))


def _target(
    place: TaskAtSource, spec: TaskSpec, own: tuple[Int[Tensor, " m"], Tiles | None], union: Int[Tensor, " n"]
) -> Target:
    """Target of a task for those samples of a pool that it has, and of these for the positions that count."""
    samples, tiles = own
    valid = None if torch.equal(samples, union) else torch.isin(union, samples, assume_unique=True)
    values = place.values(union, tiles)
    if values is None:
        return Target(None, place.task.rows_ahead, spec.ahead_channels, valid)
    encoded = spec.encode(values)
    if valid is not None and encoded.ndim > 1:
        return Target(encoded.masked_fill(~valid[:, None], NO_LABEL), valid=valid)
    # What stands for a missing target should be a number: the mask leaves it out, and nothing else should.
    return Target(encoded if valid is None else encoded.masked_fill(~valid, 0), valid=valid)


def unlabelled_pools(sources: dict[str, SourceData], input_len: int | None, seed: int, split: Split) -> list[Pool]:
    """Windows without targets for pretraining: every source's own part, never its other parts.

    Args:
        sources: the prepared sources.
        input_len: rows in a window of a series; stored windows keep their own length.
        seed: picks the validation fold of stored windows.
        split: which part.
    """
    pools = []
    for name, data in sources.items():
        source = input_of(data)
        if not source.kind.continues:
            raise SettingError(*pretrain_source_problem(name, source.kind))
        if source.series and input_len is None:
            raise SettingError("pretrain.input_len", f"is missing: {name} is a series, not stored windows.")
        fold = seed % data.folds
        length, numbers = source.unlabelled(split, fold, input_len)
        if len(numbers) == 0:
            made_up = " without a value that was filled in or padded" if source.gaps else ""
            raise DataError(f"pretrain: {name} has no {split} window of {length} rows{made_up}.")
        pools.append(Pool(name, name, source.sampler(source.fit(fold), 0)(numbers, length), {"": Target(None)}))
    return pools
