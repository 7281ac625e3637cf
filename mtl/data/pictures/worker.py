"""A process that decodes image files: lines of JSON in, pixels into a file that it was given, lines of JSON out.

It imports no torch, so that it is there in half a second. It ends when nothing more is asked of it, as when the process
that started it is gone.
"""

import hashlib
import json
import os
import sys
from collections.abc import Sequence

from mtl.data.pictures.decode import BrokenImageError, Form, RefusedImageError, decoded

DIGEST = 8
"""Bytes of the hash by which equal images are found."""
Answer = tuple[list[int], list[tuple[int, str, bool]]]
"""Hash of each image; number, problem and whether it is refused of each that has no pixels."""


def decode_block(paths: Sequence[str], begin: int, target: int, form: Form) -> Answer:
    """Decodes files and writes their pixels one behind the other.

    Args:
        paths: of the files.
        begin: number of the first of them among all.
        target: descriptor of the file of pixels.
        form: of the pixels.
    """
    digests, problems = [], list[tuple[int, str, bool]]()
    for number, path in enumerate(paths, start=begin):
        try:
            pixels = _pixels(path, form)
        except BrokenImageError as error:
            problems.append((number, str(error), isinstance(error, RefusedImageError)))
            digests.append(0)
            continue
        os.pwrite(target, pixels, number * len(pixels))
        digests.append(int.from_bytes(hashlib.blake2b(pixels, digest_size=DIGEST).digest(), "little", signed=True))
    return digests, problems


def _pixels(path: str, form: Form) -> bytes:
    """Pixels of a file.

    Raises:
        BrokenImageError: it is missing, empty or broken.
    """
    try:
        with open(path, "rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise BrokenImageError("is empty")
            return decoded(file, form).tobytes()
    except FileNotFoundError:
        raise BrokenImageError("is missing") from None
    except OSError as error:
        raise BrokenImageError(f"cannot be read ({error.strerror or error})") from None


def main() -> None:
    """Answers each line: `{"paths": …, "begin": …}`."""
    target = int(sys.argv[1])
    size, fit, colour = json.loads(sys.argv[2])
    form = Form(tuple(size), fit, colour)
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.write(json.dumps(decode_block(asked["paths"], asked["begin"], target, form)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
