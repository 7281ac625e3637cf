"""What `mtl tune --apply` wrote, and whether the verdicts compare methods that were tuned by equal budgets."""

import json
from collections.abc import Mapping
from pathlib import Path

from mtl.config import Config
from mtl.config.tune import Scalar
from mtl.files import write_json
from mtl.paths import TRIALS
from pipelines.search_space import STL, overlaid

APPLIED = TRIALS / "applied.json"


def note_applied(root: Path, study: str, values: Mapping[str, Scalar], budgets: Mapping[str, int]) -> None:
    """Notes what was written into params.yaml; `budgets` is arm → finished trials."""
    write_json(root / APPLIED, {"study": study, "values": dict(values), "budgets": dict(budgets)})


def budget_note(config: Config, root: Path) -> str | None:
    """What the verdicts should be read with: whether methods and STL were tuned by unequal numbers of trials."""
    try:
        applied = json.loads((root / APPLIED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if overlaid(config, applied["values"]) != config:
        return None  # They were edited since.
    budgets: Mapping[str, int] = applied["budgets"]
    counts = {arm: budgets.get(arm, 0) for arm in (STL, *config.finetune.methods)}
    if len(set(counts.values())) == 1:
        return None
    said = ", ".join(f"{'STL' if arm == STL else arm} {number}" for arm, number in counts.items())
    return (
        f"Unequal budgets of tuning: the settings are those of a trial of the study {applied['study']!r} "
        f"(trials: {said}). `mtl tune --arms` gives each the same number."
    )
