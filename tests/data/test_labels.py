"""Label rules: known answers, coins, flipped images, and what is refused before anything is trained."""

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from mtl.config import Task, parse_config
from mtl.data.inputs.every import input_of
from mtl.data.loading import labels as rules_of
from mtl.data.loading.tasks import build_tasks
from mtl.errors import ConfigError, DataError
from mtl.types import NO_LABEL, ImageSet, Prepared, SourceData
from tests.helpers.cases import params

ANIMALS = ["airplane", "cat", "dog", "rest"]


def derive_labels(
    tasks: dict[str, Task], sources: dict[str, SourceData]
) -> tuple[dict[str, str], dict[str, SourceData]]:
    """Task → the label that it learns, and the sources with the labels that rules make."""
    learns, made = rules_of.derive_labels(tasks, {name: input_of(source) for name, source in sources.items()})
    return learns, {name: source.data for name, source in made.items()}


def pictures(classes: list[str] | None = None, labels: list[int] | None = None, name: str = "own") -> ImageSet:
    """As many images as labels (400 unless given) of 2×3 pixels, each with its number in the upper row."""
    names = [str(n) for n in range(10)] if classes is None else classes
    numbers = torch.tensor(labels) if labels is not None else torch.arange(400) % len(names)
    pixels = torch.zeros(len(numbers), 1, 2, 3, dtype=torch.uint8)
    pixels[:, :, 0] = (torch.arange(len(numbers)) % 255 + 1).to(torch.uint8)[:, None, None]
    fold = torch.arange(len(numbers)) % 3 - 1
    coarse = {"coarse": ["machine", "animal"], "classes": names} if classes is not None else {"classes": names}
    kinds = {"coarse": (numbers > 0).long(), "classes": numbers}
    return ImageSet(name, pixels, ["grey"], fold, 2, {key: kinds[key] for key in coarse}, coarse)


def stored(labels: list[int]) -> Prepared:
    """Stored windows, as of HAR."""
    windows = len(labels)
    return Prepared("own", torch.zeros(windows * 4, 2, dtype=torch.float64), ["a", "b"], 4, None,
                    torch.arange(windows) % 3 - 1, 2, {"activity": torch.tensor(labels)},
                    {"activity": ["WALKING", "SITTING", "LAYING"]})  # fmt: skip


def series(states: list[int], **more: Any) -> Prepared:
    return Prepared("own", torch.zeros(len(states), 1, dtype=torch.float64), ["a"], None, (4, 6, len(states)), None, 1,
                    {"state": torch.tensor(states)}, {"state": ["3", "4", "6"]}, **more)  # fmt: skip


def task(label: Any, kind: str = "binary", source: str = "own", **more: Any) -> Task:
    return TypeAdapter(Task).validate_python({"kind": kind, "source": source, "label": label} | more)


def derive(source: SourceData, **rules: Any) -> tuple[dict[str, str], SourceData]:
    names, sources = derive_labels({name: task(rule) for name, rule in rules.items()}, {"own": source})
    assert list(sources) == ["own"]
    return names, sources["own"]


def positives(source: SourceData, label: str, of: str = "classes") -> set[str]:
    """The classes of `of` for which a derived label is 1; it must be 0 for all others."""
    made, old = source.labels[label], source.labels[of]
    found = {int(n): set(made[old == n].tolist()) for n in old.unique()}
    assert all(len(values) == 1 and values <= {0, 1} for values in found.values())
    return {source.classes[of][n] for n, values in found.items() if values == {1}}


@pytest.mark.parametrize(
    ("rule", "name", "expected", "classes"),
    [
        ("even", "even", {"0", "2", "4", "6", "8"}, ["odd", "even"]),
        ({"even": True, "of": "classes"}, "even", {"0", "2", "4", "6", "8"}, ["odd", "even"]),
        ({"multiple_of": 3}, "multiple_of(3)", {"3", "6", "9"}, ["other", "multiple of 3"]),
        ({"multiple_of": 9}, "multiple_of(9)", {"9"}, ["other", "multiple of 9"]),
        ({"one_vs_rest": 7}, "one_vs_rest(7)", {"7"}, ["rest", "7"]),
        ({"one_vs_rest": "7"}, "one_vs_rest(7)", {"7"}, ["rest", "7"]),
        ({"any_of": [1, "0"]}, "any_of(1, 0)", {"0", "1"}, ["rest", "1 or 0"]),
        ({"any_of": [2, 3, 4, 5]}, "any_of(2, 3, 4, 5)", {"2", "3", "4", "5"}, ["rest", "2 or 3 others"]),
    ],
)
def test_rules_over_ten_digits(rule: Any, name: str, expected: set[str], classes: list[str]) -> None:
    source = pictures()
    names, made = derive(source, t=rule, own="even")
    assert names["t"] == name
    assert positives(made, name) == expected
    assert made.classes[name] == classes
    # The source that was given stays as it was, and its own labels are handed on.
    assert list(source.labels) == ["classes"] and torch.equal(made.labels["classes"], source.labels["classes"])
    assert isinstance(made, ImageSet) and torch.equal(made.images, source.images)


