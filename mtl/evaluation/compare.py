"""Joint training against single-task training (STL): the content of verdicts.json (methods 6).

A pair shares task, seed and start. Every change is signed so that positive is better, in percent of the STL value of
the same seed. Intervals run over seeds: they cover the randomness of training, not the choice of the data.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, assert_never

from mtl.config import Config, ForecastTask, SequentialMethod, Start, WeightedMethod
from mtl.config.balancing import Method
from mtl.config.budgets import STL, budgets
from mtl.config.sharing import (
    BranchedSharing,
    CrossStitchSharing,
    HardSharing,
    SeparateSharing,
    Sharing,
    SoftSharing,
)
from mtl.errors import UserError
from mtl.evaluation.advise import advice
from mtl.evaluation.comparison import Comparison
from mtl.evaluation.intervals import Interval, adjusted_intervals, spread, t_interval
from mtl.evaluation.limits import MIN_GAP, MIN_SEEDS
from mtl.evaluation.published import published
from mtl.evaluation.scores import label_scores
from mtl.evaluation.sweeps import capacity, label_fractions
from mtl.results.history import History
from mtl.results.record import Run

__all__ = ["Comparison", "compare", "describe", "gap_closed", "verdict", "within"]


def compare(
    config: Config,
    runs: Iterable[Run],
    histories: Iterable[tuple[Run, History]] = (),
    likeness: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
) -> dict[str, Any]:
    """What verdicts.json holds.

    Args:
        runs: at least the config's (`read_runs`), in any order; others are ignored.
        histories: the same runs with their histories, which only `train.watch_test` needs.
        likeness: method → pair of tasks → correlation of their data maps in each run; of methods that record maps.

    Raises:
        UserError: a run is missing or a metric is not finite.
    """
    made = Comparison(config, runs)
    rows, changes, unpaired = [], [], []
    for method in config.finetune.methods:
        for task in config.judged_tasks(method):
            if made.alone(task):
                row, paired = _row(made, method, task)
                rows.append(row)
                changes.append(paired)
            else:
                unpaired.append(_unpaired(made, method, task))
    # One family: every method on every task.
    for row, adjusted in zip(rows, adjusted_intervals(changes, made.confidence), strict=True):
        row["adjusted"] = {"low": adjusted.low, "high": adjusted.high}
        row["verdict"] = verdict(adjusted, len(made.seeds))
    by_key = {(row["method"], row["task"]): paired for row, paired in zip(rows, changes, strict=True)}
    starts = [*config.baseline.starts, *config.finetune.methods.values()]
    content: dict[str, Any] = {
        "confidence": made.confidence,
        "tolerance": config.evaluate.tolerance,
        "seeds": list(made.seeds),
        "conditional_on_one_pretraining": config.pretrain.shared and any(s.init == "pretrained" for s in starts),
        "tasks": [_task(made, name) for name in config.tasks],
        "methods": [_method(made, name, by_key) for name in config.finetune.methods],
        "rows": rows,
        "unpaired": unpaired,
        "forgetting": [row for name in config.finetune.methods for row in _forgetting(made, name)],
        "starts": [row for name in config.baseline_tasks for row in _starts(made, name)],
        "costs": {"parameters": _parameters(made)},
        "labels": label_scores(made),
        "published": published(made, histories),
        "capacity": capacity(made),
        "fractions": label_fractions(made),
        "likeness": {
            method: {pair: asdict(made.interval(values)) for pair, values in pairs.items()}
            for method, pairs in (likeness or {}).items()
        },
    }
    if config.evaluate.trials is not None:
        _mark_budgets(content, config.evaluate.trials)
        content["tuning"]["shared_by"] = config.evaluate.shared_by
    content["advice"] = advice(content)
    return content


def _mark_budgets(content: dict[str, Any], trials: Mapping[str, int]) -> None:
    """Beside every verdict: the finished trials of tuning behind its two sides; absent where none was tuned."""
    content["tuning"] = budgets(trials, [method["name"] for method in content["methods"]])
    counts = content["tuning"]["trials"]
    for row in content["rows"]:
        single, joint = counts[STL], counts[row["method"]]
        row["tuning"] = {"stl": single, "joint": joint, "equal": single == joint}


def verdict(adjusted: Interval, seeds: int) -> str:
    """In words: the sign of the adjusted interval, once there are enough seeds to give one."""
    if seeds < MIN_SEEDS:
        return f"undecided ({seeds} seed{'' if seeds == 1 else 's'})"
    return {1: "HELPED", -1: "HURT", 0: "no difference shown"}[adjusted.sign]


def within(ratio: Interval, tolerance: float) -> str:
    """Whether a forecast's MSE stays within `tolerance` of the STL's: by the whole interval of their ratio."""
    if ratio.low is None or ratio.high is None or ratio.n < MIN_SEEDS:
        return "undecided"
    return "yes" if ratio.high <= 1 + tolerance else "no" if ratio.low > 1 + tolerance else "undecided"


def gap_closed(
    stl: Sequence[float], joint: Sequence[float], optimum: float | None, lower: bool, confidence: float
) -> dict[str, float | None] | None:
    """Share of the distance from STL to the optimum that the joint run closes: 1 reaches the optimum, below 0 is worse.

    A ratio of means over seeds: (STL − joint) / (STL − optimum). The interval is that of the paired differences, over
    the mean gap taken as given. None where the share has no meaning: no optimum is known, the STL is at or beyond it,
    or the gap is below 1 % of the STL's value or below the STL's standard deviation over seeds (a coin).
    """
    if optimum is None:
        return None
    sign = 1 if lower else -1
    mean = sum(stl) / len(stl)
    gap = sign * (mean - optimum)
    if gap <= 0 or gap < MIN_GAP * abs(mean) or gap < spread(stl):
        return None
    closed = t_interval([sign * (a - b) / gap for a, b in zip(stl, joint, strict=True)], confidence)
    return {"mean": closed.mean, "low": closed.low, "high": closed.high}


def _row(made: Comparison, method: str, task: str) -> tuple[dict[str, Any], list[float]]:
    """One method on one task, still without the adjusted interval; and its paired changes."""
    config, spec = made.config, made.config.tasks[task]
    start = config.finetune.methods[method].label
    stl_runs, joint_runs = made.stl(task, start), made.joint(method)
    for one, other in zip(stl_runs, joint_runs, strict=True):
        if one.train_size[task] != other.train_size[task]:
            raise UserError(
                f"{other.path.folder} trained {task} on {other.train_size[task]} samples and "
                f"{one.path.folder} on {one.train_size[task]}; run `mtl repro` to bring both up to date."
            )
    stl, joint = made.values(stl_runs, task), made.values(joint_runs, task)
    changes = made.changes(task, stl, joint)
    ratio = None
    if spec.family == "regression" and changes:
        ratio = made.interval([b / a for a, b in zip(stl, joint, strict=True)])
    row = {
        "method": method,
        "task": task,
        "start": start,
        "metric": spec.primary_metric,
        "role": spec.role,
        "stl": made.summary(stl),
        "joint": made.summary(joint),
        "change": asdict(made.interval(changes)),
        "gap_closed": gap_closed(stl, joint, made.optimum(task), spec.lower_is_better, made.confidence),
        "ratio": None if ratio is None else {"mean": ratio.mean, "low": ratio.low, "high": ratio.high},
        "within_tolerance": None if ratio is None else within(ratio, config.evaluate.tolerance),
    }
    return row, changes


def _unpaired(made: Comparison, method: str, task: str) -> dict[str, Any]:
    """One method on a task without single-task models: what it reached, and no verdict."""
    spec = made.config.tasks[task]
    joint = made.summary(made.values(made.joint(method), task))
    return {"method": method, "task": task, "metric": spec.primary_metric, "role": spec.role, "joint": joint}


def _task(made: Comparison, name: str) -> dict[str, Any]:
    spec = made.config.tasks[name]
    run = made.first_run(name)
    classes = None if run is None else run.detail[name].classes
    return {
        "name": name,
        "kind": spec.kind,
        "source": spec.source,
        "role": spec.role,
        "metric": spec.primary_metric,
        "lower_is_better": spec.lower_is_better,
        "input_len": spec.input_len,
        "horizon": spec.horizon if isinstance(spec, ForecastTask) else None,
        "classes": classes or [],
        "train_size": None if run is None else run.train_size[name],
        "alone": made.alone(name),
        "optimum": made.optimum(name),
        # The primary metrics, MSE of z-scored values and accuracy, are pure numbers.
        "unit": None,
    }


def _method(made: Comparison, name: str, changes: dict[tuple[str, str], list[float]]) -> dict[str, Any]:
    """A method with Δm: the mean change over its main tasks that have single-task models, seed by seed, then over
    seeds (Maninis 2019)."""
    config, method = made.config, made.config.finetune.methods[name]
    judged = config.judged_tasks(name)
    main = [changes[name, task] for task in judged if made.alone(task) and config.tasks[task].role == "main"]
    per_seed = [sum(seed) / len(main) for seed in zip(*main, strict=True)] if main and all(main) else []
    weighted = method if isinstance(method, WeightedMethod) else None
    return {
        "name": name,
        "kind": method.kind,
        "start": method.label,
        "label": describe(name, method),
        "tasks": judged,
        "trained": config.method_tasks(name),
        "target": method.target,
        "width": method.width,
        "sharing": method.sharing.kind,
        "lambda": weighted.lam if weighted else None,
        "schedule": weighted.schedule if weighted else None,
        "delta_m": asdict(made.interval(per_seed)),
    }


def describe(name: str, method: Method) -> str:
    """A method in a few words, for tables and legends."""
    words = [method.words, *_sharing(method.sharing)]
    if method.width != 1:
        words.append(f"{method.width:g} of the width")
    if method.curriculum is not None:
        words.append("curriculum")
    if method.target is not None:
        words.append(f"then {method.target} alone (a second budget)")
    return f"{name}: {', '.join(words)}"


def _sharing(sharing: Sharing) -> list[str]:
    """Nothing for hard sharing, which is what a method does unless it says otherwise."""
    match sharing:
        case HardSharing():
            return []
        case SeparateSharing():
            return ["separate networks"]
        case SoftSharing():
            return [f"soft sharing ({sharing.penalty:g})"]
        case CrossStitchSharing():
            return [f"cross-stitch ({sharing.units})"]
        case BranchedSharing():
            return [f"{len(sharing.groups)} branches after stage {sharing.shared_stages}"]
        case _:
            assert_never(sharing)


def _forgetting(made: Comparison, name: str) -> list[dict[str, Any]]:
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
                {
                    "method": name,
                    "task": task,
                    "metric": metric,
                    "after_own_phase": made.summary(own),
                    "at_the_end": made.summary(end),
                    "change": asdict(made.interval(made.changes(task, own, end))),
                }
            )
    return rows


def _starts(made: Comparison, task: str) -> list[dict[str, Any]]:
    """STL from a pretrained against a random encoder, for each `freeze` of which both are in baseline.starts."""
    used = {start.label for start in made.config.baseline.starts}
    rows = []
    for random, pretrained in [(Start(freeze=f), Start(init="pretrained", freeze=f)) for f in ("none", "encoder")]:
        if {random.label, pretrained.label} <= used:
            before = made.values(made.stl(task, random.label), task)
            after = made.values(made.stl(task, pretrained.label), task)
            rows.append(
                {
                    "task": task,
                    "metric": made.config.tasks[task].primary_metric,
                    "freeze": random.freeze,
                    "random": made.summary(before),
                    "pretrained": made.summary(after),
                    "change": asdict(made.interval(made.changes(task, before, after))),
                }
            )
    return rows


def _parameters(made: Comparison) -> dict[str, Any]:
    """Numbers in the networks: one network a task, from the first start and from each; against one for all."""
    starts = [start.label for start in made.config.baseline.starts]
    by_start = {
        start: {task: _size(made.stl(task, start)[0]) for task in made.config.baseline_tasks} for start in starts
    }
    stl = by_start[starts[0]]
    methods = {name: _size(made.joint(name)[0]) for name in made.config.finetune.methods}
    return {"stl": stl, "stl_total": sum(stl.values()), "stl_by_start": by_start, "methods": methods}


def _size(run: Run) -> int:
    """Of what is kept to predict the run's tasks: heads of tasks that it is not judged by are not."""
    counts = run.parameters
    return counts.total - sum(size for task, size in counts.heads.items() if task not in run.tasks)
