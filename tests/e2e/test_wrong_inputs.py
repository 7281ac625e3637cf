"""Mistakes of users, through the commands that the user types: code 2, one message, nothing written."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mtl.stages import finetune
from tests.e2e.project import Json, Project, own_csv, own_settings, settings


def misspelt(params: Json) -> None:
    params["train"]["epocs"] = params["train"].pop("epochs")


def no_horizon(params: Json) -> None:
    params["tasks"]["ahead"]["horizon"] = 0


def too_much_lambda(params: Json) -> None:
    params["finetune"]["methods"]["joint"]["lambda"] = 1.5


def unregistered(params: Json) -> None:
    params["prepare"]["sources"]["mine"] = {"kind": "series", "path": "data/raw/mine.csv"}


WRONG: list[tuple[Callable[[Json], None], str]] = [
    (misspelt, "params.yaml: `train.epocs` is not a known key; allowed here: augment, average, batch_size, "),
    (no_horizon, "params.yaml: `tasks.ahead.horizon` should be greater than 0, found 0."),
    (too_much_lambda, "params.yaml: `finetune.methods.joint.lambda` should be less than or equal to 1, found 1.5."),
]
"""Mistakes in params.yaml that every command refuses."""
REPRO_ONLY: list[tuple[Callable[[Json], None], str]] = [
    (unregistered, "data/raw/mine.json is missing: run `mtl data add mine 'data/raw/mine.csv'`."),
]
"""Mistakes that DVC would refuse in words of its own."""


@pytest.fixture
def place(fresh: Project, tmp_path: Path) -> Project:
    """A clone in which nothing was computed."""
    copy = fresh.copy(tmp_path / "project")
    copy.use(settings())
    return copy


def refused(err: str, message: str) -> None:
    """One message, and nothing else on stderr."""
    assert err.startswith(f"error: {message}"), err
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.thorough
@pytest.mark.parametrize(("spoil", "message"), WRONG + REPRO_ONLY, ids=lambda value: getattr(value, "__name__", ""))
def test_repro_refuses_and_writes_nothing(spoil: Callable[[Json], None], message: str, place: Project) -> None:
    params = settings()
    spoil(params)
    place.use(params)
    before = place.contents()
    done = place.mtl("repro")
    assert done.code == 2
    refused(done.err, message)
    assert done.out == ""
    assert place.contents() == before
    assert not (place.root / "dvc.lock").exists()


@pytest.mark.parametrize(("spoil", "message"), WRONG, ids=lambda value: getattr(value, "__name__", ""))
def test_a_stage_refuses_and_writes_nothing(
    spoil: Callable[[Json], None], message: str, place: Project,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    params = settings()
    spoil(params)
    place.use(params)
    before = place.contents()
    monkeypatch.chdir(place.root)
    with pytest.raises(SystemExit) as ended:
        finetune.main(["joint"])
    assert ended.value.code == 2
    refused(capsys.readouterr().err, message)
    assert place.contents() == before


@pytest.mark.thorough
def test_a_stage_started_by_hand_ends_with_code_2(place: Project) -> None:
    before = place.contents()
    done = place.run(sys.executable, "-m", "mtl.stages.finetune", "jiont")
    assert done.code == 2
    refused(done.err, "`finetune` should be run for some of joint, handed, found 'jiont'.")
    assert place.contents() == before


@pytest.mark.parametrize("target", ["finetune@jiont", "evalute"])
def test_a_target_that_is_no_stage(target: str, place: Project) -> None:
    before = place.contents()
    done = place.mtl("repro", target)
    assert done.code == 2
    refused(
        done.err,
        "`repro` should be given stages among prepare, index, simple, pretrain, baseline, reference, finetune, "
        "cluster, specialise, evaluate, "
        f"prepare@sensors, baseline@ahead, baseline@fault, finetune@joint, finetune@handed, found '{target}'.",
    )
    assert place.contents() == before


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("fault", "label"), "falt", "`tasks.fault.label` should be one of "),
        (("ahead", "targets"), ["vibration", "temprature"], "`tasks.ahead.targets` should be among vibration, "),
    ],
)
def test_a_name_that_the_source_does_not_hold_stops_before_any_training(
    path: tuple[str, str], value: object, message: str, place: Project
) -> None:
    params = settings()
    params["tasks"][path[0]][path[1]] = value
    place.use(params)
    done = place.mtl("repro")
    assert done.code == 2
    assert done.trained == []
    assert f"error: params.yaml: {message}" in done.err
    assert "Traceback" not in done.err
    assert not (place.root / "outputs").exists()


@pytest.mark.slow
def test_a_raw_file_that_was_changed_in_place_is_not_taken_for_computed(own: Project, tmp_path: Path) -> None:
    copy = own.copy(tmp_path / "project")
    file = copy.root / "data/raw/mine.csv"
    file.write_text("\n".join(file.read_text().splitlines()[:-3]) + "\n")
    done = copy.mtl("repro")
    assert done.code == 2
    refused(done.err, "data/raw/mine.csv is not the file that data/raw/mine.json means: its sha256 is ")
    assert done.out == ""
    newer = tmp_path / "mine.csv"
    newer.write_text(own_csv(305))
    kept = file.read_text()
    done = copy.mtl("data", "add", "mine", str(newer))
    assert done.code == 2
    refused(done.err, f"data/raw/mine.csv exists and differs from {newer}: `--replace` puts this one in its place.")
    assert file.read_text() == kept
    copy.mtl("data", "add", "mine", str(newer), "--replace").well()
    assert file.read_text() == newer.read_text()
    done = copy.mtl("repro", "index").well()
    assert done.ran == ["prepare@mine", "index"]
    assert "verdicts of the last evaluation" in done.out and "Advice" not in done.out


def test_a_stage_before_what_it_needs(
    place: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.root)
    with pytest.raises(SystemExit) as ended:
        finetune.main(["joint"])
    assert ended.value.code == 2
    err = capsys.readouterr().err
    refused(err, "data/prepared/sensors")
    assert "dvc repro prepare@sensors" in err
    assert not (place.root / "outputs").exists()


def stopped_in_a_stage(place: Project, message: str) -> None:
    """The stage's message, once, and which stage it was. No result, no half of one."""
    before = place.contents()
    done = place.mtl("repro")
    assert done.code == 2, done.out + done.err
    assert re.findall(r"^error: .*$", done.err, re.MULTILINE) == [f"error: {message}"]
    assert "failed to" not in done.err
    assert "Traceback" not in done.out + done.err
    assert place.contents() == before


@pytest.mark.thorough
def test_a_known_data_set_that_was_not_fetched(place: Project) -> None:
    params = own_settings()
    params["prepare"]["sources"] = {"etth1": {"kind": "series", "path": "data/raw/ETTh1.csv"}}
    params["tasks"] = {"ahead": {"kind": "forecast", "source": "etth1", "input_len": 24, "horizon": 6}}
    params["finetune"]["methods"] = {"joint": {"kind": "uncertainty"}}
    place.use(params)
    stopped_in_a_stage(place, "data/raw/ETTh1.csv is missing: run `mtl data get etth1`.")


@pytest.mark.thorough
def test_a_missing_value_in_an_own_file(place: Project, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(own_csv(bad_row=17))
    place.mtl("data", "add", "mine", str(tmp_path / "mine.csv")).well()
    place.use(own_settings())
    stopped_in_a_stage(
        place,
        "data/raw/mine.csv, line 19, column `load`: the value is missing; `on_missing` may be interpolate or ffill, "
        "or name the column in `targets` if it is to be predicted and no input.",
    )
