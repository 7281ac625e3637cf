"""Joint training against single-task training (STL): the content of verdicts.json (methods 6).

A pair shares task, seed and start. Every change is signed so that positive is better, in percent of the STL value of
the same seed. Intervals run over seeds: they cover the randomness of training, not the choice of the data.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, assert_never

from mtl.config import Config, EqualMethod, ForecastTask, SequentialMethod, Start, UncertaintyMethod, WeightedMethod
from mtl.config.sharing import (
    BranchedSharing,
    CrossStitchSharing,
    HardSharing,
    SeparateSharing,
    Sharing,
    SoftSharing,
)
from mtl.config.tasks import Task
from mtl.config.training import Method
from mtl.errors import UserError
from mtl.evaluation.advise import advice
from mtl.evaluation.intervals import Interval, adjusted_intervals, spread, t_interval
from mtl.evaluation.limits import MIN_GAP, MIN_SEEDS
from mtl.evaluation.runs import Run, stage_of
from mtl.paths import RunPath


class Comparison:
    """The runs of one config, by key, and the quantities that verdicts are made of."""

    def __init__(self, config: Config, runs: Iterable[Run]) -> None:
        self.config = config
        self.seeds = config.base.seeds
        self.confidence = config.evaluate.confidence
        self.by_path = {run.path: run for run in runs}

    def run(self, path: RunPath) -> Run:
        if path not in self.by_path:
            raise UserError(f"{path.folder / 'run.json'} is missing; run `dvc repro {stage_of(path)}`.")
        return self.by_path[path]

    def stl(self, task: str, start: str) -> list[Run]:
        """The task's single-task runs, in the order of the seeds."""
        return [self.run(RunPath("baseline", task, start, seed)) for seed in self.seeds]

    def joint(self, method: str) -> list[Run]:
        return [self.run(RunPath("finetune", method, None, seed)) for seed in self.seeds]

    def values(self, runs: Sequence[Run], task: str) -> list[float]:
        """The task's primary test metric in each run."""
        return [run.value(task, primary_metric(self.config.tasks[task])) for run in runs]

    def interval(self, values: Sequence[float]) -> Interval:
        return t_interval(values, self.confidence)

    def changes(self, task: str, before: Sequence[float], after: Sequence[float]) -> list[float]:
        """Paired changes in percent, positive is better; empty where a baseline of zero leaves them undefined."""
        if 0.0 in before:
            return []
        sign = -1 if lower_is_better(self.config.tasks[task]) else 1
        return [100 * sign * (b - a) / a for a, b in zip(before, after, strict=True)]

    def optimum(self, task: str) -> float | None:
        """Of the primary metric on the task's test samples; the same for all runs, so the first one's."""
        first = self.stl(task, self.config.baseline.starts[0].label)[0]
        found = (first.record.get("optimum") or {}).get(task, {}).get(primary_metric(self.config.tasks[task]))
        return None if found is None else float(found)


def compare(config: Config, runs: Iterable[Run]) -> dict[str, Any]:
    """What verdicts.json holds.

    Args:
        runs: at least the config's (`read_runs`), in any order; others are ignored.

    Raises:
        UserError: a run is missing or a metric is not finite.
    """
    made = Comparison(config, runs)
    rows, changes = [], []
    for method in config.finetune.methods:
        for task in config.method_tasks(method):
            row, paired = _row(made, method, task)
            rows.append(row)
            changes.append(paired)
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
        "forgetting": [row for name in config.finetune.methods for row in _forgetting(made, name)],
        "starts": [row for name in config.tasks for row in _starts(made, name)],
        "costs": {"parameters": _parameters(made)},
    }
    content["advice"] = advice(content)
    return content


def primary_metric(task: Task) -> str:
    return "mse" if isinstance(task, ForecastTask) else "accuracy"


def lower_is_better(task: Task) -> bool:
    return isinstance(task, ForecastTask)


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
        if one.record["train_size"][task] != other.record["train_size"][task]:
            raise UserError(
                f"{other.path.folder} trained {task} on {other.record['train_size'][task]} samples and "
                f"{one.path.folder} on {one.record['train_size'][task]}; run `dvc repro` to bring both up to date."
            )
    stl, joint = made.values(stl_runs, task), made.values(joint_runs, task)
    changes = made.changes(task, stl, joint)
    ratio = None
    if isinstance(spec, ForecastTask) and changes:
        ratio = made.interval([b / a for a, b in zip(stl, joint, strict=True)])
    row = {
        "method": method,
        "task": task,
        "start": start,
        "metric": primary_metric(spec),
        "role": spec.role,
        "stl": _with_values(made, stl),
        "joint": _with_values(made, joint),
        "change": asdict(made.interval(changes)),
        "gap_closed": gap_closed(stl, joint, made.optimum(task), lower_is_better(spec), made.confidence),
        "ratio": None if ratio is None else {"mean": ratio.mean, "low": ratio.low, "high": ratio.high},
        "within_tolerance": None if ratio is None else within(ratio, config.evaluate.tolerance),
    }
    return row, changes


