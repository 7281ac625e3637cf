"""Every sharing architecture over every encoder with stages: shapes, whose gradient reaches what, memorising, counts.

A new form adds a row to `FORMS`; the counts of the published comparison are exact.
"""

from dataclasses import dataclass
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mtl.config import EncoderConfig, MlpEncoder
from mtl.config.inputs import IMAGES
from mtl.config.sharing import (
    BranchedSharing,
    CrossStitchSharing,
    HardSharing,
    SeparateSharing,
    Sharing,
    SoftSharing,
)
from mtl.errors import UserError
from mtl.models.build import build_model
from mtl.models.multitask import MultiTaskModel
from mtl.models.sharing import CrossStitchTrunk
from mtl.models.transfer import hand_over
from mtl.tasks.binary import Binary
from tests.models.cases import ENCODERS, inputs, task_for

NAMES = ("a", "b", "c")
STAGED = {name: encoder for name, encoder in ENCODERS.items() if name != "python"}
every_staged = pytest.mark.parametrize("encoder", STAGED.values(), ids=STAGED.keys())


@dataclass(frozen=True)
class Form:
    """A row: the form, and what the loss of task `a` alone reaches."""

    sharing: Sharing
    reached: tuple[str, ...]
    """Beginnings of the names of trunk parameters that get a gradient from task a."""
    untouched: tuple[str, ...] = ()
    published: int | None = None
    """Parameters for two tasks on MNIST with an MLP of 64 and 32."""


FORMS = {
    "hard": Form(HardSharing(), ("encoder.",), published=52_386),
    "separate": Form(SeparateSharing(kind="separate"), ("columns.0.",), ("columns.1.", "columns.2."), 104_706),
    "soft": Form(SoftSharing(kind="soft", penalty=0.1), ("columns.0.",), ("columns.1.", "columns.2."), 104_706),
    "cross_stitch scalar": Form(
        CrossStitchSharing(kind="cross_stitch", init="lean"), ("columns.0.", "columns.1.", "stitches."),
        published=104_714,
    ),
    "cross_stitch channel": Form(
        CrossStitchSharing(kind="cross_stitch", units="channel", init="lean"),
        ("columns.0.", "columns.1.", "stitches."),
    ),
    "branched": Form(
        BranchedSharing(kind="branched", groups=[["a", "b"], ["c"]], shared_stages=1), ("lower.", "branches.0."),
        ("branches.1.",),
    ),
}  # fmt: skip
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())


def build(encoder: EncoderConfig, sharing: Sharing, names: tuple[str, ...] = NAMES, seed: int = 0) -> MultiTaskModel:
    return build_model(encoder, [task_for(encoder, "binary", name) for name in names], seed, sharing)


def test_the_table_holds_every_form() -> None:
    assert {type(form.sharing) for form in FORMS.values()} == set(get_args(get_args(Sharing)[0]))


@every_staged
@every_form
def test_shapes_for_all_tasks_and_for_some_of_them(encoder: EncoderConfig, form: Form) -> None:
    model = build(encoder, form.sharing).eval()
    x = inputs(encoder, 5)
    with torch.no_grad():
        every, some = model(x, NAMES), model(x, ["c", "a"])
    assert every.stacks["binary"].values.shape == (5, 3) and every.stacks["binary"].tasks == NAMES
    assert some.stacks["binary"].tasks == ("c", "a")
    torch.testing.assert_close(some.stacks["binary"].values, every.stacks["binary"].values[:, [2, 0]])


@every_staged
@every_form
def test_the_loss_of_a_task_reaches_what_it_should_and_nothing_else(encoder: EncoderConfig, form: Form) -> None:
    model = build(encoder, form.sharing)
    model(inputs(encoder, 8), NAMES)["a"].square().sum().backward()
    gradients = {
        name: 0.0 if p.grad is None else float(p.grad.abs().max()) for name, p in model.trunk.named_parameters()
    }
    reached = {name for name, size in gradients.items() if size > 0}
    for prefix in form.reached:
        assert any(name.startswith(prefix) for name in reached), f"{prefix} gets nothing"
    for name in reached:
        assert not name.startswith(form.untouched or ("nothing",)), f"{name} is not task a's"
    for name, parameter in model.named_parameters():
        if name.startswith(("heads.b", "heads.c")):
            assert parameter.grad is None or parameter.grad.abs().sum() == 0, name
        if name.startswith("stacks.") and parameter.grad is not None:
            assert parameter.grad[0].abs().sum() > 0 and parameter.grad[1:].abs().sum() == 0, name


