"""Small image files of every format, mode and fault, and tables that name them."""

import io
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def quarters(rows: int = 16, columns: int = 16) -> Image.Image:
    """Red at the upper left, green at the upper right, blue below it, and white."""
    pixels = np.zeros((rows, columns, 3), dtype=np.uint8)
    pixels[: rows // 2, : columns // 2] = RED
    pixels[: rows // 2, columns // 2 :] = GREEN
    pixels[rows // 2 :, columns // 2 :] = BLUE
    pixels[rows // 2 :, : columns // 2] = WHITE
    return Image.fromarray(pixels)


def plain(colour: tuple[int, int, int], rows: int = 16, columns: int = 16) -> Image.Image:
    """One colour."""
    return Image.new("RGB", (columns, rows), colour)


def written(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Bytes of the image in a format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into a folder, by their paths in it."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def bomb() -> bytes:
    """A PNG of a few hundred bytes whose header says 60,000 × 60,000 pixels."""
    content = bytearray(written(plain(RED)))
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    crc = zlib.crc32(bytes(content[12:29]))
    content[29:33] = crc.to_bytes(4, "big")
    return bytes(content)


def colours_table(folder: Path, count: int = 24, extra: str = "") -> Path:
    """labels.csv and photos/ with `count` PNG of red, green or blue and a few bright pixels; columns photo, colour,
    bright (their number) and site.

    Returns:
        The table's path.
    """
    generator = np.random.default_rng(0)
    lines = ["photo,colour,bright,site"]
    for number in range(count):
        name, base = [("red", RED), ("green", GREEN), ("blue", BLUE)][number % 3]
        pixels = np.asarray(plain(base, 8, 8)).copy()
        bright = int(generator.integers(1, 30))
        pixels.reshape(-1, 3)[generator.permutation(64)[:bright]] = 255
        put(folder / "photos", {f"{number:03d}.png": written(Image.fromarray(pixels))})
        lines.append(f"{number:03d}.png,{name},{bright},s{number % 8}")
    table = folder / "labels.csv"
    table.write_text("\n".join(lines) + "\n" + extra)
    return table
