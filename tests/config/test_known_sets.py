"""Mistakes that show without the data are reported by `mtl validate`, in the words in which a stage would do it."""

import copy
import pickle
from typing import Any

import pytest

from mtl.config import parse_config
from mtl.config.images import BuiltIn
from mtl.config.inputs import IMAGES
from mtl.data.build import read_source
from mtl.errors import UserError
from mtl.models.build import build_model
from mtl.tasks.binary import Binary
from mtl.tasks.forecast import Forecast
from mtl.types import ImageSet

Raw = dict[str, Any]


def own(kind: str, label: object, encoder: Raw | None = None, **section: Any) -> Raw:
    """A file with the source `own` and one task."""
    return {
        "prepare": {"sources": {"own": {"kind": kind} | section}},
        "tasks": {"t0": {"kind": "binary", "source": "own", "label": label}},
        "encoder": encoder or {"kind": "mlp"},
        "finetune": {"methods": {"all": {"kind": "equal"}}},
    }


def refusal(file: Raw) -> str:
    with pytest.raises(UserError) as caught:
        parse_config(copy.deepcopy(file))
    message = str(caught.value)
    assert "\n" not in message and message.startswith("params.yaml: `"), message
    return message.removeprefix("params.yaml: ")


def sensors(label: object, **section: Any) -> Raw:
    file = own("sensors", label, {"kind": "linear"}, **section)
    file["tasks"]["t0"]["input_len"] = 24
    return file


LABELS: list[tuple[Raw, str]] = [
    (
        sensors("falt"),
        "`tasks.t0.label` should be one of load_state, fault, coin, or a rule (even, one_vs_rest, …); found 'falt'.",
    ),
    (sensors("load_state"), "`tasks.t0.kind` binary needs a label with 2 classes; load_state has 4: load 1, load 2, "),
    (sensors("group2_3", groups={"tasks": 2}), "group1_1, group1_2, group2_1, group2_2, group3_1, group3_2, or a "),
    (
        sensors("fault", channels=2, groups={"count": 2})
        | {"tasks": {"t": {"kind": "forecast", "source": "own", "input_len": 24, "horizon": 1, "targets": ["flow"]}}},
        "`tasks.t.targets` should be among vibration, temperature, air_pressure, group1_vibration, group2_vibration, "
        "found 'flow'.",
    ),
    (sensors({"one_vs_rest": "load 5", "of": "load_state"}), "load 1, load 2, load 3, load 4; found 'load 5'."),
    (
        own("digits", {"one_vs_rest": "lion"}),
        "one_vs_rest` should be among the classes of `classes`: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; found 'lion'.",
    ),
    (own("mnist", {"any_of": ["1", "x"]}), "`tasks.t0.label.any_of` should be among the classes of `classes`: 0, 1, "),
    (own("mnist", {"any_of": [10]}, path="data/raw/fashion"), "found '10'."),
    (
        own("cifar10", {"one_vs_rest": "lion"}),
        "`tasks.t0.label.one_vs_rest` should be among the classes of `classes`: ai",
    ),
    (own("cifar100", {"one_vs_rest": "cat"}), "orange, orchid, otter, "),
    (
        own("cifar100", {"one_vs_rest": "lion", "of": "coarse"}),
        "should be among the classes of `coarse`: aquatic_mammals",
    ),
    (own("digits", {"any_of": list(range(10))}), "holds for all of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9."),
    (
        own("digits", {"multiple_of": 10}),
        "`tasks.t0.label` should hold for some classes of `classes` and not for others; "
        "multiple_of(10) holds for none of 0, 1, ",
    ),
    (
        own("cifar10", "even"),
        "`tasks.t0.label` should not be even, which needs classes that are whole numbers; a class of "
        "`classes` is 'airplane'.",
    ),
    (
        own("cifar10", {"one_vs_rest": "cat", "of": "coarse"}),
        "`tasks.t0.label.of` should be one of classes; found 'coarse'.",
    ),
    (
        own("cifar10", {"one_vs_rest": "cat", "of": "coarse"}, path="mine.tar.gz"),
        "should be one of classes; found 'coarse'.",
    ),
    (
        own("cifar10", "coarse", path="mine.tar.gz"),
        "should be one of classes, or a rule (even, one_vs_rest, …); found 'coarse'.",
    ),
    (own("mnist", "classes"), "`tasks.t0.kind` binary needs a label with 2 classes; classes has 10: 0, 1, "),
    (
        own("digits", {"flipped": 0}) | {"prepare": {"sources": {"own": {"kind": "har"}}}},
        "`tasks.t0.label.flipped` is for images; own holds none.",
    ),
    (
        own("digits", "even") | {"tasks": {"t": {"kind": "forecast", "source": "own", "horizon": 1}}},
        "`tasks.t.kind` should be regression, classification or binary: own holds images, found 'forecast'.",
    ),
    (
        own("digits", "even") | {"tasks": {"t": {"kind": "binary", "source": "own", "label": "even", "input_len": 8}}},
        "`tasks.t.input_len` is for windows, and own holds images: leave it out.",
    ),
]


