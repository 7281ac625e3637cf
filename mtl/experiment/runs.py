"""One run, from config to result files: pretraining, a single-task baseline, or a joint method."""

import hashlib
import json
import resource
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import torch

from mtl.balancing.build import build_balancer
from mtl.config import Config, Method, NoObjective, SequentialMethod, Start, WeightedMethod
from mtl.data.sampling import JointPlan
from mtl.data.tasks import TaskSet, unlabelled_pools
from mtl.errors import UserError
from mtl.experiment.identity import code_digest, data_digest, digest, settings
from mtl.experiment.objects import build_optimiser, joint_plan, load_sources, load_tasks, pretrained_weights, start_from
from mtl.experiment.outcome import examples, optimum
from mtl.experiment.weights import write_weights
from mtl.files import whole_folder, write_json
from mtl.models.build import MultiTaskModel, build_model, build_pretrainer
from mtl.models.transfer import Transfer
from mtl.paths import REFERENCE, TIMINGS, RunPath
from mtl.seeding import make_deterministic, resolve_device, stable_seed
from mtl.training.checkpoint import Checkpoint
from mtl.training.fit import Budget, Fitted, fit
from mtl.training.measure import measure
from mtl.training.optimiser import adamw
from mtl.training.pretrain import pretext_loss, pretrain
from mtl.training.stopping import Selector
from mtl.types import Prepared

STATES = Path(".mtl/state")
Tell = Callable[[int, int], None]
"""Told after every epoch: (epochs done, epochs at most)."""


def _silent(done: int, total: int) -> None:
    del done, total


def run_pretrain(config: Config, seed: int, root: Path = Path(), tell: Tell = _silent) -> Path:
    """Pretrains the encoder on the training windows of `pretrain.sources`; returns the run's folder."""
    where = RunPath("pretrain", None, None, seed)
    objective, section = config.pretrain.objective, config.pretrain
    names = section.sources or list(config.prepare.sources)
    sources = load_sources(names, root)
    identity = _identity(config, names, root, "base", "encoder", "pretrain")
    identity["config"] = digest([identity["config"], config.train.sampler.model_dump(mode="json")])
    facts: dict[str, Any] = {"stage": "pretrain", "name": None, "seed": seed, "objective": objective.kind,
                             "sources": names, "identity": identity}  # fmt: skip
    if isinstance(objective, NoObjective):
        with whole_folder(root / where.folder) as folder:
            write_json(folder / "run.json", facts | {"val": {}, "parameters": {}})
            write_json(folder / "history.json", {"epochs": []})
        return root / where.folder
    began, clock = datetime.now(UTC), perf_counter()
    make_deterministic(stable_seed(seed, "pretrain"), config.base.threads)
    device = resolve_device(config.base.device)
    train, val = (
        [pool.to(device) for pool in unlabelled_pools(sources, section.input_len, seed, split)]
        for split in ("train", "val")
    )
    lengths = {pool.input_len for pool in train}
    pretrainer = build_pretrainer(config.encoder, objective, lengths, seed).to(device)
    optimiser = adamw([(list(pretrainer.parameters()), section.lr, section.weight_decay)])
    plan = JointPlan({pool.name: len(pool) for pool in train}, section.batch_size, config.train.sampler, seed)
    checkpoint = _checkpoint(where, identity, root)
    history: list[dict[str, Any]] = []
    for record in pretrain(
        pretrainer, optimiser, train, val, plan, section.epochs, section.schedule, section.decay, section.clip, seed,
        checkpoint, history,
    ):  # fmt: skip
        tell(record["epoch"], section.epochs)
    losses = {"loss": pretext_loss(pretrainer, val, seed)}
    if objective.kind == "diffusion":
        losses |= {f"loss_step_{t}": pretext_loss(pretrainer, val, seed, t) for t in (0, objective.steps - 1)}
    counts = {"total": sum(p.numel() for p in pretrainer.parameters()),
              "encoder": sum(p.numel() for p in pretrainer.encoder.parameters())}  # fmt: skip
    _write_timings(where, root, began, perf_counter() - clock, len(history), plan.steps_per_epoch * len(history))
    with whole_folder(root / where.folder) as folder:
        write_json(folder / "run.json", facts | {"val": losses, "parameters": counts})
        write_json(folder / "history.json", {"epochs": history})
        write_weights(folder / "weights.safetensors", pretrainer.transferable())
    checkpoint.remove()
    return root / where.folder


