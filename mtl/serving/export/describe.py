"""Inputs and outputs of an exported file, in a small JSON beside it."""

from typing import Any

from mtl.data.inputs.date_parts import dates_behind
from mtl.data.inputs.traced import Asked
from mtl.serving.deployed import DeployedModel
from mtl.serving.export.check import BATCHES
from mtl.serving.export.graph import Given, Graph
from mtl.serving.model import Model
from mtl.tasks.traced import VALUE
from mtl.version import __version__

Json = dict[str, Any]
REFUSED = (
    "A sample with a value that the model cannot use (not finite, or missing where no training sample lacked one) gets "
    "NaN in every number, and no class."
)
DATES = (
    "Columns NAME (days), (month), (day of the month), (day of the week), (hour) are made of the date NAME: days since "
    "1 January 2000 with their fractions, month 1 to 12, day 1 to 31, Monday 0 to Sunday 6, hour with its fraction."
)
CALIBRATED = "The probabilities of {} are calibrated on validation data (by temperature), inside the file."
BY_COST = "The class of {} is said by what mistakes cost, inside the file: it need not be the most probable one."
ORDER = "The quantiles of a number stand side by side, in the order of `levels`."


def name_of(model: Model) -> str:
    """Name of a model, as a file may have it."""
    if isinstance(model, DeployedModel):
        return model.deployment.name
    saved = model.members_of(next(iter(model.tasks)))[0].network.saved
    return f"{saved.name}-seed-{saved.seed}"


def describe(model: Model, graph: Graph, form: Json, texts: bool, error: float) -> Json:
    """Content of the JSON.

    Args:
        model: finished.
        graph: of the tasks that were exported.
        form: facts about the format.
        texts: categories and classes are names, else numbers.
        error: largest that the check saw.
    """
    columns = [name for asked in graph.asked.values() for name in asked.columns]
    notes = [REFUSED]
    notes += [DATES] if dates_behind(columns, []) else []
    notes += [ORDER] if any("quantiles" in given.part for given in graph.given) else []
    if not texts and any(asked.names for asked in graph.asked.values()):
        notes.append("Categories are codes: 0 unknown, 1 missing, 2 and more the names listed, in their order.")
    notes += [CALIBRATED.format(spec.name) for spec, by in zip(graph.specs, graph.calibrations, strict=True) if by]
    notes += [BY_COST.format(spec.name) for spec in graph.specs if getattr(spec, "decision", None) is not None]
    return {
        "mtl": __version__,
        "model": name_of(model),
        "format": form,
        "inputs": {
            name: {"place": place, **_asked(asked, texts)} for place, (name, asked) in enumerate(graph.asked.items())
        },
        "outputs": {
            given.name: {"place": place, **_given(model, given, texts)} for place, given in enumerate(graph.given)
        },
        "notes": notes,
        "checked": {"samples_at_once": list(BATCHES), "largest_error": float(f"{error:.2g}")},
        "networks": {
            name or "0": {"stage": saved.stage, "name": saved.name, "seed": saved.seed, "weights": saved.weights}
            for name, saved in _networks(model, graph).items()
        },
    }


def _asked(asked: Asked, texts: bool) -> Json:
    text = texts and bool(asked.names)
    told: Json = {
        "type": "string" if text else str(asked.dtype).removeprefix("torch."),
        "shape": ["n", *asked.shape],
        "columns": asked.columns,
        "may_be_missing": list(asked.may_lack),
    }
    if asked.names:
        told["categories"] = dict(zip(asked.columns, map(list, asked.names), strict=True))
    return told


def _given(model: Model, given: Given, texts: bool) -> Json:
    spec = model.tasks[given.task]
    text = texts and given.classes is not None and given.part == VALUE
    told: Json = {
        "task": given.task,
        "type": "string" if text else str(given.dtype).removeprefix("torch."),
        "shape": list(given.shape),
    }
    for name in ("classes", "target", "unit", "units", "target_columns", "levels", "horizon"):
        value = getattr(spec, name, None)
        if value:
            told[name] = list(value) if isinstance(value, tuple) else value
    return told


def _networks(model: Model, graph: Graph) -> dict[str, Any]:
    if isinstance(model, DeployedModel):
        return {name: model.members[name].network.saved for name in graph.members}
    return {"": model.members_of(graph.specs[0].name)[0].network.saved}
