"""Models of a result: what the evaluation has measured is what they predict, and new rows may come in any order."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mtl
from mtl.api.result import Result
from mtl.errors import UserError


def test_predictions_for_the_test_rows_are_those_of_the_evaluation(result: Result, frame: pd.DataFrame) -> None:
    model = result.model("upgrad", seeds=1)
    known = result.predictions.query("stage == 'finetune' and method == 'upgrad' and seed == 1")
    numbers = known.query("task == 'quality'")
    rows = frame.iloc[numbers["sample"]]
    made = model.predict(rows)
    assert made.index.equals(rows.index) and list(made.columns) == ["quality", "good", "good_p:no", "good_p:yes"]
    np.testing.assert_array_equal(made.quality.to_numpy(np.float32), [values[0] for values in numbers["values"]])
    assert list(made.good) == list(known.query("task == 'good'").label)


def test_columns_may_stand_in_any_order_and_targets_may_be_missing(result: Result, frame: pd.DataFrame) -> None:
    model = result.model("equal")
    fewer = frame.drop(columns=["quality", "good", "number"])[["sold", "grape", "acid", "organic", "ash", "sugar (g)"]]
    pd.testing.assert_frame_equal(model.predict(fewer), model.predict(frame))
    assert list(model.predict(fewer, tasks="quality").columns) == ["quality"]
    model.predict(frame.assign(grape="orange"))
    assert any("orange" in note for note in model.notes)
    with pytest.raises(UserError, match="missing: `acid`"):
        model.predict(frame.drop(columns="acid"))
    with pytest.raises(UserError, match="`tasks` should be names of tasks"):
        model.predict(frame, tasks=["qualty"])


@pytest.mark.parametrize("method", ["auto", "stl", "simple"])
def test_every_task_is_answered(method: str, result: Result, frame: pd.DataFrame) -> None:
    model = result.model(method, "ensemble")
    assert set(model.tasks) == {"quality", "good"} == set(model.why.task)
    assert (len(model.predict(frame)) == len(frame) and "Model card" in model.card) or "#" in model.card
    assert "quality by" in repr(model)


def test_a_model_is_kept_in_a_folder(result: Result, frame: pd.DataFrame, tmp_path: Path) -> None:
    model = result.model("equal", tasks=["quality"])
    place = model.save(tmp_path / "wines")
    loaded = mtl.load_model(place)
    assert list(loaded.tasks) == ["quality"]
    with pytest.raises(UserError, match="should not be there yet"):
        model.save(place)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"method": "joint"}, "`method` should be one of auto, stl, simple, equal, upgrad, found 'joint'"),
        ({"seeds": 7}, "`seeds` should be best, ensemble or one of 0, 1"),
        ({"seeds": "all"}, "`seeds` should be 'best', 'ensemble' or a seed, found 'all'"),
        ({"tasks": ["qualty"]}, "`tasks` should name tasks"),
    ],
)
def test_a_model_that_there_is_not_is_told(arguments: dict[str, object], told: str, result: Result) -> None:
    with pytest.raises(UserError) as caught:
        result.model(**arguments)  # type: ignore[arg-type]
    assert told in str(caught.value)
