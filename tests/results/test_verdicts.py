"""verdicts.json and metrics.json: every part comes back with its bytes, and readers find their way."""

import json
from pathlib import Path
from typing import Any

import pytest

from mtl.errors import UserError
from mtl.results.means import Means
from mtl.results.statistics import Interval
from mtl.results.verdict import Verdict
from mtl.results.verdicts import Verdicts
from tests.helpers.results import write_results
from tests.helpers.verdicts import grouping_json, verdict_json

Json = dict[str, Any]
SUMMARY: Json = {"mean": 0.1 + 0.2, "low": None, "high": None, "values": [0.1 + 0.2]}
INTERVAL: Json = {"mean": 1 / 3, "low": -1e-300, "high": 2.0, "n": 2}
PROTOCOLS: Json = {"best": SUMMARY, "honest": SUMMARY}
MODELS: list[Json] = [{"method": None, "start": "random"}, {"method": "joint", "start": "random"}]
SOMETIMES: Json = {
    "tuning": {"trials": {"stl": 3, "joint": 0}, "equal": False, "shared_by": None},
    "labels": {
        "entries": [model | {"tasks": {"fault": {"accuracy": SUMMARY}}} for model in MODELS],
        "averages": [{"method": "joint", "metric": "accuracy", "tasks": ["fault"], "joint": SUMMARY, "stl": None}],
    },
    "published": {
        "entries": [model | {"tasks": ["fault"], "by_task": {"fault": PROTOCOLS}} | PROTOCOLS for model in MODELS],
        "pairs": [{"first": MODELS[0], "second": MODELS[1]} | PROTOCOLS],
    },
    "capacity": [{"task": "fault", "metric": "accuracy", "curves": [
        {"name": None, "start": "random", "points": [SUMMARY | {"width": 0.5, "parameters": 10}]},
        {"name": "joint", "methods": ["joint"], "points": []},
    ]}],
    "fractions": [{"tasks": ["fault"], "metric": "accuracy", "mixed": ["joint"], "curves": [
        {"name": None, "start": "random", "points": [SUMMARY | {"task": "fault", "share": 0.1, "samples": 9}]},
    ]}],
    "likeness": {"joint": {"near|fault": INTERVAL}},
    "grouping": {"weights": "raw", "rows": [grouping_json("clusters", parameters=10.5, over_random=INTERVAL)]},
    "evidence": [{"aspect": "capacity", "about": "joint: fault", "measured": "λ", "rule": "> 1", "says": None,
                  "sure": "5 seeds"}],
}  # fmt: skip
"""Every part that small results leave empty."""


@pytest.fixture
def content(tmp_path: Path) -> Json:
    """Verdicts of five tasks and four methods, one of which forgets, with every part that there is."""
    verdicts = write_results(tmp_path, ("joint", "forecast_first"), seeds=2, starts=True)[1] | SOMETIMES
    verdicts["rows"][0]["tuning"] = {"stl": 3, "joint": 0, "equal": False}
    return verdicts


def test_what_is_read_is_written_with_the_same_bytes(content: Json, tmp_path: Path) -> None:
    """In sorted UTF-8, as the files of before the types."""
    text = json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (tmp_path / "before.json").write_text(text, encoding="utf-8")
    Verdicts.read(tmp_path / "before.json").write(tmp_path / "after.json")
    assert (tmp_path / "after.json").read_text(encoding="utf-8") == text
    assert "λ" in text


def test_every_part_that_is_not_there_is_missed(content: Json) -> None:
    for key in content.keys() - {"tuning", "version"}:
        with pytest.raises(UserError, match=rf"^verdicts.json: `{key}` is missing"):
            Verdicts.parse({name: value for name, value in content.items() if name != key}, "verdicts.json")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("rows", 0, "change", "mean"), "high", r"`rows.0.change.mean` should be a valid number, found 'high'"),
        (("rows", 0, "within_tolerance"), "maybe", r"`rows.0.within_tolerance` should be 'yes', 'no' or 'not known'"),
        (("rows", 0, "stl", "n"), 2, r"`rows.0.stl.n` is not a known key"),
        (("methods", 0, "lam"), 0.2, r"`methods.0"),
    ],
)
def test_a_value_of_another_kind_is_named_with_its_place(
    content: Json, place: tuple[Any, ...], value: object, message: str
) -> None:
    here: Any = content
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = value
    with pytest.raises(UserError, match=message):
        Verdicts.parse(content, "verdicts.json")