def _with_values(made: Comparison, values: list[float]) -> dict[str, Any]:
    interval = made.interval(values)
    return {"mean": interval.mean, "low": interval.low, "high": interval.high, "values": values}


def _task(made: Comparison, name: str) -> dict[str, Any]:
    spec = made.config.tasks[name]
    record = made.stl(name, made.config.baseline.starts[0].label)[0].record
    return {
        "name": name,
        "kind": spec.kind,
        "source": spec.source,
        "role": spec.role,
        "metric": primary_metric(spec),
        "lower_is_better": lower_is_better(spec),
        "input_len": spec.input_len,
        "horizon": spec.horizon if isinstance(spec, ForecastTask) else None,
        "classes": [] if isinstance(spec, ForecastTask) else record["detail"][name]["classes"],
        "train_size": record["train_size"][name],
        "optimum": made.optimum(name),
        # The primary metrics, MSE of z-scored values and accuracy, are pure numbers.
        "unit": None,
    }


def _method(made: Comparison, name: str, changes: dict[tuple[str, str], list[float]]) -> dict[str, Any]:
    """A method with Δm: the mean change over its main tasks, seed by seed, then over seeds (Maninis 2019)."""
    config, method = made.config, made.config.finetune.methods[name]
    main = [changes[name, task] for task in config.method_tasks(name) if config.tasks[task].role == "main"]
    per_seed = [sum(seed) / len(main) for seed in zip(*main, strict=True)] if main and all(main) else []
    weighted = method if isinstance(method, WeightedMethod) else None
    return {
        "name": name,
        "kind": method.kind,
        "start": method.label,
        "label": describe(name, method),
        "tasks": config.method_tasks(name),
        "lambda": weighted.lam if weighted else None,
        "schedule": weighted.schedule if weighted else None,
        "delta_m": asdict(made.interval(per_seed)),
    }


def describe(name: str, method: Method) -> str:
    """A method in a few words, for tables and legends."""
    words = [_weighing(method), *_sharing(method.sharing)]
    if method.curriculum is not None:
        words.append("curriculum")
    if method.target is not None:
        words.append(f"then {method.target} alone (a second budget)")
    return f"{name}: {', '.join(words)}"


def _weighing(method: Method) -> str:
    match method:
        case EqualMethod():
            return "equal weights"
        case WeightedMethod():
            return f"λ = {method.lam:g}, {method.schedule}"
        case UncertaintyMethod():
            return f"learned weights ({method.form})"
        case SequentialMethod():
            order = "forecasts before labels" if method.first == "forecast" else "labels before forecasts"
            return f"sequential, {order}"
        case _:
            assert_never(method)


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
    for number, phase in enumerate(runs[0].record["phases"][:-1]):
        for task in phase["tasks"]:
            metric = primary_metric(made.config.tasks[task])
            own = [Run(run.path, run.record["phases"][number]).value(task, metric) for run in runs]
            end = made.values(runs, task)
            rows.append(
                {
                    "method": name,
                    "task": task,
                    "metric": metric,
                    "after_own_phase": _with_values(made, own),
                    "at_the_end": _with_values(made, end),
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
                    "metric": primary_metric(made.config.tasks[task]),
                    "freeze": random.freeze,
                    "random": _with_values(made, before),
                    "pretrained": _with_values(made, after),
                    "change": asdict(made.interval(made.changes(task, before, after))),
                }
            )
    return rows


def _parameters(made: Comparison) -> dict[str, Any]:
    """Numbers in the networks: one network a task, against one for all."""
    start = made.config.baseline.starts[0].label
    stl = {task: made.stl(task, start)[0].record["parameters"]["total"] for task in made.config.tasks}
    methods = {name: made.joint(name)[0].record["parameters"]["total"] for name in made.config.finetune.methods}
    return {"stl": stl, "stl_total": sum(stl.values()), "methods": methods}
