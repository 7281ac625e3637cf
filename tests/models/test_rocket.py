"""Fixed random kernels below a trained network: their pools by hand, what reaches the features, planted frequencies."""

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from mtl.config import RocketEncoder
from mtl.config.sharing import BranchedSharing, CrossStitchSharing, HardSharing, SeparateSharing, Sharing
from mtl.errors import UserError
from mtl.models.build import build_model
from mtl.models.rocket import RAMP, Rocket, pool
from tests.models.cases import CHANNELS, LENGTH, task

SHARINGS: list[Sharing] = [
    HardSharing(),
    SeparateSharing(kind="separate"),
    CrossStitchSharing(kind="cross_stitch"),
    BranchedSharing(kind="branched", groups=[["ahead"], ["label"]], shared_stages=1),
]


def config(**changes: object) -> RocketEncoder:
    return RocketEncoder.model_validate({"kind": "rocket", "kernels": 4, "dilations": [1, 2], "width": 16} | changes)


def test_pools_of_responses_worked_out_by_hand() -> None:
    responses = torch.tensor([[[3.0, -1.0, 1.0, -2.0]], [[-1.0, -1.0, -1.0, -5.0]]])
    share, top, least, positive, last = pool(responses).unbind(dim=1)
    assert share.tolist() == pytest.approx([0.0, -(3**0.5)])  # half of the values, and none, as (share - 1/2)·√12
    assert top.tolist() == [3.0, -1.0]
    assert least.tolist() == [-2.0, -5.0]
    assert positive.tolist() == [4.0, 0.0]  # four times the mean of 3, 0, 1, 0
    assert last.tolist() == [-2.0, -5.0]


def test_a_rounding_error_moves_a_share_by_a_rounding_error() -> None:
    responses = torch.zeros(1, 1, 10)
    moved = pool(responses + 1e-6)[0, 0] - pool(responses)[0, 0]
    assert moved.item() == pytest.approx(1e-6 / RAMP * 12**0.5, rel=0.1)


def test_kernels_have_mean_0_and_norm_1_and_no_step_moves_them() -> None:
    encoder = Rocket(config())
    torch.testing.assert_close(encoder.weights.mean(dim=-1), torch.zeros(2, 4, 1), rtol=0, atol=1e-6)
    torch.testing.assert_close(encoder.weights.norm(dim=-1), torch.ones(2, 4, 1))
    assert encoder.biases.abs().max() <= 1 / 3
    assert {"weights", "biases"}.isdisjoint(name for name, _ in encoder.named_parameters())
    assert {"weights", "biases"} <= encoder.transferable().keys()


def test_responses_are_those_of_the_formula() -> None:
    encoder = Rocket(config(kernel_len=3, kernels=1, dilations=[2]))
    x = torch.randn(1, 1, LENGTH)
    padded = F.pad(x[0, 0], (2, 2))
    kernel, bias = encoder.weights[0, 0, 0], encoder.biases[0, 0]
    expected = torch.stack([padded[t : t + 5 : 2] @ kernel + bias for t in range(LENGTH)])
    found, _ = encoder.begin(x)
    torch.testing.assert_close(found[0], pool(expected[None, None]), rtol=1e-5, atol=1e-5)


def test_levels_reach_the_features_and_other_channels_do_not() -> None:
    encoder = Rocket(config()).eval()
    x = torch.randn(2, CHANNELS, LENGTH)
    moved = x.clone()
    moved[:, 1] += 1
    change = (encoder(moved).tokens - encoder(x).tokens).abs().amax(dim=(0, 2, 3))
    assert change[1] > 1e-2
    assert change[[0, 2]].max() < 1e-5


def test_noise_moves_the_level_of_each_channel_in_training_alone() -> None:
    encoder = Rocket(config(kernel_len=3, dilations=[1], level_noise=2.0))
    x = torch.zeros(500, CHANNELS, LENGTH)
    encoder.biases.zero_()
    encoder.weights.zero_()
    encoder.weights[..., 1] = 1.0  # responses are the window itself
    plain = pool(x.flatten(0, 1)[:, None].expand(-1, 4, -1)).unflatten(0, (500, CHANNELS))
    with_noise, window = encoder.begin(x)
    last = with_noise[..., -1]
    assert last.std().item() == pytest.approx(2.0, rel=0.1)
    assert torch.corrcoef(last.T).fill_diagonal_(0).abs().max() < 0.2, "each channel has a shift of its own"
    assert window.mean is not None and window.mean.abs().max() == 0, "a forecast keeps the level of its window"
    torch.testing.assert_close(encoder.eval().begin(x)[0], plain)


