"""Tags of words from training to service: planted spans are found, and each word of a new text has its tag."""

import json
from pathlib import Path

import pandas as pd
import pytest

import mtl
from mtl.api.deployment.deploy import Wish
from mtl.cli.deploy import deploy
from mtl.cli.score import score
from mtl.config import Config
from mtl.errors import UserError
from mtl.experiment.objects import load_tasks
from mtl.paths import RunPath
from mtl.results.record import Run
from mtl.serving.app import answer
from mtl.serving.predict import Request, origins_of, predict_file
from mtl.serving.request import JSON
from mtl.serving.score import Labelled
from mtl.serving.service import Service
from mtl.simple.words import WordModels
from mtl.tasks.answers import Tags
from mtl.tasks.forms import TagForm
from tests.helpers.deployable import sentences, tag_settings, train


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config]:
    root = tmp_path_factory.mktemp("sentences")
    return root, train(tag_settings(), root)


@pytest.fixture(scope="module")
def folder(project: tuple[Path, Config]) -> Path:
    return deploy(Wish(method="joint", seeds="ensemble"), project[0])


def test_planted_tags_are_learnt_beside_a_label_of_the_text(project: tuple[Path, Config]) -> None:
    root, _ = project
    joint = Run.read(root / RunPath("finetune", "joint", None, 0).folder / "run.json")
    assert joint.test["upos"]["accuracy"] > 0.95
    assert joint.test["name"]["span_f1"] > 0.9 and joint.test["name"]["accuracy"] > 0.95
    assert joint.test["mood"]["accuracy"] > 0.95


def test_words_and_their_neighbours_tell_planted_tags(project: tuple[Path, Config]) -> None:
    root, _ = project
    for task, metric in (("name", "span_f1"), ("upos", "accuracy")):
        folder = root / RunPath("simple", task, None, 0).folder
        run = Run.read(folder / "run.json")
        assert run.simple is not None and set(run.simple.candidates) == {"majority", "words"}
        assert run.simple.model == "words" and run.test[task][metric] > 0.98
        said = mtl.load_model(folder).predict(["we saw mister Ardon Belta"])[task]
        assert isinstance(said, Tags) and len(said.predicted[0]) == 5
        assert run.guess is not None and 0 < run.guess[task]["accuracy"] < 0.6


def test_a_simple_model_is_fitted_again_with_the_settings_that_were_chosen(project: tuple[Path, Config]) -> None:
    root, config = project
    data, _ = load_tasks(config, 0, root)
    models = WordModels(config.simple, data, 1)
    spec = data.specs["name"]
    assert isinstance(spec.form, TagForm)
    fit, network = models.fitted(spec, 0.3)
    (chosen,) = models.candidates(spec, spec.form, {})
    assert fit.penalty == 0.3 and set(network.state_dict()) == set(chosen.network.state_dict())


def test_each_word_of_a_new_text_has_a_tag(folder: Path, tmp_path: Path) -> None:
    texts = ["we saw mister Ardon Belta in Corvex", '["they", "liked", "a b"]', "", "never\u00a0seen"]
    pd.DataFrame({"words": texts, "id": range(4)}).to_csv(tmp_path / "new.csv", index=False)
    model = mtl.load_model(folder)
    request = Request(tmp_path / "new.csv", tmp_path / "out.csv", keep=("id",))
    assert predict_file(model, request, origins_of(model)).samples == 4
    read = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert read["name"][0] == "O O O B-person I-person O B-place"
    assert read["upos"][1].split()[:2] == ["PRON", "VERB"]
    assert [len(tags.split()) for tags in read["name"]] == [7, 3, 0, 2]
    assert [len(p.split()) for p in read["name_p"]] == [7, 3, 0, 2]


def test_tags_are_scored_beside_the_label(folder: Path, project: tuple[Path, Config], tmp_path: Path) -> None:
    new = sentences(300, seed=5)
    new.loc[7, "upos"] = " ".join(["ODD", *new.loc[7, "upos"].split()[1:]])
    new.to_csv(tmp_path / "new.csv", index=False)
    made = score(Labelled(tmp_path / "new.csv"), folder, root=project[0])
    assert list(made.tasks) == ["upos", "name", "mood"]
    assert made.tasks["name"].metrics["span_f1"].here > 0.9 and made.tasks["name"].missing == 60
    assert "upos: 1 word has a class that training had not ('ODD'), and is left out" in made.notes
    model = mtl.load_model(folder)
    request = Request(tmp_path / "new.csv", tmp_path / "out.csv", tasks=["upos"])
    predict_file(model, request, origins_of(model))
    said = pd.read_csv(tmp_path / "out.csv")["upos"]
    pairs = [pair for row, true in zip(said, new["upos"], strict=True)
             for pair in zip(row.split(), true.split(), strict=True) if pair[1] != "ODD"]  # fmt: skip
    right = sum(one == other for one, other in pairs) / len(pairs)
    assert made.tasks["upos"].metrics["accuracy"].here == pytest.approx(right, abs=1e-9)


def test_tags_that_do_not_match_words_are_named(folder: Path, project: tuple[Path, Config], tmp_path: Path) -> None:
    pd.DataFrame({"words": ["we saw", "they"], "upos": ["PRON VERB", "PRON VERB"]}).to_csv(tmp_path / "new.csv")
    with pytest.raises(UserError, match=r"new\.csv, line 3, column `upos`: should hold a tag for each of the 1 words"):
        score(Labelled(tmp_path / "new.csv", tasks=["upos"]), folder, root=project[0])


def test_a_service_answers_tags(folder: Path) -> None:
    service = Service(mtl.load_model(folder))
    content = {"dataframe_records": [{"words": "they liked mister Ardon"}, {"words": "we saw"}]}
    told = json.loads(answer(service, json.dumps(content).encode(), JSON))["predictions"]
    assert [record["name"] for record in told] == ["O O O B-person", "O O"]


def test_a_loaded_model_tags_every_word(project: tuple[Path, Config]) -> None:
    root, _ = project
    model = mtl.load_model(root / RunPath("finetune", "joint", None, 0).folder)
    frame = sentences()
    said = model.predict(frame[["words"]], tasks=["upos"])["upos"]
    assert isinstance(said, Tags)
    assert all(len(tags) == len(true.split()) for tags, true in zip(said.predicted, frame["upos"], strict=True))
