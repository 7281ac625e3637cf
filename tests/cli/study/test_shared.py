"""Results that the trials of a study share must have been made with the settings of now."""

from pathlib import Path

import pytest
import yaml

from mtl.cli.preflight import check_shared
from mtl.errors import UserError

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in which the source was prepared and the encoder pretrained."""
    defaults = yaml.safe_load((PROJECT / "presets/sensors.yaml").read_text(encoding="utf-8"))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(defaults, sort_keys=False))
    sources = defaults["prepare"]["sources"]
    lock = {
        "prepare@sensors": {"params": {"params.yaml": {"prepare.sources.sensors": sources["sensors"]}}},
        "pretrain": {"params": {"params.yaml": {"pretrain": defaults["pretrain"], "encoder": defaults["encoder"]}}},
    }
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": lock}))
    return tmp_path


def shared(root: Path, pretrained: bool) -> None:
    check_shared(["prepare@sensors", *(["pretrain"] if pretrained else [])], root)


def change(root: Path, section: str, key: str, value: object) -> None:
    params = yaml.safe_load((root / "params.yaml").read_text())
    here = params
    for part in section.split("."):
        here = here[part]
    here[key] = value
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def test_what_was_made_with_the_settings_of_now_is_fine(root: Path) -> None:
    change(root, "train", "lr", 0.5)
    shared(root, True)
    change(root, "pretrain", "epochs", 99)
    shared(root, False)
    with pytest.raises(UserError, match="pretrain ran with another"):
        shared(root, True)


def test_data_of_other_settings_are_not_used(root: Path) -> None:
    change(root, "prepare.sources.sensors", "rows", 500)
    with pytest.raises(
        UserError, match=r"prepare@sensors ran with another `prepare\.sources\.sensors`, .* run `mtl repro"
    ):
        shared(root, False)


def test_weights_of_other_settings_are_not_used(root: Path) -> None:
    change(root, "encoder", "layers", 2)
    shared(root, False)
    with pytest.raises(UserError, match="pretrain ran with another `encoder`"):
        shared(root, True)


def test_what_never_ran_is_said(root: Path) -> None:
    (root / "dvc.lock").unlink()
    with pytest.raises(UserError, match="prepare@sensors has not run, and trials share what it makes"):
        shared(root, False)
