"""`mtl predict`: a file of new data becomes a file of predictions, in the user's terms, or one message and no file."""

import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mtl
from mtl.api.deployment.deploy import Wish
from mtl.cli.deploy import deploy
from mtl.data.formats import pieces
from mtl.errors import UserError
from mtl.experiment.objects import load_tasks
from mtl.results.deployment import Deployment
from mtl.serving.deployed import DeployedModel
from mtl.serving.predict import Done, Request, origins_of, predict_file
from tests.helpers.deployable import flats as flats_frame
from tests.helpers.deployable import plant as plant_frame
from tests.serving.conftest import Project


def predict(folder: Path, data: Path, out: Path, **more: Any) -> tuple[Done, pd.DataFrame]:
    model = mtl.load_model(folder)
    done = predict_file(model, Request(data, out, **more), origins_of(model))
    read = pd.read_parquet(out) if out.suffix == ".parquet" else pd.read_csv(out)
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []
    return done, read


def write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, sep=";", index=False)
    return path


INPUTS = ["size (m2)", "town", "lift", "sold", "year"]


def test_test_rows_of_a_file_give_the_figures_of_the_run(rows: Path, flats: Project, tmp_path: Path) -> None:
    """To the last digit: whole chunks pass through the networks, as in the evaluation. Targets may be missing."""
    data, _ = load_tasks(flats.config, 0, flats.root)
    (pool,) = data.select(["rent"], "test")
    assert len(pool) > 256
    test = flats_frame().iloc[pool.samples.numbers.numpy()][INPUTS]
    done, read = predict(rows, write(test, tmp_path / "new.csv"), tmp_path / "out.parquet")
    assert (done.samples, done.tasks, done.notes) == (len(pool), ["rent", "band", "dear"], [])
    model = mtl.load_model(rows)
    assert isinstance(model, DeployedModel)
    assert list(read) == ["rent", "band", "band_q0.1", "band_q0.5", "band_q0.9", "dear", "dear_p:cheap", "dear_p:dear"]
    frame = test.assign(sold=pd.to_datetime(test["sold"], format="%d.%m.%Y"))
    outputs = model.outputs(frame)
    for task, served in model.deployment.tasks.items():
        (member,) = served.members
        of_seed, _ = load_tasks(flats.config, model.deployment.members[member].seed, flats.root)
        target = of_seed.select([task], "test")[0].batch(torch.arange(len(pool))).target(task)
        assert model.tasks[task].score(outputs[task], target, detailed=True)[0] == served.test
    answers = model.predict(frame)
    assert np.array_equal(read["rent"].to_numpy(), answers["rent"].values)
    assert np.array_equal(read["band_q0.9"].to_numpy(), answers["band"].quantiles[:, 2])
    assert read["dear"].tolist() == answers["dear"].predicted


def test_csv_holds_the_same_numbers_and_columns_that_are_kept(rows: Path, tmp_path: Path) -> None:
    data = write(flats_frame(40, seed=5), tmp_path / "new.csv")
    _, first = predict(rows, data, tmp_path / "out.parquet")
    _, read = predict(rows, data, tmp_path / "out.csv", keep=("town", "rent"), tasks=["rent"])
    assert list(read) == ["town", "rent_data", "rent"]
    assert np.array_equal(read["rent"].to_numpy(np.float32), first["rent"].to_numpy())
    assert read["rent_data"].tolist() == flats_frame(40, seed=5)["rent"].tolist()


