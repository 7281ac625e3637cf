"""Stages that make many runs: what a change makes them train again, and that the rest is kept, byte for byte."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mtl.config import Config
from mtl.data.loading.store import write_prepared
from mtl.experiment import identity
from mtl.experiment.recipe import joint, single_task
from mtl.jobs.local import Job
from mtl.paths import PREPARED
from mtl.project.code import rooms_of_stages
from mtl.results.kept import AGAIN, ALONE, EVERYTHING, INCOMPLETE, KEY
from mtl.stages import baseline, fan_out, finetune
from tests.experiment.conftest import configure
from tests.helpers.problems import waves

WEIGHTED = {"kind": "weighted", "lambda": 0.3, "schedule": "linear"}
QUICK = {"epochs": 1, "batch_size": 64, "gradient_probes": 1, "stopping": {"patience": None}}


class Place:
    """A folder with prepared data, in which stages run in this process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trained: list[str] = []

    def use(self, methods: dict[str, Any] | None = None, **changes: Any) -> Config:
        config = configure(
            finetune={"methods": methods or {"joint": WEIGHTED}},
            **({"train": QUICK, "tracking": {"enabled": False}} | changes),
        )  # fmt: skip
        (self.root / "params.yaml").write_text(json.dumps(config.model_dump(mode="json", by_alias=True)))
        return config

    def work(self, jobs: list[Job], base: object) -> list[Path]:
        """`run_jobs` in this process."""
        del base
        self.trained += [job.label for job in jobs]
        return [job.work(*job.arguments) for job in jobs]

    def finetune(self, *names: str) -> list[str]:
        """Labels of the runs that the stage trains."""
        self.trained.clear()
        finetune.main(names)
        return list(self.trained)

    def baseline(self) -> list[str]:
        self.trained.clear()
        baseline.main()
        return list(self.trained)

    def held(self, stage: str = "finetune") -> dict[str, bytes]:
        top = self.root / "outputs" / stage
        return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    before = torch.are_deterministic_algorithms_enabled()
    write_prepared(waves(), tmp_path / PREPARED / "line", {})
    monkeypatch.chdir(tmp_path)
    made = Place(tmp_path)

    monkeypatch.setattr(fan_out, "run_jobs", made.work)
    monkeypatch.setattr(fan_out, "_last_seconds", lambda recipe, root: None)  # nor decides noise the order
    yield made
    torch.use_deterministic_algorithms(before)


def fresh(place: Place) -> dict[str, bytes]:
    """Files of the stage from nothing, with the settings of now."""
    shutil.move(place.root / "outputs", place.root / "before")
    shutil.move(place.root / ".mtl", place.root / ".mtl-before")
    place.finetune()
    files = place.held()
    for name in ("outputs", ".mtl"):
        shutil.rmtree(place.root / name)
    shutil.move(place.root / "before", place.root / "outputs")
    shutil.move(place.root / ".mtl-before", place.root / ".mtl")
    return files


def test_a_change_trains_its_runs_and_gives_the_files_of_a_fresh_clone(place: Place) -> None:
    first = {"joint": WEIGHTED, "equal": {"kind": "equal"}}
    place.use(first)
    assert place.finetune() == [f"{name} / seed {seed}" for name in first for seed in (3, 4)]
    before = place.held()
    assert place.finetune() == [] and place.held() == before

    edited = first | {"joint": WEIGHTED | {"lambda": 0.7}}
    place.use(edited)
    assert place.finetune() == ["joint / seed 3", "joint / seed 4"]
    assert place.held() == fresh(place) != before

    place.use(edited | {"more": {"kind": "uncertainty"}})
    assert place.finetune() == ["more / seed 3", "more / seed 4"]
    place.use(edited)
    assert place.finetune() == [] and place.held() == fresh(place), "what was removed is gone"

    place.use(first)
    assert place.finetune() == [] and place.held() == before, "and back"
    place.use(first | {"more": {"kind": "uncertainty"}})
    assert place.finetune() == []


