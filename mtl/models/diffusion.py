"""TimeDART's pretraining: denoise each patch given the clean patches before it (arXiv 2410.05711, section 3).

S = B·C sequences, N patches of P rows, D width, T noise steps. With ᾱ_t the share of variance that is still signal
after step t, x_t = √ᾱ_t · x_0 + √(1−ᾱ_t) · ε. Two departures from the published code, both parameters: the head
works patch by patch (theirs, `flatten`, lets output j read clean patch j through later tokens), and the noisy
tokens are told their step. What stays of the future in the input is the window's mean and standard deviation.
"""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from mtl.config import DiffusionObjective
from mtl.models.draws import drawn
from mtl.models.dropout import drop
from mtl.models.normalisation import normalise
from mtl.models.patching import patchify, sinusoid
from mtl.models.pretraining import Pretrainer, noise_like
from mtl.models.timedart import TimeDart

_OFFSET, _MAX_BETA = 0.008, 0.999


def signal_share(steps: int, noise: str) -> Float[Tensor, " {steps}"]:
    """ᾱ_0…ᾱ_{T−1}, float64.

    `cosine`: Nichol & Dhariwal 2021 (arXiv 2102.09672), equation 17, with s = 0.008 and β ≤ 0.999. `linear`: β from
    1e-4 to 0.02 (Ho et al. 2020) at T = 1000, and the same total noise at any other T.
    """
    if noise == "cosine":
        time = torch.arange(steps + 1, dtype=torch.float64) / steps
        share = torch.cos((time + _OFFSET) / (1 + _OFFSET) * math.pi / 2) ** 2
        beta = 1 - share[1:] / share[:-1]
    else:
        beta = torch.linspace(1e-4, 0.02, steps, dtype=torch.float64) * (1000 / steps)
    return torch.cumprod(1 - beta.clamp(max=_MAX_BETA), dim=0)


class DiagonalAttention(nn.Module):
    """Attention in which query j sees key j alone: its weight is 1, so it is a linear map of the value."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, value: Float[Tensor, "S N D"]) -> Float[Tensor, "S N D"]:
        attended: Tensor = self.out(self.value(value))
        return attended


class DecoderLayer(nn.Module):
    """Self-attention on the noisy token, cross-attention to the context at its position, feed-forward; post-norm."""

    def __init__(self, width: int, d_ff: int) -> None:
        super().__init__()
        self.own = DiagonalAttention(width)
        self.norm1 = nn.LayerNorm(width)
        self.cross = DiagonalAttention(width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, d_ff)
        self.down = nn.Linear(d_ff, width)
        self.norm3 = nn.LayerNorm(width)

    def forward(
        self, noisy: Float[Tensor, "S N D"], context: Float[Tensor, "S N D"], rate: float
    ) -> Float[Tensor, "S N D"]:
        x = self.norm1(noisy + drop(self.own(noisy), rate))
        x = self.norm2(x + drop(self.cross(context), rate))
        decoded: Tensor = self.norm3(x + drop(self.down(drop(F.gelu(self.up(x)), rate)), rate))
        return decoded


class StepEmbedding(nn.Module):
    """Noise step → vector: sinusoid → Linear → GELU → Linear, once for each of the T steps and then looked up."""

    def __init__(self, steps: int, width: int) -> None:
        super().__init__()
        self.register_buffer("table", sinusoid(torch.arange(steps, dtype=torch.float32), width), persistent=False)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, t: Int[Tensor, "S N"]) -> Float[Tensor, "S N D"]:
        return F.embedding(t, self.second(F.gelu(self.first(self.get_buffer("table")))))


class DiffusionPretrainer(Pretrainer):
    """Predicts x_0 of every patch from its noisy form and the encoding of the clean patches before it."""

    encoder: TimeDart

    def __init__(self, encoder: TimeDart, objective: DiffusionObjective, d_ff: int, input_lens: Iterable[int]) -> None:
        super().__init__(encoder)
        width, patch_len = encoder.width, encoder.patch_len
        self.steps = objective.steps
        share = signal_share(objective.steps, objective.noise)
        self.register_buffer("signal", share.sqrt().float(), persistent=False)
        self.register_buffer("noise", (1 - share).sqrt().float(), persistent=False)
        self.start = nn.Parameter(torch.randn(width) * 0.02)
        self.step_embedding = StepEmbedding(objective.steps, width) if objective.condition_on_step else None
        self.decoder = nn.ModuleList(DecoderLayer(width, d_ff) for _ in range(objective.decoder_layers))
        self.norm = nn.LayerNorm(width)
        counts = sorted({encoder.count_tokens(length) for length in input_lens})
        self.per_patch = nn.Linear(width, patch_len) if objective.head == "per_patch" else None
        self.flatten = nn.ModuleDict()
        if objective.head == "flatten":
            self.flatten.update({f"tokens{n}": nn.Linear(n * width, n * patch_len) for n in counts})

    def corrupt(
        self, clean: Float[Tensor, "S N P"], t: Int[Tensor, "S N"], generator: torch.Generator | None
    ) -> Float[Tensor, "S N P"]:
        """x_t of every patch."""
        signal, noise = self.get_buffer("signal")[t], self.get_buffer("noise")[t]
        return signal.unsqueeze(-1) * clean + noise.unsqueeze(-1) * noise_like(clean, generator)

    def predict(
        self, clean: Float[Tensor, "S N P"], noisy: Float[Tensor, "S N P"], t: Int[Tensor, "S N"]
    ) -> Float[Tensor, "S N P"]:
        """x_0 of every patch, normalised: patch j from clean patches before j, noisy patch j, and its step."""
        encoder, rate = self.encoder, self.encoder.rate(None)
        tokens = encoder.embedding(clean[:, :-1])
        tokens = torch.cat([self.start.expand(len(clean), 1, -1), tokens], dim=1)
        context = encoder.mix(encoder.place(tokens, rate), True, rate)
        x = encoder.place(encoder.embedding(noisy), rate)
        if self.step_embedding is not None:
            x = x + self.step_embedding(t)
        for layer in self.decoder:
            x = layer(x, context, rate)
        x = self.norm(x)
        clear: Tensor
        if self.per_patch is not None:
            clear = self.per_patch(x)
        else:
            clear = self.flatten[f"tokens{x.shape[1]}"](x.flatten(1)).view(clean.shape)
        return clear

    def draw_steps(
        self, clean: Float[Tensor, "S N P"], generator: torch.Generator | None, step: int | None
    ) -> Int[Tensor, "S N"]:
        """A step of its own for every patch of every channel, or `step` for all."""
        if step is not None:
            return torch.full(clean.shape[:2], step, device=clean.device)
        device = clean.device if generator is None else generator.device
        steps = drawn(
            clean.shape[:2], lambda shape: torch.randint(self.steps, shape, generator=generator, device=device)
        )
        return steps.to(clean.device)

    def loss(
        self, x: Float[Tensor, "B C L"], generator: torch.Generator | None = None, step: int | None = None
    ) -> Float[Tensor, ""]:
        normalised, _, std = normalise(x)
        clean = patchify(normalised, self.encoder.patch_len).flatten(0, 1)
        t = self.draw_steps(clean, generator, step)
        predicted = self.predict(clean, self.corrupt(clean, t, generator), t)
        # Undoing the normalisation on both sides leaves the error times the window's standard deviation.
        return ((predicted - clean) * std.flatten()[:, None, None]).square().mean()
