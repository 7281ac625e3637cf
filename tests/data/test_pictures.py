"""Image files of every mode and fault: the pixels that come out are known, and what is wrong is named."""

import io

import numpy as np
import pytest
from PIL import Image

from mtl.data.pictures.decode import MOST_PIXELS, BrokenImageError, Form, RefusedImageError, decoded
from mtl.data.pictures.files import name_problem
from tests.helpers.pictures import BLACK, BLUE, GREEN, RED, WHITE, bomb, plain, quarters, written

SMALL = Form((8, 8), "stretch", True)


def pixels(content: bytes, form: Form = SMALL) -> np.ndarray:
    return decoded(io.BytesIO(content), form)


def corners(image: np.ndarray) -> list[tuple[int, ...]]:
    """Colours of the four corners: upper left, upper right, lower right, lower left."""
    return [tuple(image[:, y, x].tolist()) for y, x in ((0, 0), (0, -1), (-1, -1), (-1, 0))]


UPRIGHT = [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_each_format_keeps_its_colours_in_their_places(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    image = pixels(written(quarters(), kind, **options))
    assert image.dtype == np.uint8 and image.shape == (3, 8, 8)
    near = np.abs(np.array(corners(image), dtype=int) - np.array(UPRIGHT))
    assert near.max() <= (3 if kind == "JPEG" else 0)


def modes() -> dict[str, Image.Image]:
    """Mode → an image whose left half is black and whose right half is white in it."""
    grey = np.zeros((16, 16), dtype=np.uint8)
    grey[:, 8:] = 255
    base = Image.fromarray(grey)
    transparent = np.zeros((16, 16, 4), dtype=np.uint8)
    transparent[:, :8, 3] = 255  # black; the other half is transparent black, which shows white
    keyed = base.convert("P")
    return {
        "L": base,
        "1": base.convert("1"),
        "P": keyed,
        "RGBA": Image.fromarray(transparent),
        "LA": Image.fromarray(transparent).convert("LA"),
        "I;16": Image.fromarray(grey.astype(np.uint16) * 257),
        "CMYK": base.convert("RGB").convert("CMYK"),
    }


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "I;16", "CMYK"])
def test_each_mode_becomes_eight_bits(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    content = written(modes()[mode], kind)
    expected = [BLACK, WHITE, WHITE, BLACK]
    assert corners(pixels(content)) == expected
    grey = pixels(content, Form((8, 8), "stretch", False))
    assert grey.shape == (1, 8, 8) and [value for (value,) in corners(grey)] == [0, 255, 255, 0]


def test_sixteen_bits_are_scaled_and_not_cut() -> None:
    values = np.array([[0, 257, 128 * 257, 65535]] * 4, dtype=np.uint16)
    image = pixels(written(Image.fromarray(values)), Form((4, 4), "stretch", False))
    assert image[0, 0].tolist() == [0, 1, 128, 255]


def test_a_transparent_colour_of_a_palette_shows_white() -> None:
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([*RED, *GREEN])
    assert corners(pixels(written(palette, transparency=0))) == [WHITE] * 4
    assert corners(pixels(written(palette, transparency=1))) == [RED] * 4


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_turn_of_exif_is_undone(turn: int) -> None:
    """The stored pixels are what each orientation says of them; upright they are the quarters."""
    upright = quarters(12, 20)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = upright if turn == 1 else upright.transpose(undo[turn])
    exif = Image.Exif()
    exif[0x0112] = turn
    image = pixels(written(stored, "PNG", exif=exif), Form((6, 10), "crop", True))
    assert corners(image) == UPRIGHT


def test_crop_cuts_the_middle_out_pad_keeps_all_and_stretch_fills() -> None:
    wide = np.zeros((8, 24, 3), dtype=np.uint8)
    wide[:, :8], wide[:, 8:16], wide[:, 16:] = RED, GREEN, BLUE
    content = written(Image.fromarray(wide))
    assert corners(pixels(content, Form((8, 8), "crop", True))) == [GREEN] * 4
    padded = pixels(content, Form((24, 24), "pad", True))
    assert corners(padded) == [BLACK] * 4
    assert [tuple(padded[:, 12, x].tolist()) for x in (0, 12, 23)] == [RED, GREEN, BLUE]
    assert (padded[:, :8] == 0).all() and (padded[:, 16:] == 0).all() and padded[:, 8:16].max(axis=0).all()
    stretched = pixels(content, Form((8, 8), "stretch", True))
    assert corners(stretched) == [RED, BLUE, BLUE, RED]


def test_a_size_that_is_there_already_is_kept_to_the_bit() -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(pixels(written(Image.fromarray(drawn))), drawn.transpose(2, 0, 1))


def test_a_large_jpeg_is_shrunk_as_if_it_had_been_decoded_whole() -> None:
    across = np.linspace(0, 255, 1600).astype(np.uint8)
    content = written(Image.fromarray(np.tile(across, (1200, 1))), "JPEG", quality=95)
    small = pixels(content, Form((12, 16), "crop", False))
    whole = np.asarray(Image.open(io.BytesIO(content)).resize((16, 12), Image.Resampling.BICUBIC))
    assert np.abs(small[0].astype(int) - whole).max() <= 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no JPEG, PNG, WebP or TIFF"),
        (b"hello, I am no image", "is no JPEG, PNG, WebP or TIFF"),
        (written(quarters(), "GIF"), "is no JPEG, PNG, WebP or TIFF"),
        (written(quarters(), "BMP"), "is no JPEG, PNG, WebP or TIFF"),
        (written(quarters(64, 64), "JPEG")[:300], "is no JPEG|is damaged"),
        (written(quarters(64, 64))[:90], "is damaged"),
        (written(Image.fromarray(np.ones((8, 8), dtype=np.float32)), "TIFF"), "floating-point"),
        (written(Image.fromarray(np.full((8, 8), 70_000, dtype=np.int32)), "TIFF"), "32 bits"),
    ],
    ids=["empty", "text", "gif", "bmp", "cut-jpeg", "cut-png", "float", "32-bit"],
)
def test_what_is_no_usable_image_says_so(content: bytes, told: str) -> None:
    with pytest.raises(BrokenImageError, match=told):
        pixels(content)


def test_a_decompression_bomb_is_refused_before_it_unpacks() -> None:
    with pytest.raises(RefusedImageError, match=f"at most {MOST_PIXELS:,} pixels"):
        pixels(bomb())


def test_one_colour_stays_one_colour_whatever_the_size() -> None:
    for fit in ("crop", "stretch"):
        for size in ((5, 9), (33, 7)):
            image = pixels(written(plain((10, 200, 30), 21, 13)), Form(size, fit, True))
            assert image.shape == (3, *size)
            assert (image == np.array([10, 200, 30], dtype=np.uint8)[:, None, None]).all()


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("a.jpg", False), ("cat/a b.jpg", False), ("./a.jpg", False), ("..a.jpg", False),
        ("/etc/a.jpg", True), ("../a.jpg", True), ("cat/../../a.jpg", True), ("C:\\a.jpg", True),
        ("..\\a.jpg", True), ("\\\\server\\a.jpg", True), ("a\0.jpg", True),
    ],
)  # fmt: skip
def test_names_that_leave_the_folder_are_refused(name: str, refused: bool) -> None:
    assert (name_problem(name) is not None) == refused
