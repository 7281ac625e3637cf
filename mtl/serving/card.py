"""The model card: what a deployed model answers, why, how well, from which data, and what it is not for."""

from collections.abc import Iterator

from mtl.config.common import Extent
from mtl.config.metrics import METRICS
from mtl.results.decision import Threshold
from mtl.results.deployment import Beside, Deployment, Origin, Served
from mtl.results.statistics import Interval

AGAIN: dict[Extent, str] = {
    "train": "",
    "train+val": (
        "**Trained again on the training and the validation part** together, for the epochs that the validation part "
        "had chosen before, seed by seed; what is fitted to data was fitted anew. The test part was held back, and "
        "the test figures were measured anew."
    ),
    "all": (
        "**Without a test of its own: trained again on all data, the test part included**, for the epochs that the "
        "validation part had chosen before, seed by seed; what is fitted to data was fitted anew. All figures below "
        "are those of models that were trained on the training part alone."
    ),
}


def card(deployment: Deployment) -> str:
    """The card of a deployment, Markdown; the same bytes for the same deployment."""
    return "\n".join(
        [
            *_head(deployment), *_tasks(deployment), *_probabilities(deployment), *_decisions(deployment),
            *_inputs(deployment), *_beside(deployment), *_data(deployment), *_limits(deployment),
        ]
    )  # fmt: skip


def _head(deployment: Deployment) -> Iterator[str]:
    count, seeds = len(deployment.members), deployment.seeds
    ways = {
        "best": "the seed that is best on validation data",
        "ensemble": "the mean over all seeds",
    }
    how = ways.get(str(seeds), f"seed {seeds}")
    yield f"# {deployment.name}\n"
    asked = f"mtl deploy --method {deployment.method}"
    if deployment.extent != "train":
        asked = f"mtl refit {deployment.method} --on {deployment.extent}"
    yield (
        f"{len(deployment.tasks)} tasks, answered by {count} finished model{'s' * (count != 1)} of mtl "
        f"(`{asked} --seeds {seeds}`; {how}).\n"
    )
    if deployment.extent != "train":
        yield f"{AGAIN[deployment.extent]}\n"
        yield from _kept(deployment)
    yield "```python"
    yield "import mtl\n"
    yield f'model = mtl.load_model("models/{deployment.name}")  # or wherever this folder lies'
    yield "answers = model.predict(samples)  # original units, names of classes with probabilities"
    yield "```\n"
    yield "```bash"
    yield f"mtl predict FILE --model models/{deployment.name} -o predictions.parquet"
    yield "```\n"


def _kept(deployment: Deployment) -> Iterator[str]:
    """Choices that models which were trained again have from those before, besides their epochs."""
    tasks = [(name, deployment.tasks[name]) for name in deployment.order]
    simple = [name for name, served in tasks if served.how == "simple"]
    if simple:
        yield (
            f"The simple model of {', '.join(simple)} was fitted anew with the settings that the validation part had "
            "chosen; intervals, where it predicts quantiles, keep the errors that were measured there.\n"
        )
    corrected = [name for name, served in tasks if served.calibration or isinstance(served.decision, Threshold)]
    if corrected:
        yield (
            f"Calibrations and thresholds of {', '.join(corrected)} are those of the models before, whose validation "
            "samples were new to them: the ones here have trained on these, so nothing could be corrected by them.\n"
        )


def _tasks(deployment: Deployment) -> Iterator[str]:
    yield "## What answers each task\n"
    yield "| task | model | test | why |"
    yield "|---|---|---|---|"
    for name in deployment.order:
        served = deployment.tasks[name]
        yield f"| {name} | {_cell(served.label)} | {_test(served)} | {_cell(served.why)} |"
    yield ""
    yield f"{deployment.advice}\n"


def _test(served: Served) -> str:
    title = METRICS[served.metric].title
    if served.test is None:
        return f"not measured: {served.no_test}"
    value = served.test.get(served.metric)
    return f"{title} undefined on these samples" if value is None else f"{title} {value:.4g}"


