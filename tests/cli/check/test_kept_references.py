"""The references that the project keeps: they belong to the presets as they are now, and every metric is a number."""

import math
from pathlib import Path

import pytest
import yaml

from mtl.cli.check.reference import settings_hash
from mtl.cli.check.reference_file import FOLDER, read
from mtl.config import parse_config
from mtl.setup import presets

HERE = Path(__file__).resolve().parents[3]
KEPT = sorted(path.stem for path in (HERE / FOLDER).glob("*.json"))


def test_there_are_some() -> None:
    assert {"sensors", "smoke"} <= set(KEPT)


@pytest.mark.parametrize("preset", KEPT)
def test_a_reference_is_of_thesettings_hash_of_its_preset(preset: str) -> None:
    """A new setting, at its default, leaves them: else `mtl check --reference` refuses to compare at all."""
    reference = read(FOLDER / f"{preset}.json", HERE)
    config = parse_config(yaml.safe_load(presets.render(preset, HERE)))
    assert reference.settings == settings_hash(config)
    assert all(
        math.isfinite(value)
        for by_task in reference.metrics.values()
        for values in by_task.values()
        for value in values.values()
    )
