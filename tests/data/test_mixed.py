"""Mixtures: every part is kept, fitted and gathered as its own kind of input does it."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from mtl.config import Task
from mtl.config.inputs import placed
from mtl.config.sources import Source
from mtl.data.build import read_source
from mtl.data.inputs.base import Layout
from mtl.data.inputs.every import input_of
from mtl.data.inputs.mixed import FittedMixed, MixedInput
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.data.loading.tasks import TaskSet, build_tasks
from mtl.errors import DataError, SettingError
from mtl.stages.prepare import describe
from mtl.types import MixedSet
from tests.helpers.mixtures import SOURCE, goods_table

ODD: dict[str, object] = {"kind": "binary", "label": "odd"}
PRICE: dict[str, object] = {"kind": "regression", "target": "price"}


def source(**changes: object) -> Source:
    return TypeAdapter(Source).validate_python(SOURCE | changes)


def read(root: Path, **changes: object) -> MixedSet:
    mixed = read_source("goods", source(**changes), root)
    assert isinstance(mixed, MixedSet)
    return mixed


def tasks(**sections: dict[str, object]) -> dict[str, Task]:
    adapter: TypeAdapter[Task] = TypeAdapter(Task)
    return {name: adapter.validate_python({"source": "goods", **section}) for name, section in sections.items()}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("goods")
    goods_table(folder)
    return folder


@pytest.fixture(scope="module")
def mixed(root: Path) -> MixedSet:
    return read(root)


@pytest.fixture(scope="module")
def built(mixed: MixedSet) -> TaskSet:
    return build_tasks(tasks(odd=ODD, price=PRICE), {"goods": mixed}, seed=0)


def test_it_is_kept_and_loaded_whole(mixed: MixedSet, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_prepared(mixed, tmp_path / folder / "goods", {})
    loaded = load_prepared("goods", tmp_path / "first")
    assert isinstance(loaded, MixedSet) and loaded.image is not None and loaded.text is not None
    assert mixed.image is not None and mixed.text is not None
    assert torch.equal(loaded.image.images, mixed.image.images) and torch.equal(loaded.values, mixed.values)
    for ours, theirs in zip(loaded.text.tokens, mixed.text.tokens, strict=True):
        assert torch.equal(ours.codes, theirs.codes) and ours.merges == theirs.merges
    assert (loaded.image_column, loaded.text.text) == ("photo", "note")
    for file in ("arrays.safetensors", "meta.json"):
        assert (tmp_path / "first/goods" / file).read_bytes() == (tmp_path / "second/goods" / file).read_bytes()
    told = describe(loaded)
    assert "48 rows" in told and "images of 8 × 8 pixels" in told and "texts of at most 12 tokens" in told
    write_prepared(loaded, tmp_path / "third" / "goods", {})
    arrays = [tmp_path / folder / "goods/arrays.safetensors" for folder in ("first", "third")]
    assert arrays[0].read_bytes() == arrays[1].read_bytes()


def test_parts_stand_side_by_side_as_each_kind_gathers_them(built: TaskSet, root: Path) -> None:
    spec, (pool,) = built.specs["odd"], built.pools["train"]
    assert spec.columns == ["weight", "shop", "photo", "note"] and spec.parts is not None
    assert [part.name for part in spec.parts] == ["rows", "image", "text"]
    assert [begin for _, begin in placed(spec.parts)] == [0, 2, 66] and spec.shape == (67,)
    batch = pool.batch(torch.arange(len(pool)))
    fitted = built.fitted["goods"]
    assert isinstance(fitted, FittedMixed)
    alone = {
        "image": read_source("goods", source(inputs={"photo": "image"}), root),
        "text": read_source("goods", source(inputs={"note": "text"}, images=None), root),
    }
    for name, part in (("image", slice(2, 66)), ("text", slice(66, None))):
        own = build_tasks(tasks(odd=ODD, price=PRICE), {"goods": alone[name]}, seed=0)
        x = own.pools["train"][0].batch(torch.arange(len(pool))).x.flatten(1)
        assert torch.equal(batch.x[:, part], x), name
    weight = pd.read_csv(root / "goods.csv")["weight"].to_numpy()[pool.samples.numbers.numpy()]
    assert torch.allclose(batch.x[:, 0].double(), torch.from_numpy((weight - weight.mean()) / weight.std()), atol=1e-5)
    few = pool.samples.lengths
    assert few is not None and batch.x.shape[1] == 66 + int(few.max())


def test_a_batch_is_as_long_as_its_longest_text_and_contents_do_not_depend_on_it(built: TaskSet) -> None:
    (pool,) = built.pools["train"]
    lengths = pool.samples.lengths
    assert lengths is not None
    short = int(lengths.argmin())
    assert pool.batch(torch.tensor([short])).x.shape == (1, 66 + int(lengths[short]))
    every = list(pool.samples.contents(torch.arange(len(pool))))
    assert list(pool.samples.contents(torch.tensor([short]))) == [every[short]]
    assert list(pool.samples.pick(torch.tensor([short])).contents(torch.tensor([0]))) == [every[short]]


def test_samples_that_a_user_gives_are_those_of_the_source(built: TaskSet, mixed: MixedSet, root: Path) -> None:
    spec, (pool,) = built.specs["odd"], built.pools["test"]
    numbers = pool.samples.numbers
    assert mixed.image is not None
    frame = pd.read_csv(root / "goods.csv").iloc[numbers.numpy()][["note", "photo", "shop", "weight"]]
    frame["photo"] = pd.Series([mixed.image.images[n].numpy() for n in numbers.tolist()], frame.index, dtype=object)
    plain = FittedMixed.from_plain(built.fitted["goods"].plain())
    layout = Layout("goods", spec.shape, spec.columns, plain)
    given = MixedInput.given(frame, layout, 0)
    index = torch.arange(len(pool))
    assert torch.equal(given.gather(index, 0)[0], pool.batch(index).x)
    for changed, told in (
        (frame.drop(columns="note"), "'note' missing"),
        (frame.assign(more=1), "'more' not known"),
        (frame.assign(photo="x"), r"uint8 \[1, 8, 8\] in the cells of the column 'photo', found str in sample 0"),
        (frame.to_numpy(), "should be a pandas frame with the columns"),
    ):
        with pytest.raises(DataError, match=told):
            MixedInput.given(changed, layout, 0)
    seen = dict(MixedInput.seen_of(frame.astype({"shop": "category"}), spec.columns))
    assert list(seen) == ["weight", "shop", "photo (channel 1)", "note (characters)"]
    assert list(seen) == [name for name, _ in built.sources["goods"].seen(0)]


def test_columns_that_tasks_learn_are_no_inputs_and_an_image_alone_is_no_mixture(mixed: MixedSet, root: Path) -> None:
    weight: dict[str, object] = {"kind": "regression", "target": "weight"}
    shop: dict[str, object] = {"kind": "binary", "label": "shop"}
    built = build_tasks(tasks(weight=weight, shop=shop), {"goods": mixed}, seed=0)
    assert built.specs["shop"].columns == ["photo", "note"]
    with pytest.raises(DataError, match=r"two parts.*found the image `photo` alone.*`{photo: image}`"):
        build_tasks(tasks(weight=weight), {"goods": read(root, inputs={"photo": "image", "weight": "number"})}, seed=0)


def test_folds_of_cross_validation_and_broken_files_are_those_of_the_rows(tmp_path: Path) -> None:
    table = goods_table(tmp_path)
    table.write_text(table.read_text() + "gone.png,1.0,A,box,yes,1.0\n")
    images = {**SOURCE["images"], "broken": "leave_out"}
    crossed = read(tmp_path, images=images, folds=None, split={"kind": "cross", "folds": 4})
    assert crossed.crossed and input_of(crossed).size == 48
    built = build_tasks(tasks(odd=ODD), {"goods": crossed}, seed=1)
    assert sum(len(pools[0]) for pools in built.pools.values()) == 48
    (note,) = [note for note in crossed.notes if "left out" in note]
    assert note.startswith("photo: 1 of 49 rows left out")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "two images": (
        {"inputs": {"photo": "image", "other": "image", "weight": "number"}},
        "inputs should hold one column of type image at most, found 'photo' and 'other'",
    ),
    "two texts": (
        {"inputs": {"note": "text", "shop": "text"}, "images": None},
        "inputs should hold one column of type text at most, found 'note' and 'shop'",
    ),
    "no folder": ({"images": None}, "images should say where the files of 'photo' lie"),
    "tags": ({"tags": {"shop": "plain"}}, "alone beside `tags`"),
}


@pytest.mark.parametrize("bad", sorted(BAD))
def test_inputs_that_make_no_mixture(bad: str) -> None:
    changes, told = BAD[bad]
    with pytest.raises(ValidationError, match=told):
        source(**changes)


def test_a_forecast_of_mixtures_is_refused(mixed: MixedSet) -> None:
    with pytest.raises(SettingError, match="goods holds mixtures of inputs"):
        build_tasks(tasks(next={"kind": "forecast", "horizon": 4}), {"goods": mixed}, seed=0)
