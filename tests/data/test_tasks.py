"""From tasks and sources to samples: borders, labels, folds, fractions, scalers, pools, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mtl.config import Task
from mtl.data.loading.tasks import TaskSet, build_tasks, unlabelled_pools
from mtl.errors import ConfigError, DataError
from mtl.tasks.forecast import Forecast
from mtl.tasks.label import LabelSpec
from mtl.types import NO_LABEL, SPLITS, Prepared, Split
from tests.helpers.problems import binary, classification, counting, forecast, series, stored, windows

BORDERS = (40, 60, 80)


def line(label: Tensor | None = None, channels: int = 2) -> Prepared:
    """80 rows that count; label `state` is r mod 3 unless given."""
    return series(counting(80, channels), BORDERS, {"state": torch.arange(80) % 3 if label is None else label})


def build(source: Prepared, seed: int = 0, **tasks: Task) -> TaskSet:
    named = {name: task.model_copy(update={"source": source.name}) for name, task in tasks.items()}
    return build_tasks(named, {source.name: source}, seed)


def starts(data: TaskSet, task: str, split: Split) -> list[int]:
    """First rows of the windows that have a target of a task."""
    (pool,) = data.select([task], split)
    valid = pool.targets[task].valid
    return (windows(pool).starts if valid is None else windows(pool).starts[valid]).tolist()


def test_etth_counts_of_the_published_split() -> None:
    source = series(torch.zeros(14_400, 1), (8640, 11_520, 14_400))
    data = build(source, f=forecast(input_len=336, horizon=96))
    assert {split: len(starts(data, "f", split)) for split in SPLITS} == {"train": 8209, "val": 2785, "test": 2785}


def test_forecast_windows_meet_the_borders_exactly() -> None:
    data = build(line(), f=forecast(input_len=8, horizon=4))
    assert starts(data, "f", "train") == list(range(40 - 12 + 1))
    assert starts(data, "f", "val") == list(range(40 - 8, 60 - 12 + 1))
    assert starts(data, "f", "test") == list(range(60 - 8, 80 - 12 + 1))
    fitted = data.fitted["line"]
    mean, std = fitted.mean, fitted.std
    for split, (begin, end) in zip(SPLITS, [(8, 40), (40, 60), (60, 80)], strict=True):
        (pool,) = data.pools[split]
        batch = pool.batch(torch.arange(len(pool)))
        rows = (batch.target("f")[:, 0].double() * std[0] + mean[0]).round().long()
        assert rows.unique().tolist() == list(range(begin, end)), "every row of the part is forecast, and no other"
        assert rows[0, 0] == begin and rows[-1, -1] == end - 1


def test_a_label_belongs_to_the_last_row_of_its_window() -> None:
    data = build(line(), c=classification(label="state", input_len=8))
    for split, (begin, end) in zip(SPLITS, [(7, 40), (40, 60), (60, 80)], strict=True):
        assert [start + 7 for start in starts(data, "c", split)] == list(range(begin, end))
        (pool,) = data.pools[split]
        assert pool.targets["c"].values is not None
        assert pool.targets["c"].values.tolist() == [row % 3 for row in range(begin, end)]


def test_training_windows_never_see_a_later_row() -> None:
    data = build(line(), f=forecast(), c=classification(label="state"), g=forecast(input_len=3, horizon=9))
    for pool in data.pools["train"]:
        for name in pool.tasks:
            reach = max(starts(data, name, "train")) + windows(pool).input_len + pool.targets[name].ahead
            assert reach == 40


def test_missing_labels_are_left_out_and_counted_out() -> None:
    label = torch.arange(80) % 3
    label[[10, 11, 45, 79]] = NO_LABEL
    data = build(line(label), f=forecast(), c=classification(label="state"))
    rows = [start + 7 for split in SPLITS for start in starts(data, "c", split)]
    assert sorted(rows) == [row for row in range(7, 80) if row not in (10, 11, 45, 79)]
    assert data.train_sizes() == {"f": 29, "c": 31}
    (pool,) = data.pools["train"]
    target = pool.targets["c"]
    assert target.values is not None and target.valid is not None
    assert not target.values[~target.valid].any() and int(target.valid.sum()) == 31


def test_the_latest_rows_are_a_forecasts_fraction() -> None:
    data = build(line(), f=forecast(train_fraction=0.2))
    assert starts(data, "f", "train") == list(range(23, 29))  # 0.2 · 29 ≈ 6
    assert len(starts(data, "f", "val")) == 17, "only training samples are fewer"
    assert starts(build(line(), f=forecast(train_fraction=0.001)), "f", "train") == [28]


def test_a_labels_fraction_is_stratified_and_the_same_for_every_run_of_a_seed() -> None:
    label = torch.tensor([0] * 50 + [1] * 20 + [2] * 10)[torch.randperm(80, generator=torch.Generator().manual_seed(1))]
    source = stored(80, 4, torch.arange(80) % 2, {"state": label})
    source = replace(source, fold=torch.where(torch.arange(80) >= 70, -1, torch.arange(80) % 7), folds=7)

    def drawn(seed: int, **others: Task) -> list[int]:
        task = classification(label="state", input_len=None, train_fraction=0.25)
        return starts(build(source, seed, c=task, **others), "c", "train")

    assert source.fold is not None
    train = (source.fold != 0) & (source.fold != -1)
    whole = torch.bincount(label[train]).tolist()
    found = drawn(0)
    assert torch.bincount(label[torch.tensor(found) // 4]).tolist() == [max(1, round(n / 4)) for n in whole]
    assert found == sorted(found)
    assert found == drawn(0) == drawn(0, other=forecast(input_len=2, horizon=1))
    assert drawn(7) != found, "the same fold, another draw"


def test_stored_windows_take_turns_as_validation_and_people_stay_together() -> None:
    groups = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3, 9, 9])
    fold = torch.tensor([0, 0, 1, 1, 0, 0, 2, 2, -1, -1])
    source = stored(10, 6, fold, {"state": torch.arange(10) % 2}, groups=groups)
    for seed in range(6):
        data = build(source, seed, c=binary(label="state", input_len=None))
        drawn = {split: torch.tensor(starts(data, "c", split)) // 6 for split in SPLITS}
        assert data.fold == {"cuts": seed % 3}
        assert drawn["val"].tolist() == (fold == seed % 3).nonzero().squeeze(1).tolist()
        assert drawn["test"].tolist() == [8, 9]
        assert sorted(torch.cat(list(drawn.values())).tolist()) == list(range(10))
        people = [set(groups[drawn[split]].tolist()) for split in SPLITS]
        assert not people[0] & people[1] and not people[0] & people[2] and not people[1] & people[2]


def test_stored_windows_give_their_latest_rows() -> None:
    source = stored(4, 10, torch.tensor([0, 1, 1, -1]), {"state": torch.tensor([0, 1, 0, 1])})
    data = build(source, c=binary(label="state", input_len=6), f=forecast(input_len=None, horizon=3))
    assert starts(data, "c", "train") == [14, 24]
    assert data.specs["f"].input_len == 7
    assert starts(data, "f", "test") == [30]
    (pool,) = data.select(["f"], "test")
    fitted = data.fitted["cuts"]
    mean, std = fitted.mean, fitted.std
    batch = pool.batch(torch.tensor([0]))
    assert (batch.x[0, 0].double() * std[0] + mean[0]).round().tolist() == list(range(30, 37))
    assert (batch.target("f")[0, 0].double() * std[0] + mean[0]).round().tolist() == [37, 38, 39]


def test_scalers_use_training_rows_only() -> None:
    wild = line()
    wild.values[40:] *= 1e6
    data = build(wild, f=forecast())
    fitted = data.fitted["line"]
    mean, std = fitted.mean, fitted.std
    torch.testing.assert_close(mean, wild.values[:40].mean(0))
    torch.testing.assert_close(std, wild.values[:40].std(0, correction=0))
    (pool,) = data.pools["train"]
    torch.testing.assert_close(windows(pool).flat[:40].mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(windows(pool).flat[:40].std(0, correction=0), torch.ones(2))
    source = stored(6, 4, torch.tensor([0, 1, 2, 0, 1, -1]), {"state": torch.arange(6) % 2})
    mean = build(source, 1, c=binary(label="state", input_len=None)).fitted["cuts"].mean
    kept = [w * 4 + r for w in (0, 2, 3) for r in range(4)]
    assert mean[0].item() == pytest.approx(sum(kept) / len(kept))


def test_tasks_on_the_same_windows_share_a_pool_and_others_do_not() -> None:
    tasks = {
        "f": forecast(),
        "c": classification(label="state"),
        "short": forecast(input_len=4),
        "g": forecast(horizon=9),
    }
    data = build(line(), **tasks)
    assert [(pool.name, pool.tasks, windows(pool).input_len) for pool in data.pools["train"]] == [
        ("line/f", ("f", "c", "g"), 8),
        ("line/short", ("short",), 4),
    ]
    (shared,) = data.select(["c", "g"], "train")
    assert shared.tasks == ("c", "g") and shared.name == "line/f"
    assert {id(windows(pool).flat) for pool in data.pools["train"] + data.pools["test"]} == {id(windows(shared).flat)}
    # 33 windows end in the training part; 29 and 24 of them also have the rows to forecast.
    assert len(shared) == 33
    assert data.train_sizes() == {"f": 29, "c": 33, "short": 33, "g": 24}


@pytest.mark.parametrize(("labelled", "pools"), [(17, 1), (15, 1), (14, 2)])
def test_a_task_with_less_than_half_of_a_pools_samples_gets_its_own(labelled: int, pools: int) -> None:
    # The forecast has 29 training samples: half of them is 14.5.
    label = torch.full((80,), NO_LABEL)
    label[8 : 8 + labelled] = torch.arange(labelled) % 2
    label[40:] = torch.arange(40) % 2
    data = build(line(label), f=forecast(), c=binary(label="state"))
    assert len(data.pools["train"]) == pools
    assert data.train_sizes() == {"f": 29, "c": labelled}
    if pools == 2:
        assert [pool.name for pool in data.pools["train"]] == ["line/f", "line/c"]
        assert all(target.valid is None for pool in data.pools["train"] for target in pool.targets.values())


def test_specs_carry_what_the_task_asked_for() -> None:
    label = (torch.arange(80) % 4 == 0).long()
    data = build(
        line(label, channels=3),
        f=forecast(targets=["c2", "c0"], role="auxiliary", weight=2.0, dropout=0.3),
        c=classification(label="state", class_weights="balanced"),
        b=binary(label="state", class_weights="balanced"),
        plain=binary(label="state"),
    )
    f = data.specs["f"]
    assert isinstance(f, Forecast)
    assert (f.targets, f.role, f.weight, f.dropout, f.horizon) == ([2, 0], "auxiliary", 2.0, 0.3, 4)
    (pool,) = data.select(["f"], "test")
    batch = pool.batch(torch.tensor([0]))
    assert torch.equal(batch.target("f")[0], windows(pool).flat[60:64, [2, 0]].T)
    # Rows 7…39 are labelled: 8 of the 33 are positive (n / (k · n_c); negatives / positives).
    labels = {name: spec for name, spec in data.specs.items() if isinstance(spec, LabelSpec)}
    assert labels["c"].class_weights == pytest.approx((33 / (2 * 25), 33 / (2 * 8)))
    assert labels["b"].class_weights == pytest.approx((25 / 8,))
    assert labels["plain"].class_weights is None
    assert {name: spec.label for name, spec in labels.items()} == {"c": "state", "b": "state", "plain": "state"}


def few(present: list[int]) -> Prepared:
    """A label whose training rows hold only the classes `present`."""
    label = torch.arange(80) % 3
    label[:40] = torch.tensor(present).repeat(40)[:40]
    return line(label)


@pytest.mark.parametrize(
    ("source", "task", "error", "message"),
    [
        (
            line(),
            classification(label="mood"),
            ConfigError,
            "`tasks.t.label` should be one of state, or a rule (even, one_vs_rest, …); found",
        ),
        (
            series(counting(80), BORDERS),
            binary(),
            ConfigError,
            "`tasks.t.label` should be a label of line, which has none;",
        ),
        (line(), forecast(targets=["c1", "c7"]), ConfigError, "`tasks.t.targets` should be among c0, c1, found 'c7'"),
        (line(), binary(label="state"), ConfigError, "binary needs a label with 2 classes; state has 3: k0, k1, k2"),
        (few([0, 2]), classification(label="state"), DataError, "tasks.t: no training sample of class 'k1'"),
        (line(), forecast(input_len=None), ConfigError, "`tasks.t.input_len` is missing: line is a series"),
        (line(), forecast(input_len=40), DataError, "line has no train sample with 40 rows of input and 4 rows"),
        (line(), forecast(horizon=21), DataError, "line has no val sample with 8 rows of input and 21 rows"),
        (line(), forecast(horizon=25), DataError, "line has no val sample with 8 rows of input and 25 rows"),
        (line(), classification(label="state", input_len=41), DataError, "line has no train sample with 41 rows"),
        (
            few([-1]),
            classification(label="state"),
            DataError,
            "none of the 33 train samples of line has a value of `state`: choose other `borders`",
        ),
        (few([-1]), classification(label="state", train_fraction=0.5), DataError, "none of the 33 train samples"),
    ],
)
def test_what_a_source_does_not_have_is_refused(
    source: Prepared, task: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        build(source, t=task)
    assert message in str(caught.value)


@pytest.mark.parametrize(("length", "horizon"), [(9, 2), (None, 10), (None, 12)])
def test_a_window_must_leave_its_horizon(length: int | None, horizon: int) -> None:
    source = stored(4, 10, torch.tensor([0, 1, 1, -1]), {})
    with pytest.raises(
        ConfigError, match=rf"`tasks.t.input_len` should leave {horizon} rows to forecast .* of 10 rows"
    ):
        build(source, t=forecast(input_len=length, horizon=horizon))


def test_unlabelled_windows_stay_inside_their_part() -> None:
    cuts = stored(6, 4, torch.tensor([0, 1, 2, 0, 1, -1]), {})
    sources = {"line": line(), "cuts": cuts}
    expected: dict[Split, tuple[list[int], list[int]]] = {
        "train": (list(range(31)), [0, 8, 12]),
        "val": (list(range(40, 51)), [4, 16]),
        "test": (list(range(60, 71)), [20]),
    }
    for split, (line_starts, cut_starts) in expected.items():
        pools = {pool.name: pool for pool in unlabelled_pools(sources, 10, 4, split)}
        assert windows(pools["line"]).starts.tolist() == line_starts and windows(pools["line"]).input_len == 10
        assert windows(pools["cuts"]).starts.tolist() == cut_starts and windows(pools["cuts"]).input_len == 4
        batch = pools["line"].batch(torch.tensor([3]))
        first = line_starts[3]
        assert torch.equal(batch.x[0], windows(pools["line"]).flat[first : first + 10].T)
    with pytest.raises(ConfigError, match=r"`pretrain.input_len` is missing: line is a series"):
        unlabelled_pools(sources, None, 0, "train")
    with pytest.raises(DataError, match="pretrain: line has no val window of 21 rows"):
        unlabelled_pools(sources, 21, 0, "val")
