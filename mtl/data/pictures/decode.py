"""One image file → uint8 pixels of a wanted size.

C channels, Y × X pixels. Whatever the file holds becomes three channels of 8 bits (or one of grey): palettes are looked
up, 16 bits are scaled to 8, what is transparent shows white, and the turn that EXIF asks for is made. Colour profiles
are not applied.
"""

import warnings
from dataclasses import dataclass
from io import BufferedReader, BytesIO

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
NAMES = "JPEG, PNG, WebP or TIFF"
MOST_PIXELS = 1 << 27
"""134 million, which a camera of 2026 may have; more is taken for a decompression bomb."""
ORIENTATION = 0x0112
"""Tag of EXIF."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""Orientation in EXIF → what makes the picture upright."""
SIDEWAYS = 5
"""Orientation from which on rows and columns change places."""
SPARE = 2
"""A JPEG is decoded at the smallest of its own scales that is at least so many times the wanted size."""
WHITE = (255, 255, 255, 255)
FULL_16 = 65535
BLACK = 0


class BrokenImageError(Exception):
    """A file that cannot be read as an image; the text is a clause after the file's name."""


class RefusedImageError(BrokenImageError):
    """A file that could fill the memory; it is never left out silently."""


@dataclass(frozen=True)
class Form:
    """Pixels as they are wanted.

    Args:
        size: rows and columns.
        fit: way to that size: crop, pad or stretch, as in `mtl.config.image_files.ImageFiles`.
        colour: red, green and blue, or grey.
    """

    size: tuple[int, int]
    fit: str
    colour: bool

    @property
    def mode(self) -> str:
        """Mode of Pillow."""
        return "RGB" if self.colour else "L"


def decoded(file: BufferedReader | BytesIO, form: Form) -> UInt8[ndarray, "C Y X"]:
    """The pixels of an image file.

    Args:
        file: open for reading at its beginning.
        form: of the pixels.

    Raises:
        BrokenImageError: it is none of the formats, is cut off or damaged, or has pixels of no known range.
        RefusedImageError: it would unpack to more than `MOST_PIXELS`.
    """
    with warnings.catch_warnings():
        # Of odd tags and profiles, which change no pixel; sizes are checked here.
        warnings.simplefilter("ignore")
        try:
            pixels = np.asarray(_upright(file, form))
        except BrokenImageError:
            raise
        except Image.DecompressionBombError:
            raise _bomb("far more") from None
        except UnidentifiedImageError:
            raise BrokenImageError(f"is no {NAMES}, or its beginning is damaged") from None
        except Exception as error:  # Pillow's readers of damaged files fail in any way.
            raise BrokenImageError(f"is damaged ({error or type(error).__name__})") from None
    return np.ascontiguousarray(pixels.transpose(2, 0, 1) if form.colour else pixels[None])


def _upright(file: BufferedReader | BytesIO, form: Form) -> Image.Image:
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise _bomb(f"{image.width:,} × {image.height:,}")
        turn = image.getexif().get(ORIENTATION, 1)
        rows, columns = form.size
        wanted = (rows, columns) if turn in range(SIDEWAYS, max(TURNS) + 1) else (columns, rows)
        scale = _scale(image.size, wanted, form.fit)
        width, height = (SPARE * max(1, round(a * b)) for a, b in zip(image.size, scale, strict=True))
        image.draft(None, (width, height))
        image.load()
        small = _resized(_plain(image, form.mode), wanted, form.fit)
        return small.transpose(TURNS[turn]) if turn in TURNS else small


def _bomb(actual: str) -> RefusedImageError:
    return RefusedImageError(f"should have at most {MOST_PIXELS:,} pixels, found {actual}: refused")


def _scale(size: tuple[int, int], wanted: tuple[int, int], fit: str) -> tuple[float, float]:
    """Factors by which columns and rows are brought to the wanted size."""
    across, down = wanted[0] / size[0], wanted[1] / size[1]
    if fit == "stretch":
        return across, down
    both = max(across, down) if fit == "crop" else min(across, down)
    return both, both


def _resized(image: Image.Image, wanted: tuple[int, int], fit: str) -> Image.Image:
    """The image with the wanted number of columns and rows."""
    if image.size == wanted:
        return image
    across, down = _scale(image.size, wanted, fit)
    if fit == "pad":
        inside = max(1, round(image.width * across)), max(1, round(image.height * down))
        whole = Image.new(image.mode, wanted, BLACK)
        inner = image.resize(inside, Image.Resampling.BICUBIC)
        whole.paste(inner, ((wanted[0] - inside[0]) // 2, (wanted[1] - inside[1]) // 2))
        return whole
    width, height = wanted[0] / across, wanted[1] / down
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = (max(0.0, left), max(0.0, top), min(image.width, left + width), min(image.height, top + height))
    return image.resize(wanted, Image.Resampling.BICUBIC, box=box)


def _plain(image: Image.Image, mode: str) -> Image.Image:
    """The image in 8 bits, RGB or grey.

    Raises:
        BrokenImageError: its pixels have no known range.
    """
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode == "F":
        raise BrokenImageError("holds floating-point pixels, whose range is not known: save it in 8 or 16 bits")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > FULL_16:
            raise BrokenImageError("holds pixels of 32 bits, whose range is not known: save it in 8 or 16 bits")
        return Image.fromarray(((values * 255 + FULL_16 // 2) // FULL_16).astype(np.uint8)).convert(mode)
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert(mode)
    return image.convert(mode)
