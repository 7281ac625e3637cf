"""One run of a single-task baseline or of a joint method, from config to result files."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from mtl.balancing.build import build_balancer
from mtl.config import Config, Method, SequentialMethod, Start, WeightedMethod
from mtl.config.balancing import GradientMethod, Surrogate
from mtl.config.sharing import HardSharing
from mtl.data.loading.pools import Pool
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.tasks import TaskSet
from mtl.errors import SettingError, UserError
from mtl.experiment.easing import curriculum_digests, eased_plan
from mtl.experiment.execution import OnEpoch, Tell, silent, unheard, write_timings
from mtl.experiment.identity import digest, run_identity, state_key
from mtl.experiment.objects import build_optimiser, joint_plan, load_tasks, own_training, run_encoder, start_from
from mtl.experiment.result import write_run
from mtl.experiment.states import held, note_finished, state_files
from mtl.models.build import MultiTaskModel, build_model
from mtl.paths import REFERENCE, RunPath
from mtl.seeding import make_deterministic, resolve_device, stable_seed
from mtl.training.checkpoint import Checkpoint
from mtl.training.fit import Budget, Fitted, fit
from mtl.training.lookahead import Lookahead
from mtl.training.measure import measure
from mtl.training.recording import Recorder
from mtl.training.stopping import Selector
from mtl.types import SPLITS


def run_baseline(
    config: Config, task: str, start: Start, seed: int, root: Path = Path(), tell: Tell = silent,
    out: Path | None = None, on_epoch: OnEpoch = unheard,
) -> Path:  # fmt: skip
    """Trains one task alone on its part of the joint plan; returns the run's folder.

    Args:
        config: the whole configuration.
        task: name of the task.
        start: where the encoder starts.
        seed: of this run.
        root: folder of the project: prepared data and pretrained weights are read below it.
        tell: told the progress.
        out: folder below which results, states and times are written; None: `root`.
        on_epoch: given the record of every epoch that is trained; what it raises ends the run, whose state stays.
    """
    where = RunPath("baseline", task, start.label, seed)
    return _run(config, where, [task], None, start, root, tell, root if out is None else out, on_epoch)


def run_finetune(
    config: Config, name: str, seed: int, root: Path = Path(), tell: Tell = silent,
    out: Path | None = None, on_epoch: OnEpoch = unheard,
) -> Path:  # fmt: skip
    """Trains the tasks of the method `name` together; returns the run's folder. Arguments as in `run_baseline`."""
    method = config.finetune.methods[name]
    where = RunPath("finetune", name, None, seed)
    out = root if out is None else out
    return run_method(config, where, config.method_tasks(name), method, root, tell, out, on_epoch)


def run_method(
    config: Config, where: RunPath, tasks: list[str], method: Method, root: Path = Path(), tell: Tell = silent,
    out: Path | None = None, on_epoch: OnEpoch = unheard,
) -> Path:  # fmt: skip
    """Trains `tasks` together as `method` says; returns the run's folder, `where`. Arguments as in `run_baseline`."""
    return _run(
        own_training(config, method), where, tasks, method, method, root, tell, root if out is None else out, on_epoch
    )


def _run(
    config: Config, where: RunPath, tasks: list[str], method: Method | None, start: Start, root: Path, tell: Tell,
    out: Path, on_epoch: OnEpoch,
) -> Path:  # fmt: skip
    with held(where, out):
        began, clock = datetime.now(UTC), perf_counter()
        make_deterministic(stable_seed(where.seed, "train"), config.base.threads)
        device = resolve_device(config.base.device)
        data, sources = load_tasks(config, where.seed, root)
        if where.stage == "finetune" and isinstance(method, Surrogate) and method.features == "features":
            on_one_batch(f"finetune.methods.{where.name}.features", data.select(tasks, "train"))
        plan = eased_plan(config, method, tasks, data, joint_plan(config, data, where.seed), where.seed, root)
        specs = {name: data.specs[name] for name in tasks}
        sharing = HardSharing() if method is None else method.sharing
        model = build_model(run_encoder(config, start), list(specs.values()), where.seed, sharing)
        transfer = start_from(model, start, config, where.seed, root)
        model = model.to(device)
        identity = run_identity(config, method, start, where.seed, root)
        if eased := curriculum_digests(method, tasks, where.seed, root):
            identity["curriculum"] = digest(eased)
        parts = _phases(method, specs)
        states = state_files(
            where, state_key(config, where, identity, root), len(parts), config.base.state_seconds, out
        )
        fitted: list[Fitted] = []
        phases: list[dict[str, Any]] = []
        for number, part in enumerate(parts):
            reference = _reference(config, where, start, part, root) if method is not None else None

            def tell_phase(done: int, total: int, before: int = number) -> None:
                tell(before * total + done, len(parts) * total)

            # A target's own phase weighs its one loss by 1, as the single-task run does.
            weighing = None if method is not None and part == [method.target] and number else method
            result = _fit(config, model, data, plan, part, weighing, reference, states[number], tell_phase, on_epoch)
            fitted.append(result)
            if len(parts) > 1:
                tested, _ = measure(model, [p.to(device) for p in data.select(tasks, "test")], specs, detailed=True)
                phases.append({"tasks": part, "test": tested})
        seconds = perf_counter() - clock + sum(state.spent for state in states)
        if method is not None and method.target is not None:
            specs = {method.target: specs[method.target]}
        folder = write_run(
            config, where, method, start, data, sources, specs, model, transfer, fitted, phases, identity, out
        )
        write_timings(where, out, began, seconds, sum(len(f.epochs) for f in fitted), sum(f.steps for f in fitted))
        note_finished(where, states, out)
    return folder


