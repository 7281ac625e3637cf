"""Names of `evaluate.slices` that nothing can be told apart by."""

import pytest

from mtl.config.slices import check_slices
from mtl.errors import ConfigError, SettingError
from tests.experiment.conftest import configure
from tests.helpers.results import make_config

SENSORS = {"sensors": {"kind": "sensors"}}
FAULT = {"fault": {"kind": "binary", "source": "sensors", "input_len": 48, "label": "fault"}}


def test_names_of_known_sources_are_checked_before_any_data() -> None:
    known = {"prepare": {"sources": SENSORS}, "tasks": FAULT, "finetune": {"methods": {"joint": {"kind": "equal"}}}}
    configure(**known, evaluate={"slices": ["load_state", "class"]})
    with pytest.raises(ConfigError, match=r"`evaluate\.slices` should be among .*load_state.*class.*found 'store'"):
        configure(**known, evaluate={"slices": ["store"]})
    with pytest.raises(ConfigError, match="no source of a task has groups"):
        configure(**known, evaluate={"slices": ["groups"]})
    with pytest.raises(ConfigError, match="slices should be distinct"):
        configure(**known, evaluate={"slices": ["class", "class"]})


def test_names_that_only_the_data_tell_are_checked_against_them() -> None:
    configure(evaluate={"slices": ["store"]})
    check_slices(["store", "groups", "class"], ["store"], grouped=True)
    with pytest.raises(SettingError, match="no source of a task has groups"):
        check_slices(["groups"], ["store"], grouped=False)
    with pytest.raises(SettingError, match="should be among store, class"):
        check_slices(["shop"], ["store"], grouped=False)


def test_losses_alone_are_asked_for_by_one_line() -> None:
    assert make_config(["joint"]).evaluate.predictions
    assert not configure(evaluate={"predictions": False}).evaluate.predictions
