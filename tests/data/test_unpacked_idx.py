"""MNIST's files that were unpacked on their way: the message leads to the same images."""

import json
from pathlib import Path

import pytest

from mtl.config import MnistSource
from mtl.data.build import read_source
from mtl.data.files.register import add
from mtl.data.files.verify import verify
from mtl.errors import DataError
from mtl.types import ImageSet
from tests.helpers.image_files import mnist_parts, write_mnist

RAW = Path("data/raw/mnist")


@pytest.mark.parametrize("mark", ["-idx", ".idx"])
def test_unpacked_files_are_found_and_read_under_their_name(mark: str, tmp_path: Path) -> None:
    source = MnistSource(kind="mnist", path=RAW.as_posix(), folds=3)
    write_mnist(tmp_path / RAW, mnist_parts())
    expected = read_source("own", source, tmp_path)
    for path in (tmp_path / RAW).iterdir():
        path.unlink()
    plain = {name: (tmp_path / RAW / name.removesuffix(".gz").replace("-idx", mark)) for name in mnist_parts()}
    for name, path in plain.items():
        path.write_bytes(mnist_parts()[name])
    add("own", [tmp_path / RAW], tmp_path)
    with pytest.raises(DataError, match=r"ubyte\.gz is missing, but .*ubyte is there unpacked: rename it to .*\.gz"):
        verify("own", source, tmp_path)
    for name, path in plain.items():
        path.rename(path.with_name(name))
    (tmp_path / "data/raw/own.json").unlink()
    add("own", [tmp_path / RAW], tmp_path)
    assert len(verify("own", source, tmp_path)) == 4
    images = read_source("own", source, tmp_path)
    assert isinstance(images, ImageSet) and isinstance(expected, ImageSet)
    assert images.images.equal(expected.images) and len(images.notes) == 4


def test_unpacked_files_of_a_known_set_are_registered_under_its_names(tmp_path: Path) -> None:
    files = {f"mnist/{name}": {"sha256": ["0" * 64], "url": f"https://example.org/{name}"} for name in mnist_parts()}
    (tmp_path / RAW).mkdir(parents=True)
    (tmp_path / "data/raw/mnist.json").write_text(json.dumps({"title": "MNIST", "licence": "", "files": files}))
    given = []
    for name, data in mnist_parts().items():
        given.append(tmp_path / name.removesuffix(".gz").replace("-idx", ".idx"))
        given[-1].write_bytes(data)
    add("mnist", given, tmp_path)
    source = MnistSource(kind="mnist", path=RAW.as_posix(), folds=3)
    assert len(verify("mnist", source, tmp_path)) == 4
    assert isinstance(read_source("mnist", source, tmp_path), ImageSet)
