"""The command `mtl`: exit codes, messages, and that DVC's own codes come through."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mtl.cli.main import main
from mtl.cli.repro import run_dvc


@pytest.fixture
def workspace(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project's presets and params.yaml, which is the current one."""
    shutil.copytree(project / "presets", tmp_path / "presets")
    shutil.copyfile(project / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _mtl(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mtl", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def test_help_names_every_command_and_loads_none_of_the_heavy_libraries(project: Path) -> None:
    code = (
        "import sys; sys.argv = ['mtl', '--help']\n"
        "from mtl.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('HEAVY', sorted({'torch', 'mlflow', 'pandas', 'dvc', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    for command in ("validate", "repro", "show", "check", "preset", "data", "ui", "sync"):
        assert re.search(rf"^\W*{command}\s", done.stdout, re.MULTILINE), command
    assert "HEAVY []" in done.stdout


def test_validate_says_what_will_run(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _mtl(monkeypatch, "validate") == 0
    assert re.search(r"\d+ tasks, \d+ methods, \d+ seeds, \d+ training runs", capsys.readouterr().out)


@pytest.mark.parametrize("command", ["validate", "repro", "sync", "ui"])
def test_a_wrong_value_stops_every_command(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    params = workspace / "params.yaml"
    params.write_text(re.sub(r"horizon: 6\b", "horizon: 0", params.read_text()))
    before = _files(workspace)
    assert _mtl(monkeypatch, command) == 2
    captured = capsys.readouterr()
    assert captured.err == "error: params.yaml: `tasks.next_6h.horizon` should be greater than 0, found 0.\n"
    assert captured.out == ""
    assert _files(workspace) == before


def test_a_default_that_is_left_out_is_a_note(
    workspace: Path, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MTL_ESTIMATE", "no")
    shutil.copyfile(project / "dvc.yaml", workspace / "dvc.yaml")
    params = workspace / "params.yaml"
    assert _mtl(monkeypatch, "validate") == 0
    assert "leaves out" not in capsys.readouterr().out
    params.write_text(re.sub(r"(?m)^  (threads: 1|slices: \[\]) .*\n", "", params.read_text()))
    assert _mtl(monkeypatch, "validate") == 0
    out = capsys.readouterr().out
    assert "note: params.yaml leaves out `evaluate.slices`, `base.threads`: `mtl` fills in the defaults (" in out


def test_what_only_a_study_would_refuse_is_a_note(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here a first method without λ that reads single-task runs, whose learning rate no trial may change."""
    params = workspace / "params.yaml"
    text = re.sub(r"(?m)^  methods:\n", "  methods:\n    plain: {kind: equal}\n", params.read_text())
    params.write_text(text.replace("criterion: combined ", "criterion: constrained "))
    assert _mtl(monkeypatch, "validate") == 0
    out = capsys.readouterr().out
    assert "note: `mtl tune` will stop: params.yaml: `tune.space` has nothing to search for plain: it is null, " in out
    assert _mtl(monkeypatch, "tune", "--trials", "1") == 2


def test_validate_says_which_file_is_missing(
    workspace: Path, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(project / "data/raw", workspace / "data/raw", ignore=shutil.ignore_patterns("*.csv", "*.zip"))
    assert _mtl(monkeypatch, "preset", "use", "etth1-har") == 0
    assert _mtl(monkeypatch, "validate") == 0
    missing = "note: `mtl repro` will stop: data/raw/ETTh1.csv is missing: run `mtl data get etth1`."
    assert missing in capsys.readouterr().out.splitlines()


def test_repro_outside_a_project_says_so(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _mtl(monkeypatch, "repro") == 2
    assert capsys.readouterr().err == "error: dvc.yaml is missing; run this from the project's folder.\n"
    (workspace / "params.yaml").unlink()
    assert _mtl(monkeypatch, "repro") == 2
    assert "params.yaml is missing" in capsys.readouterr().err


def test_show_before_anything_was_evaluated(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _mtl(monkeypatch, "show") == 2
    assert capsys.readouterr().err == "error: results/verdicts.json is missing; run `mtl repro`.\n"


def test_presets_are_listed_shown_and_used(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _mtl(monkeypatch, "preset", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("* sensors ")
    assert any(line.startswith("  smoke ") for line in lines)
    assert _mtl(monkeypatch, "preset", "show", "sensors") == 0
    original = (workspace / "params.yaml").read_text()
    assert capsys.readouterr().out == original
    assert _mtl(monkeypatch, "preset", "use", "smoke") == 0
    out = capsys.readouterr().out
    assert "-  seeds: [0, 1, 2, 3, 4]" in out and "+  seeds: [0, 1]" in out
    assert _mtl(monkeypatch, "preset", "use", "sensors") == 0
    assert (workspace / "params.yaml").read_text() == original


def test_an_unknown_preset_and_edits_are_refused(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _mtl(monkeypatch, "preset", "use", "nope") == 2
    assert "should be one of sensors, adult, cifar10-10, cifar10-15," in capsys.readouterr().err
    params = workspace / "params.yaml"
    params.write_text(params.read_text() + "# mine\n")
    assert _mtl(monkeypatch, "preset", "use", "smoke") == 2
    assert "--force" in capsys.readouterr().err
    assert _mtl(monkeypatch, "preset", "use", "smoke", "--force") == 0


def test_ui_names_a_port_that_is_taken(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert _mtl(monkeypatch, "ui", "--port", str(port)) == 2
    assert f"found {port} in use" in capsys.readouterr().err
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert _mtl(monkeypatch, "ui") == 0
    assert "http://tracker:5000" in capsys.readouterr().out


def test_sync_says_when_tracking_is_off(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("enabled: true", "enabled: false"))
    assert _mtl(monkeypatch, "sync") == 0
    assert "nothing was published" in capsys.readouterr().out


class TestDvc:
    """`run_dvc` on a pipeline of one stage that ends as it is told."""

    @pytest.fixture
    def pipeline(self, tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        (tmp_path / ".dvc").mkdir()
        (tmp_path / ".dvc/config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
        monkeypatch.setenv("PYTHONPATH", str(project))
        return tmp_path

    @pytest.mark.parametrize(("status", "code"), [(0, 0), (1, 255), (2, 2), (22, 255)])
    def test_a_mistake_of_the_users_has_its_own_code(self, pipeline: Path, status: int, code: int) -> None:
        command = f"python -c 'import sys; sys.exit({status})'"
        (pipeline / "dvc.yaml").write_text(json.dumps({"stages": {"one": {"cmd": command}}}))
        assert run_dvc(["repro"], pipeline) == code

    def test_stages_run_in_this_environment(self, pipeline: Path) -> None:
        command = 'python -c \'import sys; open("which", "w").write(sys.prefix)\''
        (pipeline / "dvc.yaml").write_text(json.dumps({"stages": {"one": {"cmd": command}}}))
        assert run_dvc(["repro"], pipeline) == 0
        assert os.path.samefile((pipeline / "which").read_text(), sys.prefix)