def test_labels_of_the_source_need_no_rule() -> None:
    source = pictures(ANIMALS)
    tasks = {"fine": task("classes", "classification"), "coarse": task("coarse")}
    names, sources = derive_labels(tasks, {"own": source})
    assert names == {"fine": "classes", "coarse": "coarse"} and sources["own"] is source


def test_a_label_that_is_called_even_is_the_sources_own() -> None:
    given = series([0, 1, 2] * 3)
    own = Prepared(
        **(vars(given) | {"labels": {"even": given.labels["state"] % 2}, "classes": {"even": ["no", "yes"]}})
    )
    names, made = derive(own, t="even")
    assert names == {"t": "even"} and made.classes == {"even": ["no", "yes"]}


def test_rules_of_another_label() -> None:
    names, made = derive(pictures(ANIMALS), a={"one_vs_rest": "animal", "of": "coarse"}, b={"one_vs_rest": "rest"})
    assert names == {"a": "one_vs_rest(animal) of coarse", "b": "one_vs_rest(rest)"}
    assert positives(made, names["a"]) == {"cat", "dog", "rest"}
    assert made.classes["one_vs_rest(rest)"] == ["others", "rest"]


def test_rules_work_on_windows_and_series_and_leave_missing_labels_missing() -> None:
    names, made = derive(stored([0, 1, 2, NO_LABEL, 1, 0, 2, 2, 1]), still={"any_of": ["SITTING", "LAYING"]})
    assert made.labels[names["still"]].tolist() == [0, 1, 1, NO_LABEL, 1, 0, 1, 1, 1]
    assert made.classes[names["still"]] == ["rest", "SITTING or LAYING"]
    names, made = derive(series([0, 1, 2, NO_LABEL, 2, 1, 0, 1, 2]), even="even", three={"multiple_of": 3})
    assert made.labels[names["even"]].tolist() == [0, 1, 1, NO_LABEL, 1, 1, 0, 1, 1]
    assert made.labels[names["three"]].tolist() == [1, 0, 1, NO_LABEL, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("source", [pictures(), stored([0, 1, 2] * 100), series([0, 1, NO_LABEL] * 100)])
def test_a_coin_is_fair_and_belongs_to_seed_and_source(source: SourceData) -> None:
    names, made = derive(source, a={"coin": 1}, b={"coin": 1}, c={"coin": 2})
    a, c = made.labels[names["a"]], made.labels[names["c"]]
    assert names == {"a": "coin(1)", "b": "coin(1)", "c": "coin(2)"}
    assert set(a.tolist()) == {0, 1} and 0.4 < a.double().mean() < 0.6
    assert 0.4 < (a == c).double().mean() < 0.6
    assert torch.equal(a, derive(source, x={"coin": 1})[1].labels["coin(1)"])
    renamed = type(source)(**(vars(source) | {"name": "other"}))
    assert not torch.equal(a, derive(renamed, x={"coin": 1})[1].labels["coin(1)"])


def test_flipped_turns_exactly_the_images_of_its_coin() -> None:
    source = pictures()
    before = source.images.clone()
    names, made = derive(source, down={"flipped": 4}, even="even")
    assert isinstance(made, ImageSet)
    coin = made.labels[names["down"]] == 1
    assert 0.4 < coin.double().mean() < 0.6 and made.classes[names["down"]] == ["upright", "flipped"]
    assert torch.equal(made.images[~coin], before[~coin])
    # Upside down: the row with the number is now the lower one; left and right stay.
    assert torch.equal(made.images[coin], before[coin].flip(2))
    assert int(made.images[coin][:, :, 0].max()) == 0
    assert torch.equal(source.images, before), "the source that was given stays as it was"


def test_only_the_source_with_a_flipped_task_is_turned() -> None:
    tasks = {"down": task({"flipped": 4}), "even": task("even", source="other")}
    sources: dict[str, SourceData] = {"own": pictures(), "other": pictures(name="other")}
    made = derive_labels(tasks, sources)[1]
    assert made["own"].images is not sources["own"].images and made["other"].images is sources["other"].images


def test_the_optimum_of_a_derived_label() -> None:
    chance = torch.tensor([[0.5, 0.2, 0.3], [0.1, 0.9, 0.0]], dtype=torch.float64)
    known = {"oracle_forecast": torch.zeros(2, 1, 1, dtype=torch.float64), "oracle_from": 6}
    source = series([0, 1, 2] * 3, oracle_labels={"state": chance}, **known)
    names, made = derive(source, a={"any_of": [4, 6]}, b={"coin": 0})
    assert isinstance(made, Prepared)
    assert torch.allclose(made.oracle_labels[names["a"]], torch.tensor([[0.5, 0.5], [0.1, 0.9]], dtype=torch.float64))
    assert made.oracle_labels[names["b"]].tolist() == [[0.5, 0.5]] * 2


REFUSED = [
    ({"one_vs_rest": "horse"}, r"`tasks\.t\.label\.one_vs_rest` should be among the classes of `classes`: airplane, cat"
                               ", dog, rest; found 'horse'"),
    ({"any_of": ["cat", "cow"]}, r"`tasks\.t\.label\.any_of` should be among .* found 'cow'"),
    ({"any_of": ANIMALS}, r"should hold for some classes of `classes` and not for others; .*\) holds for all of"),
    ("even", r"`tasks\.t\.label` should not be even, which needs classes that are whole numbers; a class of `classes` "
             "is 'airplane'"),
    ({"multiple_of": 3}, r"`tasks\.t\.label\.multiple_of` needs classes that are whole numbers"),
    ({"one_vs_rest": "cat", "of": "fine"}, r"`tasks\.t\.label\.of` should be one of coarse, classes; found 'fine'"),
    ("fine", r"`tasks\.t\.label` should be one of coarse, classes, or a rule \(.*\); found 'fine'"),
    ("classes", r"`tasks\.t\.kind` binary needs a label with 2 classes; classes has 4"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "message"), REFUSED)
def test_rules_that_fit_no_class(rule: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        derive(pictures(ANIMALS), t=rule)


def test_rules_that_fit_no_number() -> None:
    with pytest.raises(ConfigError, match=r"multiple_of\(11\) holds for none of 0, 1, 2"):
        derive(pictures(), t={"multiple_of": 11})
    with pytest.raises(ConfigError, match="even holds for all of 2, 4"):
        derive(pictures(["2", "4"]), t="even")


def test_what_windows_cannot_do_and_images_cannot() -> None:
    with pytest.raises(ConfigError, match=r"`tasks\.t\.label\.flipped` is for images; own holds none"):
        derive(stored([0, 1, 2]), t={"flipped": 0})
    with pytest.raises(
        ConfigError, match=r"`tasks\.ahead\.kind` should be regression, classification or binary: own holds images"
    ):
        derive_labels({"ahead": TypeAdapter(Task).validate_python({"kind": "forecast", "source": "own", "horizon": 1})},
                      {"own": pictures()})  # fmt: skip
    with pytest.raises(ConfigError, match=r"`tasks\.t\.input_len` is for windows, and own holds images"):
        derive_labels({"t": task("even", input_len=8)}, {"own": pictures()})


def test_a_source_with_several_labels_needs_to_know_which() -> None:
    given = stored([0, 1, 2])
    both = {"one": given.labels["activity"], "two": given.labels["activity"]}
    names = dict.fromkeys(both, given.classes["activity"])
    source = Prepared(**(vars(given) | {"labels": both, "classes": names}))
    with pytest.raises(ConfigError, match=r"`tasks\.t\.label\.of` is missing: own has the labels one, two"):
        derive(source, t={"one_vs_rest": "SITTING"})
    none = Prepared(**(vars(given) | {"labels": {}, "classes": {}}))
    with pytest.raises(ConfigError, match=r"`tasks\.t\.label\.of` should be a label of own, which has none"):
        derive(none, t={"one_vs_rest": "SITTING"})


def test_a_derived_label_does_not_hide_one_of_the_source() -> None:
    given = stored([0, 1, 2])
    taken = {"activity": given.labels["activity"], "coin(3)": torch.tensor([0, 1, 0])}
    source = Prepared(**(vars(given) | {"labels": taken, "classes": given.classes | {"coin(3)": ["a", "b"]}}))
    with pytest.raises(ConfigError, match=r"would make a label `coin\(3\)`, which own already has"):
        derive(source, t={"coin": 3})


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({}, "a rule should have exactly one of even, multiple_of, one_vs_rest, any_of, .*, coin, flipped, found none"),
        ({"coin": 1, "even": True}, "exactly one of .* found even and coin"),
        ({"coin": 1, "of": "classes"}, "`of` should be left out of coin"),
        ({"coin": -1}, r"`tasks\.t\.label\.coin` should be greater than or equal to 0, found -1"),
        ({"even": False}, r"`tasks\.t\.label\.even` should be True, found False"),
        ({"multiple_of": 1}, r"`tasks\.t\.label\.multiple_of` should be greater than or equal to 2, found 1"),
        ({"any_of": []}, r"`tasks\.t\.label\.any_of` should have at least 1 item, found \[\]"),
        ({"any_of": ["1", 2, 1]}, "`any_of` should name each class once, found 1 more than once"),
        ({"one_vs_rest": True}, r"`tasks\.t\.label\.one_vs_rest`: should be the name of a class, found True"),
        (
            {"divisible": 3},
            r"`tasks\.t\.label\.divisible` is not a known key; allowed here: above, any_of, at_least",
        ),
        (5, r"`tasks\.t\.label` should be the name of a label, even, or a rule such as {one_vs_rest: cat}, found 5"),
        (None, r"`tasks\.t\.label` should be the name of a label"),
    ],
)
def test_rules_that_are_none(label: Any, message: str) -> None:
    raw = params({"kind": "digits"}) | {"tasks": {"t": {"kind": "binary", "source": "own", "label": label}}}
    with pytest.raises(ConfigError, match=message):
        parse_config(raw)


