"""The symptoms that users report, each answered by what the runs show: lines of evidence (`evidence`).

- Forecast MSE too high: do the labels pull harder on the shared weights, do the gradients conflict?
- Accuracy, or what a label is judged by, too low: do the forecasts pull harder, is it better than without any input
  (naming the most frequent class), and as good on rare classes?
- Unstable training: does the gradient burst, does the validation score jump?

The *pull* of a task on the shared weights is its weight in the objective times the norm of its gradient, means over an
epoch. What is recommended is only what the settings leave to try.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np

from mtl.config import Config, LinearEncoder, TimeDartEncoder, UncertaintyMethod
from mtl.config.metrics import METRICS, Family
from mtl.config.tasks import Task
from mtl.evaluation.comparison import Comparison, class_counts
from mtl.evaluation.limits import BURST, CONFLICT, MIN_SEEDS, RARE, RISE
from mtl.results.history import Epoch
from mtl.results.pair_arrays import as_matrix
from mtl.results.record import Run
from mtl.results.statistics import Interval
from mtl.results.verdicts import EvidenceLine, JudgedMethod, Row, Verdicts
from mtl.tasks.no_skill import no_skill

UNSTABLE = "unstable training?"
BLINDLY = {"accuracy": "always naming the most frequent class", "balanced_accuracy": "always naming one class"}
"""Metric → the prediction without input that does best by it, where it has a short name."""
Epochs = list[Epoch]


def question(task: Task) -> str:
    """Symptom of a task in a user's words: `forecast MSE too high?`, `accuracy too low?`."""
    title = METRICS[task.primary_metric].title
    if task.family == "regression":
        title = f"{task.kind} {title}"
    elif task.primary_metric == "balanced_accuracy":
        title = METRICS["accuracy"].title
    return f"{title} too {'high' if task.lower_is_better else 'low'}?"


def line(aspect: str, about: str, measured: str, rule: str, says: str | None, sure: str) -> EvidenceLine:
    """One line of evidence."""
    return EvidenceLine(aspect=aspect, about=about, measured=measured, rule=rule, says=says, sure=sure)


def symptoms(
    config: Config, made: Comparison, verdicts: Verdicts, method: JudgedMethod, own: Sequence[Epochs]
) -> list[EvidenceLine]:
    """The lines of one joint method.

    Args:
        config: the settings.
        made: all runs.
        verdicts: content of verdicts.json.
        method: the method's entry in it.
        own: epochs of the method's runs, a list a seed.
    """
    lines, conflicts = [], _conflicts(own, list(config.tasks))
    for row in verdicts.rows:
        if row.method != method.name:
            continue
        if config.tasks[row.task].family == "regression":
            lines.append(_numbers(config, made, row, method, own, conflicts))
        else:
            lines.append(_label(config, made, row, method, own))
    return [*lines, *_stability(config, method, own)]


def _numbers(
    config: Config,
    made: Comparison,
    row: Row,
    method: JudgedMethod,
    own: Sequence[Epochs],
    conflicts: dict[str, float],
) -> EvidenceLine:
    """A task of numbers: error above the tolerance, or hurt."""
    task, ratio, spec = row.task, row.ratio, config.tasks[row.task]
    title = METRICS[spec.primary_metric].title
    pulls = made.interval(_pulls(config, own))
    text = f"a single-task {title} of 0 leaves no ratio"
    if ratio is not None:
        text = f"{title} {ratio.mean:.3f} times the single-task model's" + _pull_text(config, pulls)
    says = None
    if row.within_tolerance == "no" or row.verdict.hurt:
        tries = []
        if pulls.mean is not None and pulls.mean > 1 and method.lam is not None:
            tries.append(f"λ of about {_even(method.lam, pulls.mean):.2g}, at which labels pull no harder")
        if method.lam is not None and method.schedule != "warmup":
            tries.append("`schedule: warmup`")
        share = conflicts.get(task, 0.0)
        if share > CONFLICT:
            tries.append(f"a gradient method: its cosine with others is negative in {share:.0%} of the epochs")
        says = ", ".join(tries) or "a wider encoder, or a model of its own: no other task pulls harder"
    rule = _kept(config, task)
    return line(
        question(spec), f"{method.name}: {task}", text, f"{rule}, or HURT" if rule else "HURT", says, _seeds(made)
    )


