"""Editors of params.yaml keep line ends, byte order mark, final line end, permissions and links."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mtl.cli.study.params_edit import edited
from mtl.config import parse_config
from mtl.config.yaml_file import parse_yaml
from mtl.errors import ConfigError, UserError
from mtl.setup import presets
from mtl.setup.params_file import BOM, in_form_of, line_end, plain, read_params, write_params

PROJECT = Path(__file__).resolve().parents[2]
TEXT = (PROJECT / "presets/sensors.yaml").read_text(encoding="utf-8")
VALUES = {"train.lr": 0.00125, "finetune.methods.joint.schedule": "cosine", "evaluate.trials.joint": 3}


def mixed(text: str) -> str:
    """Every third line ends as on Windows."""
    return "".join(
        line.replace("\n", "\r\n") if number % 3 == 0 else line
        for number, line in enumerate(text.splitlines(keepends=True))
    )


FORMS = {
    "windows": TEXT.replace("\n", "\r\n"), "old mac": TEXT.replace("\n", "\r"), "mark": BOM + TEXT,
    "mixed": mixed(TEXT), "no final end": TEXT.rstrip("\n"),
    "all": BOM + TEXT.replace("\n", "\r\n").rstrip(), "plain": TEXT,
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_values_change_their_lines_and_no_other_byte(form: str) -> None:
    text = FORMS[form]
    new = edited(text, VALUES)
    assert plain(new) == edited(TEXT, VALUES)
    before, after = text.splitlines(keepends=True), new.splitlines(keepends=True)
    assert len(before) == len(after)
    changed = [(old, fresh) for old, fresh in zip(before, after, strict=True) if old != fresh]
    assert len(changed) == len(VALUES)
    assert all(old[len(old.rstrip()) :] == fresh[len(fresh.rstrip()) :] for old, fresh in changed)


@pytest.mark.parametrize("form", FORMS)
def test_a_key_that_is_added_gets_the_line_end_of_its_neighbour(form: str) -> None:
    text = "".join(line for line in FORMS[form].splitlines(keepends=True) if not line.startswith("  clip:"))
    new = edited(text, {"train.clip": 0.5})
    assert parse_config(parse_yaml(plain(new), "x")).train.clip == 0.5
    added = [line for line in new.splitlines(keepends=True) if line not in text.splitlines(keepends=True)]
    assert len(added) == 1 and added[0].rstrip() == "  clip: 0.5"
    assert len(new) == len(text) + len(added[0])


@pytest.mark.parametrize("form", FORMS)
def test_a_preset_takes_the_form_of_the_file_that_it_replaces(form: str, tmp_path: Path) -> None:
    (tmp_path / "presets").symlink_to(PROJECT / "presets")
    path = tmp_path / "params.yaml"
    path.write_bytes(FORMS[form].encode("utf-8"))
    assert presets.matching(tmp_path) == "sensors"
    assert presets.use("sensors", tmp_path).diff == "" and read_params(path) == FORMS[form]
    assert presets.use("smoke", tmp_path).diff
    there = read_params(path)
    assert plain(there) == presets.render("smoke", tmp_path) and presets.matching(tmp_path) == "smoke"
    assert there.startswith(BOM) == FORMS[form].startswith(BOM)
    assert there.endswith(("\n", "\r")) == FORMS[form].endswith(("\n", "\r"))
    if form != "mixed":
        assert in_form_of(FORMS[form], plain(there)) == there and line_end(there) == line_end(FORMS[form])
        presets.use("sensors", tmp_path)
        assert read_params(path) == FORMS[form]
    else:
        kept = set(there.splitlines(keepends=True)) & set(FORMS[form].splitlines(keepends=True))
        assert any(line.endswith("\r\n") for line in kept) and any(not line.endswith("\r\n") for line in kept)


def test_permissions_and_a_link_stay(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere/mine.yaml"
    real.write_bytes(b"a: 1\r\n")
    real.chmod(0o640)
    link = tmp_path / "params.yaml"
    link.symlink_to(real)
    write_params(link, "a: 2\r\n")
    assert link.is_symlink() and real.read_bytes() == b"a: 2\r\n" and real.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(real.parent)) == ["mine.yaml"]
    with pytest.raises(UserError, match="cannot be written"):
        write_params(tmp_path / "gone/params.yaml", "a: 1\n")
    real.write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_params(link)


KILL = """
import os, signal, sys, tempfile
from pathlib import Path
from mtl.setup.params_file import write_params

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "in the middle":
    made = tempfile.mkstemp
    tempfile.mkstemp = lambda **places: (os.write((pair := made(**places))[0], b"bas"), kill())
else:
    os.fsync = kill
write_params(Path(sys.argv[2]), "new: 1\\n" * 1000)
"""


@pytest.mark.skipif(os.name == "nt", reason="kills")
@pytest.mark.parametrize("moment", ["in the middle", "at the end"])
def test_a_kill_while_params_are_written_leaves_the_old_ones(moment: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("old: 1\n")
    done = subprocess.run([sys.executable, "-c", KILL, moment, str(path)], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done
    assert path.read_text() == "old: 1\n" and len(list(tmp_path.iterdir())) == 2
    write_params(path, "new: 1\n")
    assert path.read_text() == "new: 1\n"
