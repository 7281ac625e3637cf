"""`mtl model get`: networks from a folder or from the hub, their hashes, and what cannot be taken."""

import json
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from mtl.data.files.networks import changed_problem, get, origin_of
from mtl.data.inputs.pretrained import digest_of, folder_of
from mtl.errors import UserError
from tests.helpers.tiny_networks import write_bert


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files of a network, with some that nobody needs."""
    folder = write_bert(tmp_path / "elsewhere")
    (folder / "README.md").write_text("about")
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    return folder


def test_a_copy_is_known_by_its_hashes(source: Path, tmp_path: Path) -> None:
    got = get("me/tiny", tmp_path, source, revision="v1")
    assert got.folder == Path("data/models/me/tiny") and got.digest == digest_of(source) and got.tokens
    assert got.files == ["config.json", "model.safetensors", "tokenizer.json"]
    place = tmp_path / got.folder
    assert folder_of("me/tiny", root=tmp_path) == place and digest_of(place) == got.digest
    origin = origin_of(place)
    assert origin is not None and origin["revision"] == "v1" and list(origin["files"]) == got.files
    assert get("me/tiny", tmp_path, source).origin == "already there"
    assert changed_problem(place, "v1") is None
    assert "holds revision v1, and `encoder.revision` asks for v2" in str(changed_problem(place, "v2"))


def test_files_that_were_changed(source: Path, tmp_path: Path) -> None:
    place = tmp_path / get("tiny", tmp_path, source).folder
    (place / "config.json").write_text(json.dumps(json.loads((place / "config.json").read_text()), indent=1))
    with pytest.raises(UserError, match=r"config.json is not the file that `mtl model get` put there: move .* away"):
        get("tiny", tmp_path)
    (place / "origin.json").write_text("{}")
    with pytest.raises(UserError, match=r"origin.json is damaged \('digest'\)"):
        changed_problem(place, None)


def test_another_network_of_the_name(source: Path, tmp_path: Path) -> None:
    get("tiny", tmp_path, source)
    other = write_bert(tmp_path / "other", hidden_act="relu")
    with pytest.raises(UserError, match=r"data/models/tiny exists, and its files are not those of .*other"):
        get("tiny", tmp_path, other)


@pytest.mark.parametrize("name", ["../tiny", "a/b/c", "", "/etc", "a//b", "a/..", "-x"])
def test_names_that_are_none(name: str, source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`NAME` should be of letters"):
        get(name, tmp_path, source)
    assert not (tmp_path / "data").exists()


def test_a_folder_without_safetensors(source: Path, tmp_path: Path) -> None:
    (source / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"should be safetensors \(model.safetensors\), found pytorch_model.bin alone"):
        get("tiny", tmp_path, source)
    with pytest.raises(UserError, match="there is no such folder, from which `--from`"):
        get("tiny", tmp_path, tmp_path / "nowhere")
    assert not list((tmp_path / "data/models").iterdir())


class Hub:
    """Stands for the hub: one network, at one commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def model_info(self, name: str, revision: str | None) -> Any:
        if name != "me/tiny":
            raise ValueError("404 Client Error\nmore lines")
        files = [type("File", (), {"rfilename": file.name}) for file in self.folder.iterdir()]
        return type("Info", (), {"sha": "c0ffee", "siblings": files})

    def snapshot_download(self, name: str, revision: str, local_dir: Path, allow_patterns: list[str]) -> None:
        assert (name, revision) == ("me/tiny", "c0ffee") and "*.safetensors" in allow_patterns
        for file in self.folder.iterdir():
            if any(file.match(pattern) for pattern in allow_patterns):
                shutil.copy(file, local_dir)
        (local_dir / ".cache").mkdir()


def test_the_hub_is_asked_once_and_its_commit_noted(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(source)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub.snapshot_download)
    got = get("me/tiny", tmp_path)
    assert got.origin == "the hub, commit c0ffee"
    assert sorted(path.name for path in (tmp_path / got.folder).iterdir()) == sorted([*got.files, "origin.json"])
    with pytest.raises(UserError, match=r"me/other cannot be fetched from the hub: 404 Client Error \(ValueError\)"):
        get("me/other", tmp_path)
    shutil.rmtree(tmp_path / got.folder)
    (source / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"me/tiny: weights should be safetensors, found .*pytorch_model.bin"):
        get("me/tiny", tmp_path)
