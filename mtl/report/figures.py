"""All figures of the report, in its order."""

from collections.abc import Sequence
from dataclasses import dataclass

from mtl.report.plot_conflicts import conflicts, surrogates
from mtl.report.plot_predictions import confusions, error_by_horizon, forecasts
from mtl.report.plot_stitches import stitches
from mtl.report.plot_sweeps import capacity, few_labels
from mtl.report.plot_training import gradients, learning_curves, weights_over_time
from mtl.report.plot_verdicts import change_forest, parameter_counts, train_test_gaps
from mtl.report.read import Results
from mtl.report.style import Missing, Picture, styled


@dataclass(frozen=True)
class Section:
    """A heading of the page with its figures."""

    key: str
    title: str
    short: str
    """Name in the table of contents."""
    figures: list[Picture | Missing]


def draw_all(results: Results) -> dict[str, Section]:
    """Every figure that has data, and for the others the reason; the same bytes for the same results."""
    with styled():
        sections = [
            Section("change", "Change against single-task models", "Change", [change_forest(results)]),
            Section("parameters", "Parameters", "Parameters", [parameter_counts(results)]),
            *_if_any("few_labels", "Few labels", "Few labels", [few_labels(results)]),
            *_if_any("capacity", "Capacity", "Capacity", [capacity(results)]),
            Section("curves", "Learning curves", "Learning curves", [learning_curves(results)]),
            Section("weights", "λ and learned weights", "Weights", [weights_over_time(results)]),
            *_if_any("stitches", "Cross-stitch units", "Cross-stitch", stitches(results)),
            Section(
                "forecasts", "Forecasts against truth", "Forecasts", [*forecasts(results), error_by_horizon(results)]
            ),
            Section("confusion", "Confusion matrices", "Confusion", confusions(results)),
            Section("gaps", "Train–test gaps", "Train–test gaps", [train_test_gaps(results)]),
            Section("gradients", "Gradients", "Gradients", [gradients(results), conflicts(results)]),
            *_if_any("surrogates", "Surrogate directions", "Surrogates", [surrogates(results)]),
        ]
    return {section.key: section for section in sections}


def _if_any(key: str, title: str, short: str, figures: Sequence[Picture | None]) -> list[Section]:
    """The section, or nothing where there is nothing of its kind in the configuration."""
    there: list[Picture | Missing] = [figure for figure in figures if figure is not None]
    return [Section(key, title, short, there)] if there else []