def test_a_long_file_is_read_in_pieces_with_the_same_result(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = flats_frame(1500, seed=6)
    frame.loc[::50, "town"] = "Bad\nEms"  # a cell of two lines
    data, packed = write(frame, tmp_path / "new.csv"), tmp_path / "new.csv.gz"
    packed.write_bytes(gzip.compress(data.read_bytes()))
    frame.to_parquet(tmp_path / "new.parquet")
    frame.to_feather(tmp_path / "new.feather")
    done, whole = predict(rows, data, tmp_path / "whole.parquet")
    assert done.notes == [f"town: 30 of 1,500 rows hold categories that the model does not know from training, or that "
                          f"were rare there, and takes for one unknown category: {'Bad Ems'!r}"]  # fmt: skip
    monkeypatch.setattr(pieces, "PIECE", 25000)
    monkeypatch.setattr(pieces, "LONGEST", 200000)
    monkeypatch.setattr(pieces, "ROWS", 600)
    for name in ("new.csv", "new.csv.gz", "new.parquet", "new.feather"):
        again, read = predict(rows, tmp_path / name, tmp_path / "pieces.parquet")
        pd.testing.assert_frame_equal(read, whole)
        assert (again.samples, again.notes) == (1500, done.notes)
    frame["size (m2)"] = frame["size (m2)"].astype(object)
    frame.loc[1400, "size (m2)"] = "wide"
    with pytest.raises(UserError, match=r"new.csv, line 1430, column `size \(m2\)`: should be a number.*'wide'"):
        predict(rows, write(frame, data), tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_spellings_of_known_categories_are_known(rows: Path, tmp_path: Path) -> None:
    frame = flats_frame(20, seed=7)
    _, first = predict(rows, write(frame, tmp_path / "a.csv"), tmp_path / "a.parquet")
    other = frame.assign(town=frame["town"].str.upper() + " ", lift=frame["lift"].map({"yes": "TRUE", "no": "FALSE"}))
    done, read = predict(rows, write(other[INPUTS[::-1]], tmp_path / "b.csv"), tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(read, first)
    assert done.notes == []


def test_one_row_of_ambiguous_dates_is_read_as_the_training_file_was(rows: Path, tmp_path: Path) -> None:
    one = flats_frame(1).assign(sold="03.04.2022")
    _, read = predict(rows, write(one, tmp_path / "one.csv"), tmp_path / "out.csv")
    model = mtl.load_model(rows)
    frame = one[INPUTS].assign(sold=pd.to_datetime(["2022-04-03"]))
    assert read["rent"].to_numpy(np.float32) == model.predict(frame)["rent"].values


Change = Callable[[pd.DataFrame], pd.DataFrame]
WRONG: dict[str, tuple[Change, dict[str, Any], str]] = {
    "no column": (lambda f: f.drop(columns="town"), {}, r"missing: `town`; found: `size \(m2\)`"),
    "other spelling": (lambda f: f.rename(columns={"town": "Town"}), {}, "`Town` is spelt otherwise: rename it to `to"),
    "no date": (lambda f: f.drop(columns="sold"), {}, "missing: `sold`"),
    "text": (lambda f: f.assign(**{"size (m2)": "big"}), {},
             r"line 2, column `size \(m2\)`: should be a number.*found 'big': (?!.*labels)"),
    "hole": (lambda f: f.assign(**{"size (m2)": [np.nan, *f["size (m2)"][1:]]}), {},
             r"line 2, column `size \(m2\)`: the value is missing, and no row"),
    "infinite": (lambda f: f.assign(year="inf"), {}, "should be a finite number"),
    "other date": (lambda f: f.assign(sold="2021/13/45"), {}, "line 2, column `sold`: should be a time stamp in %d.%m"),
    "huge": (lambda f: f.assign(**{"size (m2)": 1e30}), {}, "should have values within"),
    "no rows": (lambda f: f.head(0), {}, "there are no rows below the header"),
    "no task": (lambda f: f, {"tasks": ["price"]}, "--tasks should name tasks of the model"),
    "no source": (lambda f: f, {"source": "houses"}, "--source should be one of flats, found 'houses'"),
    "no kept column": (lambda f: f, {"keep": ("id",)}, "--keep should name columns of the file, found 'id'"),
    "no option": (lambda f: f, {"changes": {"colour": "red"}}, "--set should name an option of the reader"),
    "wrong option": (lambda f: f, {"changes": {"skip_rows": -1}}, "--set skip_rows: "),
    "other separator": (lambda f: f, {"changes": {"separator": ","}}, "separator"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_rows_are_one_message_and_leave_no_file(case: str, rows: Path, tmp_path: Path) -> None:
    change, more, message = WRONG[case]
    data, out = write(change(flats_frame(30)[INPUTS]), tmp_path / "new.csv"), tmp_path / "out.parquet"
    with pytest.raises(UserError, match=message):
        predict(rows, data, out, **more)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv"]


@pytest.mark.parametrize(
    ("data", "out", "message"),
    [
        ("none.csv", "out.parquet", "none.csv is missing"),
        ("new.csv", "out.xlsx", "-o should end in .parquet or .csv"),
        ("new.csv", "nowhere/out.csv", "no folder"),
        ("new.txt.zip", "out.csv", "new.txt.zip is not a zip file that can be read"),
        ("new.html", "out.csv", "the name should end in .csv"),
    ],
)
def test_wrong_files_are_one_message(data: str, out: str, message: str, rows: Path, tmp_path: Path) -> None:
    write(flats_frame(5), tmp_path / "new.csv")
    (tmp_path / "new.txt.zip").write_bytes(b"PK")
    (tmp_path / "new.html").write_text("<html>")
    with pytest.raises(UserError, match=message):
        predict(rows, tmp_path / data, tmp_path / out)


def test_the_options_of_the_file_may_differ(rows: Path, tmp_path: Path) -> None:
    frame = flats_frame(9)
    _, first = predict(rows, write(frame, tmp_path / "a.csv"), tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "b.csv", index=False, sep="\t", decimal=",")
    _, read = predict(rows, tmp_path / "b.csv", tmp_path / "b.parquet", changes={"separator": "\t", "decimal": ","})
    pd.testing.assert_frame_equal(read, first)


def test_a_run_predicts_as_well(flats: Project, tmp_path: Path) -> None:
    frame = flats_frame(9)
    frame.to_csv(tmp_path / "a.csv", index=False)
    folder = flats.root / "outputs/finetune/joint/seed-1"
    _, read = predict(folder, tmp_path / "a.csv", tmp_path / "a.parquet", changes={"date_format": {"sold": "%d.%m.%Y"}})
    wanted = mtl.load_model(folder).predict(frame[INPUTS].assign(sold=pd.to_datetime(frame["sold"], format="%d.%m.%Y")))
    assert np.array_equal(read["rent"].to_numpy(), wanted["rent"].values)


@pytest.mark.thorough
def test_the_end_of_each_series_is_forecast_with_its_stamps(series: Path, tmp_path: Path) -> None:
    frame = plant_frame(120).drop(columns="alarm")
    frame.to_csv(tmp_path / "new.csv", index=False)
    done, read = predict(series, tmp_path / "new.csv", tmp_path / "out.csv")
    assert done.samples == 2 and len(read) == 2 * 7, "the sample itself, and six hours ahead"
    assert read["town"].tolist() == ["north"] * 7 + ["south"] * 7
    last = pd.Timestamp("2024-05-01") + pd.Timedelta(hours=59)
    assert pd.to_datetime(read["time"][:7]).tolist() == [last + pd.Timedelta(hours=step) for step in range(7)]
    model = mtl.load_model(series)
    window = frame[frame["town"] == "south"][["load", "temp [°C]"]].tail(24)
    answers = {task: model.predict(window, tasks=[task])[task] for task in ("next", "later", "alarm")}
    south = read[read["town"] == "south"]
    np.testing.assert_allclose(south["next"][1:5], answers["next"].values[0, 0], rtol=1e-5)
    assert south["next"].isna().tolist() == [True, *[False] * 4, True, True]
    np.testing.assert_allclose(south["later:load_q0.9"][1:], answers["later"].quantiles[0, 0, :, 2], rtol=1e-5)
    assert south["alarm"].iloc[0] == answers["alarm"].predicted[0] and south["alarm"][1:].isna().all()
    assert (south["later:load"] > 20).sum() == 6, "original units"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        (lambda f: f.groupby("town").head(20), {}, "at least 24 rows of 'north', which the model reads, found 20"),
        (lambda f: f.drop(columns="load"), {}, "missing: `load`"),
        (lambda f: f.drop(columns="time"), {}, "there is no column `time`"),
        (lambda f: f.assign(load=f["load"].where(f.index != 55)), {}, "column `load`: the value is missing in the"),
        (lambda f: f.assign(load=f["load"].where(f.index != 59)), {"changes": {"on_missing": "interpolate"}},
         "end the file at the last whole row"),
        (lambda f: f[f.index % 2 == 0], {}, "rows should be 0 days 01:00:00 apart.*found 0 days 02:00:00: resample"),
        (lambda f: f.iloc[::-1], {}, "is before the row above"),
        (lambda f: f.assign(time=f["time"].str.replace(".", "/")), {}, "should be a time stamp in"),
    ],
)  # fmt: skip
def test_wrong_series_are_one_message(
    change: Change, more: dict[str, Any], message: str, series: Path, tmp_path: Path
) -> None:
    change(plant_frame(120)).to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(UserError, match=message):
        predict(series, tmp_path / "new.csv", tmp_path / "out.csv", **more)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.thorough
def test_holes_are_filled_where_asked(series: Path, tmp_path: Path) -> None:
    frame = plant_frame(120)
    frame["load"] = frame["load"].where(frame.index != 50)
    frame.to_csv(tmp_path / "new.csv", index=False)
    done, read = predict(series, tmp_path / "new.csv", tmp_path / "out.csv", changes={"on_missing": "interpolate"})
    assert any("load: 2 missing values are interpolated" in note for note in done.notes)
    assert read["next"].notna().sum() == 8


@pytest.mark.thorough
def test_windows_and_images_in_an_npz_give_the_figures_of_the_run(
    series: Path, plant: Project, digits: Project, tmp_path: Path
) -> None:
    data, _ = load_tasks(plant.config, 0, plant.root)
    # The evaluation's batches hold the samples of all tasks that share them.
    pool = next(pool for pool in data.select(list(data.specs), "test") if "next" in pool.tasks)
    values = data.sources["plant"].data.values
    windows = torch.stack([values[start : start + 24] for start in pool.samples.numbers.tolist()]).numpy()
    np.savez(tmp_path / "windows.npz", x=windows, columns=np.array(data.sources["plant"].columns))
    _, read = predict(series, tmp_path / "windows.npz", tmp_path / "out.parquet", tasks=["next"])
    assert list(read) == ["sample", "step", "next"] and len(read) == 4 * len(pool)
    model = mtl.load_model(series)
    assert isinstance(model, DeployedModel)
    spec = model.tasks["next"]
    outputs = model.outputs(windows, ["next"])["next"]
    valid = pool.targets["next"].valid
    there = torch.ones(len(pool), dtype=torch.bool) if valid is None else valid
    target = pool.batch(torch.arange(len(pool))).target("next")
    assert spec.score(outputs[there], target[there], detailed=True)[0] == model.deployment.tasks["next"].test
    assert np.array_equal(read["next"].to_numpy().reshape(len(pool), 1, 4), spec.answer(outputs).values)

    made = digits.copy(tmp_path / "digits")
    folder = deploy(Wish(method="joint"), made.root)
    data, _ = load_tasks(digits.config, 0, digits.root)
    (pool,) = data.select(["digit"], "test")
    np.savez(tmp_path / "images.npz", pictures=data.sources["digits"].data.images[pool.samples.numbers].numpy())
    _, read = predict(folder, tmp_path / "images.npz", tmp_path / "digits.csv")
    truth = [data.specs["digit"].classes[k] for k in pool.batch(torch.arange(len(pool))).target("digit").tolist()]
    hits = float((read["digit"].astype(str) == np.array(truth)).mean())
    tested = Deployment.of_folder(folder).tasks["digit"].test
    assert tested is not None and hits == pytest.approx(tested["accuracy"])
    for array, message in (("y", r"should hold the samples as `y`, found pictures: name the array"), (None, "uint8")):
        np.savez(tmp_path / "images.npz", pictures=np.zeros((2, 8, 8)))
        with pytest.raises(UserError, match=message):
            predict(folder, tmp_path / "images.npz", tmp_path / "no.csv", array=array)
    write(flats_frame(3), tmp_path / "new.csv")
    with pytest.raises(
        UserError, match=r"new\.csv: should be a folder of image files, or an \.npz with the images as an array `x`"
    ):
        predict(folder, tmp_path / "new.csv", tmp_path / "no.csv")


@pytest.mark.thorough
@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_kill_in_the_middle_leaves_no_output(number: int, rows: Path, tmp_path: Path, project: Path) -> None:
    write(pd.concat([flats_frame(20_000)] * 2), tmp_path / "new.csv")
    command = [sys.executable, "-m", "mtl.cli", "predict", "new.csv", "--model", str(rows), "-o", "out.csv"]
    environment = os.environ | {"PYTHONPATH": str(project)}
    child = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    while child.poll() is None and not any(file.stat().st_size for file in tmp_path.glob(".out.csv.*")):
        time.sleep(0.05)
    child.send_signal(number)
    assert child.wait() != 0
    left = sorted(path.name for path in tmp_path.iterdir() if path.name != "new.csv")
    assert len(left) == (1 if number == signal.SIGKILL else 0) and "out.csv" not in left
    write(flats_frame(5), tmp_path / "new.csv")
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "out.csv: rent, band, dear of 5 samples" in done.stdout
    assert "drift   none beyond chance in" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv", "out.csv"], "the next run sweeps"