def test_seeds_come_and_go(place: Place) -> None:
    base = {"seeds": [3], "device": "cpu"}
    place.use(base=base)
    assert place.finetune() == ["joint / seed 3"]
    place.use(base=base | {"seeds": [3, 4]})
    assert place.finetune() == ["joint / seed 4"]
    place.use(base=base | {"seeds": [4, 3], "jobs": 2})
    assert place.finetune() == ["joint / seed 4", "joint / seed 3"], "the first seed alone has examples"
    assert place.held() == fresh(place)


def test_tasks_that_are_trained_alone_come_and_go(place: Place) -> None:
    place.use(baseline={"tasks": ["up"]})
    assert place.baseline() == ["stl / up / random / seed 3", "stl / up / random / seed 4"]
    place.use(baseline={"tasks": ["up", "phase"]})
    assert place.baseline() == ["stl / phase / random / seed 3", "stl / phase / random / seed 4"]
    place.use(baseline={"tasks": ["phase"]})
    assert place.baseline() == []
    assert {path.partition("/")[0] for path in place.held("baseline")} == {"phase"}


@pytest.mark.parametrize(
    "change",
    [
        lambda tasks: dict(reversed(tasks.items())),
        lambda tasks: tasks | {"down": tasks["up"]},
        lambda tasks: tasks | {"up": tasks["up"] | {"train_fraction": 0.6}},
    ],
    ids=["order", "another task", "an edited task"],
)
def test_all_runs_depend_on_all_tasks(change: Callable[[dict[str, Any]], dict[str, Any]], place: Place) -> None:
    config = place.use()
    keys = fan_out._keys(finetune.runs(config) | baseline.runs(config))
    tasks = {name: task.model_dump(mode="json") for name, task in config.tasks.items()}
    other = place.use(tasks=change(tasks))
    changed = fan_out._keys(finetune.runs(other) | baseline.runs(other))
    assert not set(keys.values()) & set(changed.values())