def test_verdicts_of_the_first_version_are_read(content: Json) -> None:
    """They held words, and had no margin: every change that was shown matters."""
    del content["version"], content["margin"]
    words = ["HELPED", "HURT", "no difference shown", "undecided (2 seeds)"]
    for row, word in zip(content["rows"], words * 9, strict=False):
        row["verdict"] = word
    content["rows"][0]["within_tolerance"] = "undecided"
    verdicts = Verdicts.parse(content, "verdicts.json")
    assert verdicts.margin == 0.0 and verdicts.rows[0].within_tolerance == "not known"
    found = [(row.verdict.text, row.verdict.matters) for row in verdicts.rows[:4]]
    assert found == [("HELPED", True), ("HURT", True), ("not known", None), ("not known: too few seeds", None)]
    content["rows"][1]["verdict"] = 3
    with pytest.raises(UserError, match=r"`rows.1.verdict` should be"):
        Verdicts.parse(content, "verdicts.json")


@pytest.mark.parametrize(
    ("verdict", "text", "kinds"),
    [
        (verdict_json("HELPED"), "HELPED", (True, False, False)),
        (verdict_json("HURT"), "HURT", (False, True, False)),
        (verdict_json("HELPED", matters=False), "HELPED, too little to matter", (False, False, True)),
        (verdict_json("LEVEL"), "LEVEL", (False, False, True)),
        (verdict_json(), "not known: too few seeds", (False, False, False)),
        (verdict_json(open="seeds", seeds_needed=1024), "not known: 1,024 seeds", (False, False, False)),
        (verdict_json(open="seeds", seeds_needed=None), "not known: more seeds", (False, False, False)),
        (verdict_json(open="test data", seeds_needed=None), "not known: more test data", (False, False, False)),
        (verdict_json(open="undefined", seeds_needed=None), "not known: STL is 0", (False, False, False)),
        (verdict_json(open="margin", seeds_needed=None), "not known", (False, False, False)),
    ],
)
def test_a_verdict_in_words(verdict: Json, text: str, kinds: tuple[bool, bool, bool]) -> None:
    found = Verdict.model_validate(verdict)
    assert found.text == text
    assert (found.helped, found.hurt, found.level) == kinds


def test_the_rows_of_a_method_follow_the_tasks(content: Json) -> None:
    content["rows"].reverse()
    verdicts = Verdicts.parse(content, "verdicts.json")
    assert [row.task for row in verdicts.rows_of("joint")] == [task.name for task in verdicts.tasks]
    assert {row.method for row in verdicts.rows_of("joint")} == {"joint"}
    assert verdicts.task("fault").name == "fault"


@pytest.mark.parametrize(("low", "high", "sign"), [(0.1, 0.3, 1), (-0.3, -0.1, -1), (-0.1, 0.1, 0), (None, None, 0)])
def test_the_sign_of_an_interval_is_that_of_both_ends(low: float | None, high: float | None, sign: int) -> None:
    assert Interval(mean=0.0, low=low, high=high, n=5).sign == sign


def test_means_may_have_methods_of_any_name(tmp_path: Path) -> None:
    metrics = {"fault": {"accuracy": 1 / 3}}
    content = dict.fromkeys(("stl", "read", "model_dump", "version", "by_method"), metrics)
    (tmp_path / "before.json").write_text(json.dumps(content, sort_keys=True, indent=2) + "\n", encoding="utf-8")
    means = Means.read(tmp_path / "before.json")
    assert means.by_method == content
    means.write(tmp_path / "after.json")
    assert (tmp_path / "after.json").read_bytes() == (tmp_path / "before.json").read_bytes()
    with pytest.raises(UserError, match=r"`stl.fault.accuracy` should be a valid number, found 'high'"):
        Means.parse({"stl": {"fault": {"accuracy": "high"}}}, "metrics.json")
