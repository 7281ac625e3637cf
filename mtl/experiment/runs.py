"""One run of a single-task baseline or of a joint method, from its recipe to result files."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter

from mtl.balancing.build import build_balancer
from mtl.config import Config, Start, WeightedMethod
from mtl.config.balancing import GradientMethod, Surrogate
from mtl.data.loading.pools import Pool
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.tasks import TaskSet
from mtl.errors import SettingError, UserError
from mtl.experiment.easing import eased_plan
from mtl.experiment.execution import OnEpoch, Tell, silent, unheard, write_timings
from mtl.experiment.identity import run_identity, run_key, state_key
from mtl.experiment.objects import augmentation, build_instruments, build_optimiser, joint_plan, load_tasks, start_from
from mtl.experiment.recipe import Phase, Recipe, joint, single_task
from mtl.experiment.reference import reference_of
from mtl.experiment.result import Finished, Trained, write_network, write_run
from mtl.experiment.saved import build_network
from mtl.experiment.states import held, note_finished, state_files
from mtl.models.kept_features import keeping
from mtl.models.multitask import MultiTaskModel
from mtl.results.numbers import TaskMetrics
from mtl.seeding import make_deterministic, resolve_device, stable_seed
from mtl.training.average import Average
from mtl.training.fit import fit
from mtl.training.instruments import Instruments
from mtl.training.measure import measure
from mtl.training.state import Budget, Fitted, TrainingData, TrainingState
from mtl.training.stopping import LastEpoch, Selector
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
        root, tell, out, on_epoch: as in `run`.
    """
    return run(single_task(config, task, start, seed), root, tell, out, on_epoch)


def run_finetune(
    config: Config, name: str, seed: int, root: Path = Path(), tell: Tell = silent,
    out: Path | None = None, on_epoch: OnEpoch = unheard,
) -> Path:  # fmt: skip
    """Trains the tasks of the method `name` together; returns the run's folder. Arguments as in `run_baseline`."""
    return run(joint(config, name, seed), root, tell, out, on_epoch)


def run(
    recipe: Recipe, root: Path = Path(), tell: Tell = silent, out: Path | None = None, on_epoch: OnEpoch = unheard
) -> Path:
    """Makes a run from its recipe, or goes on with one that was interrupted; returns its folder.

    Args:
        recipe: what is trained, and how.
        root: folder of the project: prepared data, pretrained weights and single-task runs are read below it; of a run
            that is made again the single-task runs, which are as well, below `out`.
        tell: told the progress.
        out: folder below which results, states and times are written; None: `root`.
        on_epoch: given the record of every epoch that is trained; what it raises ends the run, whose state stays.

    Raises:
        UserError: something that the run needs is not there, it cannot be written, or its losses diverged.
    """
    out, config, where = root if out is None else out, recipe.config, recipe.where
    with held(where, out), keeping(root if config.train.augment is None else None):
        began, clock = datetime.now(UTC), perf_counter()
        make_deterministic(stable_seed(recipe.seed, "train"), config.base.threads)
        device = resolve_device(config.base.device)
        data, sources = load_tasks(config, recipe.seed, root, recipe.extent)
        check_features(recipe, data.select(recipe.tasks, "train"))
        of_models = root if recipe.again is None else out
        plan = eased_plan(recipe, data, joint_plan(config, data, recipe.seed), of_models)
        model = build_network(recipe, data, None if recipe.again is None else partial(_chosen_on, recipe, root))
        transfer = start_from(model, recipe, root)
        model = model.to(device)
        identity = run_identity(recipe, root, of_models)
        phases = recipe.phases
        key = state_key(config, where, identity, root)
        made_of = run_key(recipe, identity, root) if recipe.kept else None
        states = state_files(where, key, len(phases), config.base.state_seconds, out)
        trained: list[Trained] = []
        budgets = _budgets(recipe)
        total = sum(budget.trained for budget in budgets)
        for phase, budget, checkpoint in zip(phases, budgets, states, strict=True):
            state, samples = prepare_phase(recipe, phase, model, data, plan, reference_of(recipe, phase, root))
            heard, before = 0, sum(budget.trained for budget in budgets[: len(trained)])
            for record in fit(state, samples, budget, checkpoint):
                heard = _hear(state.fitted, heard, on_epoch)
                tell(before + record.epoch, total)
            _hear(state.fitted, heard, on_epoch)
            test: TaskMetrics = {}
            if len(phases) > 1 and recipe.again is None:
                pools = [pool.to(device) for pool in data.select(recipe.tasks, "test")]
                test, _ = measure(model, pools, {name: data.specs[name] for name in recipe.tasks}, detailed=True)
            trained.append(Trained(phase.tasks, state.fitted, state.instruments, test))
        seconds = perf_counter() - clock + sum(state.spent for state in states)
        finished = Finished(recipe, data, sources, model, transfer, trained, identity, made_of)
        folder = write_run(finished, out) if recipe.again is None else write_network(finished, out)
        fitted = [phase.fitted for phase in trained]
        write_timings(where, out, began, seconds, sum(len(f.epochs) for f in fitted), sum(f.steps for f in fitted))
        note_finished(where, states, out)
    return folder


