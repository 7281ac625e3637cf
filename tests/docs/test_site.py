"""The site of the manual: built without a warning, notebooks executed; every link leads somewhere, nothing is fetched
from elsewhere, and the search finds what stands there.

Screenshots: `manual-….png` (tests/e2e/browser.py says where).
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser

import mtl
from mtl.config import Config
from tests.e2e.browser import DESKTOP, PHONE, chromium, keep, needs_chromium

pytestmark = pytest.mark.thorough

PROJECT = Path(__file__).resolve().parents[2]
LOOKED_AT = ["index", "start", "guide/choose", "guide/report", "guide/own-table", "architecture", "reference/params",
             "reference/api", "results/balancing", "notebooks/table"]  # fmt: skip
"""Pages that are looked at in a browser: one of each make."""


class Page(HTMLParser):
    """Ids and links of a page.

    Attributes:
        ids: anchors that other pages may name.
        links: targets of `<a>`.
        loaded: what a browser fetches by itself: scripts, styles, pictures.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {name for name in (given.get("id"), given.get("name")) if name}
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.append(str(given["href"]))
        elif given.get("src"):
            self.loaded.append(str(given["src"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "--builder", "html", "--fail-on-warning", "--keep-going", "--nitpicky",
         "--quiet", "--doctree-dir", str(folder / "doctrees"), str(PROJECT / "docs"), str(folder / "html")],
        env=environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page of the site, parsed."""
    return {path: Page(path) for path in site.rglob("*.html") if "_modules" not in path.parts}


def test_links_and_anchors_lead_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert len(pages) > 30
    lost = []
    for path, page in pages.items():
        for link in page.links:
            file, _, anchor = unquote(link).partition("#")
            if re.match(r"[a-z]+:", file):
                continue
            target = (path.parent / file.partition("?")[0]).resolve() if file else path
            known = pages.get(target)
            if not target.is_file() or (anchor and known is not None and anchor not in known.ids):
                lost.append(f"{path.relative_to(site)}: {link}")
    assert lost == []


def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for source in page.loaded:
            assert not re.match(r"(https?:)?//", source), f"{path}: {source}"
            if not source.startswith("data:"):
                assert (path.parent / source.partition("?")[0]).resolve().is_file(), f"{path}: {source}"


def test_the_reference_holds_every_public_name(pages: dict[Path, Page], site: Path) -> None:
    described = pages[site / "reference/api.html"].ids
    assert {f"mtl.{name}" for name in mtl.__all__ if not name.startswith("_")} <= described
    assert {"mtl.api.result.Result.verdicts", "mtl.serving.model.Model.predict", "mtl.types.Prepared"} <= described


def test_every_section_of_params_has_its_settings(site: Path) -> None:
    text = (site / "reference/params.html").read_text(encoding="utf-8")
    for name, field in Config.model_fields.items():
        assert f'id="{name}"' in text, name
        inner = getattr(field.annotation, "model_fields", {})
        assert all(f">{setting.alias or key}<" in text for key, setting in inner.items()), name
    assert "pcgrad" in text and "Yu 2020" in text


def test_notebooks_show_what_was_computed(site: Path) -> None:
    shown = {
        name: (site / f"notebooks/{name}.html").read_text(encoding="utf-8") for name in ("table", "network", "loop")
    }
    assert all("cell_output" in text for text in shown.values())
    assert "not known" in shown["table"] or "HELPED" in shown["table"] or "LEVEL" in shown["table"]
    assert "finished module" in shown["network"] and "pcgrad" in shown["loop"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@needs_chromium
@pytest.mark.parametrize(("width", "height"), [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pages_in_a_browser(width: int, height: int, site: Path, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    page = context.new_page()
    wrong: list[str] = []
    asked: list[str] = []
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for name in LOOKED_AT:
        page.goto((site / f"{name}.html").as_uri())
        sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert sideways == 0, f"{name} scrolls sideways"
        keep(page, f"manual-{name.replace('/', '-')}-{'phone' if width < 600 else 'desktop'}")
    # The search as a reader uses it, from the field to a page that holds the word.
    page.goto((site / "search.html").as_uri() + "?q=cross_stitch")
    page.wait_for_selector("ul.search li a", timeout=20_000)
    hits = page.locator("ul.search li a").all_inner_texts()
    assert any("Methods" in hit for hit in hits), hits
    page.locator("ul.search li a").first.click()
    page.wait_for_load_state()
    assert "search.html" not in page.url
    assert wrong == []
    assert all(url.startswith(("file:", "data:")) for url in asked)
    context.close()
