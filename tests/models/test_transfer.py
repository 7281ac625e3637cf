"""A mismatch between pretrained weights and the encoder is an error, never a silent skip."""

import pytest
import torch

from mtl.config import TimeDartEncoder
from mtl.errors import UserError
from mtl.models.timedart import TimeDart
from mtl.models.transfer import hand_over

CONFIG = TimeDartEncoder(kind="timedart", patch_len=4, d_model=16, heads=2, layers=1, d_ff=32)


def test_shape_mismatch_names_the_tensor_and_changes_nothing() -> None:
    encoder = TimeDart(CONFIG)
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    other = TimeDart(CONFIG.model_copy(update={"patch_len": 8}))
    with pytest.raises(UserError, match=r"`embedding.weight` should have the shape \[16, 4\].*found \[16, 8\]"):
        hand_over([encoder], other.transferable())
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


def test_missing_and_unknown_tensors() -> None:
    encoder = TimeDart(CONFIG)
    deeper = TimeDart(CONFIG.model_copy(update={"layers": 2}))
    with pytest.raises(UserError, match=r"hold `blocks.1.*which this encoder does not have"):
        hand_over([encoder], deeper.transferable())
    with pytest.raises(UserError, match=r"lack `blocks.1"):
        hand_over([deeper], encoder.transferable())
