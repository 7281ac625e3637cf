"""The size of the predictions that `mtl validate` states, against that of the file."""

import json
from pathlib import Path

import pytest

from mtl.paths import PREDICTIONS, PREPARED
from pipelines.sample_sizes import predictions_note
from tests.experiment.conftest import configure

META = {
    "columns": ["a", "b"],
    "classes": {"phase": ["x", "y", "z"], "up": ["no", "yes"]},
    "splits": [{"count": {"test": 100_000}}],
}


def test_the_size_counts_every_number_of_every_run(tmp_path: Path) -> None:
    config = configure()
    said = predictions_note(config, tmp_path)
    assert said is not None and "is told once data are prepared" in said
    file = tmp_path / PREPARED / "line" / "meta.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(META))
    said = predictions_note(config, tmp_path)
    # Two runs a seed and the truth, of 8 numbers ahead, 3 chances and 2, 4 bytes each, and 6 bytes a row.
    expected = 100_000 * 5 * (4 * (8 + 3 + 2) + 3 * 6) / 1e6
    assert (
        said
        == f"{PREDICTIONS} will take about {expected:.0f} MB; `evaluate.predictions: false` leaves {PREDICTIONS} out"
    )
    assert predictions_note(configure(evaluate={"predictions": False}), tmp_path) is None


@pytest.mark.parametrize("content", ["{", "{}", json.dumps(META | {"classes": {}})])
def test_data_of_other_settings_are_not_counted(content: str, tmp_path: Path) -> None:
    file = tmp_path / PREPARED / "line" / "meta.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert predictions_note(configure(), tmp_path) is not None
