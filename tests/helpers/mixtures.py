"""A small table of numbers, categories, images and texts, of which by construction only some tell a target."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SOURCE: dict[str, Any] = {
    "kind": "table", "path": "goods.csv", "images": {"folder": "photos", "size": [8, 8], "colour": False},
    "inputs": {"weight": "number", "shop": "category", "photo": "image", "note": "text"},
    "texts": {"size": 300, "longest": 12}, "folds": 3,
}  # fmt: skip
WORDS = ["light", "heavy", "old", "new", "box", "of", "some", "kind"]


def goods_table(folder: Path, count: int = 48) -> Path:
    """goods.csv and photos/: `weight` around -1 or 1, a photo that is dark or bright, `shop` and `note` that tell
    nothing; `odd` is yes where exactly one of heavy and bright holds, `price` is about the weight.

    Returns:
        The table's path.
    """
    draw = np.random.default_rng(0)
    heavy, bright = draw.integers(0, 2, (2, count))
    weight = 2.0 * heavy - 1 + draw.normal(0, 0.1, count)
    price = weight + draw.normal(0, 0.1, count)
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    lines = ["photo,weight,shop,note,odd,price"]
    for row in range(count):
        level = draw.integers(10, 60) + 180 * int(bright[row])
        pixels = np.clip(level + draw.normal(0, 5, (8, 8)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{row}.png")
        note = " ".join(draw.choice(WORDS, draw.integers(1, 6)))
        odd = "yes" if heavy[row] != bright[row] else "no"
        lines.append(f"{row}.png,{weight[row]:.6f},{'AB'[row % 2]},{note},{odd},{price[row]:.6f}")
    table = folder / "goods.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table
