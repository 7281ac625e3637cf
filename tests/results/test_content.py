"""Rules that every result file keeps: bytes that come back, a version, and one message for a file that is no use."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mtl.errors import UserError
from mtl.files import write_json
from mtl.results.content import ResultFile
from mtl.results.examples import Examples
from mtl.results.groups import Groups, NoGroups
from mtl.results.history import History, PretrainingHistory
from mtl.results.record import Pretraining, Run
from mtl.results.reference import Reference
from mtl.results.serving import NoServing, Serving
from mtl.results.study import Study
from mtl.results.timing import Latency, Timing
from tests.helpers.records import (
    arm_json,
    epoch_json,
    groups_json,
    history_json,
    pretraining_history_json,
    pretraining_json,
    run_json,
    study_json,
    timing_json,
    trial_json,
)

Json = dict[str, Any]
FORECAST = {"mse_by_horizon": [0.1, 1 / 3], "mse_by_channel": {"flow": 0.1 + 0.2}}
FILES: list[tuple[type[ResultFile], Json]] = [
    (Run, run_json("baseline", "fault", seed=3)),
    (Run, run_json("finetune", "joint", tasks=("fault", "wear"), detail={
        "fault": {"classes": ["no", "yes"], "confusion": [[3, 1], [0, 4]]},
        "wear": FORECAST | {"roc_curve": [[0.0, 0.5, 1.0], [0, None, 1]], "auc_by_class": {"a": [1.5, 2.0]}},
    }, stitches={"tasks": ["fault", "wear"], "stages": [[[0.9, 0.1], [0.1, 0.9]]]},
        transfer={"handed_over": ["embedding.weight"], "fresh": []},
        phases=[{"tasks": ["fault"], "test": {"fault": {"accuracy": 0.1 + 0.2}}}])),
    (Pretraining, pretraining_json()),
    (Pretraining, pretraining_json(objective="none", val={}, parameters={})),
    (Pretraining, pretraining_json(processes=2)),
    (History, history_json(epoch_json(1), epoch_json(2) | {"lambda": 0.25})),
    (History, history_json(epoch_json(
        phase=1, test={"fault": {"accuracy": 1.0}}, train={"fault": {"loss": None}},
        lookahead={"affinity": {"fault": {"wear": -1e-300}}, "probes": {"fault": {"wear": 2}}},
        gradients={"norms": {"fault": 1e300}, "cosines": {"fault|wear": -0.1}, "surrogate": 0.9},
    ))),
    (PretrainingHistory, pretraining_history_json(2)),
    (PretrainingHistory, {"epochs": []}),
    (Examples, {}),
    (Examples, {"version": {"columns": ["flow"], "units": {}, "windows": [
        {"input": [[0.1]], "truth": [[0.2]], "prediction": [[0.3]]},
    ]}}),
    (Timing, timing_json()),
    (Latency, {"version": 2, "batch": 64, "stl": {"fault": 0.5}, "methods": {"joint": 0.7}}),
    (Reference, {"mse": {"ahead": {"random": {"0": 0.1 + 0.2}}}, "weights": {"ahead": {"random": {"0": "ab12"}}}}),
    (Groups, groups_json()),
    (Groups, groups_json(facts={"lookahead": [[0.5, -0.1], [0.2, 0.5]]}, relation={"kind": "lookahead"})),
    (NoGroups, {"source": None}),
    (Serving, {
        "models": {"cluster_1": {"tasks": ["fault", "wear"], "weights": [1.0, 0.5], "groups": None}}, "weights": "raw",
        "tasks": ["fault", "wear"], "soft": {"0": {"val": {"fault": {"accuracy": 0.5}}, "test": {}}},
        "candidates": [{"name": "clusters", "kind": "hard", "serve": {"fault": {"cluster_1": 1.0}}}],
    }),
    (NoServing, {"candidates": []}),
    (Study, study_json({"joint": arm_json(
        trial_json(0, "complete", [0.25], params={"train.lr": 1e-3, "joint.lambda": 1, "schedule": None, "on": True},
                   epochs={"1": 0.5}, val={"ahead": {"mse": 0.25}}, constraints={"ahead_mse": -0.1}),
        trial_json(1, "failed", None, error="the loss became inf"),
        space={"n": {"kind": "int", "low": 1, "high": 3, "log": False},
               "c": {"kind": "choice", "values": [1, 0.5, None, True, "a"]}},
        pruner={"kind": "median", "startup_trials": 5, "warmup_epochs": 1},
    )})),
]  # fmt: skip
"""Class → content of a file, with every key that is there at times only."""


@pytest.mark.parametrize(("kind", "content"), FILES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_read_is_written_with_the_same_bytes(kind: type[ResultFile], content: Json, tmp_path: Path) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    write_json(before, content)
    kind.read(before).write(after)
    assert after.read_bytes() == before.read_bytes()
    assert kind.read(after) == kind.read(before)


@pytest.mark.parametrize(("kind", "content"), FILES, ids=lambda value: getattr(value, "__name__", ""))
def test_every_key_that_must_be_there_is_missed(kind: type[ResultFile], content: Json) -> None:
    """And one that nobody knows is told before what is missing."""
    optional = {"processes", "version", "tuning"}
    if kind in (Examples, NoGroups, NoServing):
        return  # nothing has to be there
    for key in content.keys() - optional:
        with pytest.raises(
            UserError, match=rf"^run.json: `{key}` is missing; compute it again with `mtl repro --force`"
        ):
            kind.parse({name: value for name, value in content.items() if name != key}, "run.json")
        renamed = {name: value for name, value in content.items() if name != key} | {f"{key}_": content[key]}
        with pytest.raises(UserError, match=rf"^run.json: `{key}_` is not a known key"):
            kind.parse(renamed, "run.json")


def test_a_file_that_is_not_there_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        Run.read(tmp_path / "run.json", "mtl repro finetune@joint")
    assert str(caught.value) == f"{tmp_path / 'run.json'} is missing; run `mtl repro finetune@joint`."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"cannot be read \(Expecting property name"),
        ("\udcff", r"cannot be read \('utf-8' codec"),
        ("[]", r"should hold an object, found \[\]"),
        ('{"epochs": 3}', r": `epochs` should be a valid list, found 3"),
        ('{"version": 2, "epochs": []}', r"was written by a newer version of mtl \(format 2; this one reads up to 1\)"),
        ('{"version": true, "epochs": []}', r": `version` is not a known key"),
    ],
)
def test_a_file_that_cannot_be_used_says_so_in_one_message(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "history.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=message) as caught:
        PretrainingHistory.read(file, "mtl repro pretrain")
    assert str(caught.value).startswith(str(file)) and "run `mtl repro pretrain --force`" in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("test", "fault", "accuracy"), "high", r"`test.fault.accuracy` should be a valid number, found 'high'"),
        (("detail", "fault", "mse_by_horizon"), [0.5, "x"], r"`detail.fault.mse_by_horizon.1` should be .*, found 'x'"),
        (("detail", "fault", "confusion"), [[1, 0.5]], r"`detail.fault.confusion.0.1` should be .*, found 0.5"),
        (("seed",), "0", r"`seed` should be a valid integer, found '0'"),
        (("parameters", "more"), 3, r"`parameters.more` is not a known key"),
        (("stage",), "pretrain", r"`stage` should be 'simple', .* or 'specialise', found 'pretrain'"),
    ],
)
def test_a_value_of_another_kind_is_named_with_its_place(place: tuple[str, ...], value: object, message: str) -> None:
    content = run_json(detail={"fault": {}})
    here = content
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = value
    with pytest.raises(UserError, match=message):
        Run.parse(content, "run.json")


class Moved(ResultFile):
    """A format of which the third version is written: in the second `b` was called `a`, the first said nothing."""

    version: ClassVar[int] = 3
    b: int

    @classmethod
    def migrated(cls, content: Json, version: int) -> Json:
        return {"b": 0} if version == 1 else {"b": content["a"]}


@pytest.mark.parametrize(("old", "value"), [({}, 0), ({"version": 2, "a": 7}, 7), ({"version": 3, "b": 8}, 8)])
def test_files_of_older_versions_are_lifted(old: Json, value: int, tmp_path: Path) -> None:
    found = Moved.parse(old, "moved.json")
    assert found.b == value
    found.write(tmp_path / "moved.json")
    assert json.loads((tmp_path / "moved.json").read_text()) == {"version": 3, "b": value}


def test_results_are_read_without_torch() -> None:
    code = "import sys, pkgutil, importlib, mtl.results as r\n"
    code += "[importlib.import_module(f'mtl.results.{m.name}') for m in pkgutil.iter_modules(r.__path__)]\n"
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
