"""Contract of every pretrainer, and the denoising objective.

B samples, C channels, L rows, N tokens, D width. Windows are z-scored; losses are MSE in that space.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtl.models.base import Encoder
from mtl.models.draws import drawn
from mtl.models.linear import LinearBackbone
from mtl.models.normalisation import denormalise
from mtl.models.timedart import TimeDart


class Pretrainer(nn.Module, ABC):
    """An encoder with what only its pretraining needs."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        encoder.pretraining = True

    @abstractmethod
    def loss(
        self, x: Float[Tensor, "B C L"], generator: torch.Generator | None = None, step: int | None = None
    ) -> Float[Tensor, ""]:
        """Loss of a batch of windows.

        Args:
            x: Windows, z-scored.
            generator: Where noise is drawn; None takes torch's global generator.
            step: Diffusion: the one noise step t of every patch, for evaluation; None draws them.
        """

    def transferable(self) -> dict[str, Tensor]:
        """Copies of the encoder's tensors that are handed over, on the CPU, under their names in its state."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.encoder.transferable().items()}


def noise_like(x: Float[Tensor, "*S"], generator: torch.Generator | None) -> Float[Tensor, "*S"]:
    """Standard normal numbers, drawn on the generator's device."""
    device = x.device if generator is None else generator.device
    noise = drawn(x.shape, lambda shape: torch.randn(shape, generator=generator, device=device, dtype=x.dtype))
    return noise.to(x.device)


class DenoisePretrainer(Pretrainer):
    """Reconstructs the clean window from one with Gaussian noise of `noise_level` standard deviations added.

    The standard deviation is that of each channel over its window. TimeDART reconstructs patch by patch; other
    encoders flatten a channel's tokens into Linear(N·D→L), which for the linear encoder is Linear(D→L).
    """

    def __init__(self, encoder: Encoder, noise_level: float, input_lens: Iterable[int]) -> None:
        super().__init__(encoder)
        self.noise_level = noise_level
        self.heads = nn.ModuleDict()
        for length in sorted(set(input_lens)):
            tokens = encoder.count_tokens(length)
            if isinstance(encoder, TimeDart):
                self.heads["any"] = nn.Linear(encoder.width, encoder.patch_len)
            elif isinstance(encoder, LinearBackbone):
                self.heads["any"] = nn.Linear(encoder.width, encoder.input_len)
            else:
                self.heads[f"rows{length}"] = nn.Linear(tokens * encoder.width, length)

    def reconstruct(self, tokens: Float[Tensor, "B C N D"], length: int) -> Float[Tensor, "B C M"]:
        """Normalised rows, aligned with the window's end."""
        rows: Tensor
        if isinstance(self.encoder, TimeDart):
            rows = self.heads["any"](tokens).flatten(-2)
        else:
            head = self.heads["any"] if "any" in self.heads else self.heads[f"rows{length}"]
            rows = head(tokens.flatten(-2))
        return rows

    def loss(
        self, x: Float[Tensor, "B C L"], generator: torch.Generator | None = None, step: int | None = None
    ) -> Float[Tensor, ""]:
        spread = x.std(dim=-1, correction=0, keepdim=True)
        noisy = self.encoder(x + self.noise_level * spread * noise_like(x, generator))
        rows = denormalise(self.reconstruct(noisy.tokens, x.shape[-1]), noisy.mean, noisy.std)
        clean = x
        if isinstance(self.encoder, LinearBackbone) and self.encoder.policy == "resample":
            clean = self.encoder.resize(x)
        # Rows without a counterpart stand at the old end: a cut remainder, or padding.
        shared = min(rows.shape[-1], clean.shape[-1])
        return F.mse_loss(rows[..., -shared:], clean[..., -shared:])