def _blindly(metric: str, counts: Sequence[int]) -> str:
    """The prediction without input that does best by a metric, and how many classes it could name where some have no
    test sample."""
    name, present = BLINDLY.get(metric, "a prediction that has seen no input"), sum(count > 0 for count in counts)
    return name if present == len(counts) else f"{name} ({present} of {len(counts)} classes have test samples)"


def _lags(made: Comparison, runs: Sequence[Run], task: str) -> bool:
    """The mean recall of the classes lies well below the accuracy: rare classes are missed."""
    if any("balanced_accuracy" not in run.test[task] for run in runs):
        return False
    accuracy, balanced = ([run.value(task, name) for run in runs] for name in ("accuracy", "balanced_accuracy"))
    lag = made.interval([b - a for a, b in zip(accuracy, balanced, strict=True)])
    return lag.mean is not None and lag.mean < -RARE


def _over_classes(made: Comparison, runs: Sequence[Run], task: str) -> str:
    """Mean balanced accuracy in words; the reason why there is none, where every test sample is of one class."""
    if any("balanced_accuracy" not in run.test[task] for run in runs):
        return ", over classes undefined: all test samples belong to one"
    mean = made.interval([run.value(task, "balanced_accuracy") for run in runs]).mean
    return f", over classes {mean:.3f}"


def _label(config: Config, made: Comparison, row: Row, method: JudgedMethod, own: Sequence[Epochs]) -> EvidenceLine:
    """Hurt, or not shown to be better than a prediction that has seen no input."""
    task, runs = row.task, made.joint(method.name)
    spec = config.tasks[task]
    metric, title = spec.primary_metric, METRICS[spec.primary_metric].title
    sign = -1 if spec.lower_is_better else 1
    counts = class_counts(runs[0], task)
    least = no_skill(metric, counts) if spec.judges_all else None
    above = made.interval([] if least is None else [sign * (run.value(task, metric) - least) for run in runs])
    pulls = made.interval(_pulls(config, own))
    blindly = _blindly(metric, counts)
    text = f"{title} {row.joint.mean:.3f}"
    best = made.optimum(task)
    hopeless = blind = False
    if least is not None and above.mean is not None:
        reached = sign * above.mean + least
        text = f"{title} {reached:.3f}, of {blindly} {least:.3f}"
        if metric == "accuracy":
            text += _over_classes(made, runs, task)
        hopeless = best is not None and sign * (best - least) <= RARE
        blind = _decided(above) and above.low is not None and above.low <= 0
    text += _pull_text(config, pulls)
    says = None
    if hopeless:
        text += f"; nobody can {'get below' if spec.lower_is_better else 'reach more than'} {best:.3f}"
    elif row.verdict.hurt or row.within_tolerance == "no" or blind:
        tries = []
        if method.lam is not None and pulls.mean is not None and pulls.mean < 1:
            tries.append(
                f"λ up to about {_even(method.lam, pulls.mean):.2g}, at which {_numbers_of(config)} pull no harder"
            )
        if not spec.weighs_classes and (_lags(made, runs, task) or blind):
            tries.append(f"tasks.{task}.class_weights: balanced")
        encoder = config.encoder
        if isinstance(encoder, TimeDartEncoder | LinearEncoder) and not encoder.classification.amplitude:
            tries.append("encoder.classification.amplitude: true (normalised windows hide level and spread)")
        says = ", ".join(tries) or f"a larger `weight` of {task}, or a model of its own"
    gain = f"{title} less that of {blindly}"
    if spec.lower_is_better:
        gain = f"the {title} of {blindly} less that of the method"
    rules = ["HURT", f"the interval of {gain} reaches 0", _kept(config, task)]
    rule = ", or ".join(rule for rule in rules if rule)
    return line(question(spec), f"{method.name}: {task}", text, rule, says, _seeds(made))


