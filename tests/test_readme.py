"""The loop in the README runs."""

import re
from pathlib import Path

import torch

README = Path(__file__).parents[1] / "README.md"


def test_the_loop_of_jacobian_descent() -> None:
    torch.manual_seed(0)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    [loop] = [block for block in blocks if "torchjd" in block]
    names: dict[str, object] = {}
    exec(compile(loop, str(README), "exec"), names)
    shared, heads, losses = names["shared"], names["heads"], names["losses"]
    assert isinstance(shared, torch.nn.Module) and isinstance(heads, torch.nn.Module) and isinstance(losses, list)
    x, wanted = names["x"], names["wanted"]
    assert isinstance(x, torch.Tensor) and isinstance(wanted, torch.Tensor)
    # Back to where the last step began: `jac_to_grad` found a direction along which neither loss rises.
    with torch.no_grad():
        for p in [*shared.parameters(), *heads.parameters()]:
            assert p.grad is not None and torch.isfinite(p.grad).all()
            p.add_(p.grad, alpha=0.1)
    direction = [p.grad for p in shared.parameters() if p.grad is not None]
    assert any(bool(g.any()) for g in direction)
    for head, y, found in zip(heads.children(), wanted, losses, strict=True):
        loss = torch.nn.functional.mse_loss(head(shared(x)), y)
        torch.testing.assert_close(loss, found)
        slopes = torch.autograd.grad(loss, list(shared.parameters()))
        assert sum(float((s * g).sum()) for s, g in zip(slopes, direction, strict=True)) >= -1e-5
