"""The diffusion objective: noise schedule, masks as linear maps, no leak of clean patches, meaning of the step."""

import math

import pytest
import torch
from torch import Tensor, nn

from mtl.config import DiffusionObjective, LinearEncoder, NoObjective, TimeDartEncoder
from mtl.errors import UserError
from mtl.models.build import build_pretrainer
from mtl.models.diffusion import DiagonalAttention, DiffusionPretrainer, signal_share
from mtl.models.transfer import hand_over

ENCODER = TimeDartEncoder(kind="timedart", patch_len=4, d_model=16, heads=2, layers=2, d_ff=32, dropout=0.0)


def pretrainer(**objective: object) -> DiffusionPretrainer:
    config = DiffusionObjective(kind="diffusion", **objective)  # type: ignore[arg-type]
    built = build_pretrainer(ENCODER, config, {24}, seed=0)
    assert isinstance(built, DiffusionPretrainer)
    return built


def test_cosine_signal_share() -> None:
    """Equation 17 of arXiv 2102.09672: ᾱ after step t is f(t+1)/f(0), until β is clipped at the very end."""
    share = signal_share(1000, "cosine")

    def f(u: float) -> float:
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    for t in (0, 100, 499, 900):
        assert math.isclose(share[t].item(), f((t + 1) / 1000) / f(0), rel_tol=1e-9)
    assert math.isclose(share[999].item(), share[998].item() * 0.001, rel_tol=1e-9)


def test_linear_signal_share() -> None:
    share = signal_share(1000, "linear")
    assert math.isclose(share[0].item(), 1 - 1e-4, rel_tol=1e-12)
    assert math.isclose(share[999].item(), 4.0358e-5, rel_tol=1e-4)  # the end value of Ho et al. 2020's schedule


@pytest.mark.parametrize("noise", ["cosine", "linear"])
@pytest.mark.parametrize("steps", [1, 10, 1000])
def test_signal_share_falls(noise: str, steps: int) -> None:
    share = signal_share(steps, noise)
    assert bool((share > 0).all()) and bool((share < 1).all()) and bool((share.diff() < 0).all())


def test_corrupted_patches_have_the_variance_of_their_step() -> None:
    p = pretrainer()
    t = torch.tensor([[0, 500, 999]]).expand(20_000, 3)
    noisy = p.corrupt(torch.full((20_000, 3, 4), 2.0), t, torch.Generator().manual_seed(0))
    share = signal_share(1000, "cosine")[[0, 500, 999]].float()
    torch.testing.assert_close(noisy.mean((0, 2)), 2 * share.sqrt(), rtol=0, atol=0.02)
    torch.testing.assert_close(noisy.var((0, 2)), 1 - share, rtol=0.03, atol=0)


def test_diagonal_attention_equals_masked_attention() -> None:
    attention = nn.MultiheadAttention(16, 4, batch_first=True)
    ours = DiagonalAttention(16)
    with torch.no_grad():
        ours.value.weight.copy_(attention.in_proj_weight[32:])
        ours.value.bias.copy_(torch.randn(16))
        attention.in_proj_bias[32:].copy_(ours.value.bias)
        ours.out.weight.copy_(attention.out_proj.weight)
        ours.out.bias.copy_(attention.out_proj.bias)
    query, value = torch.randn(3, 7, 16), torch.randn(3, 7, 16)
    hidden = ~torch.eye(7, dtype=torch.bool)
    expected, _ = attention(query, value, value, attn_mask=hidden)
    torch.testing.assert_close(ours(value), expected, rtol=0, atol=1e-5)


def change_by_patch(p: DiffusionPretrainer, j: int, noisy_too: bool = False) -> Tensor:
    """Largest change of each of the 6 predicted patches when clean (or noisy) patch j moves."""
    p.eval()
    clean, noisy, t = torch.randn(5, 6, 4), torch.randn(5, 6, 4), torch.randint(1000, (5, 6))
    moved = (noisy if noisy_too else clean).clone()
    moved[:, j] += 1
    with torch.no_grad():
        before = p.predict(clean, noisy, t)
        after = p.predict(clean, moved, t) if noisy_too else p.predict(moved, noisy, t)
    return (after - before).abs().amax(dim=(0, 2))


