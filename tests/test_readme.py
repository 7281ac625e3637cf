"""The README is short, and the loop of the page on methods runs."""

import re
from pathlib import Path

import torch

README = Path(__file__).parents[1] / "README.md"
METHODS = README.parent / "docs/guide/methods.md"
MOST_LINES = 200


def test_the_readme_is_read_in_a_sitting() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    # Answer, picture, two commands, own data, three ways on.
    assert "Advice  " in text and "](docs/images/report.png)" in text
    assert "make repro" in text and "make test" in text and "mtl init" in text
    [onward] = re.findall(r"^## Next\n\n(.*?)\n\n##", text, flags=re.DOTALL | re.MULTILINE)
    assert len(re.findall(r"^- ", onward, flags=re.MULTILINE)) == 3


def test_the_loop_of_jacobian_descent() -> None:
    torch.manual_seed(0)
    blocks = re.findall(r"```python\n(.*?)```", METHODS.read_text(encoding="utf-8"), flags=re.DOTALL)
    [loop] = [block for block in blocks if "torchjd" in block]
    names: dict[str, object] = {}
    exec(compile(loop, str(METHODS), "exec"), names)
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
