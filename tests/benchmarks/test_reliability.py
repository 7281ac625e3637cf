"""The campaign of reliability sees what is lost: every kind of loss that it looks for, planted, is counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.reliability import inputs
from benchmarks.reliability.__main__ import ATTACKS, main
from benchmarks.reliability.campaign import Attack, Attempt, Outcome, differences, read
from benchmarks.reliability.forms import FORMS, Form
from mtl.errors import DataError
from tests.data.test_source_contract import members


def attack(outcomes: dict[int, Outcome], asked: list[int]) -> dict[str, Attack]:
    """An attack with outcomes that are known, which notes the tries that it is asked for."""

    @contextmanager
    def begin(place: Path) -> Iterator[Attempt]:
        def attempt(number: int) -> Outcome:
            asked.append(number)
            return outcomes.get(number, Outcome("tries", "well"))

        yield attempt

    return {"planted": Attack(4, begin)}


def test_a_campaign_that_was_interrupted_goes_on_and_counts_disturbances(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []
    attacks = attack({1: Outcome("tries", "well", hits=3)}, asked)
    assert main(["--out", str(tmp_path), "--count", "1"], attacks) == 0
    log = tmp_path / "planted.jsonl"
    log.write_text(log.read_text() + '{"number": 1, "what": "a line that was cut o')
    assert main(["--out", str(tmp_path)], attacks) == 0
    assert asked == [0, 1] and sum(outcome.hits for outcome in read(log).values()) == 4
    assert main(["--out", str(tmp_path), "--table"], attacks) == 0
    assert asked == [0, 1], "a table tries nothing"
    assert "| planted | 4 tries | 2 well | nothing |" in capsys.readouterr().out


def test_what_is_lost_is_counted_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = {2: Outcome("tries", "badly", ("outputs/a is missing", "outputs/b differs"))}
    assert main(["--out", str(tmp_path)], attack(outcomes, [])) == 1
    assert "| planted | 4 tries | 3 well, 1 badly | **2** |" in capsys.readouterr().out
    assert main(["--out", str(tmp_path), "--table"], attack({}, [])) == 1, "also when it was lost before"


def test_an_exception_that_nobody_foresaw_is_a_loss(tmp_path: Path) -> None:
    @contextmanager
    def begin(place: Path) -> Iterator[Attempt]:
        def attempt(number: int) -> Outcome:
            raise KeyError(number)

        yield attempt

    assert main(["--out", str(tmp_path)], {"broken": Attack(1, begin)}) == 1
    assert "KeyError: 0" in read(tmp_path / "broken.jsonl")[0].lost[0]


def test_every_difference_of_files_is_a_loss() -> None:
    expected = {"a": "1", "b": "2", "c": "3"}
    assert differences(expected, dict(expected)) == []
    assert differences(expected, {"a": "1", "b": "4", "d": "5"}) == ["c is missing", "d is too many", "b differs"]


def test_every_kind_of_source_is_attacked() -> None:
    assert set(FORMS) == members()
    assert {f"inputs-{kind}" for kind in FORMS} <= set(ATTACKS)


@pytest.mark.parametrize("form", [make for kind in ("series", "table") for make in FORMS[kind]])
def test_a_form_without_a_fault_prepares(form: object, tmp_path: Path) -> None:
    """Otherwise its faults would be refused for another reason."""
    assert callable(form)
    made = form(tmp_path / "project")
    assert isinstance(made, Form)
    assert inputs.prepared(made, made.section, tmp_path / "project") == "prepared"


def test_a_traceback_and_a_leftover_are_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sources: object, name: str, root: Path) -> None:
        raise ValueError("nobody caught it")

    monkeypatch.setattr(inputs, "prepare", broken)
    with inputs.begin(tmp_path, "series") as attempt, pytest.raises(ValueError, match="nobody caught it"):
        attempt(whole("series"))

    def careless(sources: object, name: str, root: Path) -> None:
        (root / "data/half").mkdir(parents=True)
        raise DataError("data/raw/own.csv: refused.")

    monkeypatch.setattr(inputs, "prepare", careless)
    with inputs.begin(tmp_path, "series") as attempt:
        assert "left something behind" in attempt(whole("series")).lost[0]


def whole(kind: str) -> int:
    """The first try that does no harm."""
    return next(number for number in range(100) if inputs.way_of(kind, number) == "nothing")
