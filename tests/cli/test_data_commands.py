"""`mtl data` and the stage `prepare`, as a user meets them: what is printed, exit codes, what is written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtl.cli.data_commands import app
from mtl.data.files.manifest import Manifest, write_manifest
from mtl.data.loading.store import load_prepared
from mtl.stages import prepare
from tests.helpers.data_files import series_text

PARAMS = """
prepare:
  sources:
    mine: {kind: series, path: data/raw/mine.csv, labels: [state]}
tasks:
  load: {kind: forecast, source: mine, input_len: 4, horizon: 2}
  state: {kind: classification, source: mine, input_len: 4, label: state}
encoder: {kind: linear, input_len: 4}
finetune:
  methods:
    joint: {kind: weighted, lambda: 0.2}
"""


@pytest.fixture
def project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "somewhere").mkdir()
    (tmp_path / "somewhere" / "mine.csv").write_text(series_text(40))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stage(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["prepare", name])
    prepare.main()


def test_from_an_own_file_to_prepared_data(
    project_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    added = CliRunner().invoke(app, ["add", "mine", "somewhere/mine.csv"])
    assert added.exit_code == 0, added.output
    assert "data/raw/mine.csv" in added.output
    stage("mine", monkeypatch)
    assert capsys.readouterr().out.strip() == "mine: 40 rows × 2 columns; train 28, val 4, test 8"
    assert load_prepared("mine", project_folder / "data/prepared").labels["state"].shape == (40,)


def test_adding_a_folder_prints_a_summary_and_the_next_command(project_folder: Path) -> None:
    photos = project_folder / "somewhere" / "photos"
    for number in range(30):
        (photos / f"class{number % 3}").mkdir(parents=True, exist_ok=True)
        (photos / f"class{number % 3}" / f"{number}.bin").write_bytes(bytes(1 << 16))
    lines = CliRunner().invoke(app, ["add", "photos", "somewhere/photos"]).output.splitlines()
    assert lines == [
        "photos: 30 files, 2 MiB, in data/raw/photos; data/raw/photos.json holds the hashes.",
        "Next: describe it as `prepare.sources.photos` in params.yaml, then run `mtl validate`.",
    ]
    lines = CliRunner().invoke(app, ["add", "mine", "somewhere/mine.csv"]).output.splitlines()
    assert re.match(r"mine: 1 file, [\d,]+ bytes, in data/raw/mine\.csv; ", lines[0])
    assert lines[1:] == ["Next: `mtl repro`."], "params.yaml names the source already"
    assert CliRunner().invoke(app, ["add", "noise"]).output.startswith("noise: registered in data/raw/noise.json as a")


def test_a_file_that_is_no_longer_one_of_the_source_is_told(project_folder: Path) -> None:
    for month in ("january", "february"):
        (project_folder / f"somewhere/{month}.csv").write_text(series_text(40))
    CliRunner().invoke(app, ["add", "own", "somewhere/january.csv"])
    told = CliRunner().invoke(app, ["add", "own", "somewhere/february.csv"]).output
    assert "No longer a file of own: data/raw/january.csv; to have several, name all of them in one command." in told
    both = CliRunner().invoke(app, ["add", "own", "somewhere/january.csv", "somewhere/february.csv"]).output
    assert "2 files" in both and "No longer" not in both


def test_replacing_by_a_file_of_another_name_keeps_the_place_that_params_name(project_folder: Path) -> None:
    elsewhere = project_folder / "somewhere"
    newer = series_text(50)
    (elsewhere / "mine_2026.csv").write_text(newer)
    (elsewhere / "mine_2026.parquet").write_text("other")
    assert CliRunner().invoke(app, ["add", "mine", "somewhere/mine.csv"]).exit_code == 0
    done = CliRunner().invoke(app, ["add", "mine", "somewhere/mine_2026.csv", "--replace"])
    assert done.output.splitlines()[0].startswith("mine: 1 file, ") and "in data/raw/mine.csv; " in done.output
    assert (project_folder / "data/raw/mine.csv").read_text() == newer
    refused = CliRunner().invoke(app, ["add", "mine", "somewhere/mine_2026.parquet", "--replace"])
    assert refused.exit_code == 2
    said = "should be given files of `mine`'s own names, mine.csv, found mine_2026.parquet: give it the name of the"
    assert said in " ".join(refused.output.split())
    beside = CliRunner().invoke(app, ["add", "mine", "somewhere/mine_2026.csv"]).output.splitlines()
    assert beside[1] == (
        "Next: let `prepare.sources.mine.path` name data/raw/mine_2026.csv, found 'data/raw/mine.csv'; then run `mtl "
        "repro`."
    )


def test_errors_end_in_one_message_and_exit_code_2(
    project_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, message in [
        ("mine", "error: data/raw/mine.json is missing: run `mtl data add mine 'data/raw/mine.csv'`."),
        ("other", "error: `prepare.sources` should be one of mine, found 'other'."),
    ]:
        with pytest.raises(SystemExit) as stopped:
            stage(name, monkeypatch)
        assert stopped.value.code == 2
        assert capsys.readouterr().err.strip() == message
    assert not (project_folder / "data").exists()
    for command in (["get", "nope"], ["add", "mine", "gone.csv"], ["add", "../evil", "somewhere/mine.csv"]):
        assert CliRunner().invoke(app, command).exit_code == 2


def test_list_shows_licence_and_presence(project_folder: Path) -> None:
    entry = {"sha256": ["0" * 64], "url": "https://example.org/toy.csv"}
    write_manifest("toy", Manifest(title="Toy set", licence="CC0", files={"toy.csv": entry}), project_folder)
    shown = CliRunner().invoke(app, ["list"]).output
    assert "toy" in shown and "CC0" in shown and "no" in shown
    (project_folder / "data/raw/toy.csv").write_text("x")
    assert "yes" in CliRunner().invoke(app, ["list"]).output


def test_help_imports_nothing_heavy(project: Path) -> None:
    code = (
        "import sys, mtl.cli.data_commands; print(sorted({'torch', 'pandas', 'pooch', 'sklearn'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
