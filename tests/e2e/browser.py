"""Headless Chromium, and where the pictures of what it shows are kept.

Chromium is the system's own (Debian: `apt-get install chromium`); `MTL_CHROMIUM` names another one. The screenshots go
to the folder that `MTL_SCREENSHOTS` names, else to screenshots/ of the checkout, which git ignores: look at them after
a change of a page, a figure, or a name in MLflow.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-quic"]  # fmt: skip
DESKTOP = (1280, 900)
PHONE = (390, 844)
"""Width and height in CSS pixels."""


def executable() -> str | None:
    """Chromium, or None."""
    return os.environ.get("MTL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


needs_chromium = pytest.mark.skipif(
    executable() is None, reason="there is no Chromium here: `apt-get install chromium`, or name one in MTL_CHROMIUM"
)
"""A mark and no skip inside a fixture: it is heeded before any fixture is made, and the others train for a minute."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with an empty profile."""
    path = executable()
    assert path is not None, "the tests that ask for it are marked `needs_chromium`"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def keep(page: Page, name: str, whole: bool = False) -> Path:
    """Takes a screenshot of the window, or of the whole page; returns its path."""
    below = Path(__file__).resolve().parents[2] / "screenshots"
    path = Path(os.environ.get("MTL_SCREENSHOTS") or below) / f"{name}.png"
    page.screenshot(path=path, full_page=whole)
    return path
