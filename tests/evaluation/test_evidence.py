"""Each line of advice follows from what was measured: planted effects are found, and noise recommends nothing."""

import re
from typing import Any

import pytest

from mtl.config.metrics import METRICS
from mtl.evaluation.compare import compare
from mtl.evaluation.evidence import evidence
from mtl.evaluation.symptoms import UNSTABLE
from mtl.results.groupings import Groupings
from mtl.results.groups import Groups
from mtl.results.verdicts import EvidenceLine
from tests.helpers.records import changed, epoch_json, groups_json, history
from tests.helpers.verdicts import grouping_json, interval_json

from .simulated import make_config, make_runs
from .test_compare import planted

Json = dict[str, Any]
FORECAST, LABEL = "forecast MSE too high?", "accuracy too low?"


def lines(
    effects: dict[tuple[str, str], float] | None = None,
    cosine: float = 0.0,
    cosines: dict[str, float] | None = None,
    norms: tuple[float, ...] = (1.0, 1.1, 0.9),
    train_size: dict[str, int] | None = None,
    train_loss: float = 1.0,
    seeds: int = 5,
    groups: Groups | None = None,
    label_norm: float = 1.0,
    scores: tuple[float, ...] = (1.0, 0.9, 0.8),
    balanced: float | None = None,
    likeness: dict[str, dict[str, list[float]]] | None = None,
    compared: list[Json] | None = None,
    noise: float = 0.004,
    **sections: Any,
) -> list[EvidenceLine]:
    """All lines for runs with planted effects; `cosine` is that of every pair but those in
    `cosines`, ±0.02 over seeds, and `label_norm` the norm of the label's gradients where that of each forecast's is 1;
    all weights are 1."""
    config = make_config(range(seeds), **sections)
    runs = make_runs(config, planted(effects or {}, noise))
    histories = []
    names = list(config.tasks)
    for place, run in enumerate(runs):
        sizes = run.train_size | {task: size for task, size in (train_size or {}).items() if task in run.tasks}
        factor = train_loss if run.stage == "finetune" else 1.0
        train = {task: {key: value * factor for key, value in each.items()} for task, each in run.train.items()}
        test = {task: dict(each) for task, each in run.test.items()}
        if balanced is not None and "fault" in test:
            test["fault"]["balanced_accuracy"] = balanced
        runs[place] = run = changed(run, train_size=sizes, train=train, test=test)
        off = 0.02 * (run.path.seed % 3 - 1)
        pairs = {f"{a}|{b}": cosine for i, a in enumerate(names) for b in names[i + 1 :]} | (cosines or {})
        pairs = {pair: value + off for pair, value in pairs.items()}
        lengths = {"short": 1.0, "long": 1.0, "fault": label_norm}
        gradients, weights = {"cosines": pairs, "norms": lengths}, dict.fromkeys(names, 1.0)
        epochs = [
            epoch_json(number, gradients=gradients, weights=weights, grad_norm=norm, score=score)
            for number, (norm, score) in enumerate(zip(norms, scores * 2, strict=False), start=1)
        ]
        histories.append((run, history(*epochs)))
    grouping = None if compared is None else Groupings.model_validate({"rows": compared, "weights": "raw"})
    verdicts = compare(config, runs, (), likeness).with_grouping(grouping)
    return evidence(config, verdicts, runs, histories, groups)


def found_groups(agreement: float) -> Groups:
    """Two groups; groupings of single seeds agree as much as given."""
    two = {"groups": [["short", "long"], ["fault"]], "clusters": 2, "stability": {"runs": agreement, "starts": 1.0}}
    return Groups.parse(groups_json(("short", "long", "fault"), **two), "groups.json")


def said(found: list[EvidenceLine], aspect: str, about: str) -> str | None:
    (line,) = [line for line in found if (line.aspect, line.about) == (aspect, about)]
    return line.says


@pytest.mark.parametrize(
    ("cosine", "expected"), [(0.3, "train together"), (0.0, None), (-0.3, "keep apart"), (0.05, None)]
)
def test_relatedness_follows_the_interval_of_the_cosine(cosine: float, expected: str | None) -> None:
    assert said(lines(cosine=cosine), "relatedness", "short | fault") == expected


def test_of_many_pairs_those_with_the_largest_cosines_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl.evaluation.evidence.MOST_PAIRS", 1)
    told = lines(cosines={"short|long": 0.1, "short|fault": -0.4, "long|fault": 0.2})
    about = {line.about for line in told if line.aspect in ("relatedness", "conflict")}
    assert about == {"short | fault", "other pairs"}
    (others,) = [line for line in told if line.about == "other pairs"]
    assert others.measured == "5 pairs with gradient cosines of up to 0.20, either way"
    assert others.says is None


def test_few_seeds_recommend_nothing() -> None:
    found = lines({("joint", "long"): 0.4}, cosine=0.6, seeds=3, train_loss=2.0)
    assert {line.says for line in found if line.aspect != "data balance"} == {None}
    assert all("fewer than 5 seeds decide nothing" in line.sure for line in found if line.aspect == "relatedness")


