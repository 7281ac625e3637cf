"""params.yaml: each wrong value is one message with its path, what was found and what is allowed, and exit code 2."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtl.config import Config, TimeDartEncoder, load_config, parse_config
from mtl.errors import ConfigError, UserError, exit_on_user_error

Raw = dict[str, Any]
PROJECT = Path(__file__).resolve().parents[2]
FILE: Raw = yaml.safe_load((PROJECT / "presets/sensors.yaml").read_text(encoding="utf-8"))
DEFAULTS: Raw = FILE | {"encoder": TimeDartEncoder(kind="timedart").model_dump(mode="json")}
"""The default file with an encoder that can be pretrained and has a section of its own."""


def _set(raw: Raw, path: str, value: object) -> None:
    *parents, last = path.split(".")
    for part in parents:
        raw = raw[part]
    raw[last] = value


def _at(path: str, value: object) -> Callable[[Raw], None]:
    return lambda raw: _set(raw, path, value)


def _all(*changes: Callable[[Raw], None]) -> Callable[[Raw], None]:
    def apply(raw: Raw) -> None:
        for change in changes:
            change(raw)

    return apply


def _labels_only(raw: Raw) -> None:
    raw["tasks"] = {name: task for name, task in raw["tasks"].items() if task["kind"] != "forecast"}


def _maps(method: str, snapshots: list[int] | None = None) -> Callable[[Raw], None]:
    return _at(f"finetune.methods.{method}.datamap", {"record": "training", "snapshots": snapshots or []})


LINEAR = {"kind": "linear", "input_len": 64}
METHODS = "finetune.methods"

# (name, change, path in the message, what was found, what is allowed)
WRONG: list[tuple[str, Callable[[Raw], None], str, str, str]] = [
    ("misspelt section", _at("trian", {"lr": 1}), "trian", "not a known key", "train"),
    ("misspelt key", _at("train.lrr", 0.1), "train.lrr", "not a known key", "lr"),
    ("misspelt key of a task", _at("tasks.next_6h.horizn", 6), "tasks.next_6h.horizn", "not a known key", "horizon"),
    ("misspelt key deep", _at("encoder.classification.pol", "max"), "encoder.classification.pol", "not", "pool"),
    ("wrong type", _at("train.epochs", "many"), "train.epochs", "'many'", "valid integer"),
    ("a fraction of an epoch", _at("train.epochs", 2.5), "train.epochs", "2.5", "valid integer"),
    ("a number for a switch", _at("tracking.enabled", "perhaps"), "tracking.enabled", "'perhaps'", "boolean"),
    ("a list for a section", _at("train", [1]), "train", "[1]", "a section (key: value)"),
    ("not a number", _at("train.lr", float("nan")), "train.lr", "nan", "finite number"),
    ("horizon 0", _at("tasks.next_6h.horizon", 0), "tasks.next_6h.horizon", "found 0", "greater than 0"),
    ("horizon past the optimum", _at("tasks.next_6h.horizon", 25), "tasks.next_6h.horizon", "25", "max_horizon of 24"),
    ("λ above 1", _at(f"{METHODS}.joint.lambda", 1.5), f"{METHODS}.joint.lambda", "found 1.5", "less than or equal"),
    ("λ below 0", _at(f"{METHODS}.joint.lambda", -0.1), f"{METHODS}.joint.lambda", "found -0.1", "equal to 0"),
    ("λ with uncertainty", _at(f"{METHODS}.uncertainty.lambda", 0.2), f"{METHODS}.uncertainty.lambda",
     "not a known key", "Uncertainty weighting learns its weights, so it excludes λ"),
    ("R² as judge of a forecast", _at("tasks.next_6h.metric", "r2"), "tasks.next_6h.metric", "found 'r2'",
     "mse, mae or crps for a forecast"),
    ("a label's metric of a forecast", _at("tasks.next_6h.metric", "auc"), "tasks.next_6h.metric", "AUC judges labels",
     "which tasks of kind classification or binary learn"),
    ("one of numbers of a label", _at("tasks.fault.metric", "mae"), "tasks.fault.metric", "MAE judges numbers", "auc"),
    ("one of two classes of several", _at("tasks.load_state.metric", "f1"), "tasks.load_state.metric", "found 'f1'",
     "the nearest is macro_f1"),
    ("an original unit", _at("tasks.next_6h.metric", "mae_original"), "tasks.next_6h.metric", "found 'mae_original'",
     "the nearest is mae"),
    ("the score of quantiles without any", _at("tasks.next_6h.metric", "crps"), "tasks.next_6h", "found 'crps'",
     "set `loss: {quantiles: [0.1, 0.5, 0.9]}`"),
    ("a window of one row", _at("tasks.fault.input_len", 1), "tasks.fault.input_len", "found 1", "at least 2 rows"),
    ("patch longer than the window", _at("encoder.patch_len", 96), "encoder.patch_len", "found 96", "at most"),
    ("heads that do not divide", _at("encoder.heads", 3), "encoder", "3 heads for a width of 32", "divide d_model"),
    ("narrow heads", _at("encoder.heads", 16), "encoder", "found 2", "`recipe: published` admits it"),
    ("λ with labels only", _labels_only, f"{METHODS}.joint.lambda", "all tasks here are of one kind", "both kinds"),
    ("unknown kind", _at("tasks.fault.kind", "binry"), "tasks.fault.kind", "'binry'", "'binary'"),
    ("no kind", _at("tasks.fault", {"source": "sensors"}), "tasks.fault.kind", "missing", ""),
    ("unknown schedule", _at(f"{METHODS}.joint.schedule", "warm"), f"{METHODS}.joint.schedule", "'warm'", "'warmup'"),
    ("unknown source", _at("tasks.fault.source", "sensor"), "tasks.fault.source", "'sensor'", "one of sensors"),
    ("window missing", _at("tasks.fault.input_len", None), "tasks.fault.input_len", "missing", "series"),
    ("no tasks", _at("tasks", {}), "tasks", "", "at least 1"),
    ("trials of no arm", _at("evaluate.trials", {"stl": 1, "jont": 1}), "evaluate.trials", "'jont'", "stl, joint"),
    ("a choice of no arm", _at("evaluate.shared_by", "jont"), "evaluate.shared_by", "'jont'", "stl, joint"),
    ("no methods", _at("finetune.methods", {}), "finetune.methods", "", "at least 1"),
    ("no seeds", _at("base.seeds", []), "base.seeds", "[]", "at least 1"),
    ("a seed twice", _at("base.seeds", [1, 1]), "base", "[1, 1]", "distinct"),
    ("a name that is no folder", _at("tasks.Fault-2", {"kind": "binary", "source": "sensors", "input_len": 48}),
     "tasks.Fault-2", "Fault-2", "small letters, digits and _"),
    ("pretrained from nothing", _at("baseline.starts", [{"init": "pretrained"}]), "baseline.starts.0.init",
     "found 'pretrained'", "random while pretrain.objective is `none`"),
    ("no baseline from that start", _at(f"{METHODS}.joint.freeze", "encoder"), f"{METHODS}.joint",
     "no single-task baseline", "baseline.starts"),
    ("pretraining without a window", _at("pretrain.objective", {"kind": "diffusion"}), "pretrain.input_len",
     "missing", "series"),
    ("unknown task of a method", _at(f"{METHODS}.joint.tasks", ["next_6h", "falt"]), f"{METHODS}.joint.tasks",
     "'falt'", "fault"),
    ("a forecast's criterion without one",
     _all(_labels_only, _at(METHODS, {"uncertainty": {"kind": "uncertainty"}}),
          _at("train.stopping.criterion", "forecast")), "train.stopping.criterion", "'forecast'", "combined"),
    ("a method named as the single-task models", _at(METHODS, {"stl": {"kind": "equal"}}), f"{METHODS}.stl",
     "found 'stl'", "another name"),
    ("a method named as the simple models", _at(METHODS, {"simple": {"kind": "equal"}}), f"{METHODS}.simple",
     "found 'simple'", "another name"),
    ("groups of no method", _at("cluster.source", "jiont"), "cluster.source", "'jiont'", "one of joint"),
    ("groups of a method without maps", _at("cluster.source", "joint"), "cluster.source", "'joint'", "a `datamap`"),
    ("more clusters than tasks", _all(_at("cluster.source", "joint"), _at("cluster.clusters", 6)), "cluster.clusters",
     "found 6", "at most the 5 tasks of joint"),
    ("a map of one epoch", _all(_maps("joint"), _at("cluster.source", "joint"), _at("train.epochs", 1)), "train.epochs",
     "found 1", "at least 2"),
    ("an epoch that is not kept", _all(_maps("joint", [2]), _at("cluster", {"source": "joint", "relation": {
        "kind": "map", "epochs": [2, 3]}})), "cluster.relation.epochs", "found 3", "keeps (2, 8)"),
    ("a snapshot after the end", _maps("joint", [9]), f"{METHODS}.joint.datamap.snapshots", "found 9",
     "train.epochs (8)"),
    ("snapshots that fall", _maps("joint", [3, 2]), f"{METHODS}.joint.datamap", "[3, 2]", "ascend"),
    ("maps of two phases", _all(_at(f"{METHODS}.joint", {"kind": "sequential", "first": "labels"}), _maps("joint")),
     f"{METHODS}.joint.datamap", "several phases", "null"),
    ("cosines that nobody measures", _all(_at("cluster", {"source": "joint", "relation": {"kind": "gradient_cosine"}}),
     _at("train.gradient_probes", 0)), "train.gradient_probes", "at least 1", "gradient_cosine"),
    ("lookahead that nobody measures", _at("cluster", {"source": "joint", "relation": {"kind": "lookahead"}}),
     "cluster.source", "'joint'", "a method with `lookahead`"),
    ("lookahead of two phases", _at(f"{METHODS}.joint", {"kind": "sequential", "first": "labels", "lookahead": {}}),
     f"{METHODS}.joint.lookahead", "several phases", "null"),
    ("a selection by maps", _all(_maps("joint"), _at("cluster", {"source": "joint", "clusters": 2, "algorithm": {
        "kind": "network_selection"}})), "cluster.relation.kind", "'map'", "lookahead or gradient_cosine"),
    ("a selection of any number", _at("cluster", {"source": "joint", "relation": {"kind": "gradient_cosine"},
     "algorithm": {"kind": "network_selection"}}), "cluster.clusters", "'auto'", "a number"),
    ("models without groups", _at("specialise.weights", "raw"), "cluster.source", "found null", "a method"),
    ("m of 1", _at("cluster.algorithm", {"kind": "fuzzy", "m": 1.0}), "cluster.algorithm.m", "found 1.0",
     "greater than 1"),
    ("a key of another encoder", _all(_at("encoder", dict(LINEAR)), _at("encoder.patch_len", 8)), "encoder.patch_len",
     "not a known key", "width"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "path", "found", "allowed"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_value_is_named(change: Callable[[Raw], None], path: str, found: str, allowed: str) -> None:
    raw = copy.deepcopy(DEFAULTS)
    change(raw)
    with pytest.raises(ConfigError) as caught:
        parse_config(raw)
    message = str(caught.value)
    assert message.startswith("params.yaml: `"), message
    assert f"`{path}" in message, message
    assert found in message and allowed in message, message
    assert "\n" not in message and "pydantic" not in message, message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("base: [1, 2", "not valid YAML"),
        ("- a\n- b\n", "should hold sections (key: value), found list"),
        ("", "should hold sections (key: value), found NoneType"),
    ],
)
def test_a_file_that_is_no_params_file_is_named(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(path) in str(caught.value) and part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"params\.yaml is missing; run this from the project's folder"):
        load_config(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_bytes(b"base: \xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "params.yaml")


def test_a_user_error_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, exit_on_user_error():
        raise UserError("`horizon` should be positive, found 0.")
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: `horizon` should be positive, found 0.\n"


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), exit_on_user_error():
        raise ZeroDivisionError


def test_a_config_cannot_be_changed() -> None:
    config = parse_config(copy.deepcopy(DEFAULTS))
    with pytest.raises(ValueError, match="frozen"):
        config.train.epochs = 3  # type: ignore[misc]


def test_the_default_file_shows_every_knob_with_its_value() -> None:
    """Keys that the file leaves out would be knobs nobody finds; `tasks` and the like may leave defaults out."""
    config = parse_config(copy.deepcopy(FILE))
    resolved = config.model_dump(mode="json", by_alias=True)
    for name in ("calibration", "costs", "importance"):  # left out while they are the default
        resolved["evaluate"][name] = getattr(config.evaluate, name)
    for section in ("base", "encoder", "train", "pretrain", "cluster", "specialise", "evaluate", "tracking", "tune"):
        assert resolved[section] == FILE[section], section
    assert set(FILE) == set(Config.model_fields)
    for name, source in resolved["prepare"]["sources"].items():
        assert source == FILE["prepare"]["sources"][name]


def test_linear_encoder_and_one_kind_of_task_are_fine_together() -> None:
    raw = copy.deepcopy(DEFAULTS)
    _labels_only(raw)
    raw["encoder"] = dict(LINEAR)
    raw["finetune"]["methods"] = {"all": {"kind": "uncertainty"}}
    config = parse_config(raw)
    assert config.method_tasks("all") == ["fault", "load_state", "coin"]


@pytest.mark.parametrize(
    ("version", "message"), [(2, "of a newer mtl, so upgrade"), (0, "found 0"), ("1", "found '1'")]
)
def test_a_version_that_is_not_known_is_refused(version: object, message: str) -> None:
    raw = copy.deepcopy(DEFAULTS)
    with pytest.raises(ConfigError, match=message):
        parse_config(raw | {"version": version})


def test_a_file_without_a_version_has_the_first() -> None:
    raw = copy.deepcopy(DEFAULTS)
    assert parse_config(raw | {"version": 1}) == parse_config(raw)


def test_a_setting_of_two_forms_is_named_without_the_names_of_our_checks() -> None:
    source = {"kind": "series", "path": "data/raw/x.csv", "borders": [100, 200, 300]}
    with pytest.raises(ConfigError, match=r"`prepare\.sources\.x\.borders` should be .*found \[100, 200, 300\]"):
        parse_config({"prepare": {"sources": {"x": source}}})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("Wärme", {}, r"`prepare\.sources\.Wärme` should be a name of small letters, digits and _, .* found 'Wärme'"),
        (
            "x",
            {"separator": "¦"},
            r"`prepare\.sources\.x\.separator` should be 1 to 8 ASCII .* whitespace, found '¦'",
        ),
        ("x", {"comment": "//"}, r"`prepare\.sources\.x\.comment` should be one ASCII character .* found '//'"),
    ],
)
def test_forms_of_texts_are_told_in_words(key: str, value: dict[str, str], message: str) -> None:
    raw = {"prepare": {"sources": {key: {"kind": "series", "path": "data/raw/x.csv"} | value}}}
    with pytest.raises(ConfigError, match=message):
        parse_config(raw)
