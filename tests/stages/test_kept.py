"""Runs that leave a stage's output and come back: from the store, or from DVC's cache."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mtl.results.kept import KEY, md5, read_key, write_key
from mtl.stages import kept as module
from mtl.stages.kept import Kept

OUT = Path("outputs/finetune")
OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that DVC knows."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    return tmp_path


@pytest.fixture
def kept(root: Path) -> Kept:
    return Kept(OUT, root)


def made(root: Path, name: str, key: str = OLD) -> Path:
    """A finished run, whose files say which it is."""
    folder = root / OUT / name
    folder.mkdir(parents=True)
    for file in ("run.json", "weights.safetensors"):
        (folder / file).write_text(f"{file} of {name}, {key}")
    write_key(folder, key)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def commit(root: Path, cache: str = ".dvc/cache") -> None:
    """As DVC takes an output into its cache."""
    for path in (root / OUT).rglob("*"):
        if path.is_file():
            place = root / cache / "files/md5" / md5(path)[:2] / md5(path)[2:]
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def test_a_run_is_whole_with_the_files_that_it_was_written_with_alone(root: Path, kept: Kept) -> None:
    folder = made(root, "joint/seed-0")
    assert kept.holds(folder, OLD) and not kept.holds(folder, NEW)
    assert not kept.holds(root / OUT / "joint/seed-1", OLD)
    (folder / "more").write_text("")
    assert not kept.holds(folder, OLD)
    (folder / "more").unlink()
    (folder / "run.json").write_text("edited")
    assert not kept.holds(folder, OLD) and kept.expects(folder, OLD), "which compares no contents"
    (folder / KEY).write_text("{")
    assert not kept.holds(folder, OLD) and not kept.expects(folder, OLD)


@pytest.mark.parametrize("committed", [True, False], ids=["from DVC's cache", "from the store"])
def test_a_run_leaves_and_comes_back_as_it_was(committed: bool, root: Path, kept: Kept) -> None:
    folder = made(root, "joint/seed-0")
    before = contents(folder)
    if committed:
        commit(root)
    kept.set_aside(folder)
    kept.settle()
    assert not (root / OUT / "joint").exists(), "no empty folders"
    assert (kept.runs / OLD).exists() != committed, "bytes stand in one place besides DVC's"
    assert kept.expects(folder, OLD) and not kept.bring_back(folder, NEW)
    made(root, "joint/seed-0", NEW)
    assert kept.bring_back(folder, OLD)
    assert contents(folder) == before
    assert kept.bring_back(folder, NEW), "what stood there is remembered in its turn"
    assert [path.name for path in folder.parent.iterdir()] == ["seed-0"], "no temporary folders"


def test_a_note_brings_a_run_back_whose_folder_was_deleted(root: Path, kept: Kept) -> None:
    folder = made(root, "joint/seed-0")
    before = contents(folder)
    kept.note(folder)
    commit(root)
    shutil.rmtree(root / "outputs")
    assert kept.bring_back(folder, OLD)
    assert contents(folder) == before


@pytest.mark.parametrize("harm", ["gone", "another"])
def test_an_object_of_the_cache_that_is_gone_or_another_brings_nothing_back(harm: str, root: Path, kept: Kept) -> None:
    folder = made(root, "joint/seed-0")
    commit(root)
    value = md5(folder / "run.json")
    kept.set_aside(folder)
    kept.settle()
    place = root / ".dvc/cache/files/md5" / value[:2] / value[2:]
    place.unlink() if harm == "gone" else place.write_text("another")
    assert not kept.bring_back(folder, OLD)
    assert not list((root / OUT).rglob("seed*")), "nor half of it"


def test_the_cache_is_where_the_settings_say(root: Path, kept: Kept) -> None:
    (root / ".dvc/config").write_text("[core]\n    no_scm = true\n[cache]\n    dir = ../elsewhere\n")
    folder = made(root, "joint/seed-0")
    commit(root, "elsewhere")
    kept.set_aside(folder)
    kept.settle()
    assert not list(kept.runs.iterdir()) and kept.bring_back(folder, OLD)


def test_names_in_a_key_lead_nowhere_else(root: Path, kept: Kept) -> None:
    """A key may have been pulled from someone else's remote."""
    folder = made(root, "joint/seed-0")
    commit(root)
    held = read_key(folder)
    assert held is not None
    kept.notes.mkdir(parents=True)
    wrong = held.model_copy(update={"files": {"../../../params.yaml": held.files["run.json"]}})
    wrong.write(kept.notes / f"{OLD}.json")
    shutil.rmtree(folder)
    assert not kept.bring_back(folder, OLD) and not (root / "params.yaml").exists()


