"""The commands of the manual, as they stand there: from a table, and from a series, to a served prediction and a
registered model.

Files of the names that the manual uses are made here, smaller than what a reader has, and networks train for a moment.
"""

import hashlib
import json
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.e2e.project import Project

CHECKOUT = Path(__file__).resolve().parents[2]
ENDLESS = {"mtl ui": "tests/e2e/test_mlflow_in_a_browser.py looks at it"}
"""Commands that end when they are told to, and where they are tested; `mtl serve` is tested here."""


def steps(page: str, name: str) -> list[str]:
    """Commands of a page between its marks `steps: NAME` and `steps end`, in order, without comments."""
    text = (CHECKOUT / "docs" / page).read_text(encoding="utf-8")
    [part] = re.findall(rf"^<!-- steps: {name} -->$(.*?)^<!-- steps end -->$", text, re.M | re.S)
    lines = "".join(re.findall(r"^```bash\n(.*?)^```$", part, re.M | re.S)).splitlines()
    return [line.partition(" # ")[0].strip() for line in lines]


def shorter(root: Path) -> None:
    """Two seeds and one epoch in place of the budget that `mtl init` chose."""
    file = root / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    params["base"] |= {"seeds": [0, 1], "jobs": 1}
    params["train"] |= {"epochs": 1}
    params["simple"] |= {"models": ["ridge", "logistic"]}
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


class Reader:
    """Someone who types what stands in the manual, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.place = Project(folder / "own")
        self.place.root.mkdir()
        (folder / "bin").mkdir()
        mtl = folder / "bin/mtl"
        mtl.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mtl.cli "$@"\n')
        mtl.chmod(0o755)
        self.environment = self.place.environment(PYTHONPATH=str(CHECKOUT))
        self.environment["PATH"] = f"{folder / 'bin'}:{self.environment['PATH']}"
        self.answers: list[dict[str, object]] = []

    def types(self, line: str) -> None:
        """Runs a line, which should go well."""
        if line in ENDLESS:
            return
        if line.startswith("cd "):
            self.place = Project(self.place.root / line.removeprefix("cd "))
        elif line == "mtl serve":
            self.answers = self._served()
        else:
            if line == "mtl validate":
                shorter(self.place.root)
            done = subprocess.run(
                line, shell=True, cwd=self.place.root, env=self.environment, capture_output=True, text=True, timeout=600
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

    def _served(self) -> list[dict[str, object]]:
        """Predictions for the request that the service prints."""
        command = ["mtl", "serve", "--port", "0"]
        with subprocess.Popen(
            command, cwd=self.place.root, env=self.environment, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            printed = re.search(r"-d '(.*)'$", server.stdout.readline().strip())
            try:
                assert printed is not None
                request = urllib.request.Request(
                    f"{address}/invocations", printed[1].encode(), {"Content-Type": "application/json"}
                )
                with urllib.request.urlopen(request, timeout=60) as response:
                    predictions: list[dict[str, object]] = json.load(response)["predictions"]
                    return predictions
            finally:
                server.send_signal(signal.SIGINT)

    def registered(self) -> list[tuple[str, int]]:
        """Name and version of every registered model."""
        with sqlite3.connect(self.place.root / "mlflow.db") as database:
            return database.execute("select name, version from model_versions").fetchall()


def wine_table(seed: int, rows: int = 200) -> pd.DataFrame:
    """Measurements of wines, and a grade that some of them tell."""
    draw = np.random.default_rng(seed)
    names = ["fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "alcohol"]
    wines = pd.DataFrame(draw.normal(size=(rows, len(names))).round(3), columns=names)
    wines["quality"] = (5.6 + wines.alcohol - 0.5 * wines.chlorides + draw.normal(0, 0.5, rows)).round().astype(int)
    return wines


def used(reader: Reader, new: pd.DataFrame) -> None:
    """Types what the manual says of a finished project of wines, and looks at what comes of it."""
    for line in steps("start.md", "use"):
        if line.startswith("mtl predict"):
            new.drop(columns="quality").to_csv(reader.place.root / "new.csv", sep=";", index=False)
        reader.types(line)
    assert (reader.place.root / "report/report.html").exists()
    predictions = pd.read_csv(reader.place.root / "predictions.csv")
    assert len(predictions) == len(new) and {"quality", "good"} <= set(predictions)
    assert reader.answers and {"quality", "good"} <= set(reader.answers[0])
    assert reader.registered() == [("wines", 1)]


@pytest.mark.thorough
def test_from_a_table_to_a_served_prediction_and_a_registered_model(tmp_path: Path) -> None:
    reader, wines = Reader(tmp_path), wine_table(0)
    wines.to_csv(reader.place.root / "winequality-red.csv", sep=";", index=False)
    for line in steps("start.md", "wine"):
        reader.types(line)
    used(reader, wines.head(7))


@pytest.mark.slow
def test_from_the_preset_to_a_served_prediction_and_a_registered_model(tmp_path: Path) -> None:
    """The files of the preset are made here and taken from a folder; its manifest names their hashes."""
    reader, mirror = Reader(tmp_path), tmp_path / "mirror"
    mirror.mkdir()
    files = {f"winequality-{colour}.csv": wine_table(seed) for seed, colour in enumerate(("red", "white"))}
    for name, wines in files.items():
        wines.to_csv(mirror / name, sep=";", index=False)
    digests = {name: hashlib.sha256((mirror / name).read_bytes()).hexdigest() for name in files}
    (mirror / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
    for line in steps("start.md", "preset"):
        if line.startswith("mtl data get"):
            shorter(reader.place.root)
            manifest = reader.place.root / "data/raw/wine.json"
            content = json.loads(manifest.read_text(encoding="utf-8"))
            for name, entry in content["files"].items():
                entry["sha256"] = [digests[name]]
            manifest.write_text(json.dumps(content), encoding="utf-8")
            line += f" --from {mirror}"
        reader.types(line)
    used(reader, wine_table(2, 9).assign(file="winequality-red"))


@pytest.mark.slow
def test_from_a_series_to_a_served_forecast_and_a_registered_model(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    draw = np.random.default_rng(1)
    hours = np.arange(700)
    load = np.sin(hours / 4) + draw.normal(0, 0.1, len(hours))
    plant = pd.DataFrame({
        "time": pd.date_range("2024-05-01", periods=len(hours), freq="h").strftime("%Y-%m-%d %H:%M"),
        "load": load.round(4), "temperature": (15 + draw.normal(size=len(hours)).cumsum() / 10).round(3),
        "alarm": (load + draw.normal(0, 0.3, len(hours)) > 0.8).astype(int),
    })  # fmt: skip
    plant.to_csv(reader.place.root / "plant.csv", index=False)
    for line in steps("guide/own-series.md", "plant"):
        if line.startswith("mtl predict"):
            plant.drop(columns="alarm").tail(60).to_csv(reader.place.root / "now.csv", index=False)
        reader.types(line)
    following = pd.read_csv(reader.place.root / "next.csv")
    assert following["load"].notna().sum() == 7 and following["alarm"].notna().sum() == 1
    assert len(reader.answers) >= 7 and reader.registered() == [("plant", 1)]
