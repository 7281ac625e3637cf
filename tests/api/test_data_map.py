"""`mtl.data_map`: the numbers of a run's own data map, from predictions after each epoch, and errors in words."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mtl
from mtl.errors import UserError
from mtl.grouping.maps import read_maps
from mtl.training.recording import Recorder
from tests.api.conftest import QUICK, unchecked


@pytest.mark.thorough
def test_it_is_the_map_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small run notes its maps in a clean pass after each epoch; of what its network said there, `data_map` makes the
    same maps."""
    seen: dict[str, list[np.ndarray]] = {}
    targets: dict[str, np.ndarray] = {}
    observe = Recorder.observe

    def listening(self: Recorder, epoch: int, batch: Any, predictions: Any) -> None:
        for task in ("number", "kind", "yes"):
            stack = next((stack for stack in predictions.stacks.values() if task in stack.tasks), None)
            raw = predictions.own[task] if stack is None else stack.values[:, stack.tasks.index(task)]
            raw = raw.softmax(dim=1) if task == "kind" else raw.sigmoid() if task == "yes" else raw
            seen.setdefault(task, []).append(raw.detach().numpy().copy())
            targets[task] = batch.target(task).numpy().copy()
        observe(self, epoch, batch, predictions)

    monkeypatch.setattr(Recorder, "observe", listening)
    x = np.random.default_rng(0).normal(size=(90, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(
        number=x[:, 0] - x[:, 1], kind=np.array(["p", "q", "r"])[np.digitize(x[:, 2], [-0.4, 0.4])], yes=x[:, 1] > 0
    )
    kinds = {"number": "regression", "kind": "classification", "yes": "binary"}
    method = {"all": {"kind": "equal", "datamap": {"record": "evaluation"}}}
    made = mtl.compare(frame, kinds, method, **(QUICK | {"epochs": 3, "seeds": 1}))
    maps = read_maps(made.folder / "outputs/finetune/all/seed-0/datamap.safetensors").last
    for task, kind in kinds.items():
        assert len(seen[task]) == 3, "one pass an epoch"
        own = mtl.data_map(seen[task], targets[task], kind)
        for name in ("confidence", "variability", "correctness"):
            np.testing.assert_allclose(own[name], getattr(maps[task], name), atol=2e-6, err_msg=f"{task} {name}")


P = np.array([[0.9, 0.4, 0.2], [0.7, 0.6, 0.2]])
"""[E, n] probability of the second class."""


def test_known_answers_of_a_binary_task() -> None:
    made = mtl.data_map(P, [1, 1, 0], "binary")
    np.testing.assert_allclose(made.confidence, [0.8, 0.5, 0.8], rtol=1e-6)
    np.testing.assert_allclose(made.variability, [0.1, 0.1, 0.0], atol=1e-6)
    np.testing.assert_allclose(made.correctness, [1.0, 0.5, 1.0])


def test_numbers_are_sure_by_the_median_error_of_the_first_epoch() -> None:
    made = mtl.data_map(torch.tensor([[1.0, 2.0, 3.0], [0.0, 2.0, 1.0]]), torch.zeros(3), "regression")
    sure = np.exp(-np.array([[1.0, 4.0, 9.0], [0.0, 4.0, 1.0]]) / (2 * 4.0))
    np.testing.assert_allclose(made.confidence, sure.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(made.correctness, [1.0, 1.0, 0.5])
    forecast = mtl.data_map(np.ones((2, 4, 3)), np.zeros((4, 3)), "forecast")
    np.testing.assert_allclose(forecast.confidence, np.exp(-0.5), rtol=1e-6)


def test_forms_of_predictions_give_one_map() -> None:
    index = pd.Index(["x", "y", "z"])
    first = mtl.data_map(P, [1, 1, 0], "binary")
    series = [pd.Series(epoch, index=index) for epoch in P]
    classes = [pd.DataFrame({"no": 1 - epoch, "yes": epoch}, index=index) for epoch in P]
    told = pd.Series(["no", "yes", "yes"], index=["z", "y", "x"])
    for made in (
        mtl.data_map(torch.tensor(P), torch.tensor([1, 1, 0]), "binary"),
        mtl.data_map(list(P), np.array([True, True, False]), "binary"),
        mtl.data_map(series, [1, 1, 0], "binary").reset_index(drop=True),
        mtl.data_map(classes, told, "classification").reset_index(drop=True),  # by the index, and by names of columns
        mtl.data_map(np.stack([1 - P, P], axis=2), [1, 1, 0], "classification"),
    ):
        pd.testing.assert_frame_equal(made, first, rtol=1e-6, atol=1e-6)
    assert list(mtl.data_map(series, [1, 1, 0], "binary").index) == ["x", "y", "z"]


def test_a_sample_without_a_target_has_no_map() -> None:
    made = mtl.data_map(P, [1, np.nan, 0], "binary")
    assert made.isna().all(axis=1).tolist() == [False, True, False] and made.confidence[0] == pytest.approx(0.8)
    numbers = mtl.data_map(P, [0.0, np.nan, 0.0], "regression")
    assert numbers.isna().all(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"kind": "label"}, "`kind` should be one of forecast, regression, classification, binary, found 'label'"),
        ({"kind": 3}, "`kind` should be one of"),
        ({"predictions": 3}, "`predictions` should be an array of numpy or torch, found int"),
        ({"predictions": pd.DataFrame(P)}, "`predictions` should be a list of frames, one for each epoch"),
        ({"predictions": P[:1]}, "`predictions` should hold two epochs or more"),
        ({"predictions": []}, "`predictions` should hold two epochs or more"),
        ({"predictions": P[0]}, "`predictions` should have the axes epochs and samples first, found [3]"),
        ({"predictions": [P[0], P[1][:2]]}, "should have one shape in all epochs, found [2] and [3]"),
        ({"predictions": [P[0], pd.Series(P[1])]}, "should be frames of the same rows in all epochs"),
        ({"predictions": np.where(P == 0.4, np.nan, P)},
         "`predictions` should hold finite numbers, found nan at [0, 1]"),
        ({"predictions": 5 * P},
         "`predictions` should be probabilities, from 0 to 1, found 1 to 4.5: a sigmoid or softmax"),
        ({"predictions": P[:, :, None]}, "`predictions` should be [n] in each epoch for binary, found the shape"),
        ({"predictions": P[:, :0]}, "`predictions` should hold samples"),
        ({"kind": "classification"}, "`predictions` should be [n, k] probabilities in each epoch for classification"),
        ({"predictions": np.full((2, 3, 2), 0.9), "kind": "classification"}, "which sum to 1 over the classes"),
        ({"targets": [1, 1]}, "`targets` should be one for each of the 3 samples, found 2"),
        ({"targets": [1, 1, 2]}, "`targets` should be numbers of classes from 0 to 1, found 2"),
        ({"targets": [1, 1, 0.5]}, "`targets` should be numbers of classes, 0, 1, …, found 0.5"),
        ({"targets": ["a", "a", "b"]}, "names of classes go with frames"),
        ({"targets": [np.nan] * 3}, "`targets` should be known for one sample at least"),
        ({"targets": np.ones((3, 2))}, "`targets` should be classes [n], found the shape [3, 2]"),
        ({"targets": ["a"] * 3, "kind": "regression"}, "`targets` should hold numbers, found"),
        ({"predictions": [pd.Series(row) for row in P], "targets": pd.Series([1, 1, 0], index=[3, 4, 5])},
         "`targets` should have the index of `predictions`"),
        ({"predictions": np.ones((2, 3, 2)), "targets": np.array([[1, np.nan]] * 3), "kind": "forecast"},
         "`targets` should be known or missing for a whole sample, found both in row 0"),
    ],
)  # fmt: skip
def test_errors(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as caught:
        unchecked(mtl.data_map)(**({"predictions": P, "targets": [1, 1, 0], "kind": "binary"} | arguments))
    assert told in str(caught.value)
