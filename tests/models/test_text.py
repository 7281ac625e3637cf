"""The encoder of texts: padding and the other texts of a batch change nothing."""

import pytest
import torch
from torch import Tensor

from mtl.config.sharing import BranchedSharing, CrossStitchSharing, HardSharing, SeparateSharing, Sharing
from mtl.config.text_encoder import TextEncoder
from mtl.models.build import build_model
from mtl.models.text import TextTransformer, places_there
from tests.models.cases import ENCODERS, task_for

TEXTS = [[1], [1, 7, 3], [1, 5, 5, 5, 9, 12, 31, 2], [1, 39]]
FORMS: list[Sharing] = [
    HardSharing(),
    SeparateSharing(kind="separate"),
    CrossStitchSharing(kind="cross_stitch", init="lean"),
    CrossStitchSharing(kind="cross_stitch", units="channel"),
    BranchedSharing(kind="branched", groups=[["a"], ["b"]], shared_stages=1),
]
every_form = pytest.mark.parametrize("sharing", FORMS, ids=["hard", "separate", "lean", "channels", "branched"])
every_pool = pytest.mark.parametrize("name", ["text", "text-first"])


def padded(texts: list[list[int]], length: int) -> Tensor:
    return torch.tensor([[*text, *[0] * (length - len(text))] for text in texts], dtype=torch.float32)


@every_form
@every_pool
def test_padding_and_the_batch_change_nothing(name: str, sharing: Sharing) -> None:
    encoder = ENCODERS[name]
    names = ["a", "b"]
    torch.manual_seed(0)
    model = build_model(encoder, [task_for(encoder, "classification", task) for task in names], 0, sharing).eval()
    for weight in model.parameters():  # also biases, which begin at 0, could give padding a voice
        weight.data += 0.1 * torch.randn(weight.shape)
    longest = max(map(len, TEXTS))
    together = model(padded(TEXTS, longest), names)
    for longer in (longest + 1, longest + 30):
        more = model(padded(TEXTS, longer), names)
        for task in names:
            torch.testing.assert_close(more[task], together[task], atol=1e-5, rtol=1e-5)
    for place, text in enumerate(TEXTS):
        alone = model(padded([text], len(text)), names)
        for task in names:
            torch.testing.assert_close(alone[task][0], together[task][place], atol=1e-5, rtol=1e-5)


def test_a_token_and_its_place_both_count() -> None:
    model = TextTransformer(TextEncoder(kind="text", width=16, heads=2), 40).eval()
    first, other_token, other_order = (model(padded([text], 3)).tokens for text in ([1, 5, 7], [1, 5, 8], [1, 7, 5]))
    assert not torch.allclose(first, other_token, atol=1e-4)
    assert not torch.allclose(first, other_order, atol=1e-4)


def test_codes_beyond_the_vocabulary_are_its_last() -> None:
    model = TextTransformer(TextEncoder(kind="text", width=16, heads=2), 40).eval()
    assert torch.equal(model(padded([[1, 90]], 2)).tokens, model(padded([[1, 39]], 2)).tokens)


def test_the_places_of_a_text() -> None:
    x = torch.zeros(2, 3, 4)
    x[0, :2] = 1
    assert places_there(x).tolist() == [[True, True, False], [True, False, False]]


def test_widths_that_heads_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match=r"multiple of heads \(3\), found 16"):
        TextEncoder(kind="text", width=16, heads=3)


def test_a_wider_encoder_keeps_its_heads() -> None:
    wider = TextEncoder(kind="text", width=16, heads=4, d_ff=20).widened(1.3)
    assert (wider.width, wider.d_ff, wider.heads) == (24, 26, 4)