def prepare_phase(
    recipe: Recipe, phase: Phase, model: MultiTaskModel, data: TaskSet, plan: JointPlan,
    reference: dict[str, float] | None,
) -> tuple[TrainingState, TrainingData]:  # fmt: skip
    """State and data of the training of one phase of a run; `model` is trained in place."""
    train, method = recipe.config.train, phase.method
    device = next(model.parameters()).device
    specs = {name: data.specs[name] for name in phase.tasks}
    if isinstance(method, GradientMethod):
        all_in_every_step(plan, [pool.name for pool in data.select(phase.tasks, "train")], train.epochs)
    balancer = build_balancer(method, list(specs.values()), recipe.seed).to(device)
    optimiser = build_optimiser(train, model, phase.tasks, balancer, method)
    lam = method.lam if isinstance(method, WeightedMethod) else None
    kind = Selector if recipe.again is None else LastEpoch
    selector = kind(train.stopping, list(specs.values()), lam, reference)
    pools = {split: [pool.to(device) for pool in data.select(phase.tasks, split)] for split in SPLITS}
    instruments = Instruments()  # they change nothing, and nobody asks what they saw of a run that is made again
    if recipe.again is None:
        instruments = build_instruments(train, method, specs, pools, plan).to(device)
    starts = {} if method.curriculum is None else method.curriculum.start_epoch
    average = None if train.average is None else Average(model, train.average.decay)
    state = TrainingState(specs, model, balancer, optimiser, selector, instruments, average=average)
    augment = augmentation(train, recipe.seed, pools["train"], specs)
    return state, TrainingData(pools["train"], pools["val"], plan, starts, augment)


def _chosen_on(recipe: Recipe, root: Path) -> TaskSet:
    """The tasks as the run had them that is made again: with the validation part that made its choices."""
    return load_tasks(recipe.config, recipe.seed, root)[0]


def _budgets(recipe: Recipe) -> list[Budget]:
    """The budget of each phase."""
    train = recipe.config.train
    only: Sequence[int | None] = [None] * len(recipe.phases) if recipe.again is None else recipe.again.epochs
    return [Budget(train.epochs, train.schedule, train.clip, only=epochs) for epochs in only]


def _hear(fitted: Fitted, heard: int, on_epoch: OnEpoch) -> int:
    """Hands over the records after the first `heard`: the last one, and those that a state held; how many there are."""
    for record in fitted.epochs[heard:]:
        on_epoch(record)
    return len(fitted.epochs)


def check_features(recipe: Recipe, pools: list[Pool]) -> None:
    """Refuses a method on the features for tasks that do not read the same samples.

    Args:
        recipe: of the run.
        pools: of the run's tasks.

    Raises:
        SettingError: there is more than one pool; names their tasks and sizes.
    """
    method = recipe.method
    if isinstance(method, Surrogate) and method.features == "features" and len(pools) > 1:
        path = f"finetune.methods.{recipe.where.name}.features"
        listed = "; ".join(f"{', '.join(pool.tasks)} ({len(pool):,} samples)" for pool in pools)
        raise SettingError(path, f"should be exact for tasks that do not read the same samples, found 'features' for "
                                 f"{listed}.")  # fmt: skip


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