def _probabilities(deployment: Deployment) -> Iterator[str]:
    """Calibrations, and the measures of probabilities on the test part without them and with them."""
    calibrated = {name: deployment.tasks[name] for name in deployment.order if deployment.tasks[name].calibration}
    if not calibrated:
        return
    yield "## Calibrated probabilities\n"
    yield (
        "Validation samples, each model by its own, corrected the probabilities (`evaluate.calibration`). On the test "
        "part, without → with it (lower is better):\n"
    )
    yield "| task | calibration | log-loss | Brier score | calibration error |"
    yield "|---|---|---|---|---|"
    for name, served in calibrated.items():
        ways = "; ".join(dict.fromkeys(by.label for by in (served.calibration or {}).values()))
        yield f"| {name} | {ways} | {' | '.join(_trusted(served))} |"
    yield ""
    yield (
        "The calibration error (ECE, 15 bins) is that of the probability of the second of two classes; of several "
        "classes it is that of the predicted one, and the Brier score sums over them. Every other figure of such a "
        "task is measured with its calibration.\n"
    )


def _trusted(served: Served) -> list[str]:
    """Cells of a row: each measure on the test part, without calibration and with it."""
    if served.trusted is None:
        return ["not measured"] * 3
    before, after = served.trusted.before, served.trusted.after
    pairs = [(before.log_loss, after.log_loss), (before.brier, after.brier), (before.ece, after.ece)]
    return [f"{without:.4f} → {with_it:.4f}" for without, with_it in pairs]


def _decisions(deployment: Deployment) -> Iterator[str]:
    """Rules by which classes are said where mistakes have costs, and what they cost on the test part."""
    decided = {name: deployment.tasks[name] for name in deployment.order if deployment.tasks[name].decision}
    if not decided:
        return
    yield "## Classes by what mistakes cost\n"
    yield (
        "Costs are those of `evaluate.costs`. Figures of classes, such as accuracy and F1, are those of the classes "
        "that are said by these rules. The mean cost is that of a sample of the test part: where the most probable "
        "class is said → by the rule.\n"
    )
    yield "| task | rule | mean cost |"
    yield "|---|---|---|"
    for name, served in decided.items():
        cost = "not measured" if served.cost is None else f"{served.cost.usual:.4g} → {served.cost.chosen:.4g}"
        yield f"| {name} | {_rule(served)} | {cost} |"
    yield ""


def _rule(served: Served) -> str:
    decision = served.decision
    if isinstance(decision, Threshold):
        costs = f"{decision.false_positive:g} for saying it wrongly, {decision.false_negative:g} for missing it"
        return (
            f"{_cell(decision.says)} where its probability is above {decision.threshold:.4g}, which costs least on "
            f"validation data ({costs})"
        )
    return "the class with the least expected cost"


def _inputs(deployment: Deployment) -> Iterator[str]:
    """Inputs without which the answers lose most."""
    if not any(served.inputs for served in deployment.tasks.values()):
        return
    yield "## Inputs that matter\n"
    yield (
        "The primary metric that is lost on test samples when an input is dealt among them anew, the mean over all "
        "seeds with its interval over training randomness; above 0 the input helps. Inputs that tell the same stand in "
        "for each other, so that each may look unimportant while together they matter.\n"
    )
    beside = any(entry.alone is not None for served in deployment.tasks.values() for entry in served.inputs)
    yield f"| task | metric | input | lost here |{' lost by single-task training |' * beside}"
    yield f"|---|---|---|---|{'---|' * beside}"
    for name in deployment.order:
        served = deployment.tasks[name]
        for entry in served.inputs:
            alone = "that is the model here" if served.how == "single-task" else _lost(entry.alone)
            row = f"| {name} | {METRICS[served.metric].title} | {_cell(entry.name)} | {_lost(entry.here)} |"
            yield f"{row} {alone} |" if beside else row
    yield ""


