"""Many image files → one memory-mapped array, by processes side by side; memory does not grow with their number.

S images, C channels, Y × X pixels.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray

from mtl.config.image_files import ImageFiles
from mtl.data.formats.reading import writing
from mtl.data.pictures.decode import Form
from mtl.data.pictures.worker import Answer, decode_block
from mtl.errors import DataError

BLOCK = 128
"""Files that a process is given at a time."""
FEW = 4 * BLOCK
"""Files up to which this process decodes all itself: others would hardly have started."""
MOST_PROCESSES = 16


@dataclass(frozen=True)
class Problem:
    """A file that has no pixels.

    Args:
        row: number of the image.
        text: what is wrong with the file, a clause after its name.
        refused: it is dangerous, and is an error in any case.
    """

    row: int
    text: str
    refused: bool = False


@dataclass(frozen=True)
class Pictures:
    """Pixels of all files.

    Args:
        pixels: mapped to a file without a name; those of an image with a problem mean nothing.
        digests: hash of the pixels of each image.
        problems: in the order of the images.
    """

    pixels: UInt8[ndarray, "S C Y X"]
    digests: Int64[ndarray, " S"]
    problems: list[Problem]


def name_problem(name: str) -> str | None:
    """Problem of a name that should lead to a file below a folder, a clause after the name; None where it does."""
    parts = (*PurePosixPath(name).parts, *PureWindowsPath(name).parts)
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor:
        return "should start from the folder of `images`, and is an absolute path: refused"
    if ".." in parts:
        return "leaves the folder of `images`: refused"
    return None if name.isprintable() else "holds characters that no name should: refused"


def form_of(images: ImageFiles) -> Form:
    """Form of the pixels that a section asks for."""
    return Form(images.size, images.fit, images.colour)


def read_pictures(paths: Sequence[str], form: Form, room: Path, processes: int | None = None) -> Pictures:
    """Decodes files into one array.

    Args:
        paths: of the files, which were checked by `name_problem`.
        form: of the pixels.
        room: folder on a disk with space for the pixels. Where there is none yet, the folder above it takes their
            file: a set that is refused leaves no folder behind.
        processes: that decode; None: as many as there are cores, and none beside this one for a few files.

    Raises:
        DataError: there is no room for the pixels.
    """
    shape = (len(paths), 3 if form.colour else 1, *form.size)
    digests = np.zeros(len(paths), dtype=np.int64)
    problems: list[Problem] = []
    place = next(place for place in (room, *room.absolute().parents) if place.is_dir())
    with writing(place), tempfile.TemporaryFile(dir=place, prefix=".pixels-") as file:
        _fill(file.fileno(), int(np.prod(shape)))
        for begin, (hashes, told) in _answers(paths, form, file.fileno(), processes):
            digests[begin : begin + len(hashes)] = hashes
            problems += [Problem(*problem) for problem in told]
        pixels = np.memmap(file, dtype=np.uint8, mode="r+", shape=shape)
    return Pictures(pixels, digests, sorted(problems, key=lambda problem: problem.row))


def _fill(file: int, count: int) -> None:
    """Makes a file of that many bytes; where the disk cannot hold them, now and not when they are written."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, count)
    else:
        os.ftruncate(file, count)


def _answers(paths: Sequence[str], form: Form, target: int, processes: int | None) -> Iterator[tuple[int, Answer]]:
    """First number and answer of each block, in the order in which they are done."""
    begins = range(0, len(paths), BLOCK)
    if processes is None:
        processes = 0 if len(paths) <= FEW else min(cores(), MOST_PROCESSES, len(begins))
    if not processes:
        for begin in begins:
            yield begin, decode_block(paths[begin : begin + BLOCK], begin, target, form)
        return
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Answer] | None] = queue.SimpleQueue()
    for begin in begins:
        waiting.put(begin)

    def feed(process: "subprocess.Popen[str]") -> None:
        """Gives a process block after block."""
        assert process.stdin is not None and process.stdout is not None
        try:
            while True:
                begin = waiting.get_nowait()
                process.stdin.write(json.dumps({"paths": paths[begin : begin + BLOCK], "begin": begin}) + "\n")
                process.stdin.flush()
                hashes, told = json.loads(process.stdout.readline())
                done.put((begin, (hashes, told)))
        except queue.Empty:
            pass
        except (OSError, ValueError):
            done.put(None)

    with _workers(processes, form, target) as workers:
        threads = [threading.Thread(target=feed, args=(worker,), daemon=True) for worker in workers]
        for thread in threads:
            thread.start()
        for _ in begins:
            answer = done.get()
            if answer is None:
                raise DataError(
                    "a process that decodes images was ended from outside (killed, or the machine is out of memory): "
                    "run it again."
                )
            yield answer


@contextmanager
def _workers(count: int, form: Form, target: int) -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that decode into the file `target`; they end with the context."""
    asked = json.dumps([form.size, form.fit, form.colour])
    command = [sys.executable, "-m", "mtl.data.pictures.worker", str(target), asked]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    workers = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=(target,), env=environment
        )
        for _ in range(count)
    ]
    try:
        yield workers
    except BaseException:
        for worker in workers:
            worker.kill()
        raise
    finally:
        for worker in workers:
            assert worker.stdin is not None and worker.stdout is not None
            with suppress(OSError):  # It is gone.
                worker.stdin.close()
            worker.stdout.close()
            worker.wait()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