def test_only_what_is_asked_for_stays(root: Path, kept: Kept) -> None:
    asked, old, gone = made(root, "joint/seed-0"), made(root, "joint/seed-1", NEW), made(root, "other/seed-0", "c" * 64)
    half = root / OUT / "joint/.seed-0.x.part"
    half.mkdir()
    (half / "run.json").write_text("half")
    (root / OUT / "old/seed-0").mkdir(parents=True)
    (root / OUT / "old/seed-0/run.json").write_text("of a version without keys")
    (root / OUT / "left_out.json").write_text("{}")
    assert kept.leave_only([asked]) == 2
    assert sorted(path for path in (root / OUT).rglob("*") if path.is_file()) == sorted(asked.iterdir())
    assert kept.bring_back(old, NEW) and kept.bring_back(gone, "c" * 64)


def test_a_run_that_is_made_again_is_forgotten(root: Path, kept: Kept) -> None:
    folder = made(root, "joint/seed-0")
    kept.note(folder)
    commit(root)
    kept.forget(folder, OLD)
    assert not folder.exists() and not kept.expects(folder, OLD) and not kept.bring_back(folder, OLD)


def test_the_store_is_bounded(root: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [letter * 64 for letter in "abcd"]
    for number, key in enumerate(keys):
        kept.set_aside(made(root, f"joint/seed-{number}", key))
    size = sum(file.stat().st_size for file in kept.runs.rglob("*") if file.is_file())
    monkeypatch.setattr(module, "MOST_BYTES", size // 2)
    monkeypatch.setattr(module, "MOST_NOTES", 3)
    kept.settle()
    assert len(list(kept.runs.iterdir())) == 2 and len(list(kept.notes.iterdir())) == 3
    assert [path.name for path in kept.runs.iterdir() if path.name.startswith(".")] == []


def test_without_dvc_the_store_alone_keeps(tmp_path: Path) -> None:
    kept = Kept(OUT, tmp_path)
    folder = made(tmp_path, "joint/seed-0")
    kept.set_aside(folder)
    kept.settle()
    assert kept.bring_back(folder, OLD)


def test_between_file_systems_a_run_is_copied_whole(root: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made(root, "joint/seed-0")
    before = contents(folder)
    rename = Path.rename

    def crossing(source: Path, target: Path) -> Path:
        if (OUT.name in source.parts) != (OUT.name in target.parts):
            raise OSError(18, "Invalid cross-device link")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", crossing)
    kept.set_aside(folder)
    assert not folder.exists()
    assert kept.bring_back(folder, OLD) and contents(folder) == before
    assert not list(kept.runs.iterdir())


def stepping(counted: Callable[..., Any], done: Callable[..., Any]) -> Callable[..., Any]:
    """A step of a process, before which it may end."""

    def step(*given: Any, **named: Any) -> Any:
        return counted(done, *given, **named)

    return step


class Killed(BaseException):
    """Stands for a kill."""


def test_a_kill_at_any_step_loses_no_run_and_leaves_no_half_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of two settings, in the cache or not, change places; before one step after the other everything ends."""
    for step in range(200):
        root = tmp_path / str(step)
        (root / ".dvc").mkdir(parents=True)
        old = {f"joint/seed-{seed}": f"{seed}" * 64 for seed in (0, 1)}
        new = {name: key.replace(key[0], "abcdef"[int(key[0])]) for name, key in old.items()}
        places = [made(root, name, key) for name, key in old.items()]
        commit(root)
        uncommitted = made(root, "other/seed-0", "c" * 64)
        kept = Kept(OUT, root)
        left = step

        def counted(done: Callable[..., Any], *given: Any, **named: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return done(*given, **named)

        with monkeypatch.context() as patch, suppress(Killed):
            for owner, name in ((Path, "rename"), (Path, "replace"), (Path, "unlink"), (shutil, "copyfile"),
                                (shutil, "rmtree")):  # fmt: skip
                patch.setattr(owner, name, stepping(counted, getattr(owner, name)))
            for place in places:
                kept.set_aside(place)
            for name, key in new.items():
                made(root, name, key)
            kept.leave_only([root / OUT / name for name in new])
            kept.settle()
            for name, key in old.items():
                assert kept.bring_back(root / OUT / name, key)
            kept.leave_only([root / OUT / name for name in old])
            kept.settle()
        after = Kept(OUT, root)
        for name, key in {**old, "other/seed-0": "c" * 64}.items():
            folder = root / OUT / name
            assert after.holds(folder, key) or after.bring_back(folder, key), (step, name)
        assert uncommitted.exists()
        after.leave_only([root / OUT / name for name in (*old, "other/seed-0")])
        assert len(list((root / OUT).rglob("*.json"))) == 3 * 2, "nothing of a half is left"
        if left:
            break
    assert 20 < step < 199, "every step was tried"
