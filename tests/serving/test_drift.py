"""Drift: inputs of new data, held against what a deployment keeps of the training part."""

from math import log
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
from mtl.data.inputs.seen import UNKNOWN, Named
from mtl.errors import UserError
from mtl.experiment.objects import load_tasks
from mtl.results.deployment import DEPLOYMENT, Deployment
from mtl.results.trained import NumberCounts
from mtl.serving.drift import Drift, Watch, psi, told, trained_inputs
from mtl.serving.predict import Request, origins_of, predict_file
from tests.helpers.deployable import flats as flats_frame
from tests.helpers.deployable import plant as plant_frame
from tests.serving.conftest import Project


def drift_of(train: dict[str, Any], new: dict[str, Any], pieces: int = 1, each: int = 1) -> Drift:
    """Drift from columns of training to those of new data, which are counted in pieces of `each` values a sample."""
    watch = Watch(trained_inputs(iter(train.items()), 0))
    count = len(next(iter(new.values())))
    for part in np.array_split(np.arange(count), pieces):
        watch.add(iter({name: values[part] for name, values in new.items()}.items()), len(part) // each)
    drift = watch.drift()
    assert drift is not None
    return drift


def test_psi_has_its_known_values() -> None:
    assert psi([50, 50], [25, 75]) == pytest.approx(0.25 * log(2) + 0.25 * log(1.5))
    assert psi([1, 2, 7], [10, 20, 70]) == 0, "the same shares, whatever the sizes"
    assert psi([10, 0, 10], [5, 0, 5]) == 0, "an empty bin has no part in it"
    assert psi([20, 80], [80, 20]) == pytest.approx(psi([80, 20], [20, 80])) == pytest.approx(1.2 * log(4))
    assert psi([100, 0], [50, 50]) == pytest.approx(-0.5 * log(0.5) + 0.495 * log(100)), "none counts as half a value"


def test_deciles_of_training_hold_equal_shares() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1000.0))
    counts = trained_inputs(iter({"a": values}.items()), 3).numbers["a"]
    assert counts.counts == [100] * 10 and counts.edges == [99, 199, 299, 399, 499, 599, 699, 799, 899]
    assert (counts.low, counts.high, counts.missing) == (0, 999, 0)
    flag = np.array([0.0] * 70 + [1.0] * 30 + [np.nan] * 5)
    counts = trained_inputs(iter({"a": flag}.items()), 0).numbers["a"]
    assert (counts.edges, counts.counts, counts.missing) == ([0], [70, 30], 5)
    same, none = np.full(5, 2.0), np.full(5, np.nan)
    both = trained_inputs(iter({"same": same, "none": none}.items()), 0).numbers
    assert both["same"].counts == [5] and both["none"] == NumberCounts(
        edges=[], counts=[0], missing=5, low=None, high=None
    )


def test_a_planted_shift_is_told_with_its_numbers_and_what_stayed_is_not() -> None:
    draw = np.random.default_rng(1)
    train = {"moved": draw.normal(0, 1, 4000), "stayed": draw.normal(0, 1, 4000)}
    drift = drift_of(train, {"moved": draw.normal(1, 1, 1000), "stayed": draw.normal(0, 1, 1000)})
    (moved,) = drift.drifted
    assert (moved.name, moved.moved, drift.inputs) == ("moved", True, 2)
    assert moved.index == pytest.approx(1, abs=0.15), "a shift by one deviation: the divergence of two normals is 1"
    text = "\n".join(told(drift))
    assert "1 of 2 inputs differ from training (1,000 samples here, 4,000 values" in text
    assert "moved  PSI" in text and "(large change)" in text and "stayed" not in text


@pytest.mark.parametrize("size", [1, 100, 3000])
def test_chance_alone_is_hardly_ever_told(size: int) -> None:
    draw = np.random.default_rng(size)
    alarms = 0
    for _ in range(60):
        train = {name: draw.normal(0, 1, 800) for name in "abcdefgh"}
        alarms += bool(drift_of(train, {name: draw.normal(0, 1, size) for name in "abcdefgh"}).drifted)
    assert alarms <= 1