@pytest.mark.parametrize("j", range(6))
def test_per_patch_head_does_not_leak(j: int) -> None:
    """Output i may depend on the clean patches before i alone, and on the noisy patch i alone."""
    p = pretrainer()
    change = change_by_patch(p, j)
    assert change[: j + 1].max() == 0
    assert bool((change[j + 1 :] > 1e-6).all())
    change = change_by_patch(p, j, noisy_too=True)
    assert change[j] > 1e-4 and change.sum() == change[j]


@pytest.mark.parametrize("j", range(5))
def test_flatten_head_leaks_as_published(j: int) -> None:
    assert bool((change_by_patch(pretrainer(head="flatten"), j) > 1e-6).all())


def test_step_is_told_unless_switched_off() -> None:
    clean, noisy = torch.randn(2, 6, 4), torch.randn(2, 6, 4)
    early, late = torch.zeros(2, 6, dtype=torch.int64), torch.full((2, 6), 900)
    told, blind = pretrainer().eval(), pretrainer(condition_on_step=False).eval()
    assert not torch.allclose(told.predict(clean, noisy, early), told.predict(clean, noisy, late))
    assert torch.equal(blind.predict(clean, noisy, early), blind.predict(clean, noisy, late))
    assert not any("step_embedding" in name for name in blind.state_dict())


def test_every_patch_has_a_step_of_its_own() -> None:
    p = pretrainer(steps=50)
    t = p.draw_steps(torch.zeros(400, 6, 4), torch.Generator().manual_seed(1), None)
    assert t.shape == (400, 6) and set(t.flatten().tolist()) == set(range(50))
    assert (t == t[:, :1]).all(dim=1).float().mean() < 0.01
    assert bool((p.draw_steps(torch.zeros(4, 6, 4), None, 7) == 7).all())


@pytest.mark.thorough
def test_loss_grows_with_the_noise_once_trained() -> None:
    """A walk's patch says little about itself at t = T − 1, and everything at t = 0."""
    p = pretrainer()
    optimiser = torch.optim.Adam(p.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        optimiser.zero_grad()
        p.loss(torch.randn(16, 2, 24, generator=generator).cumsum(-1), generator).backward()
        optimiser.step()
    p.eval()
    x = torch.randn(128, 2, 24, generator=generator).cumsum(-1)
    with torch.no_grad():
        early, late = p.loss(x, generator, step=0).item(), p.loss(x, generator, step=999).item()
    assert late > 2 * early


def test_loss_is_in_the_scalers_space_and_repeats() -> None:
    p = pretrainer().eval()
    x = torch.randn(4, 2, 24)
    with torch.no_grad():
        first, again, tripled = (p.loss(v, torch.Generator().manual_seed(3)) for v in (x, x, 3 * x))
    assert first == again
    torch.testing.assert_close(tripled, 9 * first, rtol=1e-3, atol=0)


@pytest.mark.parametrize("head", ["per_patch", "flatten"])
def test_windows_of_several_lengths(head: str) -> None:
    objective = DiffusionObjective(kind="diffusion", head=head)  # type: ignore[arg-type]
    p = build_pretrainer(ENCODER, objective, {24, 17, 18}, seed=0)
    for length in (24, 17, 18):
        p.zero_grad()
        p.loss(torch.randn(2, 3, length)).backward()
        assert all(q.grad is not None for q in p.encoder.parameters())


def test_gradients_reach_everything_and_hand_over_is_the_encoder_alone() -> None:
    p = pretrainer()
    p.loss(torch.randn(8, 2, 24)).backward()
    assert all(q.grad is not None and q.grad.isfinite().all() for q in p.parameters())
    transfer = hand_over([p.encoder], p.transferable())
    assert set(transfer.handed_over) == set(p.encoder.state_dict()) and not transfer.fresh
    assert {name.split(".")[0] for name in transfer.handed_over} == {"embedding", "blocks", "norm"}


def test_diffusion_needs_timedart_and_none_has_no_pretrainer() -> None:
    with pytest.raises(UserError, match=r"should be denoise for `encoder.kind: linear`.*found 'diffusion'"):
        build_pretrainer(LinearEncoder(kind="linear", input_len=24), DiffusionObjective(kind="diffusion"), {24}, seed=0)
    with pytest.raises(UserError, match="should be diffusion or denoise"):
        build_pretrainer(ENCODER, NoObjective(kind="none"), {24}, seed=0)