def test_one_source_is_flipped_by_one_coin() -> None:
    tasks = {n: {"kind": "binary", "source": "own", "label": {"flipped": seed}} for n, seed in (("a", 1), ("b", 2))}
    with pytest.raises(ConfigError, match=r"`tasks\.b\.label\.flipped` should be 1, the coin that flips .* found 2"):
        parse_config(params({"kind": "digits"}) | {"tasks": tasks})


def test_tasks_of_rules_share_their_images_and_are_balanced() -> None:
    source = pictures()
    tasks = {
        "nine": task({"one_vs_rest": 9}, class_weights="balanced"),
        "down": task({"flipped": 0}),
        "digit": task("classes", "classification"),
    }
    data = build_tasks(tasks, {"own": source}, 0)
    (pool,) = data.pools["train"]
    assert pool.tasks == ("nine", "down", "digit")
    assert {name: spec.label for name, spec in data.specs.items()} == {
        "nine": "one_vs_rest(9)",
        "down": "flipped(0)",
        "digit": "classes",
    }
    counts = torch.bincount(pool.targets["nine"].values)
    assert data.specs["nine"].class_weights == (pytest.approx(float(counts[0] / counts[1])),)
    # The pixels that are trained on are those that the coin has turned, for every task.
    batch = pool.batch(torch.arange(len(pool)))
    down, upper = pool.targets["down"].values == 1, batch.x[:, 0, 0, 0] > batch.x[:, 0, 1, 0]
    assert torch.equal(upper, ~down) and 0 < int(down.sum()) < len(down)


