"""Messages that `mtl repro` lets DVC print about a stage that failed."""

import subprocess
from pathlib import Path

import pytest

from mtl.cli.repro import run_dvc

FAILING = "import sys\nprint('error: a wrong value.', file=sys.stderr)\nraise SystemExit(int(sys.argv[1]))\n"


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (
            "python -m mtl.stages.fails 2",
            2,
            "error: a wrong value.\nThe stage one@x stopped there; `mtl repro` goes on with it.\n",
        ),
        ("python -m mtl.stages.fails 1", 255, "'one@x': failed to run: python -m mtl.stages.fails 1, exited with 1\n"),
        # Another's command may end with 2 and say nothing.
        ("exit 2", 2, "'one@x': failed to run: exit 2, exited with 2\n"),
    ],
)
def test_the_message_of_a_stage_stands_alone(
    command: str, code: int, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    one_stage(tmp_path, command, "[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "mtl/stages/fails.py").write_text(FAILING)
    assert run_dvc(["repro"], tmp_path) == code
    assert capfd.readouterr().err.endswith(said)


def one_stage(folder: Path, command: str, config: str) -> None:
    """A project of one DVC stage, which can import ours."""
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text(config)
    (folder / "dvc.yaml").write_text(f"stages: {{one: {{foreach: [x], do: {{cmd: '{command}'}}}}}}\n")
    (folder / "mtl/stages").mkdir(parents=True)
    for path in (Path(__file__).resolve().parents[2] / "mtl").iterdir():
        if path.name != "stages":
            (folder / "mtl" / path.name).symlink_to(path)


def test_hints_on_git_do_not_stand_before_the_verdicts(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    one_stage(tmp_path, "echo made", "[core]\n    analytics = false\n")
    assert run_dvc(["repro"], tmp_path) == 0
    out = capfd.readouterr().out
    assert "Running stage 'one@x':" in out and "Use `dvc push` to send" in out
    assert "git" not in out and "autostage" not in out