def _phases(method: Method | None, specs: dict[str, Any]) -> list[list[str]]:
    """Task names of each phase: one phase, two for a sequential method or one with a target."""
    if method is not None and method.target is not None:
        return [list(specs), [method.target]]
    if not isinstance(method, SequentialMethod):
        return [list(specs)]
    forecasts = [name for name, spec in specs.items() if spec.kind == "forecast"]
    labels = [name for name, spec in specs.items() if spec.kind != "forecast"]
    return [forecasts, labels] if method.first == "forecast" else [labels, forecasts]


def _fit(
    config: Config, model: MultiTaskModel, data: TaskSet, plan: JointPlan, tasks: list[str], method: Method | None,
    reference: dict[str, float] | None, checkpoint: Checkpoint, tell: Tell,
    on_epoch: OnEpoch,
) -> Fitted:  # fmt: skip
    """One phase of training on `model`, in place."""
    device = next(model.parameters()).device
    specs = {name: data.specs[name] for name in tasks}
    if isinstance(method, GradientMethod):
        all_in_every_step(plan, [pool.name for pool in data.select(tasks, "train")], config.train.epochs)
    balancer = build_balancer(method, list(specs.values()), plan.seed).to(device)
    optimiser = build_optimiser(config, model, tasks, balancer, method)
    lam = method.lam if isinstance(method, WeightedMethod) else None
    selector = Selector(config.train.stopping, list(specs.values()), lam, reference)
    train = config.train
    starts = {} if method is None or method.curriculum is None else method.curriculum.start_epoch
    budget = Budget(train.epochs, train.schedule, train.clip, train.gradient_probes, starts)
    pools = {split: [pool.to(device) for pool in data.select(tasks, split)] for split in SPLITS}
    watched = pools["test"] if train.watch_test else []
    fitted = Fitted()
    if method is not None and method.datamap is not None:
        fitted.recorder = Recorder(method.datamap, pools["train"], specs, _first_draws(plan)).to(device)
    if method is not None and method.lookahead is not None:
        lr = train.lr if method.lookahead.lr is None else method.lookahead.lr
        fitted.lookahead = Lookahead(list(specs), method.lookahead.every, lr).to(device)
    heard = 0
    for record in fit(
        model, balancer, optimiser, pools["train"], pools["val"], plan, specs, budget, selector, checkpoint, fitted,
        watched,
    ):  # fmt: skip
        heard = _hear(fitted, heard, on_epoch)
        tell(record["epoch"], train.epochs)
    _hear(fitted, heard, on_epoch)
    fitted.best_epoch = selector.best_epoch
    return fitted


def on_one_batch(path: str, pools: list[Pool]) -> None:
    """Refuses a method on the features for tasks that do not read the same samples.

    Args:
        path: of the setting.
        pools: of the method's tasks.

    Raises:
        SettingError: there is more than one pool; names their tasks and sizes.
    """
    if len(pools) > 1:
        found = "; ".join(f"{', '.join(pool.tasks)} ({len(pool):,} samples)" for pool in pools)
        raise SettingError(path, f"should be exact for tasks that do not read the same samples, found 'features' for "
                                 f"{found}.")  # fmt: skip


def all_in_every_step(plan: JointPlan, pools: list[str], epochs: int) -> None:
    """Refuses a plan in which a method that combines gradients would not see those of all tasks.

    Raises:
        UserError: names the first step without a sample of one of the pools.
    """
    gap = plan.first_gap(pools, epochs)
    if gap is not None:
        epoch, step, pool = gap
        raise UserError(
            "a method that combines gradients needs samples of all tasks in every step; `train.sampler` gives step "
            f"{step} of epoch {epoch} none of {pool}. A larger `train.batch_size` or `kind: uniform` does."
        )


def _first_draws(plan: JointPlan) -> dict[str, int]:
    """Pool → how many samples of it the first epoch holds."""
    counts: Counter[str] = Counter()
    for step in next(iter(plan.epochs(1))):
        counts.update({name: len(index) for name, index in step.items()})
    return counts


def _hear(fitted: Fitted, heard: int, on_epoch: OnEpoch) -> int:
    """Hands over the records after the first `heard`: the last one, and those that a state held; how many there are."""
    for record in fitted.epochs[heard:]:
        on_epoch(record)
    return len(fitted.epochs)


def _reference(config: Config, where: RunPath, start: Start, tasks: list[str], root: Path) -> dict[str, float] | None:
    """Forecast → validation MSE of the single-task run with the same seed and start, for `constrained`."""
    if config.train.stopping.criterion != "constrained":
        return None
    path = root / REFERENCE
    if not path.exists():
        raise UserError(f"{REFERENCE} is missing; run `dvc repro reference`.")
    known = json.loads(path.read_text())["mse"]
    return {name: known[name][start.label][str(where.seed)] for name in tasks if config.tasks[name].kind == "forecast"}
