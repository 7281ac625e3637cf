"""`finetune.methods`: each wrong setting of a method is one message with its path, found and allowed."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from mtl.config import Method, parse_config
from mtl.errors import ConfigError

PROJECT = Path(__file__).resolve().parents[2]
SENSORS: dict[str, Any] = yaml.safe_load((PROJECT / "presets/sensors.yaml").read_text(encoding="utf-8"))
"""Five tasks on one source."""
ETTH1_HAR: dict[str, Any] = yaml.safe_load((PROJECT / "presets/etth1-har.yaml").read_text(encoding="utf-8"))
"""Two tasks on two sources."""


def parse(method: dict[str, Any], two_sources: bool = False, **train: object) -> None:
    raw = copy.deepcopy(SENSORS)
    if two_sources:
        raw |= copy.deepcopy({key: ETTH1_HAR[key] for key in ("prepare", "tasks")})
    raw["train"] |= train
    raw["finetune"] = {"methods": {"m": method}}
    raw["baseline"]["starts"] = [{}, {"freeze": "encoder"}]
    parse_config(raw)


@pytest.mark.parametrize(
    ("method", "path", "parts"),
    [
        ({"kind": "upgard"}, "kind", ["'equal', 'fixed'", "'upgrad', 'dualproj'", "found 'upgard'"]),
        ({"lambda": 0.2}, "kind", ["is missing; it should be one of aligned_mtl, cagrad, ", "upgrad, weighted."]),
        ({"kind": "fixed"}, "weights", ["is missing"]),
        ({"kind": "fixed", "weights": [1, 2, -3, 1, 1]}, "weights.2", ["greater than or equal to 0", "found -3"]),
        ({"kind": "fixed", "weights": [0, 0, 0, 0, 0]}, "weights", ["a sum above 0"]),
        ({"kind": "fixed", "weights": [1, 1]}, "weights", ["a number for each of the method's 5 tasks", "found 2"]),
        ({"kind": "upgrad", "preferences": [1, 1, 1]}, "preferences", ["the method's 5 tasks", "found 3"]),
        ({"kind": "stch", "preferences": [1, 1], "tasks": ["fault", "coin", "next_6h"]}, "preferences",
         ["the method's 3 tasks", "found 2"]),
        ({"kind": "config", "preferences": [1, 1, 1, -1]}, "preferences.3", ["greater than or equal to 0"]),
        ({"kind": "mgda", "preferences": [1, 1, 1, 1]}, "preferences", ["not a known key", "features"]),
        ({"kind": "graddrop", "features": "features"}, "features", ["not a known key", "normalise"]),
        ({"kind": "mgda", "features": "both"}, "features", ["'exact' or 'features'", "found 'both'"]),
        ({"kind": "equal", "normalise": "mean"}, "normalise", ["'log_classes'", "found 'mean'"]),
        ({"kind": "mgda", "sharing": {"kind": "separate"}}, "sharing.kind", ["weights that tasks share", "'separate'"]),
        ({"kind": "gradnorm", "sharing": {"kind": "soft"}}, "sharing.kind", ["hard, branched or", "'soft'"]),
        ({"kind": "gradnorm", "sharing": {"kind": "branched", "shared_stages": 0,
                                          "groups": [["next_6h", "next_24h"], ["fault", "load_state", "coin"]]}},
         "sharing.shared_stages", ["at least 1 for `kind: gradnorm`", "found 0"]),
        ({"kind": "upgrad", "features": "features", "sharing": {"kind": "cross_stitch"}}, "features",
         ["should be exact for `sharing: cross_stitch`", "found 'features'"]),
        ({"kind": "upgrad", "freeze": "encoder"}, "freeze", ["should be none for `kind: upgrad`"]),
        ({"kind": "gradvac", "beta": 1.5}, "beta", ["less than or equal to 1", "found 1.5"]),
        ({"kind": "cagrad", "c": -1}, "c", ["greater than or equal to 0", "found -1"]),
        ({"kind": "equal", "sharing": "separate"}, "sharing", ["a section such as {kind: separate}, found 'separate'"]),
        ({"kind": "equal", "sharing": 3}, "sharing", ["should be a section (key: value), found 3"]),
        ({"kind": "fairgrad", "alpha": 0}, "alpha", ["greater than 0", "found 0"]),
        ({"kind": "stch", "mu": 0.0}, "mu", ["greater than 0", "found 0"]),
        ({"kind": "equal", "curriculum": {"samples": False, "start_epoch": {"fault": 2}},
          "datamap": {"record": "training"}}, "datamap.record", ["evaluation", "start_epoch", "found 'training'"]),
        ({"kind": "sequential", "order": ["fault"]}, "order", ["at least 2 items", "found ['fault']"]),
        ({"kind": "sequential", "order": ["fault", "wear"]}, "order", ["among next_6h, ", "found 'wear'"]),
        ({"kind": "sequential", "order": ["fault", ["coin", "fault"]]}, "order", ["once", "found 'fault' 2 times"]),
        ({"kind": "sequential", "order": ["fault", []]}, "order.1", ["at least 1 item", "found []"]),
        ({"kind": "sequential", "order": ["fault", 3]}, "order.1", ["valid list", "found 3"]),
        ({"kind": "sequential", "order": ["fault", "coin"], "tasks": ["fault", "coin", "next_6h"]}, "order",
         ["the tasks of `tasks`, which may be left out", "next_6h"]),
        ({"kind": "sequential", "order": ["fault", "coin"], "target": "coin"}, "target", ["phases of its own"]),
        ({"kind": "sequential", "first": "labels", "tasks": ["fault", "coin"]}, "first",
         ["of one kind", "`order: [fault, coin]` goes with any tasks"]),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(method: dict[str, Any], path: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(method)
    message = str(caught.value)
    assert message.startswith(f"params.yaml: `finetune.methods.m.{path}`"), message
    assert all(part in message for part in parts), message
    assert "\n" not in message and "pydantic" not in message


@pytest.mark.parametrize(
    ("given", "found"), [({}, "neither"), ({"first": "labels", "order": ["fault", "coin"]}, "both")]
)
def test_a_sequential_method_has_one_order(given: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigError, match=rf"`finetune\.methods\.m`: should have `order`, or `first` .*found {found}"):
        parse({"kind": "sequential"} | given)


def test_an_order_is_named_in_words_and_may_repeat_its_tasks() -> None:
    parse({"kind": "sequential", "order": ["fault", "coin"], "tasks": ["coin", "fault"]})
    method = TypeAdapter[Method](Method).validate_python(
        {"kind": "sequential", "order": ["fault", ["coin", "next_6h"], ["a", "b", "c", "d"]]}
    )
    assert method.words == "sequential, fault before coin, next_6h before 4 tasks"


def test_the_surrogate_needs_tasks_on_the_same_samples() -> None:
    with pytest.raises(ConfigError, match=r"m\.features` should be exact .*found 'features' for tasks of etth1, har"):
        parse({"kind": "mgda", "features": "features"}, two_sources=True)
    parse({"kind": "mgda"}, two_sources=True)
    parse({"kind": "mgda", "features": "features"})


def test_gradients_need_all_tasks_in_every_step() -> None:
    multinomial = {"kind": "uniform", "allocation": "multinomial"}
    with pytest.raises(ConfigError, match=r"m\.kind` should not be 'mgda' with .*multinomial"):
        parse({"kind": "mgda"}, two_sources=True, sampler=multinomial)
    parse({"kind": "mgda"}, sampler=multinomial)
    parse({"kind": "dwa"}, two_sources=True, sampler=multinomial)


def test_what_a_method_cannot_do_is_said_before_its_baseline_is_missed() -> None:
    raw = copy.deepcopy(SENSORS)
    raw["finetune"] = {"methods": {"m": {"kind": "gradnorm", "freeze": "encoder"}}}
    with pytest.raises(ConfigError, match=r"m\.freeze` should be none for `kind: gradnorm`"):
        parse_config(raw)


@pytest.mark.parametrize("name", ["m", "uncertainty", "lr"])
def test_a_missing_kind_lists_all_of_them_whatever_the_method_is_called(name: str) -> None:
    raw = copy.deepcopy(SENSORS)
    raw["finetune"] = {"methods": {name: {"lambda": 0.2}}}
    wanted = (
        f"`finetune.methods.{name}.kind` is missing; it should be one of aligned_mtl, cagrad, config, dualproj, dwa, "
    )
    with pytest.raises(ConfigError, match=re.escape(wanted)):
        parse_config(raw)


def test_an_unknown_key_lists_those_of_its_kind_whatever_the_method_is_called() -> None:
    raw = copy.deepcopy(SENSORS)
    raw["finetune"] = {"methods": {"uncertainty": {"kind": "weighted", "lambda": 0.2, "lamda": 0.3}}}
    with pytest.raises(
        ConfigError, match=r"`finetune.methods.uncertainty.lamda` is not a known key; .*lambda, .*schedule"
    ):
        parse_config(raw)
