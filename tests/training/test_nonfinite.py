"""When an epoch looks at its losses: every fifty steps and at its end, also after a resumed one began in between."""

import pytest
import torch

from mtl.training.nonfinite import FiniteCheck, NonFiniteError
from mtl.training.tally import Tally


@pytest.mark.parametrize(("begun", "looks"), [(0, [50, 100, 120]), (30, [80, 120]), (100, [120])])
def test_no_step_is_left_out(begun: int, looks: list[int]) -> None:
    steps = 120
    tally = Tally(["a"], steps, [], torch.device("cpu"))
    for step in range(steps):
        tally.add_losses(step, torch.ones(1), (0,))
    check = FiniteCheck(tally, 1, [{}] * steps, [], begun)
    due = []
    for end in range(begun + 1, steps + 1):
        if check.due(end):
            due.append(end)
            check.look(end)
    assert due == looks
    tally.add_losses(steps - 1, torch.tensor([torch.inf]), (0,))
    check.checked = begun
    with pytest.raises(NonFiniteError, match="the loss of task a became inf at epoch 1, step 120 of 120"):
        check.look(steps)
