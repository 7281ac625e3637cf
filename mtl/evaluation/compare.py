"""Joint training against single-task training (STL): the content of verdicts.json.

A pair shares task, seed and start. Every change is signed so that positive is better, in percent of the STL value of
the same seed. Intervals over seeds cover the randomness of training alone; those for new data also the choice of the
test samples (`mtl/evaluation/components.py`).
"""

from collections.abc import Iterable, Mapping, Sequence

from mtl.config import Config, SequentialMethod, Start, WeightedMethod
from mtl.config.budgets import STL, budgets
from mtl.config.metrics import METRICS
from mtl.evaluation.advise import advice, first_look
from mtl.evaluation.comparison import Comparison
from mtl.evaluation.describe import describe
from mtl.evaluation.family import judge_family
from mtl.evaluation.mend import mend_first, with_mending
from mtl.evaluation.new_data import Errors, components_of
from mtl.evaluation.published import published
from mtl.evaluation.rows import Pairs, changes_of, gap_closed, paired, row, unpaired
from mtl.evaluation.scores import label_scores
from mtl.evaluation.simple import most_chosen
from mtl.evaluation.sweeps import capacity, label_fractions
from mtl.results.history import History
from mtl.results.quick import QuickLook
from mtl.results.record import Detail, Run
from mtl.results.verdicts import (
    Costs,
    Forgetting,
    JudgedMethod,
    JudgedTask,
    ParameterCounts,
    SimpleResult,
    StartEffect,
    TrialsOfRow,
    Tuning,
    Verdicts,
)


def compare(
    config: Config,
    runs: Iterable[Run],
    histories: Iterable[tuple[Run, History]] = (),
    likeness: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    errors: Errors | None = None,
) -> Verdicts:
    """Verdicts without groupings and evidence.

    Args:
        config: the settings.
        runs: at least the config's (`read_runs`), in any order; others are ignored.
        histories: the same runs with their histories, which only `train.watch_test` needs.
        likeness: method → pair of tasks → correlation of their data maps in each run; of methods that record maps.
        errors: reads the errors of a task's test samples, by which intervals also cover the choice of test data; None
            leaves them to cover training alone.

    Raises:
        UserError: a run is missing or a metric is not finite.
    """
    made = Comparison(config, runs)
    judged = [(method, task) for method in config.finetune.methods for task in config.judged_tasks(method)]
    pairs = [paired(made, method, task) for method, task in judged if made.alone(task)]
    # One family: every method on every task.
    parts = components_of(made, pairs, errors)
    family = [changes_of(made, pair, part) for pair, part in zip(pairs, parts, strict=True)]
    judgements = judge_family(family, made.confidence, config.evaluate.interval)
    tuning = _tuning(config)
    starts = [*config.baseline.starts, *config.finetune.methods.values()]
    verdicts = Verdicts(
        confidence=made.confidence,
        tolerance=config.evaluate.tolerance,
        margin=config.evaluate.margin,
        interval=config.evaluate.interval,
        seeds=list(made.seeds),
        conditional_on_one_pretraining=config.pretrain.shared and any(s.init == "pretrained" for s in starts),
        tasks=[_task(made, name) for name in config.tasks],
        methods=[_method(made, name, pairs) for name in config.finetune.methods],
        rows=[
            row(made, pair, judgement, _trials(tuning, pair.method))
            for pair, judgement in zip(pairs, judgements, strict=True)
        ],
        unpaired=[unpaired(made, method, task) for method, task in judged if not made.alone(task)],
        forgetting=[entry for name in config.finetune.methods for entry in _forgetting(made, name)],
        starts=[entry for name in config.baseline_tasks for entry in _starts(made, name)],
        costs=Costs(parameters=_parameters(made)),
        labels=label_scores(made),
        published=published(made, histories),
        capacity=capacity(made),
        fractions=label_fractions(made),
        likeness={
            method: {pair: made.interval(values) for pair, values in by_pair.items()}
            for method, by_pair in (likeness or {}).items()
        },
        tuning=tuning,
        quick=QuickLook.of(config),
        advice="",
        grouping=None,
        evidence=[],
    )
    if verdicts.quick is not None:
        return verdicts.with_advice(first_look(verdicts))
    first = mend_first(config, verdicts)
    return verdicts.with_advice(with_mending(first, advice(verdicts, config.finetune.methods)))


def _tuning(config: Config) -> Tuning | None:
    """Finished trials of tuning of every arm; None where none was tuned."""
    if config.evaluate.trials is None:
        return None
    counts = budgets(config.evaluate.trials, config.finetune.methods)
    return Tuning(trials=counts["trials"], equal=counts["equal"], shared_by=config.evaluate.shared_by)


def _trials(tuning: Tuning | None, method: str) -> TrialsOfRow | None:
    """Finished trials behind the two sides of a row."""
    if tuning is None:
        return None
    single, joint = tuning.trials[STL], tuning.trials[method]
    return TrialsOfRow(stl=single, joint=joint, equal=single == joint)


