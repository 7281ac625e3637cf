"""Groups of the optimiser, and learning-rate schedules against torch's own."""

import math

import pytest
import torch
from torch import nn

from mtl.training.optimiser import adamw, in_order, lr_factor, set_lr


def test_matrices_decay_and_vectors_do_not_and_frozen_ones_are_left_out() -> None:
    body, head, log_variance = nn.Linear(3, 4), nn.Linear(4, 2), nn.Parameter(torch.zeros(2))
    body.bias.requires_grad_(False)
    optimiser = adamw([
        (list(body.parameters()), 1e-3, 0.1),
        (list(head.parameters()), 1e-2, 0.2),
        ([log_variance], 0.5, 0.3),
        ([], 1.0, 1.0),
    ])  # fmt: skip
    found = {id(p): (group["lr"], group["weight_decay"]) for group in optimiser.param_groups for p in group["params"]}
    assert found == {
        id(body.weight): (1e-3, 0.1),
        id(head.weight): (1e-2, 0.2),
        id(head.bias): (1e-2, 0.0),
        id(log_variance): (0.5, 0.0),
    }


def test_parameters_of_one_rate_and_decay_share_a_group_and_keep_their_order() -> None:
    body, head = nn.Linear(3, 4), nn.Linear(4, 2)
    given = [
        ([body.weight, body.bias], 1e-3, 0.1),
        ([head.bias, head.weight], 1e-3, 0.1),
        ([nn.Parameter(torch.ones(1))], 1e-3, 0.0),
    ]
    optimiser = adamw(given)
    assert [(group["lr"], group["weight_decay"]) for group in optimiser.param_groups] == [(1e-3, 0.1), (1e-3, 0.0)]
    wanted = [body.weight, body.bias, head.weight, head.bias, given[2][0][0]]
    assert [id(p) for p in in_order(optimiser)] == [id(p) for p in wanted]


def test_decay_moves_a_matrix_without_gradient_by_exactly_lr_times_decay() -> None:
    matrix, vector = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    optimiser = adamw([([matrix, vector], 0.1, 0.5)])
    for parameter in (matrix, vector):
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    torch.testing.assert_close(matrix.data, torch.full((2, 2), 1 - 0.1 * 0.5))
    assert torch.equal(vector.data, torch.ones(2))


def test_set_lr_scales_every_group_from_its_own_rate() -> None:
    one, two = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimiser = adamw([([one], 0.1, 0.0), ([two], 0.4, 0.0)])
    for factor in (0.5, 0.25):
        assert set_lr(optimiser, factor) == pytest.approx(0.1 * factor)
        assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([0.1 * factor, 0.4 * factor])


@pytest.mark.parametrize("total", [10, 100, 1370])
def test_onecycle_is_torchs_with_the_time_axis_that_it_uses(total: int) -> None:
    # torch counts its peak at step 0.3·T − 1 and its end at T − 1. So its step s stands at our progress
    # 0.3·s / (0.3·T − 1) on the way up and (s + 1) / T on the way down.
    optimiser = torch.optim.AdamW([nn.Parameter(torch.ones(1))], lr=0.7)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.7, total_steps=total, cycle_momentum=False)
    peak = 0.3 * total - 1
    for step in range(total):
        progress = 0.3 * step / peak if step <= peak else (step + 1) / total
        assert 0.7 * lr_factor("onecycle", progress) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-6)
        optimiser.step()
        if step + 1 < total:
            theirs.step()


def test_onecycle_at_its_corners() -> None:
    found = [lr_factor("onecycle", p) for p in (0.0, 0.15, 0.3, 0.65, 1.0)]
    assert found == pytest.approx([1 / 25, (1 + 1 / 25) / 2, 1.0, (1 + 4e-6) / 2, 4e-6])
    assert lr_factor("onecycle", 0.3 - 1e-9) == pytest.approx(1.0)


def test_cosine_is_torchs_annealing_and_the_others_stay() -> None:
    optimiser = torch.optim.AdamW([nn.Parameter(torch.ones(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=50)
    for step in range(50):
        assert lr_factor("cosine", step / 50) == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-9)
        optimiser.step()
        theirs.step()
    assert lr_factor("cosine", 0.5) == pytest.approx((1 + math.cos(math.pi / 2)) / 2)
    assert {lr_factor("constant", p) for p in (0.0, 0.4, 1.0)} == {1.0}