def test_a_key_holds_code_torch_and_device_and_nothing_of_the_execution(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def key(**changes: Any) -> str:
        recipe = joint(place.use(**changes), "joint", 3)
        return identity.run_key(recipe, identity.run_identity(recipe, place.root), place.root)

    usual = key()
    assert usual == key(base={"seeds": [3, 4], "device": "cpu", "jobs": 5}, tracking={"enabled": True})
    assert usual == key(methods={"joint": WEIGHTED, "other": {"kind": "equal"}}, evaluate={"confidence": 0.9})
    assert usual != key(train=QUICK | {"lr": 0.5})
    monkeypatch.setattr(torch, "__version__", "0.0.1")
    assert usual != key()
    monkeypatch.undo()
    monkeypatch.chdir(place.root)
    monkeypatch.setattr(identity, "stage_digest", lambda stage, root: "other code")
    assert usual != key()


def test_code_of_other_stages_is_no_code_of_a_run(tmp_path: Path) -> None:
    """And the user's own is."""
    rooms = rooms_of_stages()
    assert "evaluation" in rooms["evaluate"] and "evaluation" not in rooms["finetune"]
    assert {"stages/kept.py", "training", "experiment"} <= set(rooms["finetune"])
    before = identity.stage_digest("finetune", tmp_path / "one")
    assert before == identity.stage_digest("finetune", tmp_path / "two") == identity.stage_digest("baseline", tmp_path)
    (tmp_path / "three/plugins").mkdir(parents=True)
    (tmp_path / "three/plugins/own.py").write_text("")
    assert before != identity.stage_digest("finetune", tmp_path / "three")


def test_a_stop_in_the_middle_loses_no_run_and_shows_none_that_is_not_asked_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = {"joint": WEIGHTED, "equal": {"kind": "equal"}}
    place.use(methods)
    place.finetune()
    before = place.held()
    place.use(methods, train=QUICK | {"lr": 0.1})
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(fan_out, "run_jobs", lambda jobs, base: place.work(jobs[:2], base) and 1 / 0)
        place.finetune()
    keys = {path for path in place.held() if path.endswith(KEY)}
    assert keys == {f"joint/seed-{seed}/{KEY}" for seed in (3, 4)}, "runs of other settings are out of sight"
    assert place.finetune() == ["equal / seed 3", "equal / seed 4"]
    assert place.held() == fresh(place)
    place.use(methods)
    assert place.finetune() == [] and place.held() == before
    assert not list((place.root / ".mtl/state").rglob("*.safetensors")), "states of runs that have ended"


def test_a_damaged_run_is_made_again(place: Place) -> None:
    place.use()
    place.finetune()
    before = place.held()
    (place.root / "outputs/finetune/joint/seed-4/history.json").write_text("{")
    (place.root / "outputs/finetune/joint/seed-3" / KEY).unlink()
    assert place.finetune() == ["joint / seed 3", "joint / seed 4"]
    assert place.held() == before


def test_methods_asked_for_alone_leave_the_stage_open(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.use({"joint": WEIGHTED, "equal": {"kind": "equal"}})
    monkeypatch.setenv(ALONE, "finetune@equal")
    with pytest.raises(SystemExit) as ended:
        place.finetune()
    assert ended.value.code == INCOMPLETE
    assert {path.partition("/")[0] for path in place.held()} == {"equal"}
    monkeypatch.setenv(ALONE, "finetune@joint baseline@up")
    assert place.finetune() == ["joint / seed 3", "joint / seed 4"], "and nothing lacks any more"
    monkeypatch.setenv(AGAIN, "finetune@joint")
    assert place.finetune() == ["joint / seed 3", "joint / seed 4"]
    monkeypatch.delenv(ALONE)
    monkeypatch.setenv(AGAIN, EVERYTHING)
    assert len(place.finetune()) == 4
    monkeypatch.delenv(AGAIN)
    assert place.finetune("joint") == [] == place.finetune()


def test_an_unknown_name_is_an_error(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.use()
    with pytest.raises(SystemExit) as ended:
        place.finetune("odd")
    assert ended.value.code == 2 and not (place.root / "outputs").exists()
    assert capsys.readouterr().err == "error: `finetune` should be run for some of joint, found 'odd'.\n"


def test_the_longest_runs_begin_first(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    methods = {
        "one": {"kind": "equal", "tasks": ["up", "phase"]}, "wide": {"kind": "equal", "width": 2.0},
        "turns": {"kind": "sequential", "first": "forecast"}, "pcgrad": {"kind": "pcgrad"}, "other": {"kind": "equal"},
    }  # fmt: skip
    starts = [{"init": "random", "width": width} for width in (1.0, 2.0)]
    config = place.use(methods, base={"seeds": [3], "device": "cpu"}, baseline={"starts": starts})
    runs = {name: joint(config, name, 3) for name in methods}
    assert list(fan_out.longest_first(runs, place.root)) == ["wide", "pcgrad", "turns", "one", "other"]
    monkeypatch.undo()
    times = {"one": 4.0, "wide": 1.0, "turns": 9.0, "pcgrad": 2.0, "other": 2.0}
    for name, seconds in times.items():
        file = place.root / f"timings/finetune/{name}/seed-3.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({
            "train_seconds": seconds, "epochs": 1, "steps": 1, "started": "", "finished": "", "peak_memory_mb": 1.0,
        }))  # fmt: skip
    assert list(fan_out.longest_first(runs, place.root)) == ["turns", "one", "pcgrad", "other", "wide"]
    runs["new"] = single_task(config, "up", config.baseline.starts[0], 3)
    assert next(iter(fan_out.longest_first(runs, place.root))) == "wide", "one was never made: all by their work"