def _task(made: Comparison, name: str) -> JudgedTask:
    spec = made.config.tasks[name]
    run = made.first_run(name)
    detail = Detail() if run is None else run.detail[name]
    return JudgedTask(
        name=name,
        kind=spec.kind,
        source=spec.source,
        role=spec.role,
        metric=spec.primary_metric,
        lower_is_better=spec.lower_is_better,
        input_len=spec.input_len,
        horizon=spec.rows_ahead or None,
        classes=detail.classes or [],
        train_size=None if run is None else run.train_size[name],
        alone=made.alone(name),
        optimum=made.optimum(name),
        # What is z-scored, and shares, are pure numbers.
        unit=detail.unit if METRICS[spec.primary_metric].unit == "original" else None,
        simple=_simple(made, name),
    )


def _simple(made: Comparison, task: str) -> SimpleResult | None:
    """Best simple model of a task; None where no simple models were asked for."""
    models = made.simple(task)
    if not models:
        return None
    values, lower = made.values(models, task), made.config.tasks[task].lower_is_better
    gap = None
    if made.alone(task):
        alone = made.values(made.stl(task, made.config.baseline.starts[0].label), task)
        gap = gap_closed(alone, values, made.optimum(task), lower, made.confidence)
    return SimpleResult(
        model=most_chosen(models),
        by_seed=[run.simple.model for run in models if run.simple is not None],
        summary=made.summary(values, made.config.tasks[task].primary_metric),
        gap=gap,
    )


def _method(made: Comparison, name: str, pairs: Sequence[Pairs]) -> JudgedMethod:
    """A method with Δm: the mean change over its main tasks that have single-task models, seed by seed, then over
    seeds (Maninis et al. 2019, arXiv 1904.08918)."""
    config, method = made.config, made.config.finetune.methods[name]
    main = [pair.changes for pair in pairs if pair.method == name and config.tasks[pair.task].role == "main"]
    per_seed = [sum(seed) / len(main) for seed in zip(*main, strict=True)] if main and all(main) else []
    weighted = method if isinstance(method, WeightedMethod) else None
    return JudgedMethod(
        name=name,
        kind=method.kind,
        start=method.label,
        label=describe(name, method),
        tasks=config.judged_tasks(name),
        trained=config.method_tasks(name),
        target=method.target,
        width=method.width,
        sharing=method.sharing.kind,
        lam=weighted.lam if weighted else None,
        schedule=weighted.schedule if weighted else None,
        delta_m=made.interval(per_seed),
    )


def _forgetting(made: Comparison, name: str) -> list[Forgetting]:
    """Sequential methods: each task of an earlier phase, right after its own phase and at the end."""
    if not isinstance(made.config.finetune.methods[name], SequentialMethod):
        return []
    runs = made.joint(name)
    rows = []
    for number, phase in enumerate((runs[0].phases or [])[:-1]):
        for task in phase.tasks:
            metric = made.config.tasks[task].primary_metric
            own = [run.value_after(number, task, metric) for run in runs]
            end = made.values(runs, task)
            rows.append(
                Forgetting(
                    method=name,
                    task=task,
                    metric=metric,
                    after_own_phase=made.summary(own, metric),
                    at_the_end=made.summary(end, metric),
                    change=made.interval(made.changes(task, own, end)),
                )
            )
    return rows


def _starts(made: Comparison, task: str) -> list[StartEffect]:
    """STL from a pretrained against a random encoder, for each `freeze` of which both are in baseline.starts."""
    used = {start.label for start in made.config.baseline.starts}
    rows = []
    for random, pretrained in [(Start(freeze=f), Start(init="pretrained", freeze=f)) for f in ("none", "encoder")]:
        if {random.label, pretrained.label} <= used:
            before = made.values(made.stl(task, random.label), task)
            after = made.values(made.stl(task, pretrained.label), task)
            metric = made.config.tasks[task].primary_metric
            rows.append(
                StartEffect(
                    task=task,
                    metric=metric,
                    freeze=random.freeze,
                    random=made.summary(before, metric),
                    pretrained=made.summary(after, metric),
                    change=made.interval(made.changes(task, before, after)),
                )
            )
    return rows


def _parameters(made: Comparison) -> ParameterCounts:
    """Numbers in the networks: one network a task, from the first start and from each; against one for all."""
    starts = [start.label for start in made.config.baseline.starts]
    by_start = {
        start: {task: _size(made.stl(task, start)[0]) for task in made.config.baseline_tasks} for start in starts
    }
    stl = by_start[starts[0]]
    methods = {name: _size(made.joint(name)[0]) for name in made.config.finetune.methods}
    return ParameterCounts(stl=stl, stl_total=sum(stl.values()), stl_by_start=by_start, methods=methods)


def _size(run: Run) -> int:
    """Numbers that are kept to predict the run's tasks, without the heads of tasks that it is not judged by."""
    counts = run.parameters
    return counts.total - sum(size for task, size in counts.heads.items() if task not in run.tasks)
