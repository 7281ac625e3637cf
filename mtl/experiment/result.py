"""What a finished run leaves: its model measured on every part, and the files of its folder."""

from pathlib import Path
from typing import Any

from mtl.config import Config, Method, Start
from mtl.data.loading.tasks import TaskSet
from mtl.experiment.outcome import examples, optimum, stitches
from mtl.experiment.weights import write_weights
from mtl.files import whole_folder, write_json
from mtl.grouping.maps import FILE
from mtl.models.build import MultiTaskModel
from mtl.models.transfer import Transfer
from mtl.paths import RunPath
from mtl.training.fit import Fitted
from mtl.training.measure import measure
from mtl.types import SPLITS, SourceData


def write_run(
    config: Config, where: RunPath, method: Method | None, start: Start, data: TaskSet, sources: dict[str, SourceData],
    specs: dict[str, Any], model: MultiTaskModel, transfer: Transfer | None, fitted: list[Fitted],
    phases: list[dict[str, Any]], identity: dict[str, str], out: Path,
) -> Path:  # fmt: skip
    """Measures the selected model on every part and writes the run's folder, whole or not at all."""
    device = next(model.parameters()).device
    tasks = list(specs)
    measured: dict[str, Any] = {}
    std = {name: scale for name, (_, scale) in data.scalers.items()}
    detail: dict[str, Any] = {}
    held = sum(len(pool) for pool in data.pools["test"])
    for split in SPLITS:
        pools = [pool.to(device) for pool in data.select(tasks, split)]
        if split == "train":
            pools = [pool.at_most(held) for pool in pools]
        measured[split], detail = measure(model, pools, specs, std, data.units, detailed=True)
    counts = model.parameter_counts()
    epochs = [
        ({"phase": number} if len(fitted) > 1 else {}) | record
        for number, phase in enumerate(fitted, start=1)
        for record in phase.epochs
    ]
    run = {
        "stage": where.stage,
        "name": where.name,
        "start": start.label,
        "init": start.init,
        "freeze": start.freeze,
        "seed": where.seed,
        "fold": {name: data.fold[name] for name in {spec.source for spec in specs.values()}},
        "method_kind": "stl" if method is None else method.kind,
        "tasks": tasks,
        "device": device.type,
        "threads": config.base.threads,
        "epochs_run": len(epochs),
        "best_epoch": fitted[-1].best_epoch,
        "stopped": fitted[-1].stopped,
        "steps": sum(phase.steps for phase in fitted),
        "samples": {name: sum(phase.samples.get(name, 0) for phase in fitted) for name in tasks},
        "train_size": {name: data.train_sizes()[name] for name in tasks},
        "parameters": counts,
        "sharing": {"kind": "hard" if method is None else method.sharing.kind},
        "width": start.width,
        "stitches": stitches(model),
        "transfer": None if transfer is None else {"handed_over": transfer.handed_over, "fresh": transfer.fresh},
        "train": measured["train"],
        "val": measured["val"],
        "test": measured["test"],
        "detail": detail,
        "optimum": optimum(data, sources, tasks),
        "phases": phases or None,
        "identity": identity,
    }
    with whole_folder(out / where.folder) as folder:
        write_json(folder / "run.json", run)
        write_json(
            folder / "history.json", {"epochs": epochs, "best_epoch": run["best_epoch"], "stopped": run["stopped"]}
        )
        first = where.seed == config.base.seeds[0]
        write_json(folder / "examples.json", examples(model, data, specs) if first else {})
        write_weights(folder / "weights.safetensors", model.state_dict())
        for phase in fitted:
            if phase.recorder is not None:
                phase.recorder.write(folder / FILE, data.select(tasks, "train"), len(phase.epochs))
    return out / where.folder