def _lost(lost: Interval | None) -> str:
    if lost is None or lost.mean is None:
        return "–"
    ends = "" if lost.low is None or lost.high is None else f" [{lost.low:.4g}, {lost.high:.4g}]"
    return f"{lost.mean:.4g}{ends}"


def _beside(deployment: Deployment) -> Iterator[str]:
    if not any(served.beside for served in deployment.tasks.values()):
        return
    yield "## Beside it\n"
    alone = "" if deployment.extent == "train" else "; all of models that were trained on the training part alone"
    yield (
        "On the same test samples: the mean over the seeds with its interval over training randomness, and the verdict "
        f"against the single-task network{alone}.\n"
    )
    yield "| task | metric | model | test | verdict |"
    yield "|---|---|---|---|---|"
    for name in deployment.order:
        title = METRICS[deployment.tasks[name].metric].title
        for other in deployment.tasks[name].beside:
            yield f"| {name} | {title} | {_cell(other.name)} | {_summary(other)} | {_cell(other.verdict) or '–'} |"
    yield ""


def _summary(other: Beside) -> str:
    test = other.test
    ends = "" if test.low is None or test.high is None else f" [{test.low:.4g}, {test.high:.4g}]"
    return f"{test.mean:.4g}{ends}"


def _data(deployment: Deployment) -> Iterator[str]:
    yield "## Data\n"
    for name, origin in deployment.sources.items():
        yield f"- **{name}**: {_origin(origin)}"
    yield f"- Prepared data: sha256 `{deployment.data}`"
    for remark in deployment.remarks:
        yield f"- {remark}"
    yield ""


def _origin(origin: Origin) -> str:
    title = f"{origin.title}; " if origin.title else ""
    files = "".join(f"; `{file}` sha256 `{digest}`" for file, digest in origin.files.items())
    licence = origin.licence or "not stated"
    return f"{title}{origin.rows or origin.kind}{files}. Licence of the data: {licence}."


def _limits(deployment: Deployment) -> Iterator[str]:
    yield "## Limits\n"
    if deployment.extent == "all":
        yield "- How good it is on new data is not known: `mtl score FILE` tells, on data with targets that came later."
    else:
        yield "- Test figures hold for samples like those of the test part; other places, times or units may differ."
    if any(origin.inputs is not None for origin in deployment.sources.values()):
        if deployment.extent != "all":
            yield "- `mtl score FILE` tells how good it is on new data with their targets, and which of two is better."
        yield "- `mtl predict` compares the inputs of new data with the training part, and tells what differs (drift)."
    if deployment.extent != "all":
        leans = "so its figures lean to the good side."
        yield f"- Which model answers was chosen by comparisons on the same test part, {leans}"
    if deployment.seeds == "best":
        yield "- The seed was chosen on validation data; its test value is that of one run, the intervals are over all."
    if any(served.how == "simple" for served in deployment.tasks.values()):
        yield "- Where a simple model answers, no network here was better."
    if any(origin.samples for origin in deployment.sources.values()):
        yield (
            "- `trained.safetensors` holds hashes of the samples that were trained or validated on, by which `mtl "
            "score` notices copies of them. No value can be read from it, but whoever has a sample can ask whether it "
            "is one of them: delete the file where that should not be."
        )
    yield "- Categories that training rows did not have are one unknown category; a missing input is an error unless"
    yield "  training rows lacked some as well."
    own = dict.fromkeys(member.code for member in deployment.members.values() if member.code is not None)
    if own:
        yield f"- Built by code of its own, which has to lie in plugins/ of the current folder: {', '.join(own)}."
    trained = ", ".join(f"{package} {version}" for package, version in deployment.versions.items())
    yield f"- Trained with {trained}; `deployment.json` holds every hash and figure."


def _cell(text: str) -> str:
    """Text as it may stand in a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())
