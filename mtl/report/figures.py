"""All figures of the report, in its order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mtl.report.importance_tables import importance_tables
from mtl.report.panels import panels_of
from mtl.report.plot_conflicts import conflicts, surrogates
from mtl.report.plot_groups import group_tables, grouping_figure, grouping_table, groups
from mtl.report.plot_maps import data_maps, map_tables
from mtl.report.plot_stitches import stitches
from mtl.report.plot_sweeps import capacity, few_labels
from mtl.report.plot_training import gradients, learning_curves, weights_over_time
from mtl.report.plot_verdicts import change_forest, parameter_counts, train_test_gaps
from mtl.report.read import Results
from mtl.report.simple_tables import simple_tables
from mtl.report.slice_tables import slice_tables
from mtl.report.style import Missing, Picture, styled
from mtl.report.table_of_page import Table
from mtl.report.words import DASH
from mtl.results.verdicts import EvidenceLine

MOST_LINES = 100
"""Rows of a table of evidence, which has some for every pair of tasks."""


@dataclass(frozen=True)
class Section:
    """A heading of the page with its figures."""

    key: str
    title: str
    short: str
    """Name in the table of contents."""
    figures: list[Picture | Missing]
    tables: list[Table] = field(default_factory=list)


def evidence_tables(lines: list[EvidenceLine]) -> list[Table]:
    """Lines that recommend something, then those of what was looked at and is fine."""
    head = ["aspect", "about", "measured", "rule", "how sure", "recommendation"]
    captions = {True: "Recommended, by what was measured", False: "Looked at, nothing to change"}
    tables = []
    for part, caption in captions.items():
        chosen = [line for line in lines if (line.says is not None) == part]
        rows = [[line.aspect, line.about, line.measured, line.rule, line.sure, line.says or DASH] for line in chosen]
        if rows:
            left = len(rows) - MOST_LINES
            more = f"; {left:,} further lines are in results/verdicts.json" if left > 0 else ""
            tables.append(Table(caption + more, head, rows[:MOST_LINES], prose=True))
    return tables


def draw_all(results: Results) -> dict[str, Section]:
    """Every figure that has data, and for the others the reason; the same bytes for the same results."""
    beside = simple_tables(results)
    with styled():
        sections = [
            Section("change", "Change against single-task models", "Change", [change_forest(results)]),
            Section("parameters", "Parameters", "Parameters", [parameter_counts(results)]),
            *([Section("simple", "Simple models", "Simple models", [], beside)] if beside else []),
            *_if_any("few_labels", "Few labels", "Few labels", [few_labels(results)]),
            *_if_any("capacity", "Capacity", "Capacity", [capacity(results)]),
            Section("curves", "Learning curves", "Learning curves", [learning_curves(results)]),
            Section("weights", "λ and learned weights", "Weights", [weights_over_time(results)]),
            *_if_any("stitches", "Cross-stitch units", "Cross-stitch", stitches(results)),
            *(
                Section(
                    panels.key,
                    panels.title,
                    panels.short,
                    list(panels.draw(results, tasks)),
                    [] if panels.tables is None else panels.tables(results, tasks),
                )
                for panels, tasks in panels_of(results.verdicts.tasks)
            ),
            Section("gaps", "Train–test gaps", "Train–test gaps", [train_test_gaps(results)]),
            Section("gradients", "Gradients", "Gradients", [gradients(results), conflicts(results)]),
            *_if_any("surrogates", "Surrogate directions", "Surrogates", [surrogates(results)]),
        ]
        for method, (seed, maps) in results.maps.items():
            title = f"Data maps of {method}"
            figures, tables = data_maps(method, seed, maps), map_tables(method, maps)
            sections.append(Section(f"maps-{method}", title, title, figures, tables))
        if results.groups is not None:
            title = "Which tasks belong together"
            pictures, tables = groups(results.groups), group_tables(results.groups)
            compared = results.verdicts.grouping
            if compared is not None:
                pictures.append(grouping_figure(compared))
                tables.append(grouping_table(compared, results.verdicts))
            sections.append(Section("groups", title, "Groups", pictures, tables))
        if tables := importance_tables(results):
            sections.append(Section("importance", "Which inputs matter", "Inputs", [], tables))
        if tables := slice_tables(results):
            sections.append(Section("slices", "Parts of the samples, and the worst", "Slices", [], tables))
        lines = results.verdicts.evidence
        if lines:
            title = "What the advice rests on"
            sections.append(Section("evidence", title, "Evidence", [], evidence_tables(lines)))
    return {section.key: section for section in sections}


def _if_any(key: str, title: str, short: str, figures: Sequence[Picture | Missing | None]) -> list[Section]:
    """The section, or nothing where there is nothing of its kind in the configuration."""
    there = [figure for figure in figures if figure is not None]
    return [Section(key, title, short, there)] if there else []
