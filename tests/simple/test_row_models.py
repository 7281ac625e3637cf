"""Simple models of rows with categories and missing numbers: planted truth, and what scikit-learn predicts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from mtl.config.inputs import RowLayout
from mtl.config.simple import SimpleConfig
from mtl.data.loading.tasks import TaskSet, build_tasks
from mtl.models.rows import OneHot
from mtl.models.simple.features import Cells
from mtl.simple.boosting import first_rounds, fit_boosting, written_out
from mtl.simple.fit import Chosen, fit_simple
from mtl.training.measure import measure
from tests.helpers.tables import mixed, tasks

LAYOUT = RowLayout(2, (1,), (4, 3))
ROWS = torch.tensor([[0.5, 0.0, 1.0, 2.0, 1.0], [1.5, 2.0, 0.0, 0.0, 2.0], [9.0, 3.0, 0.0, 3.0, 0.0]])


def test_a_category_has_a_column_for_each_code_but_that_of_unknown_ones() -> None:
    wanted = [[0.5, 0, 1, 0, 1, 0, 1, 0], [1.5, 2, 0, 0, 0, 0, 0, 1], [9, 3, 0, 0, 0, 1, 0, 0]]
    assert OneHot(LAYOUT)(ROWS).tolist() == wanted and LAYOUT.expanded == 8
    far = torch.tensor([[0.0, 0.0, 0.0, 99.0, -5.0]])
    assert OneHot(LAYOUT)(far).tolist() == [[0, 0, 0, 0, 0, 1, 0, 0]], "codes that no fit has given stay inside"


def test_trees_see_what_is_missing() -> None:
    cells = Cells(LAYOUT)(ROWS)
    nan = np.nan
    np.testing.assert_array_equal(cells, [[0.5, nan, 2, nan], [1.5, 2, nan, 2], [9, 3, 3, nan]])


@pytest.mark.parametrize("kind", ["number", "two classes", "three classes"])
def test_trees_with_categories_predict_what_scikit_learn_predicts(kind: str) -> None:
    """Codes that the fit has not seen are missing to both; all of the first trees, and some."""
    draw = np.random.default_rng(0)
    numbers = draw.normal(size=(500, 2))
    codes = np.stack([draw.integers(2, 70, 500), draw.integers(2, 5, 500)], axis=1).astype(float)
    codes[codes[:, 0] == 30, 0] = 31  # no row has code 30
    codes[::9, 0] = numbers[::7, 1][: len(codes[::9])] = np.nan
    x = np.concatenate([numbers[:, :1], codes, numbers[:, 1:]], axis=1)
    signal = x[:, 0] + np.nan_to_num(codes[:, 0]) % 3 - 2 * (codes[:, 1] == 3)
    labels = {"number": signal, "two classes": (signal > 0).astype(int)}
    target = torch.tensor(labels.get(kind, np.digitize(signal, [0, 1])))
    features = torch.tensor(x)
    estimator = fit_boosting(features, target, None, 15, 1, [1, 2])
    scores = written_out(estimator, 3 if kind == "three classes" else None, [1, 2], 70)
    asked = features.clone()
    asked[:40, 1] = 30
    found = scores(asked)
    match kind:
        case "number":
            np.testing.assert_allclose(found, estimator.predict(asked.numpy()), atol=1e-6)
            fewer = list(estimator.staged_predict(asked.numpy()))[4]
            np.testing.assert_allclose(first_rounds(scores, 5)(asked), fewer, atol=1e-6)
        case "two classes":
            np.testing.assert_allclose(found.sigmoid(), estimator.predict_proba(asked.numpy())[:, 1], atol=1e-6)
        case _:
            np.testing.assert_allclose(found.softmax(dim=1), estimator.predict_proba(asked.numpy()), atol=1e-6)


def fitted(data: TaskSet, *models: str) -> dict[str, Chosen]:
    return dict(fit_simple(SimpleConfig.model_validate({"models": list(models)}), data, 1))


def test_ridge_regression_reads_categories_and_flags() -> None:
    """The planted target is linear in a number and two categories: ridge regression is near its noise of 0.3."""
    data = build_tasks(tasks(), {"table": mixed(2000)}, 0)
    chosen = fitted(data, "ridge")["y"]
    assert chosen.saved.model == "ridge" and "a column for each category" in chosen.choice.about
    metrics = measure(chosen.network, data.select(["y"], "test"), {"y": data.specs["y"]})[0]["y"]
    assert metrics["rmse"] < 0.6, "0.3 is noise, and shape is missing in a seventh of the rows"
    pool = data.pools["train"][0]
    x = chosen.network.body.features(pool.batch(torch.arange(len(pool))).x)  # type: ignore[operator]
    target = pool.targets["y"].values
    assert target is not None
    best = LinearRegression().fit(x, target).score(x, target)
    assert 1 - float((chosen.network.body(pool.batch(torch.arange(len(pool))).x) - target).var() / target.var()) > (
        best - 0.01
    )


def test_weights_of_rows_reach_simple_models() -> None:
    """Half of the training rows are turned upside down and weigh nothing: models are those of the other half."""
    data = mixed(1200)
    odd = (torch.arange(1200) // 12 % 2 == 1) & (data.fold > 0)
    turned = replace(
        data, numbers={"y": torch.where(odd, -data.numbers["y"], data.numbers["y"])},
        labels={"good": torch.where(odd, 1 - data.labels["good"], data.labels["good"])},
        weights=(~odd).double(),
    )  # fmt: skip
    learnt = build_tasks(tasks(), {"table": turned}, 0)
    for model in ("ridge", "logistic", "boosting"):
        chosen = {name: one for name, one in fitted(learnt, model).items() if one.saved.model == model}
        assert chosen, "it is better than no input"
        for name, one in chosen.items():
            metrics = measure(one.network, learnt.select([name], "test"), {name: learnt.specs[name]})[0][name]
            assert metrics["accuracy"] > 0.85 if name == "good" else metrics["mse"] < 0.2