@pytest.mark.parametrize(("file", "message"), LABELS)
def test_a_task_that_a_known_set_cannot_give(file: Raw, message: str) -> None:
    assert message in refusal(file)


PARTS: list[tuple[Raw, str]] = [
    (own("digits", "even", train_images=1438), "at most 1,437, the training images that there are, or null for all of"),
    (own("digits", "even", train_images=1300, test=0.3), "at most 1,257, "),
    (
        own("mnist", "even", train_images=60_001),
        "at most 60,000, the training images that there are, or null for all of them, found 60,001.",
    ),
    (own("cifar10", {"coin": 0}, train_images=50_001), "at most 50,000, "),
    (
        own("cifar100", {"coin": 0}, train_images=499),
        "at least 500, an image of each of the 100 classes in each of the 5 folds, found 499.",
    ),
    (
        own("cifar10", {"coin": 0}, train_images=30, path="mine.tar.gz"),
        "at least 50, an image of each of the 10 classes ",
    ),
]


@pytest.mark.parametrize(("file", "message"), PARTS)
def test_a_part_that_a_set_of_images_does_not_have(file: Raw, message: str) -> None:
    assert f"`prepare.sources.own.train_images` should be {message}" in refusal(file)


TIMEDART: Raw = {"kind": "timedart"}
TWO: Raw = {"prepare": {"sources": {"own": {"kind": "digits"}, "far": {"kind": "cifar10"}}}, "tasks": {
    "a": {"kind": "binary", "source": "own", "label": "even"},
    "b": {"kind": "binary", "source": "far", "label": {"coin": 1}},
}}  # fmt: skip
HAR: Raw = {"prepare": {"sources": {"own": {"kind": "har"}}}, "tasks": {
    "t0": {"kind": "classification", "source": "own", "label": "activity"}}}  # fmt: skip
SERIES: Raw = {"prepare": {"sources": {"own": {"kind": "series", "path": "x.csv"}}}, "tasks": {
    "t0": {"kind": "forecast", "source": "own", "input_len": 24, "horizon": 6}}}  # fmt: skip
HALLS: Raw = {"prepare": {"sources": {"one": {"kind": "sensors"}, "two": {"kind": "sensors", "channels": 8}}},
             "tasks": {
    "a": {"kind": "binary", "source": "one", "label": "fault", "input_len": 24},
    "b": {"kind": "binary", "source": "two", "label": "fault", "input_len": 24},
}}  # fmt: skip

