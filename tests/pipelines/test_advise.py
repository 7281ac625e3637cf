"""`mtl advise`: what recommends something, and all when it is asked for."""

from pathlib import Path

import pytest

from mtl.errors import UserError
from mtl.files import write_json
from mtl.paths import VERDICTS
from pipelines.advise import advise
from tests.helpers.verdicts import verdicts_json


def test_advise_prints_what_recommends_something_and_all_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=r"results/verdicts\.json is missing; run `mtl repro`\."):
        advise(tmp_path, False)
    lines = [
        {"aspect": "relatedness", "about": "a | b", "measured": "cosine +0.3", "rule": "above",
         "says": "train together", "sure": "5 seeds"},
        {"aspect": "capacity", "about": "joint: a", "measured": "1.0 times", "rule": "above 1.05", "says": None,
         "sure": "5 seeds"},
    ]  # fmt: skip
    write_json(tmp_path / VERDICTS, verdicts_json(evidence=lines))
    advise(tmp_path, False)
    short = capsys.readouterr().out
    assert "Train jointly." in short and "a | b: train together" in short and "cosine +0.3; above; 5 seeds" in short
    assert "joint: a" not in short and "1 more looked at, nothing to change: mtl advise --all" in short
    advise(tmp_path, True)
    assert "joint: a: nothing to change" in capsys.readouterr().out
