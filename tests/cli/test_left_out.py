"""Values that params.yaml leaves out and a stage watches: DVC sees their defaults in processes that `mtl` starts."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.dependency import param
from dvc.fs import LocalFileSystem
from dvc.utils import serialize

from mtl.cli.dvc_params import fill_in
from mtl.cli.preflight import filled, filled_note, left_out
from mtl.config import parse_config
from mtl.setup.new_project import lay_out

DOZEN = """\
base: {seeds: [3]}
prepare: {sources: {sensors: {kind: sensors}}}
tasks:
  ahead: {kind: forecast, source: sensors, input_len: 24, horizon: 6}
encoder: {kind: timedart}
train: {epochs: 1}
finetune: {methods: {joint: {kind: equal}}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    lay_out(tmp_path)
    (tmp_path / "params.yaml").write_text(DOZEN, encoding="utf-8")
    return tmp_path


def test_what_is_written_stays_and_the_rest_is_the_default(place: Path) -> None:
    params: dict[str, Any] = yaml.safe_load(DOZEN)
    config = parse_config(params)
    complete = filled(params, config, place)
    assert params == yaml.safe_load(DOZEN)
    assert {name: complete[name] for name in ("prepare", "tasks", "encoder", "finetune")} == {
        name: params[name] for name in ("prepare", "tasks", "encoder", "finetune")
    }
    base = config.base
    watched = {"device": base.device, "threads": base.threads, "precision": base.precision}
    assert complete["base"] == {"seeds": [3], **watched}
    assert complete["train"] == {"epochs": 1, "sampler": config.train.sampler.model_dump(mode="json")}
    assert complete["evaluate"] == config.evaluate.model_dump(mode="json", by_alias=True)
    assert left_out(complete, config, place) == {}
    assert parse_config(complete) == config


def test_a_section_is_told_once(place: Path) -> None:
    (note,) = filled_note(parse_config(yaml.safe_load(DOZEN)), place)
    assert "`base.threads`" in note and "`train.sampler`" in note
    assert note.count("`evaluate`") == 1 and "`evaluate.slices`" not in note and "`base`" not in note


def test_dvc_reads_the_defaults(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.repo import Repo

    monkeypatch.setattr(serialize, "LOADERS", serialize.LOADERS.copy())
    monkeypatch.setattr(param, "read_param_file", param.read_param_file)
    (place / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    monkeypatch.chdir(place)
    fill_in(place)
    with Repo() as repo:
        stages = {stage.addressing: stage for stage in repo.index.stages}
        assert {"prepare@sensors", "baseline", "finetune", "evaluate"} <= set(stages)
        watched = {
            name: [str(dependency) for dependency in stage.params if dependency.get_hash()]
            for name, stage in stages.items()
        }
    assert all(files == ["code.json", "params.yaml"] for files in watched.values()), watched


def test_values_are_looked_up_as_dvc_finds_them(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialize, "LOADERS", serialize.LOADERS.copy())
    slowly = param.read_param_file
    monkeypatch.setattr(param, "read_param_file", slowly)
    fill_in(place)
    file, here = str(place / "params.yaml"), LocalFileSystem()
    for keys in (
        ["tasks", "base.seeds", "train.sampler", "evaluate.slices"],  # also those that the file leaves out
        ["tasks.ahead.horizon", "tasks.nobody", "base.seeds.0", "nothing.at.all"],
        ["tasks.*.horizon", "finetune.methods"],
    ):
        told = param.read_param_file(here, file, keys, flatten=True)
        assert told == slowly(here, file, keys, flatten=True)
    assert "tasks.ahead.horizon" not in told and told["finetune.methods"] == {"joint": {"kind": "equal"}}
    told["finetune.methods"].clear()
    assert param.read_param_file(here, file, ["finetune.methods"], flatten=True)["finetune.methods"], "a copy was given"
    (place / "params.yaml").write_text(DOZEN.replace("horizon: 6", "horizon: 12"), encoding="utf-8")
    changed = param.read_param_file(here, file, ["tasks.ahead"], flatten=True)
    assert changed["tasks.ahead"]["horizon"] == 12
