"""`build_tasks`: config and prepared sources → task specs and pools of samples for train, val and test."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mtl.config import BinaryTask, ClassificationTask, ForecastTask, Task
from mtl.data.names import check_names
from mtl.data.scaling import fit_scaler
from mtl.data.windows import Pool, Target, pad_rows
from mtl.errors import ConfigError, DataError
from mtl.seeding import generator
from mtl.types import NO_LABEL, SPLITS, Prepared, Split, TaskSpec

SHARED_SAMPLES = 0.5
"""A task joins a pool when it has a target for at least this share of the pool's samples. Below it (few labels),
most of a shared batch would be masked, so the task draws from a pool of its own."""


@dataclass(frozen=True)
class TaskSet:
    """Everything that training and evaluation need of the data for one seed."""

    specs: dict[str, TaskSpec]
    pools: dict[Split, list[Pool]]
    scalers: dict[str, tuple[Tensor, Tensor]]
    """Source → (mean [C], std [C]) of its training rows, original units."""
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


def build_tasks(tasks: dict[str, Task], sources: dict[str, Prepared], seed: int) -> TaskSet:
    """Resolves every task against its source, for one seed.

    Args:
        tasks: section `tasks` of the config.
        sources: the prepared sources that they name.
        seed: picks the validation fold of stored windows, and the draw of `train_fraction`.

    Raises:
        ConfigError: a task asks for a column, label or length that its source does not have.
        DataError: a part has no sample for a task, or a class is missing from its training samples.
    """
    fold = {name: seed % source.folds for name, source in sources.items()}
    scalers = {name: fit_scaler(source, fold[name]) for name, source in sources.items()}
    longest = {name: max([t.horizon for t in tasks.values() if t.source == name and isinstance(t, ForecastTask)] or [0])
               for name in sources}  # fmt: skip
    specs: dict[str, TaskSpec] = {}
    samples: dict[Split, dict[str, Tensor]] = {split: {} for split in SPLITS}
    for name, task in tasks.items():
        source = sources[task.source]
        check_names(name, task, source.columns, source.classes)
        length = _input_len(name, task, source)
        for split in SPLITS:
            starts = _starts(task, source, length, split, fold[task.source])
            if split == "train":
                starts = _fraction(name, task, source, length, starts, seed)
            if len(starts) == 0:
                wanted = f" and {task.horizon} rows to forecast" if isinstance(task, ForecastTask) else ""
                raise DataError(
                    f"tasks.{name}: {task.source} has no {split} sample with {length} rows of input{wanted}."
                )
            samples[split][name] = starts
        specs[name] = _spec(name, task, source, length, samples["train"][name])
    # Only now: a horizon longer than the data would ask for as many rows of zeros.
    flats = {
        name: pad_rows(((source.values - scalers[name][0]) / scalers[name][1]).float(), longest[name])
        for name, source in sources.items()
    }
    pools = {split: _pools(specs, tasks, sources, flats, samples[split]) for split in SPLITS}
    units = {name: source.units for name, source in sources.items()}
    labels = {name: task.label for name, task in tasks.items() if not isinstance(task, ForecastTask)}
    return TaskSet(specs, pools, scalers, fold, units, labels)


def _input_len(name: str, task: Task, source: Prepared) -> int:
    wanted = task.horizon if isinstance(task, ForecastTask) else 0
    if source.window is None:
        if task.input_len is None:
            raise ConfigError(f"params.yaml: `tasks.{name}.input_len` is missing: {task.source} is a series.")
        return task.input_len
    length = source.window - wanted if task.input_len is None else task.input_len
    if not 0 < length <= source.window - wanted:
        raise ConfigError(
            f"params.yaml: `tasks.{name}.input_len` should leave {wanted} rows to forecast in the stored windows of "
            f"{source.window} rows of {task.source}, found {length}."
        )
    return length


def _starts(task: Task, source: Prepared, length: int, split: Split, fold: int) -> Int[Tensor, " n"]:
    """First rows of a task's windows in one part; those without a label left out."""
    horizon = task.horizon if isinstance(task, ForecastTask) else 0
    if source.window is not None:
        assert source.fold is not None
        test = source.fold == -1
        held_out = source.fold == fold
        chosen = {"test": test, "val": held_out & ~test, "train": ~test & ~held_out}[split]
        windows = chosen.nonzero().squeeze(1)
        if not isinstance(task, ForecastTask):
            windows = windows[source.labels[task.label][windows] != NO_LABEL]
        return windows * source.window + (source.window - length - horizon)
    assert source.borders is not None
    first, second, end = source.borders
    begin, stop = {"train": (0, first), "val": (first, second), "test": (second, end)}[split]
    if isinstance(task, ForecastTask):
        # The first target row is the part's first row, so validation and test windows start L rows before it.
        earliest = max(0, begin - length)
        return torch.arange(earliest, max(earliest, stop - length - horizon + 1))
    # A label belongs to the last row of its window.
    starts = torch.arange(max(0, begin - length + 1), max(0, stop - length + 1))
    return starts[source.labels[task.label][starts + length - 1] != NO_LABEL]


def _sample_labels(task: ClassificationTask | BinaryTask, source: Prepared, length: int, starts: Tensor) -> Tensor:
    labels = source.labels[task.label]
    rows = starts // source.window if source.window is not None else starts + length - 1
    return labels[rows]