def test_outside_of_the_training_range_is_told_of_single_samples_too() -> None:
    train = {"a": np.linspace(20.0, 120.0, 500), "b": np.full(500, 3.0)}
    drift = drift_of(train, {"a": np.array([200.0]), "b": np.array([4.0])})
    assert [told_of.words for told_of in drift.drifted] == [
        ["1 of 1 values (100 %) outside the training range 20 to 120 (here 200 to 200)"],
        ["1 of 1 values (100 %) outside the training range 3 to 3 (here 4 to 4)"],
    ]
    assert drift_of(train, {"a": np.array([121.0]), "b": np.array([3.0])}).drifted == [], "just outside, once"
    just = np.where(np.arange(200) < 10, 121.0, 60.0)
    (told_of,) = drift_of(train, {"a": just, "b": np.full(200, 3.0)}, pieces=7).drifted
    assert "10 of 200 values (5 %) outside the training range 20 to 120 (here 60 to 121)" in told_of.words


def test_missing_values_and_unknown_categories_are_told() -> None:
    draw = np.random.default_rng(2)
    year = np.where(draw.random(2000) < 0.1, np.nan, draw.normal(0, 1, 2000))
    known = trained_inputs(
        iter({"year": year, "town": Named(draw.integers(0, 3, 2000), ["Bonn", "Köln", UNKNOWN])}.items()), 0
    )
    assert known.categories["town"].unknown == pytest.approx(667, abs=60)
    watch = Watch(known)
    gone = np.where(np.arange(500) < 200, np.nan, draw.normal(0, 1, 500))
    watch.add(iter({"year": gone, "town": Named(draw.integers(-1, 1, 500), ["Köln", UNKNOWN])}.items()), 500)
    drift = watch.drift()
    assert drift is not None and {told_of.name for told_of in drift.drifted} == {"year", "town"}
    words = {told_of.name: told_of.words for told_of in drift.drifted}
    assert words["year"] == ["200 of 500 values (40 %) missing, 9.2 % in training"]
    assert any("missing" in word and "in training" not in word for word in words["town"])


def test_pieces_count_as_the_whole() -> None:
    draw = np.random.default_rng(3)
    train, new = {"a": draw.normal(0, 1, 900)}, {"a": draw.normal(0.5, 2, 700)}
    assert drift_of(train, new) == drift_of(train, new, pieces=13)


def test_values_of_float32_fall_into_the_bins_that_they_were_made_of() -> None:
    tenths = np.round(np.random.default_rng(4).integers(0, 6, 3000) * 0.1, 1)
    drift = drift_of({"a": tenths}, {"a": tenths.astype(np.float32)})
    assert drift.drifted == []
    watch = Watch(trained_inputs(iter({"a": tenths}.items()), 0))
    watch.add(iter({"a": tenths.astype(np.float32)}.items()), 3000)
    assert watch.now["a"].bins.tolist()[:-1] == trained_inputs(iter({"a": tenths}.items()), 0).numbers["a"].counts


def test_a_deployment_keeps_the_training_part_alone(rows: Path, flats: Project) -> None:
    deployment = Deployment.of_folder(rows)
    kept = deployment.sources["flats"].inputs
    assert kept is not None
    data, _ = load_tasks(flats.config, kept.seed, flats.root)
    source = data.sources["flats"]
    train = flats_frame()[source.masks(data.fold["flats"])["train"].numpy()]
    assert kept.values == len(train) < len(flats_frame()) / 2
    size, year = kept.numbers["size (m2)"], kept.numbers["year"]
    assert (size.low, size.high) == (train["size (m2)"].min(), train["size (m2)"].max())
    assert sum(size.counts) == len(train) and year.missing == train["year"].isna().sum() > 0
    assert kept.categories["town"].counts == train["town"].value_counts().to_dict()
    assert not {"rent", "dear"} & {*kept.numbers, *kept.categories}, "targets are no inputs"


def predicted(folder: Path, data: Path, **more: Any) -> Drift:
    model = mtl.load_model(folder)
    done = predict_file(model, Request(data, data.parent / "out.parquet", **more), origins_of(model))
    assert done.drift is not None
    return done.drift


