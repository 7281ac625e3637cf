"""The page of `mtl serve` in headless Chromium, at a desktop's and at a phone's width: tried as a user tries it.

Screenshots: `serve-rows-desktop.png`, `serve-series-phone.png`, … (tests/e2e/browser.py says where).
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browser import DESKTOP, PHONE, chromium, keep, needs_chromium

pytestmark = needs_chromium
SIZES = {"desktop": DESKTOP, "phone": PHONE}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a service of a model."""
    command = [sys.executable, "-m", "mtl.cli", "serve", "--model", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[0]
        finally:
            server.send_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def addresses(rows: Path, series: Path) -> Iterator[dict[str, str]]:
    with served(rows) as first, served(series) as second:
        yield {"rows": first, "series": second}


@contextmanager
def opened(browser: Browser, address: str, size: str) -> Iterator[tuple[Page, list[str]]]:
    """The page, and what went wrong on it as it goes on."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    wrong: list[str] = []
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    yield page, wrong
    context.close()


def width_of(picture: Path) -> int:
    """Pixels of a picture in PNG: of a whole page more than the window's where it scrolls sideways. The page allows no
    code from elsewhere, so that a test cannot ask it either."""
    return int.from_bytes(picture.read_bytes()[16:20], "big")


def asked(page: Page, text: str | None = None) -> str:
    """Presses the button, with another request where there is one, and gives the answer that is shown."""
    if text is not None:
        page.locator("#request").fill(text)
    page.get_by_role("button", name="Predict").click()
    page.locator("button[type=submit]:not([disabled])").wait_for()
    return page.locator("#answer").inner_text()


@pytest.mark.thorough
@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("name", ["rows", "series"])
def test_the_example_is_answered_and_mistakes_are_told(
    name: str, size: str, addresses: dict[str, str], browser: Browser
) -> None:
    with opened(browser, addresses[name], size) as (page, wrong):
        example = page.locator("#request").input_value()
        json.loads(example)
        answer = asked(page)
        wanted = {"rows": ["rent", "band_q0.9", "dear_p:cheap"], "series": ["next", "later:load_q0.9", "alarm"]}[name]
        assert all(column in answer for column in wanted), answer
        assert page.locator("#answer th").count() >= len(wanted)
        assert width_of(keep(page, f"serve-{name}-{size}", whole=True)) == SIZES[size][0], "it scrolls sideways"
        assert page.locator("#request").bounding_box()["height"] < SIZES[size][1], "button and answer come into sight"  # type: ignore[index]
        assert "should be JSON" in asked(page, example[:-3])
        told = asked(page, '{"dataframe_records": [{"size (m2)": "large"}]}')
        assert page.locator("#answer .error").count() == 1 and told
        assert width_of(keep(page, f"serve-{name}-{size}-mistake", whole=True)) == SIZES[size][0]
        page.get_by_role("button", name="Example").click()
        assert page.locator("#request").input_value() == example
        assert asked(page) == answer
        assert wrong == []
