"""report/report.html: one self-contained page, and its figures as PNG; the same bytes for the same results."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml

from mtl.config import BaseConfig, Config
from mtl.report import words
from mtl.report.figures import draw_all
from mtl.report.read import read_results
from mtl.report.scores import averages, label_tables, published_tables
from mtl.report.select import MOST_ROWS, extremes
from mtl.report.style import METHOD_COLOURS, Picture
from mtl.report.templates import filled
from mtl.report.timings import Timings, method_costs, write_timings_js
from mtl.report.tolerances import column, tolerances
from mtl.report.words import briefly, verdict_class
from mtl.results.statistics import Interval
from mtl.results.verdicts import JudgedMethod, Row, Verdicts

PAGE = Path("report") / "report.html"
TEMPLATE = "page.html.j2"
SETTINGS = ("base", "prepare", "tasks", "encoder", "pretrain", "train", "baseline", "finetune", "evaluate")
"""Sections of params.yaml that are shown, without what changes no result."""


def write_report(config: Config, verdicts: Verdicts, root: Path = Path(".")) -> Path:
    """Draws the figures and writes the page.

    Args:
        config: settings; only outputs of its tasks, methods, starts and seeds are read.
        verdicts: content of results/verdicts.json.
        root: the project's folder.

    Returns:
        The page's path, below `root`.

    Raises:
        UserError: a result file is there but cannot be read.
    """
    sections = draw_all(read_results(config, verdicts, root))
    page = root / PAGE
    folder = page.parent / "figures"
    shutil.rmtree(folder, ignore_errors=True)  # figures of a removed task must not stay
    folder.mkdir(parents=True)
    for section in sections.values():
        for figure in section.figures:
            if isinstance(figure, Picture):
                (folder / f"{figure.key}.png").write_bytes(figure.png)
    text = filled(
        TEMPLATE,
        verdicts=verdicts,
        sections=sections,
        head=sections["change"].figures[0],
        methods=[_method(verdicts, number, method) for number, method in enumerate(verdicts.methods)],
        cells={(row.task, row.method): row for row in verdicts.rows},
        unpaired={(row.task, row.method): row for row in verdicts.unpaired},
        most_rows=MOST_ROWS,
        labels=label_tables(verdicts),
        published=published_tables(verdicts),
        averages=averages(verdicts),
        sample=_samples(config),
        tally=words.tally(verdicts.rows),
        costs=method_costs(verdicts, Timings()),
        kept=tolerances(verdicts),
        kept_column=column(tolerances(verdicts)),
        notes=words.notes(verdicts),
        settings=_settings(config),
    )
    page.write_text(text, encoding="utf-8")
    return page


@dataclass(frozen=True)
class ShownMethod:
    """A method with its rows and its sentence."""

    name: str
    described: str
    """Its label without its name."""
    start: str
    width: float
    tasks: list[str]
    trained: list[str]
    delta_m: Interval
    rows: list[Row]
    ends: list[Row]
    """Rows that stand for many."""
    counts: Counter[str]
    """Class of a verdict → its number of rows."""
    sentence: str
    colour: str


def _method(verdicts: Verdicts, number: int, method: JudgedMethod) -> ShownMethod:
    rows = verdicts.rows_of(method.name)
    said = {"helped": "helped", "hurt": "hurt", "level": "level on"}
    by = {kind: [row.task for row in rows if verdict_class(row.verdict) == kind] for kind in said}
    reasons = {row.verdict.open for row in rows}
    effects = [f"{text} {briefly(by[kind])}" for kind, text in said.items() if by[kind]]
    few = next((reason for reason in ("quick look", "too few seeds") if reason in reasons), None)
    sentence = ", ".join(effects) or (f"not known: {few}" if few else "not known on any task")
    return ShownMethod(
        name=method.name,
        described=method.label.removeprefix(method.name).lstrip(": "),
        start=method.start,
        width=method.width,
        tasks=method.tasks,
        trained=method.trained,
        delta_m=method.delta_m,
        rows=rows,
        ends=extremes(verdicts, method.name),
        counts=Counter(verdict_class(row.verdict) for row in rows),
        sentence=sentence if rows else "no single-task model to compare with",
        colour=METHOD_COLOURS[number % len(METHOD_COLOURS)],
    )


def _samples(config: Config) -> str:
    """Samples in a word: `windows`, `images`; of several kinds, or of sources that do not tell theirs, `samples`."""
    kinds = {config.prepare.sources[task.source].input for task in config.tasks.values()}
    nouns = [kind.noun for kind in kinds if kind is not None]
    return nouns[0] if len(kinds) == len(nouns) == 1 else "samples"


def _settings(config: Config) -> dict[str, str]:
    """Section → its YAML, as it was used, defaults included."""
    content = config.model_dump(mode="json", by_alias=True)
    for harmless in BaseConfig.EXECUTION:
        content["base"].pop(harmless, None)
    for tuning in ("trials", "shared_by", "quick"):  # The page speaks of tuning, and of a quick look, where it is one.
        if content["evaluate"][tuning] is None:
            del content["evaluate"][tuning]
    return {
        name: yaml.safe_dump(content[name], sort_keys=False, allow_unicode=True, default_flow_style=False)
        for name in SETTINGS
    }


__all__ = ["PAGE", "write_report", "write_timings_js"]
