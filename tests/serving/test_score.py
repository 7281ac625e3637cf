"""`mtl score`: figures of a finished model on new data with targets, its own test figures, and another model."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import TypeAdapter

import mtl
from mtl.api.deployment.deploy import Wish
from mtl.cli.deploy import deploy
from mtl.cli.score import score
from mtl.config import Task
from mtl.config.inputs import ROWS
from mtl.config.table_file import TableFile
from mtl.data.formats import pieces
from mtl.data.formats.tables import read_table
from mtl.errors import UserError
from mtl.experiment.objects import load_tasks
from mtl.results.deployment import DEPLOYMENT, Deployment
from mtl.results.scores import Scores
from mtl.serving.new_data.targets import Target
from mtl.serving.score import Labelled
from mtl.tasks.binary import Binary
from tests.helpers.deployable import flats as flats_frame
from tests.helpers.deployable import plant as plant_frame
from tests.serving.conftest import Project


def scored(folder: Path, data: Path, against: Path | None = None, **more: Any) -> Scores:
    return score(Labelled(data, **more), folder, against)


def write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, sep=";", index=False)
    return path


def same(scores: Scores, test: Mapping[str, Mapping[str, float]]) -> None:
    for task, metrics in test.items():
        assert {name: value.here for name, value in scores.tasks[task].metrics.items()} == {
            name: value for name, value in metrics.items() if name in scores.tasks[task].metrics
        }


@pytest.fixture(scope="module")
def test_rows(flats: Project) -> pd.DataFrame:
    """Rows of the test part, as the raw file has them."""
    data, _ = load_tasks(flats.config, 0, flats.root)
    return flats_frame().iloc[data.select(["rent"], "test")[0].samples.numbers.numpy()]


def test_the_test_part_has_the_test_figures_to_the_last_digit(
    rows: Path, test_rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write(test_rows, tmp_path / "new.csv")
    made = scored(rows, data)
    for task, served in Deployment.of_folder(rows).tasks.items():
        values = made.tasks[task].metrics
        assert served.test is not None and next(iter(values)) == served.metric
        assert {name: value.here for name, value in values.items()} == {name: served.test[name] for name in values}
        assert all(value.test == value.here for value in values.values())
        ends = values[served.metric].ends
        assert ends.low is not None and ends.high is not None and ends.low < values[served.metric].here < ends.high
        assert (made.tasks[task].samples, made.tasks[task].blocks) == (len(test_rows), len(test_rows))
    monkeypatch.setattr(pieces, "PIECE", 6000)
    monkeypatch.setattr(pieces, "LONGEST", 60000)
    assert scored(rows, data) == made


def test_missing_targets_are_left_out_and_counted(
    rows: Path, test_rows: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = test_rows.assign(rent=test_rows["rent"].where(np.arange(len(test_rows)) % 4 != 0))
    lacking["dear"] = ["luxury", "", *test_rows["dear"][2:].str.upper()]
    made = scored(rows, write(lacking, tmp_path / "new.csv"))
    gone = int(lacking["rent"].isna().sum())
    assert (made.tasks["rent"].missing, made.tasks["rent"].samples) == (gone, len(lacking) - gone)
    assert (made.tasks["dear"].missing, made.tasks["dear"].samples) == (2, len(lacking) - 2)
    assert made.notes == [
        "rent: 88 of 350 samples have no target, and are left out",
        "band: 88 of 350 samples have no target, and are left out",
        "dear: 2 of 350 samples have no target, and are left out",
        "dear: 1 sample has a class that training had not ('luxury'), and is left out",
    ]
    assert "note: dear: 2 of 350" in capsys.readouterr().err
    known = write(lacking[lacking["rent"].notna()], tmp_path / "known.csv")
    alone = scored(rows, known, tasks=["rent"]).tasks["rent"].metrics
    assert alone["mse"].here == pytest.approx(made.tasks["rent"].metrics["mse"].here)
    one = scored(rows, write(test_rows.drop(columns="dear"), tmp_path / "new.csv"))
    assert list(one.tasks) == ["rent", "band"] and one.notes == [
        "not scored, for the file has no such column: `dear` (dear)"
    ]


def test_wrong_files_are_one_message(rows: Path, test_rows: pd.DataFrame, tmp_path: Path) -> None:
    none = write(test_rows.drop(columns=["rent", "dear"]), tmp_path / "none.csv")
    with pytest.raises(UserError, match=r"at least one target to score by: the columns `rent` \(rent\), `rent` \(band"):
        scored(rows, none)
    empty = write(test_rows.assign(rent="", dear=""), tmp_path / "empty.csv")
    with pytest.raises(UserError, match="no sample has a target of rent, band, dear"):
        scored(rows, empty)
    text = write(test_rows.assign(rent="much"), tmp_path / "text.csv")
    with pytest.raises(UserError, match="line 2, column `rent`: should be a number"):
        scored(rows, text)
    with pytest.raises(UserError, match=r"should be a file that ends in \.json"):
        score(Labelled(none), rows, out=tmp_path / "scores.txt")
    older = tmp_path / "older"
    older.mkdir()
    content = Deployment.of_folder(rows).plain()
    for served in content["tasks"].values():
        del served["section"]
    Deployment.parse(content, "deployment.json").write(older / DEPLOYMENT)
    (older / "members").symlink_to(rows / "members")
    with pytest.raises(UserError, match="how the targets of rent, band, dear are read is not known: deploy the model"):
        scored(older, none)


def test_a_planted_difference_between_two_models_is_shown_and_none_is_not(
    rows: Path, flats: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = flats.copy(tmp_path / "other")
    other = deploy(Wish(method="simple", tasks=["rent", "dear"]), made.root)
    new = flats_frame(150, seed=11)
    dates = new.drop(columns=["rent", "dear"]).assign(sold=pd.to_datetime(new["sold"], format="%d.%m.%Y"))
    best = mtl.load_model(rows).predict(dates)["rent"].values
    new["rent"] = best + np.random.default_rng(0).normal(0, 1, len(best))
    data = write(new, tmp_path / "new.csv")
    out = tmp_path / "scores.json"
    compared = score(Labelled(data), rows, other, out)
    assert Scores.read(out) == compared
    rent, dear = compared.tasks["rent"].against, compared.tasks["dear"].against
    assert rent is not None and rent.word == "better" and (rent.samples, rent.blocks) == (150, 150)
    assert rent.here < rent.other and rent.change.mean == pytest.approx(100 * (1 - rent.here / rent.other))
    assert rent.change.low is not None and rent.adjusted.low is not None and rent.change.low >= rent.adjusted.low > 0
    assert dear is not None and (dear.change.mean, dear.word) == (0.0, "no difference shown"), "the same simple model"
    assert compared.tasks["band"].against is None and "band: not compared, for" in "".join(compared.notes)
    assert "better" in capsys.readouterr().out
    turned = scored(other, data, rows).tasks["rent"].against
    assert turned is not None and turned.word == "worse"
    assert turned.change.mean == pytest.approx(100 * (1 - turned.here / turned.other))


def test_a_run_is_scored_by_the_settings_of_its_project(
    flats: Project, test_rows: pd.DataFrame, tmp_path: Path
) -> None:
    data = write(test_rows, tmp_path / "new.csv")
    folder = flats.root / "outputs/finetune/joint/seed-0"
    made = score(Labelled(data), folder, root=flats.root)
    assert all(value.test is None for task in made.tasks.values() for value in task.metrics.values())
    with pytest.raises(UserError, match="run this in the folder of its project"):
        score(Labelled(data), folder, root=tmp_path)


def target(section: dict[str, Any], classes: list[str]) -> Target:
    spec = Binary(name="good", source="s", shape=(1,), columns=["a"], input=ROWS, label="good", classes=classes)
    return Target.of(spec, TypeAdapter(Task).validate_python(section | {"source": "s"}), "classes")


@pytest.mark.parametrize(
    ("label", "classes", "cells", "wanted"),
    [
        ("good", ["bad", "good"], ["good", " BAD ", "fair"], [1, 0, np.nan]),
        ("good", ["no", "yes"], ["1", "TRUE", "n"], [1, 1, 0]),
        ("even", ["odd", "even"], [1, 2, 40], [0, 1, 1]),
        ({"multiple_of": 3}, ["other", "multiple of 3"], [0, 3, 4], [0, 1, 0]),
        ({"one_vs_rest": "cat", "of": "animal"}, ["rest", "cat"], ["Cat", "dog", "new"], [1, 0, 0]),
        ({"one_of": ["cat", "dog"], "of": "animal"}, ["rest", "cat or dog"], ["cat", "dog", "cow"], [1, 1, 0]),
        ({"equals": 3, "column": "score"}, ["rest", "3"], [3, 3.0, 4], [1, 1, 0]),
        ({"at_least": 7, "column": "score"}, ["below 7", "at least 7"], [6.5, 7.0, np.nan], [0, 1, np.nan]),
        ({"below": 7, "column": "score"}, ["at least 7", "below 7"], [6.5, 7.0, 8.0], [1, 0, 0]),
    ],
)  # fmt: skip
def test_labels_are_made_by_the_rule_of_the_task(label: Any, classes: list[str], cells: Any, wanted: Any) -> None:
    read, array = target({"kind": "binary", "label": label}, classes), np.array(cells)
    array.setflags(write=False)  # as pandas gives the numbers of a frame
    np.testing.assert_array_equal(read.of_array(array, "new.npz"), wanted)
    codes = read.encoded(np.array(wanted, dtype=float))
    assert codes.tolist() == [-1 if np.isnan(number) else number for number in wanted]


def test_markers_of_a_column_that_is_locked_are_missing(tmp_path: Path) -> None:
    """The numbers of a frame may not be written to, and stay as they are."""
    (tmp_path / "new.csv").write_text("score,x\n8,1\n-9,2\n3,3\n")
    options = TableFile(path=str(tmp_path / "new.csv"), missing_markers=[-9])
    table = read_table(options, Path())
    read = target({"kind": "binary", "label": {"at_least": 7, "column": "score"}}, ["below 7", "at least 7"])
    for _ in range(2):
        np.testing.assert_array_equal(read.of_table(table, False, options), [1, np.nan, 0])
    assert table.frame["score"].tolist() == [8, -9, 3]


@pytest.mark.thorough
def test_the_command_ends_with_exit_code_2_without_targets(
    rows: Path, test_rows: pd.DataFrame, tmp_path: Path, project: Path
) -> None:
    write(test_rows.drop(columns=["rent", "dear"]), tmp_path / "none.csv")
    write(test_rows, tmp_path / "new.csv")
    command = [sys.executable, "-m", "mtl.cli", "score", "none.csv", "--model", str(rows), "-o", "scores.json"]
    environment = os.environ | {"PYTHONPATH": str(project)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 2 and "at least one target to score by" in ended.stderr
    assert not (tmp_path / "scores.json").exists() and "Traceback" not in ended.stderr
    command[4] = "new.csv"
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    made = json.loads((tmp_path / "scores.json").read_text())
    assert (
        made["tasks"]["rent"]["samples"] == len(test_rows) and "Intervals of 95 % over rows of new.csv" in ended.stdout
    )


@pytest.mark.thorough
def test_every_window_of_a_series_has_the_test_figures(
    series: Path, plant: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, _ = load_tasks(plant.config, 0, plant.root)
    source = data.sources["plant"].data
    assert source.segments is not None
    frame = plant_frame()
    parts = [frame.iloc[max(first, val - 24) : end] for first, _, val, end in source.segments.tolist()]
    pd.concat(parts).to_csv(tmp_path / "new.csv", index=False)
    made = scored(series, tmp_path / "new.csv", tasks=["next", "later"])
    tested = Deployment.of_folder(series).tasks
    for task in ("next", "later"):
        test = tested[task].test
        assert test is not None
        for name, value in made.tasks[task].metrics.items():
            assert value.here == pytest.approx(test[name], rel=1e-6), name
        assert 5 <= made.tasks[task].blocks <= 16
    # A label belongs to the last row of a window, so that its first one is a row later.
    parts = [frame.iloc[max(first, val - 23) : end] for first, _, val, end in source.segments.tolist()]
    pd.concat(parts).to_csv(tmp_path / "new.csv", index=False)
    alarm = scored(series, tmp_path / "new.csv").tasks["alarm"]
    test = tested["alarm"].test
    assert test is not None
    assert {name: value.here for name, value in alarm.metrics.items()} == pytest.approx(
        {name: test[name] for name in alarm.metrics}, rel=1e-6
    )
    without = scored(series, write_plain(pd.concat(parts).drop(columns="alarm"), tmp_path / "new.csv"))
    assert list(without.tasks) == ["next", "later"], "what follows is in the file itself"
    holes = pd.concat(parts).reset_index(drop=True)
    holes.loc[50, "load"] = np.nan
    fewer = scored(series, write_plain(holes, tmp_path / "new.csv"))
    assert "1 rows miss an input" in fewer.notes[0] and fewer.tasks["next"].samples < without.tasks["next"].samples
    again = scored(series, tmp_path / "new.csv", series)
    for task in again.tasks.values():
        assert task.against is not None and task.against.here == task.against.other
        assert task.against.change.mean in (0.0, None) and task.against.word in ("no difference shown", "not known")


def write_plain(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path


@pytest.mark.thorough
def test_windows_and_images_of_an_npz_have_the_test_figures(
    series: Path, plant: Project, digits: Project, tmp_path: Path
) -> None:
    data, _ = load_tasks(plant.config, 0, plant.root)
    pool = next(pool for pool in data.select(["next"], "test") if "next" in pool.tasks)
    values, starts = data.sources["plant"].data.values, pool.samples.numbers.tolist()
    valid = pool.targets["next"].valid
    starts = [start for place, start in enumerate(starts) if valid is None or bool(valid[place])]
    windows = torch.stack([values[start : start + 24] for start in starts]).numpy()
    following = torch.stack([values[start + 24 : start + 28, :1] for start in starts]).numpy()
    place = tmp_path / "windows.npz"
    np.savez(place, x=windows, next=following, groups=np.array(starts) // 50)
    made = scored(series, place)
    test = Deployment.of_folder(series).tasks["next"].test
    assert test is not None and list(made.tasks) == ["next"] and made.unit == "groups"
    assert made.tasks["next"].metrics["mse"].here == pytest.approx(test["mse"], rel=1e-6)
    np.savez(place, x=windows, next=following[:, :2])
    with pytest.raises(UserError, match=r"`next`: should hold the rows that follow, numbers of the shape \[n, 4, 1\]"):
        scored(series, place)
    np.savez(place, x=windows)
    with pytest.raises(UserError, match="at least one target to score by: an array `next`, `later`, `alarm`; found: x"):
        scored(series, place)

    made_digits = digits.copy(tmp_path / "digits")
    folder = deploy(Wish(method="joint"), made_digits.root)
    data, _ = load_tasks(digits.config, 0, digits.root)
    (pool,) = data.select(["digit"], "test")
    names = np.array(data.specs["digit"].classes)
    truth = names[pool.batch(torch.arange(len(pool))).target("digit").numpy()]
    images = data.sources["digits"].data.images[pool.samples.numbers].numpy()
    np.savez(tmp_path / "images.npz", x=images, classes=truth, even=truth.astype(int) % 2 == 0)
    made = scored(folder, tmp_path / "images.npz")
    for task, served in Deployment.of_folder(folder).tasks.items():
        assert served.test is not None
        assert made.tasks[task].metrics["accuracy"].here == served.test["accuracy"]
