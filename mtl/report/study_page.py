"""studies/NAME/study.html: a self-contained page of one study, and its figures as PNG; the same bytes for the same
study."""

import shutil
from pathlib import Path
from typing import Any

import yaml

from mtl.config.budgets import STL, counted
from mtl.report.plot_study import MAXIMISED, OBJECTIVES, draw_study, short
from mtl.report.style import Picture
from mtl.report.templates import filled
from mtl.report.words import Json, in_shown_unit, is_share, signed
from mtl.results.study import Study, Trial

PAGE = "study.html"
TEMPLATE = "study.html.j2"


def write_study_page(study: Study, folder: Path) -> Path:
    """Draws the figures of a study and writes its page.

    Args:
        study: the study.
        folder: where study.json stands.

    Returns:
        The page's path.
    """
    figures = draw_study(study)
    drawn = folder / "figures"
    shutil.rmtree(drawn, ignore_errors=True)
    drawn.mkdir(parents=True)
    for figure in figures:
        if isinstance(figure, Picture):
            (drawn / f"{figure.key}.png").write_bytes(figure.png)
    text = filled(
        TEMPLATE,
        study=study,
        spec=study.spec,
        figures=figures,
        arms=[_arm(study, arm) for arm in study.arms],
        tuning=study.budgets,
        tuning_text=counted(study.budgets.trials),
        untuned=["STL" if arm == STL else arm for arm in study.budgets.trials if arm not in study.arms],
        objectives=[OBJECTIVES[name] for name in study.objectives],
        space=yaml.safe_dump({arm: held.spec.plain()["space"] for arm, held in study.arms.items()}, sort_keys=True),
    )
    page = folder / PAGE
    page.write_text(text, encoding="utf-8")
    return page


def _arm(study: Study, arm: str) -> Json:
    """An arm's table: trials that ended, feasible ones first, best first."""
    names, held = study.objectives, study.arms[arm]
    paths = sorted(held.spec.space)
    sign = -1 if names[0] in MAXIMISED else 1
    order = {"complete": 0, "infeasible": 1, "pruned": 2, "failed": 3}

    def rank(trial: Trial) -> tuple[int, float, int]:
        value = sign * trial.values[0] if trial.values else 0.0
        return order[trial.state], value, trial.number

    rows = [
        {
            "number": trial.number,
            "state": trial.state,
            "values": [_objective(n, v) for n, v in zip(names, trial.values or [], strict=False)],
            "params": [_number(trial.params.get(path)) for path in paths],
            "constraints": ", ".join(
                f"{name.removesuffix('_mse')} {signed(excess, 4)}" for name, excess in sorted(trial.constraints.items())
            ),
            "error": trial.error,
        }
        for trial in sorted(held.ended, key=rank)
    ]
    return {
        "name": arm,
        "trials": study.budgets.trials[arm],
        "paths": [short(path) for path in paths],
        "rows": rows,
        "failed": any(row["error"] for row in rows),
    }


def _objective(name: str, value: float) -> str:
    """An objective's number in the unit of its column: percent with two digits, else four."""
    return f"{in_shown_unit(name, value):.2f}" if is_share(name) else f"{value:.4f}".replace("-", "−")


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "null" if value is None else str(value)
