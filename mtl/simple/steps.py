"""Simple models of the class at every row of a series: those of labels, on each row and the rows before it.

n windows of L rows, R rows of a source, r rows that a model reads.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from mtl.config.simple import SimpleConfig
from mtl.data.inputs.tiles import answered
from mtl.data.loading.pools import Pool, Target
from mtl.data.loading.tasks import TaskSet
from mtl.models.simple.network import SimpleNetwork
from mtl.results.simple import LinearFit, StepFit, TreesFit
from mtl.simple.candidates import Candidate, make_network, part_of
from mtl.simple.samples import SampleModels
from mtl.tasks.base import TaskSpec
from mtl.tasks.forms import LabelForm
from mtl.training.measure import predict
from mtl.types import NO_LABEL, SPLITS, Split


class StepModels:
    """Simple models of the tasks of a run that learn a class at every row of a series.

    Args:
        config: section `simple`.
        data: every task of the run.
        threads: that a fit may use.
    """

    def __init__(self, config: SimpleConfig, data: TaskSet, threads: int) -> None:
        self.config, self.data, self.threads = config, data, threads

    def candidates(self, spec: TaskSpec, skipped: dict[str, str]) -> Iterator[Candidate]:
        """The models of labels that are tried; what is skipped is noted in `skipped`."""
        rows = rows_read(spec)
        alone = at_last_rows(self.data, spec)
        own = alone.specs[spec.name]
        form = own.form
        assert isinstance(form, LabelForm)
        val = part_of(self.data, spec.name, "val")
        for candidate in SampleModels(self.config, alone, self.threads).candidates(own, form, skipped):
            assert isinstance(candidate.fit, LinearFit | TreesFit)
            fit, network = every_step(spec, candidate.fit, candidate.network)
            prediction, _ = predict(network, [val])[spec.name]
            before = f"of a row and the {rows - 1} before it" if rows > 1 else "of a row"
            yield Candidate(candidate.model, f"{candidate.about}, {before}", fit, network, prediction)


def rows_read(spec: TaskSpec) -> int:
    """r: as many as stand before and with the first row that a window answers, so that networks see as many or more."""
    return spec.input_len - answered(spec.input_len) + 1


def every_step(spec: TaskSpec, fit: LinearFit | TreesFit, network: SimpleNetwork) -> tuple[StepFit, SimpleNetwork]:
    """The model of one row as that of every row of a window.

    Args:
        spec: the task.
        fit: what model.json says of the model of one row.
        network: that model.
    """
    whole = StepFit(rows=rows_read(spec), fit=fit)
    arrays = {f"body.{name}": value for name, value in network.body.state_dict().items()}
    return whole, make_network(whole, spec, arrays)


def at_last_rows(data: TaskSet, spec: TaskSpec) -> TaskSet:
    """The task as that of the class of the last row of windows of r rows: of every row that it is trained on, or
    measured by.

    Rows with fewer than r before them in their series are left out.

    Args:
        data: every task of the run.
        spec: the task.
    """
    rows = rows_read(spec)
    pools = {split: _last_rows(data, spec, split, rows) for split in SPLITS}
    return replace(data, specs={spec.name: spec.of_one_step(rows)}, pools=pools)


def _last_rows(data: TaskSet, spec: TaskSpec, split: Split, rows: int) -> list[Pool]:
    if not data.select([spec.name], split):
        return []
    source, fitted, fold = data.sources[spec.source], data.fitted[spec.source], data.fold[spec.source]
    pool = part_of(data, spec.name, split)
    classes = _of_rows(pool, spec, source.size)
    numbers = source.numbers_of(split, fold, rows, 0)
    numbers = numbers[classes[numbers + rows - 1] != NO_LABEL]
    target = Target(classes[numbers + rows - 1])
    return [Pool(pool.name, pool.source, source.sampler(fitted, 0)(numbers, rows), {spec.name: target})]


def _of_rows(pool: Pool, spec: TaskSpec, size: int) -> Int[Tensor, " R"]:
    """Class of each row of a source that counts in some window of a pool, NO_LABEL elsewhere."""
    values = pool.positions[spec.name]
    classes = torch.full((size,), NO_LABEL, dtype=torch.int64)
    for step, column in enumerate(values.unbind(1)):
        there = column != NO_LABEL
        classes[pool.samples.numbers[there] + step] = column[there].long()
    return classes
