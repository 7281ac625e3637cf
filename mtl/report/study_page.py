"""studies/NAME/study.html: a self-contained page of one study, and its figures as PNG; the same bytes for the same
study."""

import shutil
from pathlib import Path
from typing import Any

import yaml

from mtl.config.budgets import STL, counted
from mtl.report.plot_study import MAXIMISED, OBJECTIVES, draw_study, ended, objectives, short
from mtl.report.style import Picture
from mtl.report.templates import filled
from mtl.report.words import Json, in_shown_unit, is_share, signed

PAGE = "study.html"
TEMPLATE = "study.html.j2"


def write_study_page(study: Json, folder: Path) -> Path:
    """Draws the figures of a study and writes its page.

    Args:
        study: content of study.json.
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
    spec = next(iter(study["arms"].values()))["spec"]
    text = filled(
        TEMPLATE,
        study=study,
        spec=spec,
        figures=figures,
        arms=[_arm(study, arm) for arm in study["arms"]],
        tuning=study["tuning"],
        tuning_text=counted(study["tuning"]["trials"]),
        untuned=["STL" if arm == STL else arm for arm in study["tuning"]["trials"] if arm not in study["arms"]],
        objectives=[OBJECTIVES[name] for name in objectives(study)],
        space=yaml.safe_dump({arm: held["spec"]["space"] for arm, held in study["arms"].items()}, sort_keys=True),
    )
    page = folder / PAGE
    page.write_text(text, encoding="utf-8")
    return page


def _arm(study: Json, arm: str) -> Json:
    """An arm's table: trials that ended, feasible ones first, best first."""
    names = objectives(study)
    paths = sorted(study["arms"][arm]["spec"]["space"])
    sign = -1 if names[0] in MAXIMISED else 1
    order = {"complete": 0, "infeasible": 1, "pruned": 2, "failed": 3}

    def rank(trial: Json) -> tuple[int, float, int]:
        value = sign * trial["values"][0] if trial["values"] else 0.0
        return order[trial["state"]], value, trial["number"]

    rows = [
        {
            "number": trial["number"],
            "state": trial["state"],
            "values": [_objective(n, v) for n, v in zip(names, trial["values"] or [], strict=False)],
            "params": [_number(trial["params"].get(path)) for path in paths],
            "constraints": ", ".join(
                f"{name.removesuffix('_mse')} {signed(excess, 4)}"
                for name, excess in sorted(trial["constraints"].items())
            ),
            "error": trial["error"],
        }
        for trial in sorted(ended(study, arm), key=rank)
    ]
    return {
        "name": arm,
        "trials": study["tuning"]["trials"][arm],
        "paths": [short(path) for path in paths],
        "rows": rows,
        "failed": any(row["error"] for row in rows),
    }


def _objective(name: str, value: float) -> str:
    """An objective's number in the unit of its column: percent with two digits, else four."""
    return f"{in_shown_unit(name, value):.2f}" if is_share(name) else f"{value:.4f}".replace("-", "−")


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "null" if value is None else str(value)
