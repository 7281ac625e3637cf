"""Sizes of predictions and losses that `mtl validate` states."""

import json
from pathlib import Path

import pytest

from mtl.cli.sample_sizes import order_note, sizes_note
from mtl.paths import LOSSES, PREDICTIONS, PREPARED
from tests.experiment.conftest import configure

META = {
    "columns": ["a", "b"],
    "window": None,
    "classes": {"phase": ["x", "y", "z"], "up": ["no", "yes"]},
    "splits": [{"count": {"test": 100_000}}],
}


def test_the_size_counts_every_number_of_every_run(tmp_path: Path) -> None:
    config = configure()
    said = sizes_note(config, tmp_path)
    assert said.startswith(f"the sizes of {PREDICTIONS} and {LOSSES} are told once data are prepared")
    file = tmp_path / PREPARED / "line" / "meta.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(META))
    said = sizes_note(config, tmp_path)
    # Of a single network, a simple model and a joint run a seed, and the truth: 8 numbers ahead, 3 chances and 2, 4
    # bytes each, and 6 bytes a row.
    runs = 2 * (2 + config.simple.enabled)
    expected = 100_000 * (runs + 1) * (4 * (8 + 3 + 2) + 3 * 6) / 1e6
    losses = 100_000 * 3 * runs * 18 / 1e6
    assert said == (
        f"{PREDICTIONS} will take about {expected:.0f} MB and {LOSSES} at most {losses:.0f} MB; "
        f"`evaluate.predictions: false` leaves {PREDICTIONS} out"
    )
    alone = sizes_note(configure(evaluate={"predictions": False}), tmp_path)
    assert alone == f"{LOSSES} will take at most {losses:.0f} MB"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "are told once data are prepared"),
        ("{}", "are told once data are prepared"),
        (json.dumps(META | {"classes": {}}), "besides those of line, which are not prepared yet; "),
    ],
)
def test_data_of_other_settings_are_not_counted(content: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / PREPARED / "line" / "meta.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert words in sizes_note(configure(), tmp_path)


def test_memory_of_the_order_of_many_samples_is_told(tmp_path: Path) -> None:
    config = configure()
    assert order_note(config, tmp_path) == []
    file = tmp_path / PREPARED / "line" / "meta.json"
    file.parent.mkdir(parents=True)
    for count, told in ((24_999_999, None), (100_000_000, "400 MB"), (3_000_000_000, "24,000 MB")):
        file.write_text(json.dumps({"splits": [{"count": {"train": count}}]}))
        said = order_note(config, tmp_path)
        assert (
            said == [] if told is None else f"takes {told} of memory in each process, for {count:,} training" in said[0]
        )
