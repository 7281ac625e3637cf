"""`build_tasks`: config and prepared sources → task specs and pools of samples for train, val and test."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from mtl.config import ForecastTask, Task
from mtl.config.encoder_checks import pretrain_source_problem
from mtl.data.loading.images import image_samples
from mtl.data.loading.labels import derive_labels
from mtl.data.loading.pools import Pool, Target
from mtl.data.loading.samples import TaskAtSource, input_len, labels_at, part_of
from mtl.data.loading.scaling import fit_scaler
from mtl.data.loading.windows import Windows, pad_rows
from mtl.errors import DataError, SettingError
from mtl.types import NO_LABEL, SPLITS, ImageSet, Prepared, SourceData, Split, TaskSpec

SHARED_SAMPLES = 0.5
"""A task joins a pool when it has a target for at least this share of the pool's samples. Below it (few labels),
most of a shared batch would be masked, so the task draws from a pool of its own."""


@dataclass(frozen=True)
class TaskSet:
    """Everything that training and evaluation need of the data for one seed."""

    specs: dict[str, TaskSpec]
    pools: dict[Split, list[Pool]]
    scalers: dict[str, tuple[Tensor, Tensor]]
    """Source → (mean [C], std [C]) of its training rows, original units; of images, in shares of full brightness."""
    fold: dict[str, int]
    """Source → the fold that is held out for validation."""
    units: dict[str, dict[str, str]]
    """Source → column → unit, where known."""
    labels: dict[str, str]
    """Task → the label of its source that it learns; forecasts are absent."""

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


def build_tasks(tasks: dict[str, Task], sources: dict[str, SourceData], seed: int) -> TaskSet:
    """Resolves every task against its source, for one seed.

    Args:
        tasks: section `tasks` of the config.
        sources: the prepared sources that they name.
        seed: picks the validation fold of stored windows, and the draw of `train_fraction`.

    Raises:
        ConfigError: a task asks for a column, label or length that its source does not have.
        DataError: a part has no sample for a task, or a class is missing from its training samples.
    """
    labels, sources = derive_labels(tasks, sources)
    fold = {name: seed % source.folds for name, source in sources.items()}
    scalers = {name: fit_scaler(source, fold[name]) for name, source in sources.items()}
    specs: dict[str, TaskSpec] = {}
    samples: dict[Split, dict[str, Tensor]] = {split: {} for split in SPLITS}
    for name, task in tasks.items():
        source = sources[task.source]
        place = TaskAtSource(name, task, source, labels.get(name), input_len(name, task, source))
        for split in SPLITS:
            starts = place.samples(split, fold[task.source])
            if split == "train":
                starts = place.fraction(starts, seed)
            if len(starts) == 0:
                wanted = f" and {task.horizon} rows to forecast" if isinstance(task, ForecastTask) else ""
                size = "" if isinstance(source, ImageSet) else f" with {place.length} rows of input{wanted}"
                raise DataError(f"tasks.{name}: {task.source} has no {split} sample{size}.")
            if split != "train":
                place.check_measurable(split, starts)
            samples[split][name] = starts
        specs[name] = place.spec(samples["train"][name])
    # Only now: a horizon longer than the data would ask for as many rows of zeros.
    horizons = {name: max((spec.horizon for spec in specs.values() if spec.source == name), default=0)
                for name in sources}  # fmt: skip
    flats = {
        name: pad_rows(((source.values - scalers[name][0]) / scalers[name][1]).float(), horizons[name])
        for name, source in sources.items()
        if isinstance(source, Prepared)
    }
    pools = {split: _pools(specs, labels, sources, flats, scalers, samples[split]) for split in SPLITS}
    units = {name: source.units if isinstance(source, Prepared) else {} for name, source in sources.items()}
    return TaskSet(specs, pools, scalers, fold, units, labels)


def _pools(
    specs: dict[str, TaskSpec],
    label_of: dict[str, str],
    sources: dict[str, SourceData],
    flats: dict[str, Tensor],
    scalers: dict[str, tuple[Tensor, Tensor]],
    samples: dict[str, Tensor],
) -> list[Pool]:
    """Tasks on images, or on windows of one length, of one source share a pool when their samples overlap
    (SHARED_SAMPLES)."""
    groups: dict[tuple[str, int], list[tuple[list[str], Tensor]]] = {}
    for name in sorted(specs, key=lambda task: -len(samples[task])):
        spec = specs[name]
        shelves = groups.setdefault((spec.source, spec.input_len), [])
        for position, (members, union) in enumerate(shelves):
            if torch.equal(samples[name], union):
                members.append(name)
                break
            common = int(torch.isin(samples[name], union, assume_unique=True).sum())
            if common >= SHARED_SAMPLES * len(union):
                shelves[position] = ([*members, name], torch.cat([union, samples[name]]).unique())
                break
        else:
            shelves.append(([name], samples[name]))
    order = list(specs)
    pools = []
    for (source_name, length), shelves in groups.items():
        source = sources[source_name]
        for members, union in shelves:
            targets = {}
            for name in sorted(members, key=order.index):
                spec = specs[name]
                whole = torch.equal(samples[name], union)
                mask: Bool[Tensor, " n"] | None = None
                if not whole:
                    mask = torch.isin(union, samples[name], assume_unique=True)
                if spec.kind == "forecast":
                    every = spec.targets == list(range(len(spec.columns)))
                    channels = None if every else torch.tensor(spec.targets)
                    targets[name] = Target(channels, spec.horizon, None, mask)
                else:
                    labels = torch.full((len(union),), NO_LABEL)
                    known = slice(None) if mask is None else mask
                    labels[known] = labels_at(source, label_of[name], length, union[known])
                    targets[name] = Target(None, 0, labels, mask)
            first = min(members, key=order.index)
            if isinstance(source, ImageSet):
                pool = Pool(f"{source_name}/{first}", source_name, image_samples(source, union, *scalers[source_name]),
                            targets)  # fmt: skip
            else:
                pool = Pool(f"{source_name}/{first}", source_name, Windows(flats[source_name], length, union), targets)
            pools.append(pool)
    return sorted(pools, key=lambda pool: order.index(pool.tasks[0]))


def unlabelled_pools(sources: dict[str, SourceData], input_len: int | None, seed: int, split: Split) -> list[Pool]:
    """Windows without targets for pretraining: every source's own part, never its other parts.

    Args:
        sources: the prepared sources.
        input_len: rows in a window of a series; stored windows keep their own length.
        seed: picks the validation fold of stored windows.
        split: which part.
    """
    pools = []
    for name, source in sources.items():
        if isinstance(source, ImageSet):
            raise SettingError(*pretrain_source_problem(name))
        fold = seed % source.folds
        mean, std = fit_scaler(source, fold)
        flat = ((source.values - mean) / std).float()
        if source.window is not None:
            assert source.fold is not None
            length, starts = source.window, part_of(source.fold, split, fold) * source.window
        else:
            assert source.borders is not None
            if input_len is None:
                raise SettingError("pretrain.input_len", f"is missing: {name} is a series, not stored windows.")
            first, second, end = source.borders
            begin, stop = {"train": (0, first), "val": (first, second), "test": (second, end)}[split]
            length = input_len
            starts = torch.arange(begin, max(begin, stop - length + 1))
        if len(starts) == 0:
            raise DataError(f"pretrain: {name} has no {split} window of {length} rows.")
        pools.append(Pool(name, name, Windows(flat, length, starts), {"": Target(None, 0, None, None)}))
    return pools