def test_predict_tells_drift_of_rows_over_all_pieces(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "new.csv"
    flats_frame(900, seed=8).to_csv(data, sep=";", index=False)
    assert predicted(rows, data).drifted == []
    moved = flats_frame(900, seed=8)
    moved["size (m2)"] += 40
    moved["town"] = moved["town"].where(moved.index % 3 != 0, "Mainz")
    moved.to_csv(data, sep=";", index=False)
    whole = predicted(rows, data)
    assert {told_of.name for told_of in whole.drifted} == {"size (m2)", "town"} and whole.samples == 900
    monkeypatch.setattr(pieces, "PIECE", 9000)
    monkeypatch.setattr(pieces, "LONGEST", 90000)
    assert predicted(rows, data) == whole
    shown = "\n".join(told(whole))
    assert shown.count(f"drift   2 of {whole.inputs} inputs differ from training (900 samples here") == 1
    assert "300 of 900 values (33 %) in categories that the model does not know" in shown


def test_a_damaged_profile_is_one_message(rows: Path, tmp_path: Path) -> None:
    text = (rows / DEPLOYMENT).read_text(encoding="utf-8")
    made = Deployment.loads(text.encode(), "deployment.json").plain()
    made["sources"]["flats"]["inputs"]["numbers"]["year"]["counts"].append(1)
    with pytest.raises(UserError, match="should have ascending edges, and one count more than these"):
        Deployment.parse(made, "deployment.json")
    del made["sources"]["flats"]["inputs"]
    assert Deployment.parse(made, "deployment.json").sources["flats"].inputs is None, "an older deployment"


@pytest.mark.thorough
def test_predict_tells_drift_of_series_windows_and_images(
    series: Path, digits: Project, plant: Project, tmp_path: Path
) -> None:
    data = tmp_path / "new.csv"
    plant_frame(120).to_csv(data, index=False)
    assert predicted(series, data).drifted == []
    high = plant_frame(120)
    high["load"] += 60
    high.to_csv(data, index=False)
    (load,) = predicted(series, data).drifted
    assert load.name == "load" and not load.moved, "two windows make no distribution"
    assert load.words[0].startswith("48 of 48 values (100 %) outside the training range")
    source = load_tasks(plant.config, 0, plant.root)[0].sources["plant"]
    values = source.data.values
    train = torch.arange(0, 300, 12)
    windows = torch.stack([values[start : start + 24] for start in train.tolist()]).numpy()
    np.savez(tmp_path / "same.npz", x=windows)
    assert predicted(series, tmp_path / "same.npz", tasks=["next"]).drifted == []
    np.savez(tmp_path / "half.npz", x=windows * [0.9, 1])
    assert [told_of.name for told_of in predicted(series, tmp_path / "half.npz", tasks=["next"]).drifted] == ["load"]

    made = digits.copy(tmp_path / "digits")
    folder = deploy(Wish(method="joint"), made.root)
    images = load_tasks(digits.config, 0, digits.root)[0].sources["digits"].data.images.numpy()
    np.savez(tmp_path / "images.npz", x=images[:100])
    assert predicted(folder, tmp_path / "images.npz").drifted == []
    np.savez(tmp_path / "images.npz", x=255 - images[:100])
    (grey,) = predicted(folder, tmp_path / "images.npz").drifted
    assert grey.moved and grey.index > 0.25


def test_columns_of_frames_are_read_by_name(rows: Path, tmp_path: Path) -> None:
    """The order of the columns of a file tells nothing."""
    data = tmp_path / "new.csv"
    frame = flats_frame(300, seed=9)
    frame[frame.columns[::-1]].to_csv(data, sep=";", index=False)
    assert predicted(rows, data).drifted == []
    pd.DataFrame(frame.assign(year=np.nan)).to_csv(data, sep=";", index=False)
    (year,) = predicted(rows, data).drifted
    assert year.name == "year" and year.moved and year.words[0].startswith("300 of 300 values (100 %) missing, 1")
