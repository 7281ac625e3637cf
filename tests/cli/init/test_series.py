"""`mtl init` on a table whose rows are steps of time."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl.cli.init.init import init
from mtl.cli.preflight import check, left_out
from mtl.config import Config, load_config
from mtl.config.common import tag
from mtl.config.sources import SeriesSource
from mtl.config.table_source import TableSource
from mtl.config.table_split import TimeSplit
from mtl.config.yaml_file import read_yaml
from mtl.errors import UserError

DAYS = 600


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A year and a half of days, in a folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    drawn = np.random.default_rng(0)
    load = np.sin(np.arange(DAYS) / 4) + drawn.normal(0, 0.1, DAYS)
    pd.DataFrame({
        "day": pd.date_range("2021-01-01", periods=DAYS).strftime("%Y-%m-%d"), "load": load.round(4),
        "warm": (20 + drawn.normal(size=DAYS).cumsum() / 10).round(3),
        "state": np.where(load > 0.4, "high", np.where(load < -0.4, "low", "middle")),
        "alarm": (drawn.uniform(size=DAYS) < 0.2).astype(int), "copy": (2 * load.round(4)).round(4), "same": 7,
        "wear": drawn.uniform(0, 9, DAYS).round(2),
    }).to_csv("plant.csv", index=False)  # fmt: skip
    return tmp_path


def made(targets: str, **arguments: Any) -> Config:
    init(Path("new"), Path("plant.csv"), targets, **arguments)
    config = load_config(Path("new/params.yaml"))
    check(config, [], Path("new"))
    return config


def test_forecasts_labels_and_numbers_of_one_series(plant: Path) -> None:
    config = made("load:forecast,warm:forecast,state,alarm,hot=wear>=5")
    (source,) = config.prepare.sources.values()
    assert isinstance(source, SeriesSource)
    assert (source.date, source.values) == ("day", ["load", "warm", "copy"])
    assert (source.labels, source.targets) == (["state", "alarm"], ["wear"])
    assert {name: tag(type(task)) for name, task in config.tasks.items()} == {
        "load": "forecast", "warm": "forecast", "state": "classification", "alarm": "binary", "hot": "binary",
    }  # fmt: skip
    assert {(task.input_len, task.rows_ahead) for task in config.tasks.values()} == {(24, 6), (24, 0)}
    assert left_out(read_yaml(Path("new/params.yaml")), config, Path("new")) == {}
    text = Path("new/params.yaml").read_text(encoding="utf-8")
    for name in SeriesSource.model_fields:
        assert f"      {name}:" in text


def test_a_number_on_steps_of_time_may_be_meant_in_two_ways(plant: Path) -> None:
    with pytest.raises(UserError, match="may mean the numbers that follow or the number itself: write load:forecast"):
        made("load")
    config = made("load:regression,alarm", given=["ignore=[copy]"])
    (source,) = config.prepare.sources.values()
    assert isinstance(source, TableSource)
    assert source.split == TimeSplit(kind="time", column="day", test=0.2), "the latest rows are tested on"
    assert "day" not in (source.inputs or {})


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("form", ["excel", "%d/%m/%y"])
def test_the_form_of_time_stamps_is_given_as_a_series_or_as_a_table_has_it(plant: Path, form: str, whole: bool) -> None:
    frame = pd.read_csv("plant.csv")
    days = pd.to_datetime(frame["day"])
    # A spreadsheet keeps 44197 for 1 January 2021.
    frame["day"] = 44197 + np.arange(DAYS) if form == "excel" else days.dt.strftime(form)
    frame.to_csv("plant.csv", index=False)
    config = made("load:forecast", given=[f"date_format={form}" if not whole else f"date_format={{day: '{form}'}}"])
    (source,) = config.prepare.sources.values()
    assert isinstance(source, SeriesSource)
    assert (source.date, source.date_format) == ("day", form)
    assert source.values == ["load", "warm", "alarm", "copy", "wear"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"group": "state"}, "--group is for rows that are samples of their own"),
        ({"given": ["values=[state]"]}, "state"),
        ({"given": ["rare=3"]}, "rare"),
    ],
)
def test_what_a_series_cannot_have_is_refused(plant: Path, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        made("load:forecast", **arguments)
    assert not Path("new").exists()


def test_holes_are_refused_until_a_setting_says_what_fills_them(plant: Path) -> None:
    table = pd.read_csv("plant.csv")
    table.loc[50:52, "warm"] = np.nan
    table.to_csv("plant.csv", index=False)
    with pytest.raises(UserError, match="on_missing"):
        made("load:forecast")
    assert not Path("new").exists()
    (source,) = made("load:forecast", given=["on_missing=interpolate"]).prepare.sources.values()
    assert isinstance(source, SeriesSource) and source.on_missing == "interpolate"


def test_a_value_that_gives_a_target_away_is_left_out(plant: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv("plant.csv")
    table["wear"] = table["copy"]
    table.to_csv("plant.csv", index=False)
    (source,) = made("warm:forecast,wear:regression").prepare.sources.values()
    assert isinstance(source, SeriesSource) and "copy" not in (source.values or [])
    assert "copy is no input: an exact copy of the target `wear`" in capsys.readouterr().out
