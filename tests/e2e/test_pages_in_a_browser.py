"""Our own pages in headless Chromium with the network off, at a desktop's and at a phone's width.

Screenshots: `report-desktop.png`, `report-phone.png`, `study-…` (tests/e2e/browser.py says where).
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage

from mtl.report.study_page import write_study_page
from tests.e2e.browser import DESKTOP, PHONE, chromium, keep, needs_chromium
from tests.e2e.project import Project
from tests.report.test_study_page import content, study, with_arms

pytestmark = needs_chromium

DRAWN = """
() => [...document.querySelectorAll("figure")].map(figure => {
  const svg = figure.querySelector("svg"), box = svg.getBoundingClientRect();
  const outside = [...svg.querySelectorAll("text")].filter(text => {
    const own = text.getBoundingClientRect();
    return own.width && (own.left < box.left - 2 || own.right > box.right + 2 || own.top < box.top - 2 ||
                         own.bottom > box.bottom + 2);
  });
  const sizes = [...svg.querySelectorAll("text")].map(text =>
    parseFloat(getComputedStyle(text).fontSize) * box.width / svg.viewBox.baseVal.width);
  return {key: figure.id, width: box.width, height: box.height, shapes: svg.querySelectorAll("path, use").length,
          outside: outside.map(text => text.textContent), smallest: Math.min(...sizes)};
})
"""
"""For every figure: its size on the screen, what it draws, words that its edge cuts, its smallest letters (CSS px)."""
LEAST_LETTERS = 6.0
"""CSS pixels: below it nobody reads a label on a phone."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(browser: Browser, computed: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Copies of the report's folder and a study's page: nothing but what is beside them can be read."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(computed.root / "report", folder / "report")
    (folder / "study").mkdir()
    (folder / "arms").mkdir()
    arms = ("stl", "joint", "joint_pretrained", "uncertainty", "sequential", "a_method_of_a_long_name")
    return {
        "report": folder / "report/report.html",
        "study": write_study_page(study(["error", "accuracy"]), folder / "study"),
        "arms": write_study_page(with_arms(content(["combined"]), *arms), folder / "arms"),
    }


@pytest.mark.thorough
@pytest.mark.parametrize(("width", "height"), [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", ["report", "study", "arms"])
def test_every_figure_is_drawn_with_the_network_off(
    name: str, width: int, height: int, pages: dict[str, Path], browser: Browser
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    page = context.new_page()
    asked: list[str] = []
    wrong: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        wrong.append(f"{message.type}: {message.text}")

    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("console", hear)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(pages[name].as_uri())
    figures: list[dict[str, Any]] = page.evaluate(DRAWN)
    sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    keep(page, f"{name}-{'phone' if width < 600 else 'desktop'}", whole=True)

    beside = ["timings.js"] if name == "report" else []
    assert asked == [pages[name].as_uri(), *(pages[name].with_name(other).as_uri() for other in beside)]
    assert wrong == []
    assert sideways == 0, "the page itself scrolls sideways"
    drawn = {path.stem for path in pages[name].parent.glob("figures/*.png")}
    assert len(drawn) >= 4
    assert {figure["key"].removeprefix("figure-") for figure in figures} == drawn
    for figure in figures:
        assert figure["width"] > 150 and figure["height"] > 80, figure
        assert figure["shapes"] > 5, figure
        assert figure["outside"] == [], figure
        assert figure["smallest"] >= LEAST_LETTERS, figure
    if name == "report":
        costs = page.locator("#cost-table td[data-key]").all_inner_texts()
        assert costs and "not measured here" not in costs, "the times beside the page are shown"
    context.close()
