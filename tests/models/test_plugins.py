"""A user's own encoder: found under plugins/, called, checked when loaded, errors that say what is wrong."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mtl.config import DenoiseObjective, PythonEncoder
from mtl.config.inputs import IMAGES, ROWS, WINDOWS, InputKind, Sample
from mtl.config.sharing import CrossStitchSharing
from mtl.errors import UserError
from mtl.models.base import Encoder
from mtl.models.build import build_model, build_pretrainer
from mtl.models.contract import missed_points
from mtl.models.heads import FlatForecastHead, JointForecastHead, LinearHead, PooledClassifier
from mtl.models.multitask import MultiTaskModel
from mtl.models.plugins import build_network
from tests.helpers.specs import Kind
from tests.models.cases import CHANNELS, LENGTH, PLUGIN, task, write_plugin

PLAIN = '''
"""A network without a base class of ours."""
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, sizes, width=6):
        super().__init__()
        numbers = [nn.LazyLinear(sizes[0]), *(nn.Linear(a, b) for a, b in zip(sizes, [*sizes[1:], width]))]
        self.layers = nn.ModuleList(numbers)

    def forward(self, x):
        x = x.flatten(1)
        for layer in self.layers:
            x = layer(x).tanh()
        return x


def make(sizes, width=6):
    return Net(sizes, width)


def without_statistics(width):
    from mtl.models.base import Encoder, Features

    class Whole(Encoder):
        def __init__(self):
            super().__init__()
            self.width, self.dropout = width, 0.0
            self.linear = nn.Linear(1, width)

        def count_tokens(self, input_len):
            return input_len

        def forward(self, x, dropout=None):
            if x.ndim == 4:
                return Features(self.linear(x.mean(dim=(1, 2, 3))[:, None])[:, None, None].sin())
            return Features(self.linear(x[..., None]).sin())

    return Whole()
'''


def build(target: str, **options: Any) -> Encoder:
    config = PythonEncoder(kind="python", target=target, dropout=0.25, options=options)
    return build_model(config, [task()], seed=0).trunk.encoders()[0]


def on(kind: InputKind, shape: tuple[int, ...], learns: Kind, target: str, **options: Any) -> MultiTaskModel:
    """A network of one task on samples of a shape, under default settings."""
    columns = [f"c{number}" for number in range(shape[0])]
    spec = task(learns, input=kind, shape=shape, columns=columns)
    return build_model(PythonEncoder(kind="python", target=target, options=options), [spec], seed=0)


class TestTarget:
    """Forms that a target may take, and the arguments that it is given."""

    def test_one_with_a_parameter_options_gets_them_as_one_mapping(self) -> None:
        encoder = build("mtl_test_pairs:Pairs", width=6)
        assert encoder.width == 6 and encoder.dropout == 0.25 and encoder.training

    @pytest.mark.parametrize("target", ["Net", "make"])
    def test_a_class_or_function_gets_options_by_name(self, project_folder: Path, target: str) -> None:
        write_plugin(project_folder, PLAIN, "mtl_test_plain")
        assert build(f"mtl_test_plain:{target}", sizes=[4, 5]).width == 6
        assert build(f"mtl_test_plain:{target}", sizes=[4], width=9).width == 9

    def test_options_are_the_users_own_to_change(self, project_folder: Path) -> None:
        write_plugin(project_folder, PLAIN.replace("numbers = [", "sizes.append(3); numbers = ["), "mtl_test_changes")
        config = PythonEncoder(kind="python", target="mtl_test_changes:Net", options={"sizes": [4]})
        before = copy.deepcopy(config.options)
        build_model(config, [task()], seed=0)
        assert config.options == before

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            (
                "mtl_test_absent:Pairs",
                "there is no file plugins/mtl_test_absent.py; plugins/ holds the modules mtl_test_p",
            ),
            ("mtl_test_pairs:Absent", "plugins/mtl_test_pairs.py has no function or class `Absent`; it defines Pairs"),
            ("json:loads", "`json` is a module outside plugins/; give yours another name"),
            ("mtl_test_pairs:Pairs", r"failed: KeyError: 'width' \(line 12 of mtl_test_pairs.py\)"),
        ],
    )
    def test_that_cannot_be_used(self, target: str, message: str) -> None:
        with pytest.raises(UserError, match=rf"^params.yaml: `encoder.target` {target}.*{message}"):
            build(target)

    def test_every_argument_that_does_not_fit_is_told(self, project_folder: Path) -> None:
        write_plugin(project_folder, PLAIN, "mtl_test_plain")
        message = r"takes \(sizes, width=6\): `size` is no parameter of it, its parameter `sizes` is given no value"
        with pytest.raises(UserError, match=message):
            build("mtl_test_plain:Net", size=[4])


class TestPlainNetwork:
    """From a batch to [B, D], on every kind of sample."""

    @pytest.fixture(autouse=True)
    def plugin(self, project_folder: Path) -> None:
        write_plugin(project_folder, PLAIN, "mtl_test_plain")

    @pytest.mark.parametrize("shape", [(1, 6, 5), (3, 6, 5)], ids=["grey", "rgb"])
    def test_images_under_default_settings(self, shape: tuple[int, ...]) -> None:
        model = on(IMAGES, shape, "classification", "mtl_test_plain:Net", sizes=[4])
        assert isinstance(model.heads["task"], LinearHead)
        assert model(torch.randn(5, *shape), ["task"])["task"].shape == (5, 3)

    def test_rows(self) -> None:
        model = on(ROWS, (7,), "regression", "mtl_test_plain:Net", sizes=[4])
        assert model(torch.randn(5, 7), ["task"])["task"].shape == (5,)

    @pytest.mark.parametrize("learns", ["forecast", "classification", "binary"])
    def test_windows(self, learns: Kind) -> None:
        config = PythonEncoder(kind="python", target="mtl_test_plain:Net", options={"sizes": [4]})
        model = build_model(config, [task(learns)], seed=0)
        predicted = model(torch.randn(5, CHANNELS, LENGTH), ["task"])["task"]
        assert predicted.shape == {"forecast": (5, 2, 4), "classification": (5, 3), "binary": (5,)}[learns]
        head = model.heads["task"]
        assert isinstance(head, JointForecastHead if learns == "forecast" else PooledClassifier)

    def test_forecasts_follow_shift_and_scale_and_labels_see_them(self) -> None:
        """Windows are normalised: the network sees neither, and the heads get both back."""
        config = PythonEncoder(kind="python", target="mtl_test_plain:Net", options={"sizes": [4]})
        x = torch.randn(4, CHANNELS, LENGTH)
        forecast = build_model(config, [task()], seed=0).eval()
        label = build_model(config, [task("classification")], seed=0).eval()
        with torch.no_grad():
            plain, moved = (forecast(v, ["task"])["task"] for v in (x, 5 + 3 * x))
            near, far = (label(v, ["task"])["task"] for v in (x, 5 + 3 * x))
        torch.testing.assert_close(moved, 5 + 3 * plain, rtol=1e-3, atol=1e-3)
        assert not torch.allclose(near, far, atol=1e-2)

    def test_a_joint_forecast_learns_a_channel_from_another(self) -> None:
        """Every target reads the features of all channels: what the next row is stands in another channel."""
        config = PythonEncoder(kind="python", target="mtl_test_plain:Net", options={"sizes": [32], "width": 32})
        model = build_model(config, [task(targets=[2], horizon=1)], seed=0)
        optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
        x = torch.randn(256, CHANNELS, LENGTH)
        wanted = x[:, 0, -1:].unsqueeze(1)
        for _ in range(150):
            optimiser.zero_grad()
            loss = (model(x, ["task"])["task"] - wanted).square().mean()
            loss.backward()
            optimiser.step()
        assert float(loss.detach()) < 0.2

    def test_stages_and_pretraining_are_refused_in_words(self) -> None:
        config = PythonEncoder(kind="python", target="mtl_test_plain:Net", options={"sizes": [4]})
        with pytest.raises(UserError, match=r"cross_stitch needs an encoder with stages .* found PlainEncoder"):
            build_model(config, [task(), task(name="b")], 0, CrossStitchSharing(kind="cross_stitch"))
        with pytest.raises(UserError, match=r"pretrain\.objective\.kind` should be none for a plain network"):
            build_pretrainer(config, DenoiseObjective(kind="denoise"), [LENGTH], 0)

    @pytest.mark.parametrize(
        ("old", "new", "messages"),
        [
            ("return x\n", "return x.sum()\n", [r"should return float numbers \[B, D\].*found Tensor \[\]"]),
            ("return x\n", "return x.unsqueeze(1)\n", [r"\[B, D\] for tasks.task, .* found Tensor \[3, 1, 6\]"]),
            ("return x\n", "return (x,)\n", ["found tuple"]),
            ("return x\n", "return x[:1]\n", [r"found Tensor \[1, 6\]"]),
            ("x = x.flatten(1)", "x = x.flatten(2)[:, :, :9].mean(1)", []),
            (
                "x = x.flatten(1)", "x *= 2; x = x.flatten(1) + torch.randn(1)",
                ["2 points", r"\(1\) it should give the same features for the same batch"],
            ),
            ("return x\n", "return x - x.mean(0)\n", ["the same features for a sample alone and in a batch"]),
            ("return x\n", "return x.detach()\n", ["should carry gradients"]),
            ("return x\n", "return x / 0\n", ["Features.tokens should be finite"]),
            ("x = x.flatten(1)", "x = x.view(7, -1)", [r"failed for tasks.task, a batch \[3, 3, 32\] \(RuntimeError"]),
        ],
    )  # fmt: skip
    def test_what_breaks_the_contract(self, project_folder: Path, old: str, new: str, messages: list[str]) -> None:
        name = f"mtl_test_bad{abs(hash((old, new)))}"
        write_plugin(project_folder, PLAIN.replace(old, new), name)
        if not messages:
            assert build(f"{name}:Net", sizes=[4]).width == 6
            return
        with pytest.raises(UserError) as caught:
            build(f"{name}:Net", sizes=[4])
        for message in messages:
            assert caught.match(message)

    def test_a_window_of_one_row_is_nothing_but_zeros(self) -> None:
        config = PythonEncoder(kind="python", target="mtl_test_plain:Net", options={"sizes": [4]})
        with pytest.raises(UserError, match=r"`tasks\.task\.input_len` should be at least 2 rows.*found 1"):
            build_model(config, [task(shape=(CHANNELS, 1))], 0)

    def test_is_tried_where_no_gradients_are_wanted(self) -> None:
        with torch.no_grad():
            assert build("mtl_test_plain:Net", sizes=[4]).width == 6

    def test_a_width_that_is_not_the_networks(self) -> None:
        message = r"one width D, found 7 \(`encoder.width`\) and 6 \(for tasks.task, a batch \[3, 3, 32\]\)"
        config = PythonEncoder(kind="python", target="mtl_test_plain:Net", width=7, options={"sizes": [4], "width": 6})
        with pytest.raises(UserError, match=message):
            build_model(config, [task()], seed=0)


class TestWholeEncoder:
    """One that keeps the whole contract, or does not."""

    @pytest.mark.parametrize("shape", [(1, 6, 5), (3, 6, 5)], ids=["grey", "rgb"])
    def test_images_under_default_settings(self, project_folder: Path, shape: tuple[int, ...]) -> None:
        write_plugin(project_folder, PLAIN, "mtl_test_plain")
        model = on(IMAGES, shape, "binary", "mtl_test_plain:without_statistics", width=4)
        assert model(torch.randn(5, *shape), ["task"])["task"].shape == (5,)

    def test_windows_without_statistics_have_no_amplitude_branch(self, project_folder: Path) -> None:
        write_plugin(project_folder, PLAIN, "mtl_test_plain")
        config = PythonEncoder(kind="python", target="mtl_test_plain:without_statistics", options={"width": 4})
        model = build_model(config, [task(), task("classification", name="label")], seed=0).eval()
        label, forecast = model.heads["label"], model.heads["task"]
        assert isinstance(label, PooledClassifier) and label.amplitude is None
        assert isinstance(forecast, FlatForecastHead)
        x = torch.randn(2, CHANNELS, LENGTH)
        found = model(x, ["task", "label"])
        tokens = model.trunk.encoders()[0](x).tokens
        wanted: Tensor = forecast.linear(tokens[:, [0, 2]].flatten(-2))
        torch.testing.assert_close(found["task"], wanted)  # in the units of the input: nothing was taken away
        assert found["label"].shape == (2, 3)

    def test_pretraining_needs_statistics(self, project_folder: Path) -> None:
        write_plugin(project_folder, PLAIN, "mtl_test_plain")
        config = PythonEncoder(kind="python", target="mtl_test_plain:without_statistics", options={"width": 4})
        with pytest.raises(UserError, match="should be none for an encoder whose features join the channels, or hold"):
            build_pretrainer(config, DenoiseObjective(kind="denoise"), [LENGTH], 0)

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("import torch", "import no_such_library", "cannot be imported.*no_such_library"),
            (
                "class Pairs(Encoder)",
                "def Pairs(width):\n    return 3\nclass Other(Encoder)",
                "should return.*found int",
            ),
            (
                "return input_len // 2",
                "return 5",
                r"Features.tokens should have the shape \(3, 3, 5, 8\) or \(3, 1, 5, 8\).*found \(3, 3, 16, 8\)",
            ),
            ("    def count_tokens", "    def count", "failed: TypeError.*abstract"),
            (
                'options["width"], dropout',
                "8.0, dropout\n        return",
                "attribute `width` should be of type int, found 8.0",
            ),
            ("nn.Linear(2,", "nn.Linear(3,", r"failed for tasks.task, a batch \[3, 3, 32\] \(RuntimeError"),
            ("Features(tokens, mean", "Features(tokens / 0, mean", "Features.tokens should be finite"),
            ("mean, std)\n", "mean, -std)\n", "Features.std should be positive"),
            ("mean, std)\n", "mean, None)\n", r"Features.std should have the shape \(3, 3\), or both be None"),
            ("return Features(tokens, mean, std)", "return tokens", "should return Features, found Tensor"),
            ("(x)\n", "(x)\n        x.zero_()\n", "should leave the batch that it is given as it was"),
        ],
    )
    def test_broken_contract(self, project_folder: Path, old: str, new: str, message: str) -> None:
        assert old in PLUGIN
        write_plugin(project_folder, PLUGIN.replace(old, new), "mtl_test_broken")
        with pytest.raises(UserError, match=message):
            build("mtl_test_broken:Pairs", width=8)

    def test_windows_of_one_row_should_differ(self, project_folder: Path) -> None:
        write_plugin(project_folder, PLUGIN.replace("Linear(2", "Linear(1").replace("(-1, 2)", "(-1, 1)").replace(
            "input_len // 2", "input_len"), "mtl_test_single")  # fmt: skip
        config = PythonEncoder(kind="python", target="mtl_test_single:Pairs", options={"width": 8})
        build_model(config, [task()], 0)
        with pytest.raises(UserError, match="its features of windows of one row should differ, found the same for all"):
            build_model(config, [task(shape=(CHANNELS, 1))], 0)

    def test_all_points_are_told_at_once(self, project_folder: Path) -> None:
        text = PLUGIN.replace('options["width"], dropout', 'options["width"], "much"')
        text = text.replace("return input_len // 2", "return 5").replace("mean, std)\n", "mean, -std)\n")
        write_plugin(project_folder, text, "mtl_test_worse")
        with pytest.raises(UserError) as caught:
            build("mtl_test_worse:Pairs", width=8)
        for point in ("3 points", r"\(1\) its attribute `dropout`", r"\(2\) Features.tokens", r"\(3\) Features.std"):
            assert caught.match(point), str(caught.value)

    def test_an_encoder_that_cannot_be_copied_is_told_its_other_points_and_keeps_its_numbers(
        self, project_folder: Path
    ) -> None:
        text = PLUGIN.replace("        self.linear", "        self.lock = threading.Lock()\n        self.linear")
        text = text.replace("import torch\n", "import threading\nimport torch\n", 1)
        text = text.replace(
            "        return Features",
            "        tokens = tokens + 0 * self.linear.bias.abs().sqrt()\n        return Features",
        )
        write_plugin(project_folder, text, "mtl_test_locked")
        config = PythonEncoder(kind="python", target="mtl_test_locked:Pairs", options={"width": 8})
        network = build_network(config)
        assert isinstance(network, Encoder)
        with torch.no_grad():
            network.get_submodule("linear").get_parameter("bias").zero_()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        points = missed_points(network, [Sample("tasks.task", WINDOWS, (CHANNELS, LENGTH))])
        assert len(points) == 2
        assert points[0].startswith("it cannot be copied (copy.deepcopy) (TypeError: cannot pickle")
        assert points[1].startswith("its gradients should be finite, found NaN")
        assert all(weight.grad is None for weight in network.parameters())
        assert network.training and all(
            torch.equal(value, before[name]) for name, value in network.state_dict().items()
        )
