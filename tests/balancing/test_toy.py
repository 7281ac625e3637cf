"""The two-task toy with a known Pareto set, from its five starts."""

import pytest
import torch

from tests.balancing.cases import CASES, Case
from tests.balancing.linear_losses import balancer, specs
from tests.balancing.toy import STARTS, losses, pareto_distance, run

REACHED = 0.1
"""Distance to the Pareto set, which is 14 long."""


def test_the_pareto_set_is_where_no_direction_helps_both() -> None:
    for x, y in ((0.0, -8.36), (-5.0, -8.39), (7.0, -8.44)):
        assert pareto_distance(torch.tensor([x, y])) < 0.05
    assert pareto_distance(torch.tensor([0.0, -7.0])) == pytest.approx(1.36, abs=0.02)
    theta = torch.tensor([2.0, -8.365], requires_grad=True)
    rows = torch.stack([torch.autograd.grad(loss, theta, retain_graph=True)[0] for loss in losses(theta)])
    assert torch.cosine_similarity(rows[0], rows[1], dim=0) < -0.999
    assert pareto_distance(theta.detach()) < 0.02


@pytest.mark.parametrize(("kind", "start"), [("mgda", STARTS[1])])
def test_it_is_reached(kind: str, start: tuple[float, float]) -> None:
    assert pareto_distance(run(balancer({"kind": kind}, specs(2)), start)) < REACHED


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [case for case in CASES if not {"descends", "toy"} & set(case.lacks)], ids=lambda case: case.kind
)
def test_it_is_reached_from_every_start(case: Case) -> None:
    distances = [pareto_distance(run(balancer(case.config, specs(2, mixed=True)), start)) for start in STARTS]
    print(f"{case.kind}: distances to the Pareto set " + ", ".join(f"{distance:.3f}" for distance in distances))
    assert max(distances) < REACHED
