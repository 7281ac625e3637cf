"""Figures of each kind of task: the one place of the report that asks for a kind.

A new kind of task gets an entry in `PANELS`; what it draws stands in a file of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mtl.report.plot_curves import thresholds
from mtl.report.plot_predictions import confusions, error_by_horizon, forecasts
from mtl.report.plot_regression import error_tables, regressions
from mtl.report.read import Results
from mtl.report.style import Missing, Picture
from mtl.report.table_of_page import Table
from mtl.results.verdicts import JudgedTask

Figures = Sequence[Picture | Missing]


@dataclass(frozen=True)
class Panels:
    """A section of the page with the figures of all tasks of some kinds."""

    key: str
    title: str
    short: str
    """Name in the table of contents."""
    draw: Callable[[Results, list[JudgedTask]], Figures]
    """Given these tasks alone, at least one."""
    tables: Callable[[Results, list[JudgedTask]], list[Table]] | None = None
    """Tables of the same tasks; None for a section of figures alone."""


def _forecasts(results: Results, tasks: list[JudgedTask]) -> Figures:
    return [*forecasts(results, tasks), error_by_horizon(results, tasks)]


FORECASTS = Panels("forecasts", "Forecasts against truth", "Forecasts", _forecasts)
REGRESSIONS = Panels("regressions", "Predicted numbers against true ones", "Regressions", regressions, error_tables)
CONFUSION = Panels("confusion", "Confusion matrices", "Confusion", confusions)
THRESHOLDS = Panels("thresholds", "Thresholds and calibration", "Thresholds", thresholds)

PANELS: dict[str, tuple[Panels, ...]] = {
    "forecast": (FORECASTS,),
    "regression": (REGRESSIONS,),
    "binary": (CONFUSION, THRESHOLDS),
    "classification": (CONFUSION,),
    "tagging": (CONFUSION,),
}
"""Kind of task → its panels; the page shows them in this order."""


def panels_of(tasks: Sequence[JudgedTask]) -> list[tuple[Panels, list[JudgedTask]]]:
    """Panels that some tasks have, each with these tasks."""
    every = dict.fromkeys(panels for several in PANELS.values() for panels in several)
    chosen = [(panels, [task for task in tasks if panels in PANELS[task.kind]]) for panels in every]
    return [(panels, some) for panels, some in chosen if some]
