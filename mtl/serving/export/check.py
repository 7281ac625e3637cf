"""An exported model against the one that it was made from, before it is written.

n samples.
"""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mtl.errors import UserError
from mtl.serving.export.graph import Given, Graph
from mtl.serving.model import Model
from mtl.tasks.answers import Answer, Classes, Tags
from mtl.tasks.traced import VALUE

BATCHES = (1, 3, 257, 1000)
"""Samples at once: one, few, and more than what is traced or measured together."""
TOLERANCE = 1e-5
"""Largest error, relative to the largest number of an output where that is above 1."""
Run = Callable[[dict[str, Tensor]], list[np.ndarray]]
"""Samples → the tensors of `Graph.given` by the runtime that the export is for; classes by number or by name."""


def check(model: Model, graph: Graph, run: Run, runtime: str) -> float:
    """The largest error of an export.

    Args:
        model: finished.
        graph: of it.
        run: the export.
        runtime: in words.

    Raises:
        UserError: it differs from the model, or gives numbers for samples that this refuses.
    """
    drawer, largest = torch.Generator().manual_seed(0), 0.0
    for count in BATCHES:
        samples = graph.first.draw(count, drawer)
        wanted, there = expected(model, graph, samples), run(samples)
        for given, right, got in zip(graph.given, wanted, there, strict=True):
            error = _error(given, right, got, _sure(graph, given, wanted))
            if not error <= TOLERANCE:
                raise UserError(
                    f"the export is wrong and was not written: in {runtime}, {given.name} differs from the model by "
                    f"{error:.2g} with {count} samples at once, where {TOLERANCE:g} is allowed. Serve the model with "
                    "`mtl serve`, or export another one."
                )
            largest = max(largest, error)
    _check_refused(graph, run, runtime)
    return largest


def expected(model: Model, graph: Graph, samples: dict[str, Tensor]) -> list[np.ndarray]:
    """The tensors of `graph.given` as the model itself gives them, classes by number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some categories are unknown on purpose
        answers = model.predict(graph.first.given(samples), [spec.name for spec in graph.specs])
    return [_part(given, answers[given.task]) for given in graph.given]


def _part(given: Given, answer: Answer) -> np.ndarray:
    if isinstance(answer, Classes):
        if given.part == VALUE:
            return np.array([answer.classes.index(name) for name in answer.predicted])
        return answer.probabilities
    if isinstance(answer, Tags):  # of the rows of windows, all as long
        if given.part == VALUE:
            return np.array([[answer.classes.index(name) for name in names] for names in answer.predicted])
        return np.stack(answer.probabilities)
    if given.part == VALUE:
        return answer.values
    assert answer.quantiles is not None
    return answer.quantiles


def _sure(graph: Graph, given: Given, wanted: list[np.ndarray]) -> np.ndarray | None:
    """Samples of which another class would be said only beyond the tolerance; None for numbers."""
    if given.classes is None or given.part != VALUE:
        return None
    place = next(number for number, other in enumerate(graph.given) if other.task == given.task and other.part != VALUE)
    spec = next(spec for spec in graph.specs if spec.name == given.task)
    sure: np.ndarray = (spec.margins(torch.from_numpy(wanted[place])) > 2 * TOLERANCE).numpy()
    return sure


def _error(given: Given, right: np.ndarray, got: np.ndarray, sure: np.ndarray | None) -> float:
    if got.shape != right.shape:
        return float("inf")
    if sure is not None and given.classes is not None:
        names = np.array(given.classes, dtype=object)[right]
        same = got == (right if got.dtype.kind == "i" else names)
        return 0.0 if bool(np.all(same | ~sure)) else float("inf")
    error = np.abs(got.astype(np.float64) - right.astype(np.float64)).max(initial=0.0)
    return float(error) / max(1.0, float(np.abs(right).max(initial=0.0)))


def _check_refused(graph: Graph, run: Run, runtime: str) -> None:
    """Raises a UserError unless a sample that mtl refuses gets no number."""
    spoiling = graph.first.spoiling
    if spoiling is None:
        return
    name, place = spoiling
    samples = graph.first.draw(3, torch.Generator().manual_seed(1))
    samples[name][(1, *place)] = torch.nan
    for given, got in zip(graph.given, run(samples), strict=True):
        spoiled, others = got[1], got[[0, 2]]
        if got.dtype.kind == "f":
            right = bool(np.isnan(spoiled).all()) and bool(np.isfinite(others).all())
        else:
            nothing = (-1,) if got.dtype.kind == "i" else ("",)
            right = bool(np.isin(spoiled, nothing).all()) and not bool(np.isin(others, nothing).any())
        if not right:
            raise UserError(
                f"the export is wrong and was not written: in {runtime}, {given.name} hides that a sample lacks a "
                "number. Serve the model with `mtl serve`, or export another one."
            )