def test_conflict_asks_for_a_gradient_method() -> None:
    assert "a gradient method" in str(said(lines(cosine=-0.3), "conflict", "short | fault"))
    assert said(lines(cosine=0.3), "conflict", "short | fault") is None


def test_help_and_harm_with_what_is_left_to_try() -> None:
    found = lines({("joint", "fault"): 0.3, ("joint", "long"): 0.4, ("learned", "fault"): -0.3})
    assert said(found, "transfer", "joint: fault") == "train together"
    assert said(found, "transfer", "joint: long") == f"train long separately, or try what `{FORECAST}` says"
    assert said(found, "transfer", "learned: fault") == f"train fault separately, or try what `{LABEL}` says"
    level = "one model can do the work of two: joint does that of short's own"
    assert said(found, "transfer", "joint: short") == level
    open_ = {said(lines(noise=0.05), "transfer", f"{name}: short") for name in ("joint", "learned")}
    assert all(re.fullmatch(r"[\d,]+ seeds would decide \(base.seeds\)", str(text)) for text in open_), open_


def test_uneven_sizes_ask_for_a_flatter_sampler_and_only_where_it_is_not_there() -> None:
    sizes = {"fault": 100, "short": 5000, "long": 5000, "coin": 5000}
    proportional = {"train": {"sampler": {"kind": "proportional"}}}
    assert "temperature" in str(said(lines(train_size=sizes, **proportional), "data balance", "short | fault"))
    assert said(lines(train_size=sizes), "data balance", "short | fault") is None


def test_a_network_that_fits_worse_than_single_ones_is_too_small() -> None:
    assert "wider encoder" in str(said(lines(train_loss=1.3), "capacity", "joint: fault"))
    assert said(lines(train_loss=1.0), "capacity", "joint: fault") is None


HURT = {("joint", "long"): 0.4, ("joint", "fault"): -0.1, ("learned", "long"): 0.4, ("learned", "fault"): -0.1}


def test_a_forecast_that_is_too_bad_gets_the_lambda_at_which_nobody_pulls_harder() -> None:
    """λ is 0.2 and labels pull 4 times as hard as both forecasts, so that their gradients are 16 times as long."""
    found = str(said(lines(HURT, label_norm=8.0), FORECAST, "joint: long"))
    assert found == "λ of about 0.059, at which labels pull no harder"
    steady = {"joint": {"kind": "weighted", "lambda": 0.2}, "learned": {"kind": "uncertainty"}}
    assert "`schedule: warmup`" in str(said(lines(HURT, finetune={"methods": steady}), FORECAST, "joint: long"))
    assert "a gradient method: its cosine with others is negative in 100%" in str(
        said(lines(HURT, cosine=-0.3), FORECAST, "learned: long")
    )
    quiet = said(lines(HURT, label_norm=0.1), FORECAST, "joint: long")
    assert quiet == "a wider encoder, or a model of its own: no other task pulls harder"
    assert said(lines(HURT, label_norm=8.0), FORECAST, "joint: short") is None


def test_an_accuracy_that_is_too_low_gets_what_the_run_shows() -> None:
    """Forecasts pull twice as hard as the label at λ = 0.2; there are no class weights, and amplitude reaches it."""
    found = str(said(lines(HURT, label_norm=1.0, balanced=0.9), LABEL, "joint: fault"))
    assert found == "λ up to about 0.33, at which forecasts pull no harder"
    assert "λ" not in str(said(lines(HURT, label_norm=8.0), LABEL, "joint: fault"))
    assert "tasks.fault.class_weights: balanced" in str(said(lines(HURT, balanced=0.4), LABEL, "joint: fault"))
    blind = {"kind": "timedart", "classification": {"amplitude": False}}
    assert "amplitude: true" in str(said(lines(HURT, encoder=blind), LABEL, "learned: fault"))
    assert said(lines(HURT, label_norm=8.0, balanced=0.9), LABEL, "learned: fault") == (
        "a larger `weight` of fault, or a model of its own"
    )
    assert said(lines(), LABEL, "joint: fault") is None


def test_a_label_that_nobody_can_tell_is_no_symptom_and_one_that_is_not_told_is() -> None:
    """The coin is right half of the time, as its most frequent class is; only its optimum says that this is all."""
    for optimum, expected in ({"coin": 0.5}, None), ({}, "tasks.coin.class_weights: balanced"):
        config = make_config(range(5))
        runs = make_runs(config, lambda run, task: 0.5 + 0.001 * run.seed * (-1) ** run.seed, optimum)
        histories = [(run, history(epoch_json())) for run in runs]
        found = evidence(config, compare(config, runs), runs, histories, None)
        assert said(found, LABEL, "joint: coin") == expected


def test_bursts_of_the_gradient_and_jumps_of_the_score_are_unstable() -> None:
    burst = (1.0, 1.0, 12.0, 1.0)
    assert said(lines(norms=burst), UNSTABLE, "joint") == (
        "uncertainty weighting (`kind: uncertainty`), a learning rate below 0.001"
    )
    assert said(lines(norms=burst), UNSTABLE, "learned") == "a learning rate below 0.001"
    assert "train.clip: 1.0" in str(said(lines(norms=burst, train={"clip": None}), UNSTABLE, "joint"))
    assert said(lines(scores=(1.0, 0.4, 1.0)), UNSTABLE, "joint") is not None
    assert said(lines(), UNSTABLE, "joint") is None