def run_baseline(config: Config, task: str, start: Start, seed: int, root: Path = Path(), tell: Tell = _silent) -> Path:
    """Trains one task alone on its part of the joint plan; returns the run's folder."""
    return _run(config, RunPath("baseline", task, start.label, seed), [task], None, start, root, tell)


def run_finetune(config: Config, name: str, seed: int, root: Path = Path(), tell: Tell = _silent) -> Path:
    """Trains the tasks of a method together; returns the run's folder."""
    method = config.finetune.methods[name]
    where = RunPath("finetune", name, None, seed)
    return _run(config, where, config.method_tasks(name), method, method, root, tell)


def _run(
    config: Config, where: RunPath, tasks: list[str], method: Method | None, start: Start, root: Path, tell: Tell
) -> Path:
    began, clock = datetime.now(UTC), perf_counter()
    make_deterministic(stable_seed(where.seed, "train"), config.base.threads)
    device = resolve_device(config.base.device)
    data, sources = load_tasks(config, where.seed, root)
    plan = joint_plan(config, data, where.seed)
    specs = {name: data.specs[name] for name in tasks}
    model = build_model(config.encoder, list(specs.values()), where.seed)
    transfer = start_from(model, start, config, where.seed, root)
    model = model.to(device)
    identity = _identity(config, list(sources), root, "base", "tasks", "encoder", "train")
    if method is not None:
        identity["config"] = digest([identity["config"], method.model_dump(mode="json", by_alias=True)])
    if start.init == "pretrained":
        weights = pretrained_weights(config, where.seed, root).read_bytes()
        identity["config"] = digest([identity["config"], hashlib.sha256(weights).hexdigest()])
    identity["config"] = digest([identity["config"], start.label])
    fitted: list[Fitted] = []
    phases: list[dict[str, Any]] = []
    parts = _phases(method, specs)
    checkpoints = [_checkpoint(where, identity, root, number) for number in range(len(parts))]
    for number, part in enumerate(parts):
        reference = _reference(config, where, start, part, root) if method is not None else None

        def tell_phase(done: int, total: int, before: int = number) -> None:
            tell(before * total + done, len(parts) * total)

        result = _fit(config, model, data, plan, part, method, reference, checkpoints[number], tell_phase)
        fitted.append(result)
        if len(parts) > 1:
            tested, _ = measure(model, [p.to(device) for p in data.select(tasks, "test")], specs)
            phases.append({"tasks": part, "test": tested})
    seconds = perf_counter() - clock
    folder = _write_run(
        config, where, method, start, data, sources, specs, model, transfer, fitted, phases, identity, root
    )
    _write_timings(where, root, began, seconds, sum(len(f.epochs) for f in fitted), sum(f.steps for f in fitted))
    for checkpoint in checkpoints:
        checkpoint.remove()
    return folder


def _phases(method: Method | None, specs: dict[str, Any]) -> list[list[str]]:
    """Task names of each phase: one phase, or two for a sequential method."""
    if not isinstance(method, SequentialMethod):
        return [list(specs)]
    forecasts = [name for name, spec in specs.items() if spec.kind == "forecast"]
    labels = [name for name, spec in specs.items() if spec.kind != "forecast"]
    return [forecasts, labels] if method.first == "forecast" else [labels, forecasts]