@pytest.mark.parametrize("name", ["mlp", pytest.param("linear", marks=pytest.mark.thorough)])
@every_form
def test_memorises_64_samples(name: str, form: Form) -> None:
    encoder = ENCODERS[name]
    model = build(encoder, form.sharing)
    x, target = inputs(encoder, 64), torch.randint(2, (64, 3)).float()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(50):
        optimiser.zero_grad()
        logits = model(x, NAMES).stacks["binary"].values
        assert logits is not None
        loss = F.binary_cross_entropy_with_logits(logits, target)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    # Once all is known, Adam divides its steps by next to nothing and may leave for a moment. At which step that is
    # depends on how a processor rounds.
    assert min(losses) < 0.1 * losses[0]


@every_staged
@every_form
def test_the_tasks_of_broken_heads(encoder: EncoderConfig, form: Form) -> None:
    """One loss whose slope is not finite spoils what tasks share, and no other task's head."""
    model = build(encoder, form.sharing)
    assert model.tasks_of_broken_heads() == []
    logits = model(inputs(encoder, 8), NAMES).stacks["binary"].values
    assert logits is not None
    one = logits[:, 1].sum()
    (logits.sum() + (one - one.detach()).sqrt()).backward()
    assert model.tasks_of_broken_heads() == ["b"]


@every_staged
@every_form
def test_all_tasks_reach_every_column_of_all(encoder: EncoderConfig, form: Form) -> None:
    model = build(encoder, form.sharing)
    columns = model.shared_columns()
    assert {id(p) for column in columns for p in column} <= {id(p) for p in model.shared_parameters()}
    if form.sharing.kind in ("separate", "soft"):
        return
    reached = dict.fromkeys(NAMES, 0.0)
    for name in NAMES:
        model.zero_grad(set_to_none=True)
        model(inputs(encoder, 8), NAMES)[name].square().sum().backward()
        reached[name] = sum(float(p.grad.abs().sum()) for column in columns for p in column if p.grad is not None)
    assert all(value > 0 for value in reached.values())


@every_staged
@every_form
def test_counts_add_up_and_gradients_of_shared_parameters_are_those_of_several_tasks(
    encoder: EncoderConfig, form: Form
) -> None:
    model = build(encoder, form.sharing)
    counts = model.parameter_counts()
    assert counts["total"] == counts["trunk"] + sum(counts["heads"].values()) == counts["trainable"]
    shared = {id(p) for p in model.shared_parameters()}
    assert counts["shared"] == sum(p.numel() for p in model.trunk.parameters() if id(p) in shared)
    reach: dict[int, int] = {}
    for name in NAMES:
        model.zero_grad(set_to_none=True)
        model(inputs(encoder, 8), NAMES)[name].square().sum().backward()
        for parameter in model.trunk.parameters():
            if parameter.grad is not None and parameter.grad.abs().max() > 0:
                reach[id(parameter)] = reach.get(id(parameter), 0) + 1
    assert all(count == 1 for key, count in reach.items() if key not in shared)
    assert all(reach.get(key, 0) != 1 for key in shared)


@pytest.mark.parametrize(("name", "form"), [(n, f) for n, f in FORMS.items() if f.published is not None])
def test_the_published_numbers_of_parameters(name: str, form: Form) -> None:
    del name
    tasks = [
        Binary(name=name, source="mnist", input=IMAGES, shape=(1, 28, 28), columns=["grey"], classes=["no", "yes"])
        for name in ("even", "multiple_of_3")
    ]
    encoder = MlpEncoder(kind="mlp", sizes=[64, 32])
    assert build_model(encoder, tasks, 0, form.sharing).parameter_counts()["total"] == form.published
    assert [build_model(encoder, [one], 0).parameter_counts()["total"] for one in tasks] == [52_353, 52_353]


@every_staged
@pytest.mark.parametrize("units", ["scalar", "channel"])
def test_at_step_0_identity_stitches_are_the_separate_networks_bit_for_bit(encoder: EncoderConfig, units: str) -> None:
    stitched = build(encoder, CrossStitchSharing.model_validate({"kind": "cross_stitch", "units": units}))
    separate = build(encoder, SeparateSharing(kind="separate"))
    x = inputs(encoder, 6)
    found: list[Tensor] = []
    for model in (stitched, separate):
        logits = model(x, NAMES).stacks["binary"].values
        assert logits is not None
        F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits)).backward()
        found.append(logits)
    assert torch.equal(found[0], found[1])
    assert isinstance(stitched.trunk, CrossStitchTrunk)
    theirs = dict(separate.trunk.named_parameters())
    for name, parameter in stitched.trunk.named_parameters():
        if name in theirs:
            assert parameter.grad is not None and theirs[name].grad is not None
            torch.testing.assert_close(parameter.grad, theirs[name].grad, rtol=1e-5, atol=1e-7)