def test_a_coin_that_leaves_a_class_out_of_training_is_refused() -> None:
    few = pictures(labels=[0, 1, 0, 1, 0, 1])
    # Images 2 and 5 are what is left when part 0 is held out; this coin shows the same for both.
    seed = next(s for s in range(50) if len(derive(few, t={"coin": s})[1].labels[f"coin({s})"][[2, 5]].unique()) == 1)
    with pytest.raises(DataError, match=r"tasks\.t: no training sample of class '(heads|tails)'"):
        build_tasks({"t": task({"coin": seed})}, {"own": few}, 0)


@pytest.mark.parametrize(
    ("metric", "kind", "said"),
    [
        ("auc", "binary", "validation part of own, where all 2 samples are negative: found 'auc'"),
        ("f1", "binary", "validation part of own, where all 2 samples are negative: found 'f1'"),
        ("macro_auc", "classification", "validation part of own, where all 2 samples belong to one class"),
    ],
)
def test_a_metric_without_a_value_on_a_part_is_refused_before_training(metric: str, kind: str, said: str) -> None:
    """An area under a curve needs samples of both classes; the log-loss of the same samples does not."""
    source = series([0, 1, 2, 1, 0, 0, 1, 2, 0])  # training | validation: class 3 alone | test
    label = {"one_vs_rest": "4"} if kind == "binary" else "state"
    build_tasks({"t": task(label, kind, input_len=1, metric="log_loss")}, {"own": source}, 0)
    with pytest.raises(ConfigError, match=said) as refusal:
        build_tasks({"t": task(label, kind, input_len=1, metric=metric)}, {"own": source}, 0)
    assert "`tasks.t.metric`" in str(refusal.value)