def _stability(config: Config, method: JudgedMethod, own: Sequence[Epochs]) -> list[EvidenceLine]:
    """Bursts of the gradient over the epochs, and jumps of the validation score."""
    norms = [[epoch.grad_norm for epoch in epochs] for epochs in own if epochs]
    if not norms:
        return []
    burst = max(max(some) / max(median(some), 1e-12) for some in norms)
    rise = max(_rise(epochs) for epochs in own if epochs)
    says = None
    if burst > BURST or rise > RISE:
        tries = ["train.clip: 1.0"] if config.train.clip is None else []
        if not isinstance(config.finetune.methods[method.name], UncertaintyMethod):
            tries.append("uncertainty weighting (`kind: uncertainty`)")
        says = ", ".join(
            [*tries, f"a learning rate below {config.finetune.methods[method.name].train.lr or config.train.lr:g}"]
        )
    text = (
        f"largest gradient norm of an epoch {burst:.1f} times the median; validation score rose by {rise:.0%} of its "
    )
    return [
        line(
            UNSTABLE, method.name, f"{text}first value within an epoch",
            f"above {BURST:g} times, or above {RISE:.0%}: unstable", says, f"worst of {len(norms)} seeds",
        )
    ]  # fmt: skip


def _rise(epochs: Epochs) -> float:
    """Largest rise of the validation score from one epoch to the next, as a share of the first epoch's score; a method
    of two phases counts its epochs anew."""
    first = epochs[0].score
    rises = [b.score - a.score for a, b in pairwise(epochs) if b.epoch > a.epoch]
    return max([0.0, *rises]) / first if first > 0 else 0.0


def _pulls(config: Config, own: Sequence[Epochs]) -> list[float]:
    """Pull of all labels over that of all tasks of numbers, one a seed: the mean over the epochs that know both."""
    pulls = []
    for epochs in own:
        ratios = []
        for epoch in epochs:
            sums: dict[Family, float] = {"regression": 0.0, "classification": 0.0}
            for task, norm in epoch.gradients.norms.items():
                sums[config.tasks[task].family] += epoch.weights[task] * norm
            if min(sums.values()) > 0:
                ratios.append(sums["classification"] / sums["regression"])
        if ratios:
            pulls.append(sum(ratios) / len(ratios))
    return pulls


def _pull_text(config: Config, pulls: Interval) -> str:
    if pulls.mean is None:
        return ""
    return f"; labels pull {pulls.mean:.2g} times as hard as {_numbers_of(config)} on the shared weights"


def _numbers_of(config: Config) -> str:
    """Tasks of numbers in words: `forecasts`, `forecasts and regressions`."""
    return " and ".join(dict.fromkeys(f"{task.kind}s" for task in config.tasks.values() if task.family == "regression"))


def _kept(config: Config, task: str) -> str:
    """Rule by which a task is no longer kept; empty where it has no tolerance."""
    spec = config.tasks[task]
    tolerance = config.evaluate.tolerance_of(task, spec.family)
    if tolerance is None:
        return ""
    limit = f"above {1 + tolerance:g}" if spec.lower_is_better else f"below {1 - tolerance:g}"
    return f"interval of the ratio {limit} (evaluate.tolerance)"


def _even(lam: float, pull: float) -> float:
    """λ at which labels and tasks of numbers pull alike, when at `lam` labels pull `pull` times as hard."""
    gradients = pull * (1 - lam) / lam if lam > 0 else float("inf")
    return 1 / (1 + gradients)


def _conflicts(own: Sequence[Epochs], tasks: Sequence[str]) -> dict[str, float]:
    """Task → share of epochs and partners in which its gradient has a negative cosine; without tasks of which none is
    known."""
    negative, known = np.zeros(len(tasks), np.int64), np.zeros(len(tasks), np.int64)
    for epochs in own:
        for epoch in epochs:
            cosines = as_matrix(epoch.gradients.cosines, tasks)
            negative += (cosines < 0).sum(axis=1)
            known += (~np.isnan(cosines)).sum(axis=1)
    counts = zip(tasks, negative.tolist(), known.tolist(), strict=True)
    return {task: below / measured for task, below, measured in counts if measured}


def _decided(interval: Interval) -> bool:
    return interval.n >= MIN_SEEDS and interval.low is not None


def _seeds(made: Comparison) -> str:
    few = "" if len(made.seeds) >= MIN_SEEDS else f"; fewer than {MIN_SEEDS} decide nothing"
    return f"{len(made.seeds)} seed{'s' if len(made.seeds) > 1 else ''}{few}"