@every_staged
def test_every_column_starts_as_the_single_task_network(encoder: EncoderConfig) -> None:
    alone = build(encoder, HardSharing(), ("b",), seed=3).eval()
    x = inputs(encoder, 4)
    for form in FORMS.values():
        if isinstance(form.sharing, CrossStitchSharing):
            continue  # leaning ones mix from the start
        joint = build(encoder, form.sharing, seed=3).eval()
        with torch.no_grad():
            torch.testing.assert_close(joint(x, NAMES)["b"], alone(x, ["b"])["b"], rtol=1e-5, atol=1e-6)


def test_soft_sharing_pulls_the_columns_together() -> None:
    model = build(ENCODERS["mlp"], SoftSharing(kind="soft", penalty=2.0))
    together = model.trunk.penalty()
    assert together is not None and together.item() == pytest.approx(0, abs=1e-9)
    first = [next(column.parameters()) for column in model.trunk.encoders()]
    with torch.no_grad():
        first[0][0, 0] += 3.0
    penalty = model.trunk.penalty()
    assert penalty is not None and penalty.item() == pytest.approx(2.0 * (2**2 + 1 + 1), rel=1e-5)
    penalty.backward()
    assert [float(p.grad[0, 0]) for p in first if p.grad is not None] == pytest.approx([8.0, -4.0, -4.0], rel=1e-5)


def test_leaning_units_sum_to_one_and_mix_by_hand() -> None:
    trunk = build(ENCODERS["mlp"], CrossStitchSharing(kind="cross_stitch", init="lean")).trunk
    assert isinstance(trunk, CrossStitchTrunk)
    x = torch.randn(3, 5, 24)
    mixed = trunk.mix(x, trunk.stitches[0])
    torch.testing.assert_close(mixed[1], 0.05 * x[0] + 0.9 * x[1] + 0.05 * x[2])
    wide = build(ENCODERS["cnn"], CrossStitchSharing(kind="cross_stitch", units="channel")).trunk
    assert isinstance(wide, CrossStitchTrunk)
    unit = torch.randn(3, 3, 8)
    images = torch.randn(3, 2, 8, 4, 5)
    by_hand = torch.stack([sum(unit[k, j, :, None, None] * images[j] for j in range(3)) for k in range(3)])
    torch.testing.assert_close(wide.mix(images, unit), by_hand)


@every_staged
def test_pretrained_weights_reach_every_copy(encoder: EncoderConfig) -> None:
    source = build(encoder, HardSharing(), ("a",), seed=9).trunk.encoders()[0]
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(0.01)
    alone = build(encoder, HardSharing(), ("b",), seed=3).eval()
    x = inputs(encoder, 4)
    hand_over(alone.trunk.encoders(), source.transferable())
    for form in FORMS.values():
        if isinstance(form.sharing, CrossStitchSharing):
            continue
        joint = build(encoder, form.sharing, seed=3).eval()
        transfer = hand_over(joint.trunk.encoders(), source.transferable())
        assert set(transfer.handed_over) == set(source.transferable())
        with torch.no_grad():
            torch.testing.assert_close(joint(x, NAMES)["b"], alone(x, ["b"])["b"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("sharing", "names", "message"),
    [
        (CrossStitchSharing(kind="cross_stitch"), ("a",), "cross_stitch needs two tasks or more, found a"),
        (BranchedSharing(kind="branched", groups=[["a", "b"]]), NAMES, "every task of the method once: c is left out"),
        (BranchedSharing(kind="branched", groups=[["a"], ["b", "d"]]), ("a", "b"), "d is not a task of the method"),
        (
            BranchedSharing(kind="branched", groups=[["a"], ["b"]], shared_stages=3), ("a", "b"),
            "`sharing.shared_stages` should be at most 2, the stages of the encoder, found 3",
        ),
    ],
)  # fmt: skip
def test_forms_that_do_not_fit(sharing: Sharing, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(ENCODERS["mlp"], sharing, names)


def test_an_encoder_without_stages_says_so() -> None:
    for kind in ("cross_stitch", "branched"):
        form = {"kind": kind} | ({"groups": [["a", "b", "c"]]} if kind == "branched" else {})
        sharing: Sharing = (CrossStitchSharing if kind == "cross_stitch" else BranchedSharing).model_validate(form)
        with pytest.raises(UserError, match=f"`sharing.kind` {kind} needs an encoder with stages .*found Pairs"):
            build(ENCODERS["python"], sharing)
    for sharing in (SeparateSharing(kind="separate"), SoftSharing(kind="soft")):
        assert len(build(ENCODERS["python"], sharing).trunk.encoders()) == 3
