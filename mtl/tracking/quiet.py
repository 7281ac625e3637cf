"""Silence of packages that say what nobody has asked for."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent(logger: str) -> Iterator[None]:
    """No warning is shown, and of a package's log errors alone.

    Args:
        logger: name of its log.
    """
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