ENCODERS: list[tuple[Raw, str]] = [
    (
        own("digits", "even", TIMEDART),
        "`encoder.kind` should be mlp, cnn, resnet, huggingface or python for tasks.t0 (images of 1 × 8 × 8: "
        "channels, rows, columns), found 'timedart'.",
    ),
    (own("mnist", "even", {"kind": "linear"}, path="elsewhere"), "for tasks.t0 (images of 1 channel), found 'linear'."),
    (
        own("digits", "even") | HAR,
        "should be timedart, linear, recurrent, rocket or python for tasks.t0 (windows), found 'mlp'.",
    ),
    (own("digits", "even", {"kind": "cnn"}) | SERIES, "for tasks.t0 (windows of 24 rows), found 'cnn'."),
    (
        own("digits", "even", TIMEDART | {"patch_len": 25}) | SERIES,
        "`encoder.patch_len` should be at most the window of tasks.t0 (24 rows), found 25.",
    ),
    (
        own("digits", "even", {"kind": "linear", "input_len": 48}) | SERIES,
        "`encoder.input_len` should be 24, the rows in a window of tasks.t0, or `encoder.resize` not error, found 48.",
    ),
    (
        own("digits", "even", {"kind": "linear", "input_len": 20, "resize": "left_pad"}) | SERIES,
        "input_len` should be at least 24, the rows in a window of tasks.t0, for `resize: left_pad`, found 20.",
    ),
    (
        own("digits", "even", {"kind": "rocket", "dilations": [1, 4]}) | SERIES,
        "`encoder.dilations` should be at most 2 for the windows of tasks.t0 (24 rows), since 9 values 4 rows apart "
        "reach over 33, found [1, 4].",
    ),
    (
        own("digits", "even", {"kind": "rocket", "kernel_len": 25, "dilations": [1]}) | SERIES,
        "`encoder.kernel_len` should be an odd number of at most 24 for the windows of tasks.t0",
    ),
    (
        own("digits", "even", {"kind": "rocket", "dilations": [1], "normalise": {"other": "instance"}}) | SERIES,
        "`encoder.normalise` should name sources among own, found 'other'.",
    ),
    (
        own("digits", "even", {"kind": "rocket", "dilations": [1], "normalise": "instance"})
        | SERIES
        | {"pretrain": {"objective": {"kind": "denoise"}, "input_len": 24}},
        "`pretrain.objective.kind` should be none for an encoder with `normalise`, since pretraining shows it windows "
        "as they are, found 'denoise'.",
    ),
    (
        own("digits", "even")
        | {"tasks": {"t0": {"kind": "classification", "source": "own", "label": "digit", "linear": {"kernels": 10}}}},
        "`tasks.t0.linear` is for windows and rows, and own holds images: leave it out.",
    ),
    (
        own("digits", "even", {"kind": "mlp", "in_channels": 3}),
        "`encoder.in_channels` should be 1 for tasks.t0 (images of "
        "1 × 8 × 8: channels, rows, columns), or null, found 3.",
    ),
    (
        own("mnist", "even", {"kind": "cnn", "in_channels": 3}, path="elsewhere"),
        "1 for tasks.t0 (images of 1 channel), or",
    ),
    (own("cifar10", {"coin": 0}, {"kind": "cnn", "in_channels": 1}), "`encoder.in_channels` should be 3 for tasks.t0 "),
    (
        own("digits", "even", {"kind": "cnn", "widths": [4, 8, 16, 32]}),
        "`encoder.widths` should be 3 at most for tasks.t0, "
        "since each halves images of 8 × 8 pixels, found 4: [4, 8, 16, 32].",
    ),
    (
        own("digits", "even") | TWO,
        "`encoder.kind` mlp takes images of one shape in a run, found images of 1 × 8 × 8: "
        "channels, rows, columns for tasks.a and images of 3 × 32 × 32: channels, rows, columns for tasks.b.",
    ),
    (
        own("digits", "even") | {"pretrain": {"objective": {"kind": "denoise"}}},
        "`pretrain.sources` should name sources of windows; own holds images.",
    ),
    (
        own("digits", "even", {"kind": "linear", "input_len": 24})
        | SERIES
        | {"pretrain": {"objective": {"kind": "diffusion"}, "input_len": 24}},
        "`pretrain.objective.kind` should be denoise for `encoder.kind: linear`, since diffusion is for timedart alone",
    ),
    (
        own("digits", "even", {"kind": "linear", "input_len": 24})
        | SERIES
        | {"pretrain": {"objective": {"kind": "denoise"}, "input_len": 30}},
        "`encoder.input_len` should be 30, the rows in a window of pretrain, ",
    ),
    (
        own("digits", "even", {"kind": "recurrent"}) | HALLS,
        "`encoder.kind` recurrent reads the channels of a window together, so that all tasks of a run should have as "
        "many of them, found 4 for tasks.a and 9 for tasks.b; timedart, linear and rocket read each",
    ),
    (
        own("digits", "even", {"kind": "recurrent"})
        | SERIES
        | {"pretrain": {"objective": {"kind": "denoise"}, "input_len": 24}},
        "`pretrain.objective.kind` should be none for `encoder.kind: recurrent`, which reads the channels of a window "
        "together: a pretraining gives each of them back, found 'denoise'.",
    ),
    (
        own("digits", "even")
        | {
            "finetune": {
                "methods": {
                    "all": {"kind": "equal", "sharing": {"kind": "branched", "groups": [["t0"]], "shared_stages": 3}}
                }
            }
        },
        "`finetune.methods.all.sharing.shared_stages` should be at most 2, the stages of the encoder, found 3.",
    ),
]


@pytest.mark.parametrize(("file", "message"), ENCODERS)
def test_an_encoder_that_cannot_take_the_samples(file: Raw, message: str) -> None:
    assert message in refusal(file)


