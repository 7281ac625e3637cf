"""`mtl check --reference` on a finished project, and which files of it are compared."""

import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from mtl.cli.check import artefacts, machine, reference
from mtl.cli.check.check import check_reference, write_reference
from mtl.config import load_config
from mtl.errors import UserError
from tests.e2e.project import Json, Project

pytestmark = pytest.mark.slow
FILE = "reference/sensors.json"


@pytest.fixture(scope="module")
def kept(computed: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The computed project as one whose default preset it is and which DVC knows, with a reference."""
    made = computed.copy(tmp_path_factory.mktemp("reference") / "project")
    (made.root / "presets/sensors.yaml").write_text((made.root / "params.yaml").read_text())
    made.dvc("commit", "--force", "--quiet").well()
    write_reference(made.root)
    return made


@pytest.fixture
def place(kept: Project, tmp_path: Path) -> Project:
    """A copy of it to spoil."""
    return kept.copy(tmp_path / "project")


def rewrite(project: Project, change: dict[str, Json]) -> None:
    """Puts other values in sections of the reference."""
    content = project.json(FILE)
    for section, values in change.items():
        content[section] |= values
    (project.root / FILE).write_text(json.dumps(content))


def compared(project: Project) -> list[str]:
    return reference.compare(load_config(project.root / "params.yaml"), project.root)


def test_what_is_compared_is_what_dvc_recorded(kept: Project) -> None:
    root = kept.root
    lock = yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    found = artefacts.outputs(root)
    assert {stage: sorted(paths) for stage, paths in found.items()} == {
        stage: sorted(out["path"] for out in entry["outs"]) for stage, entry in lock.items()
    }
    files = {file: digest for stage in artefacts.hashes(root).values() for file, digest in stage.items()}
    assert files == kept.results()


def test_no_stage_comes_before_what_it_needs(kept: Project) -> None:
    lock = yaml.safe_load((kept.root / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    found = artefacts.outputs(kept.root)
    written: set[str] = set()
    for stage, paths in found.items():
        for dep in (Path(dep["path"]) for dep in lock[stage]["deps"]):
            later = [Path(path) for other in found.values() for path in other if path not in written]
            assert not [path for path in later if path == dep or dep in path.parents or path in dep.parents], stage
        written |= set(paths)


@pytest.mark.slow
def test_the_same_reference_from_another_process(kept: Project, place: Project) -> None:
    before = (place.root / FILE).read_bytes()
    (place.root / FILE).unlink()
    done = place.mtl("check", "--write-reference", PYTHONHASHSEED="5").well()
    assert done.out == f"{FILE} holds the results in the working tree now.\n"
    assert (place.root / FILE).read_bytes() == before
    text = before.decode()
    for private in (str(kept.root), socket.gethostname(), os.uname().release, str(Path.home()) + "/"):
        assert private not in text
    assert platform.python_version().rpartition(".")[0] in text
    assert set(json.loads(text)) == {"format", "settings", "machine", "tolerance", "metrics", "sha256"}


def test_the_same_machine_compares_hashes(kept: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_reference(kept.root) == 0
    metrics = sum(len(v) for by_task in kept.json(FILE)["metrics"].values() for v in by_task.values())
    files = len([path for path in kept.results() if not path.endswith("/key.json")])
    assert capsys.readouterr().out == (
        f"{FILE}: {metrics} metrics compared within its tolerance, 0 outside.\n"
        f"The machine is described alike, so hashes were compared too: {files} files, 0 differ.\n"
    )


@pytest.mark.slow
def test_a_file_with_another_hash_is_an_error_on_the_same_machine(place: Project) -> None:
    history = "outputs/baseline/fault/random/seed-1/history.json"
    found = place.json(FILE)["sha256"]
    rewrite(place, {"sha256": {"baseline": found["baseline"] | {history: "0" * 64}, "index": {}}})
    done = place.mtl("check", "--reference")
    assert done.code == 1
    first, second = done.out.splitlines()[2:4]
    assert first == f"  index: data/index.json is not the file of {FILE}"
    assert second == f"  baseline: {history} is not the file of {FILE}"


def test_another_machine_compares_within_the_tolerance(place: Project, capsys: pytest.CaptureFixture[str]) -> None:
    content = place.json(FILE)
    run = "outputs/finetune/joint/seed-0"
    mse = content["metrics"][run]["ahead"]["mse"]
    accuracy = content["metrics"]["mean of joint"]["fault"]["accuracy"]
    near = {"ahead": content["metrics"][run]["ahead"] | {"mse": mse * 1.019}}
    far = {"fault": content["metrics"]["mean of joint"]["fault"] | {"accuracy": accuracy + 0.016}}
    rewrite(place, {
        "machine": {"torch": "9.9.9", "rounding": "0"},
        "metrics": {run: content["metrics"][run] | near, "mean of joint": content["metrics"]["mean of joint"] | far},
        "sha256": {"index": {}},
    })  # fmt: skip
    assert compared(place) == [
        f"mean of joint: fault accuracy is {accuracy:.6g}, the reference {accuracy + 0.016:.6g}, allowed ± 0.015"
    ]
    said = capsys.readouterr().out
    assert "1 outside" in said
    assert "Only tolerances were compared, no hashes" in said
    assert "9.9.9 there" in said and "rounding" in said and "numpy" not in said


def test_a_metric_that_one_side_lacks(place: Project) -> None:
    content = place.json(FILE)["metrics"]
    rewrite(place, {"machine": {"torch": "9.9.9"}, "metrics": {"more": {"ahead": {"mse": 1.0}}, "mean of joint": {}}})
    assert compared(place) == [
        *(f"mean of joint: {task} {metric} is missing in the reference"
          for task, values in sorted(content["mean of joint"].items()) for metric in sorted(values)),
        "more: ahead mse is missing here",
    ]  # fmt: skip


def test_another_seed_is_not_within_the_tolerance(place: Project) -> None:
    metrics = place.json(FILE)["metrics"]
    runs = [run for run in metrics if run.endswith("seed-0")]
    rewrite(place, {
        "machine": {"torch": "9.9.9"},
        "metrics": {run: metrics[run.replace("seed-0", "seed-1")] for run in runs},
    })  # fmt: skip
    outside = {line.partition(":")[0] for line in compared(place)}
    # A simple model has no randomness: seeds with the same samples have the same one.
    assert outside == {run for run in runs if "outputs/simple/" not in run}


def test_without_a_reference_those_that_exist_are_named(place: Project) -> None:
    (place.root / FILE).rename(place.root / "reference/smoke.json")
    with pytest.raises(UserError, match=r"reference/sensors\.json is missing; references exist for smoke\."):
        check_reference(place.root)
    (place.root / "presets/sensors.yaml").write_text((place.root / "params.yaml").read_text() + "# changed\n")
    with pytest.raises(UserError, match=r"^params\.yaml is no preset, .*references exist for smoke\.$"):
        check_reference(place.root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", r"is no reference: `format`: Field required\."),
        ("[", "is no reference: `the file`: Invalid JSON"),
        ('{"tolerance": {"mse": {"kind": "some", "value": 1}}}', "is no reference: `"),
    ],
)
def test_a_file_that_is_no_reference(place: Project, content: str, message: str) -> None:
    (place.root / FILE).write_text(content)
    with pytest.raises(UserError, match=message):
        compared(place)


def test_a_reference_of_other_settings(place: Project) -> None:
    content = place.json(FILE) | {"settings": "0" * 64}
    (place.root / FILE).write_text(json.dumps(content))
    with pytest.raises(UserError, match="is of other settings: the preset was changed since"):
        compared(place)


def test_kernels_and_threads_that_round_otherwise_are_another_machine(project: Path) -> None:
    here = machine.rounding(1)
    assert machine.rounding(1) == here != machine.rounding(2)
    if torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        pytest.skip("this processor has one set of kernels")
    code = "from mtl.cli.check.machine import rounding; print(rounding(1))"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "default"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=environment, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.strip()) == len(here) and done.stdout.strip() != here
