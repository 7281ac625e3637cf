"""A source of the config → its prepared data: the only place that knows every kind of source."""

from pathlib import Path
from typing import assert_never

from mtl.config.sensors import SensorsSource
from mtl.config.sources import (
    ArraysSource,
    Cifar10Source,
    Cifar100Source,
    DigitsSource,
    HarSource,
    MnistSource,
    MultiMnistSource,
    PythonSource,
    RegressionsSource,
    SeriesSource,
    Source,
    UeaSource,
)
from mtl.config.table_source import TableSource
from mtl.data.inputs.every import check_prepared
from mtl.types import SourceData


def read_source(name: str, source: Source, root: Path = Path(".")) -> SourceData:
    """Reads and checks one source; each reader is imported only when its kind is used.

    Args:
        name: key of `prepare.sources`.
        source: its section.
        root: the project's folder, which the section's paths are relative to.

    Raises:
        DataError: a file is missing or cannot be used; the message names file, row and column.
    """
    match source:
        case SensorsSource():
            from mtl.data.sources import sensors

            return check_prepared(sensors.read(source, name, root), f"prepare.sources.{name}")
        case RegressionsSource():
            from mtl.data.sources import regressions

            return check_prepared(regressions.read(source, name, root), f"prepare.sources.{name}")
        case SeriesSource():
            from mtl.data.sources import series

            return check_prepared(series.read(source, name, root), source.path)
        case TableSource():
            from mtl.data.sources import table

            return check_prepared(table.read(source, name, root), source.path)
        case HarSource():
            from mtl.data.sources import har

            return check_prepared(har.read(source, name, root), source.path)
        case UeaSource():
            from mtl.data.sources import uea

            return check_prepared(uea.read(source, name, root), source.path)
        case ArraysSource():
            from mtl.data.sources import arrays

            return check_prepared(arrays.read(source, name, root), source.path)
        case DigitsSource():
            from mtl.data.sources import digits

            return check_prepared(digits.read(source, name, root), f"prepare.sources.{name}")
        case MnistSource():
            from mtl.data.sources import mnist

            return check_prepared(mnist.read(source, name, root), source.path)
        case MultiMnistSource():
            from mtl.data.sources import multi_mnist

            return check_prepared(multi_mnist.read(source, name, root), source.path)
        case Cifar10Source():
            from mtl.data.sources import cifar

            return check_prepared(cifar.read_cifar10(source, name, root), source.path)
        case Cifar100Source():
            from mtl.data.sources import cifar

            return check_prepared(cifar.read_cifar100(source, name, root), source.path)
        case PythonSource():
            from mtl.data.sources import python

            return check_prepared(python.read(source, name, root), source.target)
        case _:
            assert_never(source)