FINE: list[Raw] = [
    own("cifar10", {"one_vs_rest": "lion"}, path="mine.tar.gz", train_images=10**6),
    own("mnist", "even", {"kind": "cnn", "widths": [4] * 6}, path="elsewhere", train_images=10**6),
    own("digits", "even", {"kind": "timedart"})
    | {"prepare": {"sources": {"own": {"kind": "python", "target": "mine:read"}}}},
    own("digits", "even", {"kind": "python", "target": "mine:Encoder"}),
    own("digits", "even", train_images=1437),
    own("digits", "even", {"kind": "cnn", "in_channels": 1, "widths": [4, 8, 16]}),
    own("digits", "even") | TWO | {"finetune": {"methods": {n: {"kind": "equal", "tasks": [n]} for n in ("a", "b")}}},
]


@pytest.mark.parametrize("file", FINE)
def test_what_only_the_data_tell_is_left_to_them(file: Raw) -> None:
    assert parse_config(copy.deepcopy(file)).finetune.methods


def test_a_task_that_nobody_trains_needs_no_fitting_encoder() -> None:
    file = own("digits", "even") | TWO | {"encoder": {"kind": "mlp", "in_channels": 1}, "baseline": {"tasks": ["a"]}}
    file["finetune"] = {"methods": {"all": {"kind": "equal", "tasks": ["a"]}}}
    assert parse_config(copy.deepcopy(file)).baseline_tasks == ["a"]
    file["finetune"]["methods"]["all"]["tasks"] = ["b"]
    assert "`encoder.in_channels` should be 3 for tasks.b" in refusal(file)


SPECS = {
    "images": Binary(name="t0", source="own", input=IMAGES, shape=(1, 8, 8), columns=["grey"], classes=["odd", "even"]),
    "windows": Forecast(name="t0", source="own", shape=(1, 24), columns=["a"], targets=[0], horizon=6),
}


@pytest.mark.parametrize(
    ("file", "spec"),
    [
        (own("digits", "even", {"kind": "timedart"}), "images"),
        (own("digits", "even", {"kind": "mlp", "in_channels": 3}), "images"),
        (own("digits", "even", {"kind": "cnn", "widths": [4, 8, 16, 32]}), "images"),
        (own("digits", "even", {"kind": "mlp"}) | SERIES, "windows"),
        (own("digits", "even", {"kind": "linear", "input_len": 48}) | SERIES, "windows"),
        (own("digits", "even", {"kind": "timedart", "patch_len": 25}) | SERIES, "windows"),
    ],
)
def test_a_stage_that_finds_it_with_the_data_says_the_same(file: Raw, spec: str) -> None:
    """As of a user's own source, of which params.yaml tells nothing."""
    said = refusal(file)
    own_source = {"prepare": {"sources": {"own": {"kind": "python", "target": "mine:read"}}}}
    config = parse_config(copy.deepcopy(file | own_source))
    with pytest.raises(UserError) as caught:
        build_model(config.encoder, [SPECS[spec]], 0)
    assert str(caught.value) == f"params.yaml: {said}"
    # Errors of training processes travel to their parent.
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("test", [0.05, 0.2, 0.33, 0.5])
def test_what_is_said_of_the_digits_holds(test: float) -> None:
    source = parse_config(own("digits", "even", test=test)).prepare.sources["own"]
    assert isinstance(source, BuiltIn)
    known, found = source.known, read_source("own", source)
    assert isinstance(found, ImageSet) and found.images.shape[1:] == known.shape
    assert known.names == {label: tuple(names) for label, names in found.classes.items()}
    assert known.train_size == int((found.fold >= 0).sum())


@pytest.mark.parametrize("encoder", [{"kind": "linear", "input_len": 1}, {"kind": "timedart", "patch_len": 1}])
def test_a_window_of_one_row_is_nothing_but_zeros_when_it_is_normalised(encoder: Raw) -> None:
    file = sensors("fault", max_horizon=1) | {"encoder": encoder}
    file["tasks"]["t0"]["input_len"] = 1
    told = refusal(file)
    assert told.startswith("`tasks.t0.input_len` should be at least 2 rows") and told.endswith("zeros, found 1.")
    file["tasks"]["t0"]["input_len"] = 24
    file["pretrain"] = {"objective": {"kind": "denoise", "noise_level": 0.1}, "input_len": 1}
    file["encoder"] |= {"resize": "left_pad", "input_len": 24} if encoder["kind"] == "linear" else {}
    assert refusal(file).startswith("`pretrain.input_len` should be at least 2 rows")