@pytest.mark.parametrize("sharing", SHARINGS, ids=lambda sharing: sharing.kind)
def test_windows_of_one_source_are_normalised_and_those_of_another_keep_their_level(sharing: Sharing) -> None:
    tasks = [task(name="ahead", source="drifts"), task("classification", "label", source="levels")]
    model = build_model(config(normalise={"drifts": "instance"}), tasks, 0, sharing).eval()
    x = torch.randn(4, CHANNELS, LENGTH)
    with torch.no_grad():
        ahead, label = (model(x, [name])[name] for name in ("ahead", "label"))
        moved_ahead, moved_label = (model(5 + 3 * x, [name])[name] for name in ("ahead", "label"))
        torch.testing.assert_close(moved_ahead, 5 + 3 * ahead, rtol=1e-3, atol=1e-3)
        assert (moved_label - label).abs().max() > 1e-2
        raw = build_model(config(), tasks, 0, sharing).eval()
        assert torch.equal(raw(x, ["label"])["label"], label)


def test_heads_get_the_statistics_of_the_window_that_kernels_see_normalised() -> None:
    labels = [task("classification", "label", source="source")]
    model = build_model(config(normalise="instance"), labels, 0).eval()
    x = torch.randn(8, CHANNELS, LENGTH)
    with torch.no_grad():
        change = model(2 + x, ["label"])["label"] - model(x, ["label"])["label"]
    assert change.abs().max() > 1e-3, "the amplitude branch reads the level"


@pytest.mark.parametrize("view", ["window", {"etth1": "mean"}, ["etth1"]])
def test_a_view_that_does_not_exist_is_refused(view: object) -> None:
    with pytest.raises(ValidationError, match=r"should be none or instance, or one of them for each of some sources"):
        config(normalise=view)


def test_tasks_of_different_channels_and_lengths_share_all_that_is_trained() -> None:
    long = task("classification", name="long", shape=(5, 3 * LENGTH), columns=[f"c{i}" for i in range(5)])
    model = build_model(config(), [task(), long], seed=0)
    assert model(torch.randn(2, CHANNELS, LENGTH), ["task"])["task"].shape == (2, 2, 4)
    assert model(torch.randn(2, 5, 3 * LENGTH), ["long"])["long"].shape == (2, 3)
    alone = build_model(config(), [long], seed=0).parameter_counts()
    assert model.parameter_counts()["shared"] == alone["shared"]


def test_saved_tensors_hold_the_kernels() -> None:
    one, other = (build_model(config(), [task("classification")], seed=seed).eval() for seed in (0, 1))
    x = torch.randn(4, CHANNELS, LENGTH)
    assert not torch.allclose(one(x, ["task"])["task"], other(x, ["task"])["task"], atol=1e-3)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(x, ["task"])["task"], other(x, ["task"])["task"])


def waves(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Windows and their class: channel 1 has a period of 4, 6 or 9 rows, at any phase, and the others are noise."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(3, (n,), generator=generator)
    period = torch.tensor([4.0, 6.0, 9.0])[label]
    phase = 2 * torch.pi * torch.rand(n, 1, generator=generator)
    x = torch.randn(n, CHANNELS, LENGTH, generator=generator)
    x[:, 1] = 0.3 * x[:, 1] + torch.sin(2 * torch.pi * torch.arange(LENGTH) / period[:, None] + phase)
    return x, label


def test_planted_frequencies_are_told_apart_on_new_windows() -> None:
    model = build_model(config(kernels=8), [task("classification")], seed=0)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    x, label = waves(384, seed=1)
    for _ in range(4):
        for batch in torch.arange(len(x)).split(32):
            optimiser.zero_grad()
            F.cross_entropy(model(x[batch], ["task"])["task"], label[batch]).backward()
            optimiser.step()
    x, label = waves(400, seed=2)
    with torch.no_grad():
        right = model.eval()(x, ["task"])["task"].argmax(dim=1) == label
    assert right.float().mean() > 0.97


def test_windows_shorter_than_a_kernel_are_refused() -> None:
    with pytest.raises(UserError, match=r"`encoder.dilations` should be at most 3 .*reach over 41, found \[1, 5\]"):
        build_model(config(dilations=[1, 5]), [task()], seed=0)
    with pytest.raises(ValidationError, match="should be odd, so that a kernel has a middle, found 8"):
        config(kernel_len=8)


def test_a_wider_one_reads_as_many_kernels() -> None:
    wide = Rocket(config().widened(2.0))
    assert (wide.width, wide.stage_widths, wide.biases.shape) == (32, (32, 32), (2, 4))
