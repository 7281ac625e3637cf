"""Small projects that are trained for two seeds, with single-task networks, simple models and verdicts, to deploy."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mtl.config import Config, parse_config
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.simple import run_simple, same_samples
from mtl.paths import PREPARED, VERDICTS
from tests.helpers.pictures import colours_table
from tests.helpers.verdicts import interval_json, method_json, row_json, task_json, typed, verdict_json, verdicts_json

Json = dict[str, Any]
SEEDS = [0, 1]
ROWS = 700
"""More than one chunk of the evaluation in the test part."""


def flats(count: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """A table with numbers (some missing), names, yes and no, dates, and two targets."""
    draw = np.random.default_rng(seed)
    size, town = draw.normal(70, 20, count), draw.choice(["Bonn", "Köln", "Trier"], count)
    lift = draw.choice(["yes", "no"], count)
    sold = pd.Timestamp("2021-01-01") + pd.to_timedelta(draw.integers(0, 700, count), unit="D")
    rent = 9 * size + 200 * (town == "Köln") + 50 * (lift == "yes") + draw.normal(0, 30, count)
    year = draw.integers(1900, 2020, count).astype(float)
    year[::9] = np.nan
    return pd.DataFrame({
        "size (m2)": size.round(1), "town": town, "lift": lift, "sold": sold.strftime("%d.%m.%Y"), "year": year,
        "rent": rent.round(2), "dear": np.where(rent > 700, "dear", "cheap"),
    })  # fmt: skip


def table_settings() -> Json:
    """A regression, one with quantiles, and a binary label on rows."""
    return _settings(
        {"flats": {"kind": "table", "path": "data/raw/flats.csv", "separator": ";", "folds": 3,
                   "split": {"kind": "random", "test": 0.5}}},
        {"rent": {"kind": "regression", "source": "flats", "target": "rent"},
         "band": {"kind": "regression", "source": "flats", "target": "rent", "loss": {"quantiles": [0.1, 0.5, 0.9]}},
         "dear": {"kind": "binary", "source": "flats", "label": "dear"}},
        {"kind": "tabular", "width": 12, "layers": 1, "members": 1},
    )  # fmt: skip


def reviews(count: int = 400, seed: int = 0) -> pd.DataFrame:
    """Texts with a word that tells their mood, some empty, and how many stars they give."""
    draw = np.random.default_rng(seed)
    words = np.array(["the", "film", "was", "and", "we", "saw", "it", "twice", "there", "with", "friends", "😀"])
    mood = draw.choice(["good", "bad", "mixed"], count)
    marks = {"good": ["good"], "bad": ["bad"], "mixed": ["good", "bad"]}
    texts = []
    for own in mood:
        text = [*draw.choice(words, draw.integers(2, 9)), *marks[own]]
        texts.append(" ".join(draw.permutation(text)))
    texts[3], mood[3] = "", "mixed"
    stars = np.select([mood == "good", mood == "bad"], [5.0, 1.0], 3.0) + draw.normal(0, 0.2, count)
    return pd.DataFrame({"note": texts, "mood": mood, "stars": stars.round(2)})


def text_settings() -> Json:
    """A label of three classes, one of two, and a number of texts; networks of several forms of sharing."""
    settings = _settings(
        {"reviews": {"kind": "table", "path": "data/raw/reviews.csv", "inputs": {"note": "text"}, "folds": 2,
                     "texts": {"size": 400, "longest": 16}}},
        {"mood": {"kind": "classification", "source": "reviews", "label": "mood"},
         "liked": {"kind": "binary", "source": "reviews", "label": {"column": "stars", "at_least": 4}},
         "stars": {"kind": "regression", "source": "reviews", "target": "stars"}},
        {"kind": "text", "width": 16, "layers": 1, "heads": 2, "d_ff": 32},
    )  # fmt: skip
    settings["finetune"]["methods"]["stitched"] = {"kind": "equal", "sharing": {"kind": "cross_stitch"}}
    settings["simple"] = {"models": ["ngrams"]}
    settings["train"] |= {"epochs": 12, "lr": 0.01, "batch_size": 32}
    return settings


NAMES = {"person": (["Ardon", "Arta"], ["Belta", "Belvex"]), "place": (["Cordon", "Corvex"], ["Dunta", "Dunvex"])}


def sentences(count: int = 200, seed: int = 0) -> pd.DataFrame:
    """Words with a kind each and with spans of names of people and places; the mood of the whole sentence."""
    draw = np.random.default_rng(seed)
    kinds = {"we": "PRON", "they": "PRON", "saw": "VERB", "liked": "VERB", "in": "ADP", "mister": "NOUN"}
    rows = []
    for number in range(count):
        words, tags = [str(draw.choice(["we", "they"])), str(draw.choice(["saw", "liked"]))], ["O", "O"]
        for lead, kind in (("mister", "person"), ("in", "place")):
            if draw.random() < 0.7:
                name = [str(draw.choice(several)) for several in NAMES[kind]][: draw.integers(1, 3)]
                words += [lead, *name]
                tags += ["O", f"B-{kind}", *[f"I-{kind}"] * (len(name) - 1)]
        known = [kinds.get(word, "PROPN") for word in words]
        told = json.dumps(words) if number % 2 else " ".join(words)
        some = " ".join(tags) if number % 5 else None
        rows.append((told, " ".join(known), some, "good" if "liked" in words else "bad"))
    return pd.DataFrame(rows, columns=["words", "upos", "name", "mood"])


def tag_settings() -> Json:
    """Two taggings, of which one has no tags for some texts, and a label of whole texts, on one encoder."""
    settings = _settings(
        {"sentences": {"kind": "table", "path": "data/raw/sentences.csv", "inputs": {"words": "text"}, "folds": 2,
                       "tags": {"upos": "plain", "name": "bio"}, "texts": {"size": 300, "longest": 48}}},
        {"upos": {"kind": "tagging", "source": "sentences", "label": "upos"},
         "name": {"kind": "tagging", "source": "sentences", "label": "name", "metric": "span_f1"},
         "mood": {"kind": "binary", "source": "sentences", "label": "mood"}},
        {"kind": "text", "width": 16, "layers": 1, "heads": 2, "d_ff": 32},
    )  # fmt: skip
    settings["simple"] = {"models": ["words"]}
    settings["train"] |= {"epochs": 8, "lr": 0.02, "batch_size": 16}
    return settings


def plant(count: int = 900) -> pd.DataFrame:
    """Hours of a load and a temperature, in two towns one below the other, and an alarm."""
    draw, parts = np.random.default_rng(1), []
    for town, shift in (("north", 0.0), ("south", 3.0)):
        hours = np.arange(count // 2)
        load = 50 + 10 * np.sin(hours * 2 * np.pi / 24 + shift) + draw.normal(0, 1, len(hours))
        when = pd.Timestamp("2024-05-01") + pd.to_timedelta(hours, unit="h")
        parts.append(pd.DataFrame({
            "town": town, "time": when.strftime("%d.%m.%Y %H:%M"), "load": load.round(3),
            "temp [°C]": (15 + 5 * np.sin(hours / 50) + draw.normal(0, 0.1, len(hours))).round(3),
            "alarm": np.where(load > 55, "on", "off"),
        }))  # fmt: skip
    return pd.concat(parts)


def series_settings() -> Json:
    """Two forecasts, one of them with quantiles, and a label on windows of two series."""
    at = {"source": "plant", "input_len": 24}
    return _settings(
        {"plant": {"kind": "series", "path": "data/raw/plant.csv", "date": "time", "id": "town", "labels": ["alarm"]}},
        {"next": {"kind": "forecast", "horizon": 4, "targets": ["load"]} | at,
         "later": {"kind": "forecast", "horizon": 6, "loss": {"quantiles": [0.1, 0.5, 0.9]}} | at,
         "alarm": {"kind": "binary", "label": "alarm"} | at},
        {"kind": "recurrent", "width": 6, "layers": 1},
    )  # fmt: skip


def machine(runs: int = 6, count: int = 160, seed: int = 2) -> pd.DataFrame:
    """Seconds of two sensors in several runs; every second a state and a load that the last three seconds tell, of
    which the state is known where it is clear, and not everywhere."""
    draw, parts = np.random.default_rng(seed), []
    for run in range(runs):
        a, b = draw.normal(size=count), draw.normal(size=count)
        last = a.copy()
        last[1:] += a[:-1]
        last[2:] += a[:-2]
        state = np.where(last > 0, "up", "down").astype(object)
        state[::7] = None
        state[np.abs(last) < 0.3] = None
        when = pd.Timestamp("2024-05-01") + pd.to_timedelta(1000 * run + np.arange(count), unit="s")
        parts.append(pd.DataFrame({
            "run": f"run {run}", "time": when.strftime("%Y-%m-%d %H:%M:%S"), "a": a.round(4), "b": b.round(4),
            "state": state, "load": np.select([last > 1, last < -1], ["high", "low"], "middle"),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def step_settings() -> Json:
    """Classes of every row of series that are held out whole, and the class of the last row of a window beside them."""
    at = {"source": "machine", "input_len": 12}
    settings = _settings(
        {"machine": {"kind": "series", "path": "data/raw/machine.csv", "date": "time", "id": "run",
                     "labels": ["state", "load"], "borders": {"test_series": 0.34, "folds": 2}}},
        {"state": {"kind": "tagging", "label": "state", "metric": "f1"} | at,
         "load": {"kind": "tagging", "label": "load", "metric": "macro_f1", "f1_over": ["high", "low"]} | at,
         "now": {"kind": "binary", "label": "state"} | at},
        {"kind": "recurrent", "width": 12, "layers": 1, "dropout": 0.0},
    )  # fmt: skip
    settings["simple"] = {"models": ["logistic"]}
    settings["base"]["seeds"] = [0]
    settings["baseline"] = {"tasks": ["state"]}
    settings["train"] |= {"epochs": 14, "lr": 0.02}
    return settings


def digits_settings() -> Json:
    """Two labels of images."""
    return _settings(
        {"digits": {"kind": "digits", "train_images": 200}},
        {"digit": {"kind": "classification", "source": "digits", "label": "classes"},
         "even": {"kind": "binary", "source": "digits", "label": "even"}},
        {"kind": "mlp", "sizes": [12]},
    )  # fmt: skip


def colour_settings() -> Json:
    """A label and a number of image files that a table names; networks of two forms of sharing, with augmentation."""
    settings = _settings(
        {"photos": {"kind": "table", "path": "data/raw/labels.csv", "inputs": {"photo": "image"}, "folds": 2,
                    "images": {"folder": "data/raw/photos", "size": [8, 8]},
                    "split": {"kind": "group", "column": "site", "stratify": "colour"}}},
        {"colour": {"kind": "classification", "source": "photos", "label": "colour"},
         "bright": {"kind": "regression", "source": "photos", "target": "bright"}},
        {"kind": "resnet", "widths": [8, 8]},
    )  # fmt: skip
    settings["finetune"]["methods"]["stitched"] = {"kind": "equal", "sharing": {"kind": "cross_stitch"}}
    settings["simple"] = {"models": ["ridge", "logistic"]}
    settings["train"] |= {
        "epochs": 12,
        "lr": 0.01,
        "batch_size": 16,
        "augment": {"flip": True, "shift": 1, "mixup": 0.2},
    }
    return settings


def write_raw(root: Path) -> None:
    """The files that the tables and series are read from."""
    folder = root / "data/raw"
    folder.mkdir(parents=True, exist_ok=True)
    flats().to_csv(folder / "flats.csv", sep=";", index=False)
    plant().to_csv(folder / "plant.csv", index=False)
    machine().to_csv(folder / "machine.csv", index=False)
    colours_table(folder, 96)
    reviews().to_csv(folder / "reviews.csv", index=False)
    sentences().to_csv(folder / "sentences.csv", index=False)


def train(settings: Json, root: Path) -> Config:
    """Every run of the settings, finished, and their params.yaml."""
    write_raw(root)
    (root / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    config = parse_config(settings)
    for name, source in config.prepare.sources.items():
        write_prepared(read_source(name, source, root), root / PREPARED / name, {})
    for seeds in same_samples(config, root):
        run_simple(config, seeds, root)
    for seed in config.base.seeds:
        for task in config.baseline_tasks:
            run_baseline(config, task, config.baseline.starts[0], seed, root)
        for method in config.finetune.methods:
            run_finetune(config, method, seed, root)
    write_verdicts(root, config, {})
    return config


def set_evaluate(root: Path, **evaluate: object) -> None:
    """Gives params.yaml another section `evaluate`."""
    file = root / "params.yaml"
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(settings | {"evaluate": evaluate}, sort_keys=False), encoding="utf-8")


def write_verdicts(root: Path, config: Config, words: Mapping[str, str]) -> None:
    """verdicts.json with a verdict on the method `joint` for each task: HELPED, LEVEL, HURT, `simple` where every
    network loses to the simple model, else not known."""
    tasks, rows = [], []
    for name, task in config.tasks.items():
        word = words.get(name, "not known")
        poor = word == "simple"
        simple = {"model": "ridge", "by_seed": ["ridge"] * 5, "gap": None,
                  "summary": {"mean": 0.5, "low": None, "high": None, "values": [0.5] * 5}}  # fmt: skip
        tasks.append(task_json(name, source=task.source, metric=task.primary_metric, simple=simple))
        known = {"open": None, "seeds_needed": None} if word in ("HELPED", "HURT", "LEVEL") else {}
        rows.append(row_json(
            "joint", name, metric=task.primary_metric, change=interval_json(3.0, 1.0, 5.0, 5),
            verdict=verdict_json("not known" if poor else word, **known),
            simple={"stl": interval_json(-8.0, -9.0, -7.0, 5), "joint": interval_json(-8.0, -9.0, -7.0, 5),
                    "loses": ["STL", "joint"] if poor else []},
        ))  # fmt: skip
    method = method_json("joint", list(config.tasks), delta_m=interval_json(2.0, 1.0, 3.0, 5))
    costs = {"parameters": {"stl": {}, "stl_total": 0, "stl_by_start": {"random": dict.fromkeys(config.tasks, 100)},
                            "methods": {"joint": 50}}}  # fmt: skip
    typed(verdicts_json(tasks, [method], rows, seeds=[0, 1, 2, 3, 4], costs=costs)).write(root / VERDICTS)


def _settings(sources: Json, tasks: Json, encoder: Json) -> Json:
    return {
        "base": {"seeds": SEEDS, "device": "cpu", "threads": 1},
        "prepare": {"sources": sources},
        "tasks": tasks,
        "simple": {"models": ["ridge"]},
        "encoder": encoder,
        "train": {"epochs": 2, "batch_size": 32, "lr": 3e-3, "gradient_probes": 0, "stopping": {"patience": None}},
        "finetune": {"methods": {"joint": {"kind": "equal"}}},
    }