def _fit(
    config: Config, model: MultiTaskModel, data: TaskSet, plan: JointPlan, tasks: list[str], method: Method | None,
    reference: dict[str, float] | None, checkpoint: Checkpoint, tell: Tell,
) -> Fitted:  # fmt: skip
    """One phase of training on `model`, in place."""
    device = next(model.parameters()).device
    specs = {name: data.specs[name] for name in tasks}
    balancer = build_balancer(method, list(specs.values())).to(device)
    optimiser = build_optimiser(config, model, tasks, balancer, method)
    lam = method.lam if isinstance(method, WeightedMethod) else None
    selector = Selector(config.train.stopping, list(specs.values()), lam, reference)
    train = config.train
    budget = Budget(train.epochs, train.schedule, train.clip, train.gradient_probes)
    pools = {split: [pool.to(device) for pool in data.select(tasks, split)] for split in ("train", "val")}
    fitted = Fitted()
    for record in fit(
        model, balancer, optimiser, pools["train"], pools["val"], plan, specs, budget, selector, checkpoint, fitted
    ):
        tell(record["epoch"], train.epochs)
    fitted.best_epoch = selector.best_epoch
    return fitted


def _reference(config: Config, where: RunPath, start: Start, tasks: list[str], root: Path) -> dict[str, float] | None:
    """Forecast → validation MSE of the single-task run with the same seed and start, for `constrained`."""
    if config.train.stopping.criterion != "constrained":
        return None
    path = root / REFERENCE
    if not path.exists():
        raise UserError(f"{REFERENCE} is missing; run `dvc repro reference`.")
    known = json.loads(path.read_text())
    return {name: known[name][start.label][str(where.seed)] for name in tasks if config.tasks[name].kind == "forecast"}


def _write_run(
    config: Config, where: RunPath, method: Method | None, start: Start, data: TaskSet, sources: dict[str, Prepared],
    specs: dict[str, Any], model: MultiTaskModel, transfer: Transfer | None, fitted: list[Fitted],
    phases: list[dict[str, Any]], identity: dict[str, str], root: Path,
) -> Path:  # fmt: skip
    """Measures the selected model on every part and writes the run's folder, whole or not at all."""
    device = next(model.parameters()).device
    tasks = list(specs)
    measured: dict[str, Any] = {}
    std = {name: scale for name, (_, scale) in data.scalers.items()}
    splits: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")
    detail: dict[str, Any] = {}
    held = sum(len(pool) for pool in data.pools["test"])
    for split in splits:
        pools = [pool.to(device) for pool in data.select(tasks, split)]
        if split == "train":
            pools = [pool.at_most(held) for pool in pools]
        measured[split], detail = measure(model, pools, specs, std, data.units)
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
        "transfer": None if transfer is None else {"handed_over": transfer.handed_over, "fresh": transfer.fresh},
        "train": measured["train"],
        "val": measured["val"],
        "test": measured["test"],
        "detail": detail,
        "optimum": optimum(data, sources, tasks),
        "phases": phases or None,
        "identity": identity,
    }
    with whole_folder(root / where.folder) as folder:
        write_json(folder / "run.json", run)
        write_json(
            folder / "history.json", {"epochs": epochs, "best_epoch": run["best_epoch"], "stopped": run["stopped"]}
        )
        first = where.seed == config.base.seeds[0]
        write_json(folder / "examples.json", examples(model, data, specs) if first else {})
        write_weights(folder / "weights.safetensors", model.state_dict())
    return root / where.folder


def _identity(config: Config, sources: list[str], root: Path, *sections: str) -> dict[str, str]:
    return {"config": digest(settings(config, *sections)), "data": data_digest(sources, root)}


def _checkpoint(where: RunPath, identity: dict[str, str], root: Path, phase: int = 0) -> Checkpoint:
    key = digest([where.folder.as_posix(), identity, code_digest(), torch.__version__, phase])
    return Checkpoint(root / STATES / f"{key[:32]}.safetensors")


def _write_timings(where: RunPath, root: Path, began: datetime, seconds: float, epochs: int, steps: int) -> None:
    """Facts of this execution, apart from the results: never compared, never a dependency."""
    path = root / TIMINGS / where.folder.relative_to("outputs").with_suffix(".json")
    write_json(path, {
        "train_seconds": seconds,
        "epochs": epochs,
        "steps": steps,
        "started": began.isoformat(),
        "finished": datetime.now(UTC).isoformat(),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    })  # fmt: skip
