"""Sentences that are told before anything trains: which runs, how long, how many bytes."""

import contextlib
import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from mtl.cli.estimate import steps
from mtl.cli.estimate.estimate import Measured, counted, duration, groups, sentences
from mtl.cli.estimate.stale import EVERYTHING, Stale, needed, stale
from mtl.cli.estimate.timed import Sizes, Timed
from mtl.experiment.objects import load_sources, load_tasks
from tests.experiment.conftest import PRETRAINED, configure, folder, leave_torch_as_it_was, root

__all__ = ["folder", "leave_torch_as_it_was", "root"]
NOTHING = Stale(frozenset(), frozenset())
SIZES = Sizes(startup=3.0, tests={"next": (100, 8), "phase": (100, 3), "up": (50, 2)}, models=None)


@pytest.fixture
def stages(project: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((project / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return content


def timed(group: str, most: float = 10.0, weights: int = 1000) -> Timed:
    return Timed(group, most / 2, most, 0.5, weights)


def every_network(most: float = 10.0) -> Measured:
    alone = [f"baseline/{task}/random" for task in ("next", "phase", "up")]
    return Measured(SIZES, {name: timed(name, most) for name in [*alone, "finetune/joint"]})


def test_every_run_of_a_fresh_project_is_counted() -> None:
    told = counted(configure(), EVERYTHING, every_network())
    assert told.sure == Counter(baseline=3 * 2, finetune=2)
    assert (told.possible, told.up_to_date, told.simple) == (Counter(), 0, 0)
    told = counted(configure(**PRETRAINED, simple={"models": None}), EVERYTHING, every_network())
    assert told.sure == Counter(pretrain=2, baseline=3 * 4 * 2, finetune=2) and told.simple == 3 * 2


def test_what_is_up_to_date_is_not_counted() -> None:
    only_joint = Stale(frozenset({"finetune", "evaluate"}), frozenset({"cluster", "specialise", "evaluate"}))
    told = counted(configure(), only_joint, every_network())
    assert told.sure == Counter(finetune=2) and told.up_to_date == 6
    assert sentences(told)[0] == "2 training runs (2 joint); 6 more are there"
    assert sentences(counted(configure(), NOTHING, Measured()))[0] == "nothing trains: all 8 training runs are there"


def test_evaluation_passes_networks_that_are_there_as_well() -> None:
    """Each of the 8 networks takes half a second in `evaluate`, of which 2 are trained."""
    one = counted(configure(), Stale(frozenset({"finetune", "evaluate"}), frozenset()), every_network())
    slow = {name: replace(entry, test=10.0) for name, entry in every_network().timed.items()}
    other = counted(configure(), Stale(frozenset({"finetune", "evaluate"}), frozenset()), Measured(SIZES, slow))
    assert one.seconds is not None and other.seconds is not None
    assert other.seconds[0] - one.seconds[0] == pytest.approx(8 * 9.5)


def test_runs_behind_a_changed_stage_are_told_as_possible(stages: dict[str, Any]) -> None:
    some = every_network()
    some.kept = {"baseline/next/random": 2, "baseline/phase/random": 2, "finetune/joint": 2}
    told = counted(configure(), stale({"baseline"}, stages), some)
    assert told.sure == Counter(baseline=2) and told.possible == Counter(finetune=2)
    assert sentences(told)[0] == "2 to 4 training runs (2 single-task, 2 joint); 4 more are there"


def test_runs_that_their_stage_keeps_are_not_counted(stages: dict[str, Any]) -> None:
    methods = {name: {"kind": "weighted", "lambda": 0.3} for name in ("joint", "other")}
    some = every_network()
    some.kept = {"finetune/other": 2, "finetune/joint": 1}
    told = counted(configure(finetune={"methods": methods}), stale({"finetune"}, stages), some)
    assert told.sure == Counter(finetune=1) and told.possible == Counter() and told.up_to_date == 6 + 3
    both = counted(configure(finetune={"methods": methods}), stale({"baseline", "finetune"}, stages), some)
    assert both.sure == Counter(baseline=6, finetune=1) and both.possible == Counter(finetune=3)


def test_stages_behind_others_are_found_in_the_pipeline(stages: dict[str, Any]) -> None:
    assert stale({"finetune"}, stages).behind == {"cluster", "specialise", "evaluate"}
    assert stale({"prepare@line"}, stages).behind == set(stages) - {"prepare"}
    assert stale({"evaluate"}, stages).behind == set() == stale({}, stages).behind


def test_targets_count_what_they_build_on_alone(stages: dict[str, Any]) -> None:
    assert needed(["baseline@up"], stages) == {"baseline", "pretrain", "index", "prepare"}
    assert needed([], stages) is None and needed(["results/verdicts.json"], stages) is None
    targets = ["baseline@up"]
    told = counted(configure(), EVERYTHING, every_network(), targets, needed(targets, stages))
    assert told.sure == Counter(baseline=2)
    targets = ["finetune"]
    told = counted(configure(), EVERYTHING, every_network(), targets, needed(targets, stages))
    assert told.sure == Counter(baseline=6, finetune=2)


def test_seconds_are_those_of_stages_one_after_the_other() -> None:
    base = {"seeds": [3, 4, 5], "device": "cpu", "jobs": 2}
    told = counted(configure(base=base), EVERYTHING, every_network())
    # Nine runs and three of 5 to 10 s, two side by side, so five rounds and two; a stage starts in 3 s, `evaluate`
    # takes five times that, and half a second for each of the 12 runs.
    assert told.seconds is not None
    fixed = 2 * 3 + 5 * 3 + 12 * 0.5
    assert told.seconds[0] == pytest.approx((5 + 2) * 5 + fixed)
    assert told.seconds[1] == pytest.approx(1.3 * ((5 + 2) * 10 + fixed))
    alone = counted(configure(base=base | {"jobs": 1}), EVERYTHING, every_network())
    assert alone.seconds is not None and alone.seconds[0] == pytest.approx((9 + 3) * 5 + fixed)


def test_networks_that_were_not_timed_count_as_those_of_their_stage() -> None:
    some = Measured(SIZES, {name: timed(name) for name in ("baseline/next/random", "finetune/joint")})
    assert counted(configure(), EVERYTHING, some).seconds == counted(configure(), EVERYTHING, every_network()).seconds
    nothing = counted(configure(), EVERYTHING, Measured())
    assert nothing.seconds is None and nothing.written is None
    assert any("once the data are prepared" in sentence for sentence in sentences(nothing))


def test_bytes_grow_with_weights_and_with_test_samples() -> None:
    small = counted(configure(tracking={"enabled": False}), EVERYTHING, every_network()).written
    large = Measured(SIZES, {name: timed(name, weights=10**6) for name in every_network().timed})
    grown = counted(configure(tracking={"enabled": False}), EVERYTHING, large).written
    assert small is not None and grown is not None
    assert grown[0] - small[0] == 2 * 8 * (10**6 - 1000) and grown[1] == small[1]  # The folder, and DVC's cache.
    mirrored = counted(configure(), EVERYTHING, large).written
    assert mirrored is not None and mirrored[1] == grown[1] * 3 // 2
    # Two runs a task and seed and, of the predictions, the truth: 4 bytes a number, 6 and 18 a row.
    numbers = 100 * 8 + 100 * 3 + 50 * 2
    assert small[1] == 2 * (5 * (4 * numbers + 6 * 250) + 4 * 18 * 250)


def test_models_of_clusters_are_told_when_they_are_known() -> None:
    config = configure(
        finetune={"methods": {"joint": {"kind": "weighted", "lambda": 0.3, "datamap": {"record": "training"}}}},
        cluster={"source": "joint"}, specialise={"weights": "raw"},
    )  # fmt: skip
    assert "models of clusters follow" in sentences(counted(config, EVERYTHING, every_network()))[-1]
    known = every_network()
    known.sizes = Sizes(3.0, SIZES.tests, models=4)
    assert counted(config, EVERYTHING, known).sure["specialise"] == 4 * 2


@pytest.mark.parametrize(
    ("least", "most", "text"),
    [
        (0.0, 0.4, "1 second"),
        (33.2, 47.8, "33 to 48 seconds"),
        (61.0, 100.0, "1 to 1.5 minutes"),
        (1234.0, 2000.0, "21 to 33 minutes"),
        (5000.0, 7000.0, "1.5 to 2 hours"),
        (400_000.0, 900_000.0, "110 to 250 hours"),
    ],
)
def test_a_duration_has_two_digits_at_most(least: float, most: float, text: str) -> None:
    assert duration(least, most) == text


def test_every_network_is_timed_and_nothing_is_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configure(**PRETRAINED)
    (root / "params.yaml").write_text(json.dumps(config.model_dump(mode="json", by_alias=True)), encoding="utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setattr(steps, "BUDGET", 0.2)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        steps.main()
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    assert not any(lines[0]["kept"].values())
    sizes, entries = Sizes.read(lines[1]["sizes"]), [Timed(**line["timed"]) for line in lines[2:]]
    assert {entry.group for entry in entries} <= {runs.name for runs in groups(config)}
    assert {"pretrain", "finetune/joint"} <= {entry.group for entry in entries}
    assert all(0 < entry.least <= entry.most and entry.weights > 0 for entry in entries)
    assert {name: outputs for name, (_, outputs) in sizes.tests.items()} == {"next": 8, "phase": 3, "up": 2}
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert torch.is_grad_enabled()


def test_labels_that_rules_make_are_counted(root: Path) -> None:
    """The tasks' own labels stand in the data by then, beside those of the source."""
    tasks = configure().model_dump(mode="json")["tasks"]
    other = configure(tasks=tasks | {"two": tasks["up"] | {"label": {"of": "phase", "one_vs_rest": "k1"}}})
    sources = load_sources(["line"], root)
    sizes = steps._sizes(other, load_tasks(other, 3, root)[0], sources, 1.0)
    assert {name: numbers for name, (_, numbers) in sizes.tests.items()} == {"next": 8, "phase": 3, "up": 2, "two": 2}