PAIRS = ("short|long", "short|fault", "short|coin", "long|fault", "long|coin", "fault|coin")


def test_maps_say_who_is_related_and_a_gain_without_relation_is_transfer() -> None:
    helped = {("joint", "fault"): 0.3}
    near = {"joint": {pair: [0.02, -0.1, 0.1, 0.05, 0.0] for pair in PAIRS}}
    alone = lines(helped, likeness=near)
    assert said(alone, "transfer", "joint: fault") == (
        "transfer instead, since its data map is like no other: pretrain the encoder, or measure it as an arm of "
        "finetune.methods: transfer_fault: {kind: sequential, order: [[short, long, coin], fault]}"
    )
    like = near["joint"] | {"short|fault": [0.8, 0.75, 0.7, 0.8, 0.82]}
    together = lines(helped, likeness={"joint": like})
    assert said(together, "transfer", "joint: fault") == "train together"
    (maps,) = [line for line in together if "data maps" in line.measured and line.about == "short | fault"]
    assert maps.says == "related: worth a joint model"
    # A partner whose samples are others leaves it open, and so do few seeds.
    unknown = {pair: values for pair, values in near["joint"].items() if pair != "short|fault"}
    assert said(lines(helped, likeness={"joint": unknown}), "transfer", "joint: fault") == "train together"


@pytest.mark.parametrize(
    ("gain", "says"),
    [
        (0.3, "transfer instead (after: HELPED), since its data map is like no other"),
        (0.0, "train together: transfer (after) does not help it"),
    ],
)
def test_a_measured_transfer_decides(gain: float, says: str) -> None:
    methods = {
        "joint": {"kind": "weighted", "lambda": 0.2},
        "after": {"kind": "sequential", "order": [["short", "long"], "fault"]},
    }
    near = {"joint": {pair: [0.02, -0.1, 0.1, 0.05, 0.0] for pair in PAIRS}}
    effects = {("joint", "fault"): 0.3, ("after", "fault"): gain}
    assert said(lines(effects, likeness=near, finetune={"methods": methods}), "transfer", "joint: fault") == says


def test_groups_are_recommended_when_seeds_agree_on_them() -> None:
    groups = found_groups(0.9)
    found = lines(groups=groups)
    assert said(found, "grouping", "short, long") == "one model for these"
    assert said(found, "grouping", "fault") == "a model of its own"
    unsure = lines(groups=found_groups(0.3))
    assert said(unsure, "grouping", "short, long") is None


@pytest.mark.parametrize(("low", "n", "worth"), [(0.2, 5, True), (-0.2, 5, False), (0.2, 2, False)])
def test_groups_whose_models_do_not_beat_random_ones_are_not_recommended(low: float, n: int, worth: bool) -> None:
    groups = found_groups(0.9)
    over = {"mean": 0.4, "low": low, "high": 0.8 - low, "n": n}
    row = grouping_json("clusters", models=2, over_random=over, delta_m=interval_json(-1.0))
    found = lines(groups=groups, compared=[row, row | {"name": "random_1", "over_random": None}])
    assert said(found, "grouping", "short, long") == ("one model for these" if worth else None)
    says = "these groups, not random ones, where 2 models are what can be had"
    assert said(found, "grouping", "clusters") == (says if worth else None)


@pytest.mark.parametrize(
    "aspect", ["relatedness", "conflict", "data balance", "capacity", "transfer", FORECAST, LABEL, UNSTABLE]
)
def test_every_line_says_what_was_measured_by_which_rule_and_how_sure(aspect: str) -> None:
    found = [line for line in lines() if line.aspect == aspect]
    assert found
    assert all(line.measured and line.rule and line.sure for line in found)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("auc", 0.5, "AUC 0.500, of a prediction that has seen no input 0.500"),
        ("log_loss", 0.6927, "log-loss 0.693, of a prediction that has seen no input 0.693"),
        ("brier", 0.2, None),
        ("ece", 0.2, None),
    ],
)
def test_a_label_is_held_against_no_input_by_its_own_metric(metric: str, value: float, text: str | None) -> None:
    """Half of the samples are positive. A Brier score of .2 is better than that of one half for each, .25."""
    label = {"kind": "binary", "source": "plant", "input_len": 48, "label": "fault", "metric": metric}
    config = make_config(range(5), tasks={"fault": label}, finetune={"methods": {"joint": {"kind": "equal"}}})
    runs = make_runs(config, lambda run, task: value + 0.001 * run.seed * (-1) ** run.seed)
    found = evidence(config, compare(config, runs), runs, [(run, history(epoch_json())) for run in runs], None)
    title = METRICS[metric].title
    aspect = f"{title} too low?" if metric == "auc" else f"{title} too high?"
    (line,) = [line for line in found if line.aspect == aspect]
    assert (line.says is not None) == (text is not None)
    assert text is None or line.measured.startswith(text)
