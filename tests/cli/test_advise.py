"""`mtl advise`: what recommends something, and all when it is asked for."""

from pathlib import Path

import pytest

from mtl.cli.advise import advise
from mtl.errors import UserError
from mtl.files import write_json
from mtl.paths import VERDICTS
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
    assert "Train jointly." in short
    assert "  rule: above\n    train together\n      a | b: cosine +0.3; 5 seeds\n" in short
    assert "joint: a" not in short and "1 more looked at, nothing to change: mtl advise --all" in short
    advise(tmp_path, True)
    assert "    nothing to change\n      joint: a: 1.0 times; 5 seeds\n" in capsys.readouterr().out


def test_what_many_lines_have_in_common_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule, says = "interval above 1.05: the shared network is too small, or pulled away", "a wider encoder"
    lines = [
        {"aspect": "capacity", "about": f"joint: {task}", "measured": f"{ratio} times", "rule": rule, "says": says,
         "sure": "95 % interval [+1.1, +1.3], 5 seeds"}
        for task, ratio in (("a", 1.2), ("b", 1.3), ("c", 1.2))
    ]  # fmt: skip
    write_json(tmp_path / VERDICTS, verdicts_json(evidence=lines))
    advise(tmp_path, False)
    out = capsys.readouterr().out
    assert out.count(rule) == out.count(says) == 1
    assert "      joint: a, joint: c: 1.2 times; 95 % interval [+1.1, +1.3], 5 seeds\n" in out
    assert "      joint: b: 1.3 times; 95 % interval [+1.1, +1.3], 5 seeds\n" in out
    assert not any(line.endswith(" ") for line in out.splitlines())
