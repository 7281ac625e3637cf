"""Result of a finished run: its network measured on every part, and the files of its folder."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl.data.loading.tasks import TaskSet
from mtl.experiment.outcome import examples, guesses, optimum, stitches
from mtl.experiment.recipe import Recipe
from mtl.experiment.saved import describe
from mtl.experiment.weights import write_weights
from mtl.files import whole_folder
from mtl.grouping.maps import FILE
from mtl.models.base import stored
from mtl.models.multitask import MultiTaskModel
from mtl.models.transfer import Transfer
from mtl.results.examples import Examples
from mtl.results.history import Epoch, History
from mtl.results.kept import write_key
from mtl.results.model import MODEL, WEIGHTS
from mtl.results.numbers import TaskMetrics
from mtl.results.reading import EXAMPLES, HISTORY, RUN
from mtl.results.record import Detail, Handover, Parameters, Phase, Run, SharingKind
from mtl.training.instruments import Instruments
from mtl.training.measure import measure
from mtl.training.state import Fitted
from mtl.types import SPLITS, SourceData, Split


@dataclass(frozen=True)
class Trained:
    """One phase of a run after its last step."""

    tasks: list[str]
    fitted: Fitted
    instruments: Instruments
    test: TaskMetrics
    """Task of the run → test metrics at the end of the phase; empty in a run of one phase."""


@dataclass(frozen=True)
class Finished:
    """A run after its last phase.

    Args:
        recipe: how it was made.
        data: every configured task, for its seed.
        sources: the prepared sources of these tasks, by name.
        model: the network with the weights that were kept, on its device.
        transfer: what came from the pretraining; None where nothing did.
        phases: in order.
        identity: hashes of what the result depends on.
        key: of the run where its stage keeps it; None where it is made anew whenever its stage runs.
    """

    recipe: Recipe
    data: TaskSet
    sources: dict[str, SourceData]
    model: MultiTaskModel
    transfer: Transfer | None
    phases: list[Trained]
    identity: dict[str, str]
    key: str | None = None


def write_run(run: Finished, out: Path) -> Path:
    """Measures the network on every part and writes the run's folder below `out`, whole or not at all."""
    recipe, data = run.recipe, run.data
    specs = {name: data.specs[name] for name in recipe.judged}
    epochs = _epochs(run.phases)
    last = run.phases[-1].fitted
    record = _record(run, len(epochs))
    with whole_folder(out / recipe.where.folder) as folder:
        record.write(folder / RUN)
        starts = [phase.fitted.start for phase in run.phases]
        history = History(starts=starts, epochs=epochs, best_epoch=last.best_epoch, stopped=last.stopped)
        history.write(folder / HISTORY)
        first = recipe.seed == recipe.config.base.seeds[0]
        (examples(run.model, data, specs) if first else Examples()).write(folder / EXAMPLES)
        write_weights(folder / WEIGHTS, stored(run.model))
        weights = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
        describe(recipe, data, run.identity, weights).write(folder / MODEL)
        for phase in run.phases:
            recorder = phase.instruments.recorder
            if recorder is not None:
                recorder.write(folder / FILE, data.select(recipe.judged, "train"), len(phase.fitted.epochs))
        if run.key is not None:
            write_key(folder, run.key)
    return out / recipe.where.folder


def write_network(run: Finished, out: Path) -> Path:
    """Writes the network of a run that was made again, whole or not at all: its weights, what they are, and the
    history, but no measurement, for which parts may be lacking; returns the folder."""
    recipe = run.recipe
    last = run.phases[-1].fitted
    with whole_folder(out / recipe.where.folder) as folder:
        history = History(epochs=_epochs(run.phases), best_epoch=last.best_epoch, stopped=last.stopped)
        history.write(folder / HISTORY)
        write_weights(folder / WEIGHTS, stored(run.model))
        weights = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
        describe(recipe, run.data, run.identity, weights).write(folder / MODEL)
    return out / recipe.where.folder


def _record(run: Finished, epochs: int) -> Run:
    """run.json of a run that trained for `epochs` epochs in all."""
    recipe, data, transfer = run.recipe, run.data, run.transfer
    where, start, tasks = recipe.where, recipe.start, recipe.judged
    fitted = [phase.fitted for phase in run.phases]
    sizes = data.train_sizes()
    metrics, detail = _measured(run)
    assert where.stage != "simple" and where.stage != "pretrain" and where.name is not None
    return Run(
        stage=where.stage,
        name=where.name,
        start=start.label,
        init=start.init,
        freeze=start.freeze,
        width=start.width,
        seed=where.seed,
        fold={name: data.fold[name] for name in {data.specs[task].source for task in tasks}},
        method_kind=recipe.kind,
        tasks=tasks,
        device=next(run.model.parameters()).device.type,
        threads=recipe.config.base.threads,
        epochs_run=epochs,
        best_epoch=fitted[-1].best_epoch,
        stopped=fitted[-1].stopped,
        steps=sum(phase.steps for phase in fitted),
        samples={name: sum(phase.samples.get(name, 0) for phase in fitted) for name in tasks},
        train_size={name: sizes[name] for name in tasks},
        parameters=Parameters.model_validate(run.model.parameter_counts()),
        sharing=SharingKind(kind=recipe.method.sharing.kind),
        stitches=stitches(run.model),
        transfer=None if transfer is None else Handover(handed_over=transfer.handed_over, fresh=transfer.fresh),
        train=metrics["train"],
        val=metrics["val"],
        test=metrics["test"],
        detail=detail,
        optimum=optimum(data, tasks),
        guess=guesses(data, tasks),
        phases=[Phase(tasks=phase.tasks, test=phase.test) for phase in run.phases] if len(run.phases) > 1 else None,
        identity=run.identity,
    )


def _measured(run: Finished) -> tuple[dict[Split, TaskMetrics], dict[str, Detail]]:
    """(split → task → metrics, details on the test part); of the training part, as many samples as that has."""
    data, tasks = run.data, run.recipe.judged
    device = next(run.model.parameters()).device
    specs = {name: data.specs[name] for name in tasks}
    held = sum(len(pool) for pool in data.pools["test"])
    measured: dict[Split, TaskMetrics] = {}
    detail: dict[str, dict[str, Any]] = {}
    for split in SPLITS:
        pools = [pool.to(device) for pool in data.select(tasks, split)]
        if split == "train":
            pools = [pool.at_most(held) for pool in pools]
        measured[split], detail = measure(run.model, pools, specs, detailed=True)
    return measured, {name: Detail.model_validate(content) for name, content in detail.items()}


def _epochs(phases: list[Trained]) -> list[Epoch]:
    """The epochs of all phases, numbered by phase where there are several."""
    if len(phases) == 1:
        return phases[0].fitted.epochs
    return [
        epoch.model_copy(update={"phase": number})
        for number, phase in enumerate(phases, start=1)
        for epoch in phase.fitted.epochs
    ]