def _fraction(name: str, task: Task, source: Prepared, length: int, starts: Tensor, seed: int) -> Int[Tensor, " m"]:
    """`train_fraction` of the samples: the latest of a series' forecast, else a draw stratified by class."""
    if task.train_fraction == 1 or len(starts) == 0:
        return starts
    if isinstance(task, ForecastTask) and source.window is None:
        return starts[-max(1, round(task.train_fraction * len(starts))) :]
    strata = (
        torch.zeros(len(starts), dtype=torch.int64)
        if isinstance(task, ForecastTask)
        else _sample_labels(task, source, length, starts)
    )
    drawer = generator(seed, name, "train_fraction")
    kept = []
    for stratum in strata.unique():
        members = (strata == stratum).nonzero().squeeze(1)
        count = max(1, round(task.train_fraction * len(members)))
        kept.append(members[torch.randperm(len(members), generator=drawer)[:count]])
    return starts[torch.cat(kept).sort().values]


def _spec(name: str, task: Task, source: Prepared, length: int, starts: Tensor) -> TaskSpec:
    match task:
        case ForecastTask():
            targets = [source.columns.index(column) for column in task.targets or source.columns]
            return TaskSpec(name, "forecast", source.name, length, source.columns, targets, task.horizon,
                            role=task.role, weight=task.weight, dropout=task.dropout)  # fmt: skip
        case ClassificationTask() | BinaryTask():
            classes = source.classes[task.label]
            counts = torch.bincount(_sample_labels(task, source, length, starts), minlength=len(classes))
            absent = [classes[i] for i in (counts == 0).nonzero().squeeze(1).tolist()]
            if absent:
                raise DataError(f"tasks.{name}: no training sample of class {absent[0]!r}.")
            weights: tuple[float, ...] | None = None
            if task.class_weights == "balanced":
                balanced = counts.sum() / (len(classes) * counts)
                weights = (float(counts[0] / counts[1]),) if isinstance(task, BinaryTask) else tuple(balanced.tolist())
            return TaskSpec(name, task.kind, source.name, length, source.columns, [], classes=classes, role=task.role,
                            weight=task.weight, dropout=task.dropout, class_weights=weights)  # fmt: skip


def _pools(
    specs: dict[str, TaskSpec],
    tasks: dict[str, Task],
    sources: dict[str, Prepared],
    flats: dict[str, Tensor],
    samples: dict[str, Tensor],
) -> list[Pool]:
    """Tasks with windows of one length on one source share a pool when their samples overlap (SHARED_SAMPLES)."""
    groups: dict[tuple[str, int], list[tuple[list[str], Tensor]]] = {}
    for name in sorted(specs, key=lambda task: -len(samples[task])):
        spec = specs[name]
        shelves = groups.setdefault((spec.source, spec.input_len), [])
        for position, (members, union) in enumerate(shelves):
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
                task, spec = tasks[name], specs[name]
                mask: Bool[Tensor, " n"] = torch.isin(union, samples[name], assume_unique=True)
                valid = None if bool(mask.all()) else mask
                if isinstance(task, ForecastTask):
                    every = spec.targets == list(range(len(spec.columns)))
                    channels = None if every else torch.tensor(spec.targets)
                    targets[name] = Target(channels, spec.horizon, None, valid)
                else:
                    labels = torch.full((len(union),), NO_LABEL)
                    labels[mask] = _sample_labels(task, source, length, union[mask])
                    targets[name] = Target(None, 0, labels, valid)
            first = min(members, key=order.index)
            pools.append(Pool(f"{source_name}/{first}", source_name, flats[source_name], length, union, targets))
    return sorted(pools, key=lambda pool: order.index(pool.tasks[0]))


def unlabelled_pools(sources: dict[str, Prepared], input_len: int | None, seed: int, split: Split) -> list[Pool]:
    """Windows without targets for pretraining: every source's own part, never its other parts.

    Args:
        sources: the prepared sources.
        input_len: rows in a window of a series; stored windows keep their own length.
        seed: picks the validation fold of stored windows.
        split: which part.
    """
    pools = []
    for name, source in sources.items():
        fold = seed % source.folds
        mean, std = fit_scaler(source, fold)
        flat = ((source.values - mean) / std).float()
        if source.window is not None:
            assert source.fold is not None
            test, held_out = source.fold == -1, source.fold == fold
            chosen = {"test": test, "val": held_out & ~test, "train": ~test & ~held_out}[split]
            length, starts = source.window, chosen.nonzero().squeeze(1) * source.window
        else:
            assert source.borders is not None
            if input_len is None:
                raise ConfigError(f"params.yaml: `pretrain.input_len` is missing: {name} is a series.")
            first, second, end = source.borders
            begin, stop = {"train": (0, first), "val": (first, second), "test": (second, end)}[split]
            length = input_len
            starts = torch.arange(begin, max(begin, stop - length + 1))
        if len(starts) == 0:
            raise DataError(f"pretrain: {name} has no {split} window of {length} rows.")
        pools.append(Pool(name, name, flat, length, starts, {"": Target(None, 0, None, None)}))
    return pools
