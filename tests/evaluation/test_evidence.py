"""Each line of advice follows from what was measured: planted effects are found, and noise recommends nothing."""

from typing import Any

import pytest

from mtl.evaluation.compare import compare
from mtl.evaluation.evidence import evidence
from mtl.evaluation.runs import Run

from .simulated import make_config, make_runs
from .test_compare import planted

Json = dict[str, Any]


def lines(
    effects: dict[tuple[str, str], float] | None = None,
    cosine: float = 0.0,
    norms: tuple[float, ...] = (1.0, 1.1, 0.9),
    train_size: dict[str, int] | None = None,
    train_loss: float = 1.0,
    seeds: int = 5,
    groups: Json | None = None,
    **sections: Any,
) -> list[Json]:
    """All lines for runs with planted effects; `cosine` is that of every pair, ±0.02 over seeds."""
    config = make_config(range(seeds), **sections)
    runs = make_runs(config, planted(effects or {}, 0.004))
    histories: list[tuple[Run, Json]] = []
    names = list(config.tasks)
    for run in runs:
        run.record["train_size"] |= train_size or {}
        if run.path.stage == "finetune":
            run.record["train"] = {
                task: {key: value * train_loss for key, value in metrics.items()}
                for task, metrics in run.record["train"].items()
            }
        off = 0.02 * (run.path.seed % 3 - 1)
        pairs = {f"{a}|{b}": cosine + off for i, a in enumerate(names) for b in names[i + 1 :]}
        histories.append((run, {"epochs": [{"gradients": {"cosines": pairs}, "grad_norm": norm} for norm in norms]}))
    return evidence(config, compare(config, runs), runs, histories, groups)


def said(found: list[Json], aspect: str, about: str) -> str | None:
    (line,) = [line for line in found if (line["aspect"], line["about"]) == (aspect, about)]
    says: str | None = line["says"]
    return says


@pytest.mark.parametrize(
    ("cosine", "expected"), [(0.3, "train together"), (0.0, None), (-0.3, "keep apart"), (0.05, None)]
)
def test_relatedness_follows_the_interval_of_the_cosine(cosine: float, expected: str | None) -> None:
    assert said(lines(cosine=cosine), "relatedness", "short | fault") == expected


def test_few_seeds_recommend_nothing() -> None:
    found = lines({("joint", "long"): 0.4}, cosine=0.6, seeds=3, train_loss=2.0)
    assert {line["says"] for line in found if line["aspect"] != "data balance"} == {None}
    assert all("fewer than 5 seeds decide nothing" in line["sure"] for line in found if line["aspect"] == "relatedness")


def test_conflict_asks_for_a_gradient_method() -> None:
    assert "a gradient method" in str(said(lines(cosine=-0.3), "conflict", "short | fault"))
    assert said(lines(cosine=0.3), "conflict", "short | fault") is None


def test_help_and_harm_with_what_is_left_to_try() -> None:
    found = lines({("joint", "fault"): 0.3, ("joint", "long"): 0.4, ("learned", "fault"): -0.3})
    assert said(found, "transfer", "joint: fault") == "train together"
    assert said(found, "transfer", "joint: long") == "train long separately, or try a λ below 0.2, a gradient method"
    assert (
        said(found, "transfer", "learned: fault")
        == "train fault separately, or try `class_weights: balanced`, a larger `weight` of the task"
    )
    assert said(found, "transfer", "joint: short") is None


def test_uneven_sizes_ask_for_a_flatter_sampler_and_only_where_it_is_not_there() -> None:
    sizes = {"fault": 100, "short": 5000, "long": 5000, "coin": 5000}
    proportional = {"train": {"sampler": {"kind": "proportional"}}}
    assert "temperature" in str(said(lines(train_size=sizes, **proportional), "data balance", "short | fault"))
    assert said(lines(train_size=sizes), "data balance", "short | fault") is None


def test_a_network_that_fits_worse_than_single_ones_is_too_small() -> None:
    assert "wider encoder" in str(said(lines(train_loss=1.3), "capacity", "joint: fault"))
    assert said(lines(train_loss=1.0), "capacity", "joint: fault") is None


def test_bursts_of_the_gradient_are_unstable() -> None:
    assert said(lines(norms=(1.0, 1.0, 12.0, 1.0)), "stability", "joint") is not None
    assert "train.clip: 1.0" in str(
        said(lines(norms=(1.0, 1.0, 12.0, 1.0), train={"clip": None}), "stability", "joint")
    )
    assert said(lines(), "stability", "joint") is None


def test_groups_are_recommended_when_seeds_agree_on_them() -> None:
    groups: Json = {"groups": [["short", "long"], ["fault"]], "clusters": 2, "relation": {"kind": "map"},
                    "stability": {"runs": 0.9, "starts": 1.0}}  # fmt: skip
    found = lines(groups=groups)
    assert said(found, "grouping", "short, long") == "one model for these"
    assert said(found, "grouping", "fault") == "a model of its own"
    unsure = lines(groups=groups | {"stability": {"runs": 0.3, "starts": 1.0}})
    assert said(unsure, "grouping", "short, long") is None


@pytest.mark.parametrize("aspect", ["relatedness", "conflict", "data balance", "capacity", "transfer", "stability"])
def test_every_line_says_what_was_measured_by_which_rule_and_how_sure(aspect: str) -> None:
    found = [line for line in lines() if line["aspect"] == aspect]
    assert found
    assert all(line["measured"] and line["rule"] and line["sure"] for line in found)
