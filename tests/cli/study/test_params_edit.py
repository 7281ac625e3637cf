"""Values written into params.yaml: every comment and every other byte stays."""

from pathlib import Path

import pytest

from mtl.cli.study.params_edit import difference, edited
from mtl.cli.study.search_space import overlaid
from mtl.config import parse_config
from mtl.config.yaml_file import parse_yaml
from mtl.errors import UserError

PROJECT = Path(__file__).resolve().parents[3]
TEXT = (PROJECT / "presets/sensors.yaml").read_text(encoding="utf-8")


def test_only_the_values_change_and_comments_keep_their_column() -> None:
    new = edited(TEXT, {"train.lr": 0.00123456789, "finetune.methods.joint.schedule": "cosine", "train.clip": None})
    old_lines, new_lines = TEXT.splitlines(), new.splitlines()
    assert len(old_lines) == len(new_lines)
    changed = [(a, b) for a, b in zip(old_lines, new_lines, strict=True) if a != b]
    assert [b.split("#")[0].rstrip() for _, b in changed] == [
        "  lr: 0.00123456789", "  clip: null", "      schedule: cosine",
    ]  # fmt: skip
    for before, after in changed:
        assert before.partition("#")[2] == after.partition("#")[2]
        assert before.find("#") == after.find("#")
    assert difference(TEXT, new).count("\n") == 2 + 3 * 3 - 1
    assert difference(TEXT, TEXT) == ""


@pytest.mark.parametrize("value", [1e-5, 1e-07, 123456789.123, 0.1, 1e22, 5e-324])
def test_a_number_is_read_back_as_the_very_same_number(value: float) -> None:
    new = edited(TEXT, {"train.lr": value})
    assert parse_config(parse_yaml(new, "x")).train.lr == value


def test_a_key_that_is_not_written_out_is_added_to_its_section() -> None:
    lines = [line for line in TEXT.splitlines(keepends=True) if not line.startswith(("  clip:", "  head_lr:"))]
    start = next(n for n, line in enumerate(lines) if line.startswith("  sampler:"))
    end = next(n for n, line in enumerate(lines) if line.startswith("  stopping:"))
    text = "".join(lines[:start] + lines[end:])
    values = {"train.clip": 0.5, "train.sampler.temperature": 4.0, "tasks.coin.weight": 2.0}
    new = edited(text, values)
    assert parse_config(parse_yaml(new, "x")) == overlaid(parse_config(parse_yaml(text, "x")), values)
    assert set(text.splitlines()) < set(new.splitlines())


def test_sections_in_one_line_stay_in_one_line() -> None:
    flow = "      {kind: weighted, lambda: 0.2, init: random}   # one\n"
    head, _, rest = TEXT.partition("    joint:\n")
    text = head + "    joint:\n" + flow + rest[rest.index("    joint_high:") :]
    values = {"finetune.methods.joint.lambda": 0.25, "finetune.methods.joint.schedule": "warmup"}
    new = edited(text, values)
    assert "      {schedule: warmup, kind: weighted, lambda: 0.25, init: random}  # one\n" in new
    assert parse_config(parse_yaml(new, "x")) == overlaid(parse_config(parse_yaml(text, "x")), values)


@pytest.mark.parametrize("value", ["null", "yes", "0.1", "two words", "a: b", "#", "ü", "'"])
def test_a_text_stays_a_text(value: str) -> None:
    new = edited(TEXT, {"tracking.experiment": value})
    assert parse_config(parse_yaml(new, "x")).tracking.experiment == value


def test_a_value_behind_an_alias_is_refused() -> None:
    text = TEXT.replace("  lr: 0.01\n", "  lr: &rate 0.01\n").replace("  lr: 0.001\n", "  lr: *rate\n", 1)
    assert text.count("*rate") == 1
    with pytest.raises(UserError, match=r"by hand: train\.lr: 0\.5"):
        edited(text, {"train.lr": 0.5})


def test_an_empty_value_is_filled() -> None:
    text = TEXT.replace("  head_lr: null ", "  head_lr:      ")
    new = edited(text, {"train.head_lr": 0.5})
    assert parse_config(parse_yaml(new, "x")).train.head_lr == 0.5


def test_a_section_that_is_null_becomes_one_in_its_line() -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith("  trials: null"))
    new = edited(TEXT, {"evaluate.trials.joint": 3, "evaluate.trials.stl": 0})
    changed = next(line for line in new.splitlines() if line.startswith("  trials: {"))
    assert changed.partition("#")[0].rstrip() == "  trials: {stl: 0, joint: 3}"
    assert changed.partition("#")[2] == line.partition("#")[2]
    assert parse_config(parse_yaml(new, "x")).evaluate.trials == {"joint": 3, "stl": 0}
    empty = TEXT.replace("  trials: null", "  trials: {}  ")
    assert edited(empty, {"evaluate.trials.joint": 3, "evaluate.trials.stl": 0}) == new
    again = edited(new, {"evaluate.trials.joint": 40})
    assert parse_config(parse_yaml(again, "x")).evaluate.trials == {"joint": 40, "stl": 0}
