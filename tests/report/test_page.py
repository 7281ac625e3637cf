"""The page stands alone, says what was found, holds no foreign markup; tests/test_same_bytes.py compares its bytes."""

import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from mtl.errors import UserError
from mtl.report.page import write_report
from mtl.report.timings import write_timings_js
from mtl.report.words import Json
from tests.helpers.results import write_results
from tests.helpers.verdicts import interval_json, typed, verdict_json

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Collects elements and text, and checks that every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(reported: tuple[Path, Json]) -> str:
    return (reported[0] / "report" / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_every_element_is_closed_and_every_id_is_unique(page: Page) -> None:
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_references_inside_the_page_have_their_target(page: Page, text: str) -> None:
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = {a["href"] for a in page.all("a")} | {a["xlink:href"] for a in page.all("use")}
    assert links
    assert {str(link).removeprefix("#") for link in links} <= ids
    clips = {part.split(")")[0] for part in text.split("url(#")[1:]}
    assert clips <= ids


def test_nothing_is_loaded_but_the_times_beside_it(page: Page, text: str) -> None:
    assert "http://" not in text and "https://" not in text and "@import" not in text
    assert [a["src"] for a in page.all("script") if "src" in a] == ["timings.js"]
    assert [a["href"] for a in page.all("link")] == ["data:,"]
    assert not page.all("img") and not page.all("iframe") and not page.all("object")


def test_names_from_data_and_settings_stay_text(page: Page, text: str) -> None:
    assert len(page.all("script")) == 2
    assert not page.all("b") and not page.all("i")
    assert not any(key.startswith("on") for tag, a in page.elements for key in a if tag != "script")
    assert "<script>alert" not in text
    shown = " ".join(page.text)
    assert "a&b" in shown and "<img src=x onerror=alert(1)>" in shown


def test_every_figure_says_in_words_what_it_shows(page: Page) -> None:
    figures = page.all("svg")
    assert len(figures) >= 12
    assert all(a["role"] == "img" and len(str(a["aria-label"])) > 40 for a in figures)
    assert len(page.all("figcaption")) == len(page.all("figure")) == len(figures)


def test_tables_have_headers_for_columns_and_rows(page: Page) -> None:
    assert len(page.all("table")) == 1 + 4 + 1 + 1 + 1 + 2
    assert {a.get("scope") for a in page.all("th")} == {"col", "row", "colgroup"}


def test_simple_models_stand_beside_the_networks(page: Page, text: str) -> None:
    shown = " ".join(" ".join(page.text).split())
    assert "0.470 ridge 0.512†" in shown and "Dashed: the simple model of the task" in shown
    assert "near, MSE z-scored ridge 0.470 52 % −9.0 [" in shown, "the table of simple models"
    assert (
        "the best first settings of the best left out near ridge 0.470, mean 1.000 λ 1 kernels: too few rows" in shown
    )
    assert text.count('aria-label="Validation curves') == 1 and text.count(">simple model</text>") == 6


def test_without_simple_models_the_page_does_not_speak_of_them(plain: tuple[Path, str]) -> None:
    root, shown = plain
    assert (root / "outputs/simple/near/seed-0/run.json").is_file()
    assert "simple" not in shown.lower().replace("fill=", "") and "†" not in shown


def test_verdicts_come_first_and_every_one_is_there(page: Page, reported: tuple[Path, Json]) -> None:
    verdicts = reported[1]
    shown = " ".join(" ".join(page.text).split())
    for row in typed(verdicts).rows:
        assert f"{row.verdict.word} {row.verdict.beside}".strip() in shown
    assert shown.index("comparisons with single-task models") < shown.index("Learning curves")
    assert "Conditional on one pretraining" in shown
    assert "cover training randomness, those for new data also the choice of test data" in shown
    assert "for new data" in shown and "stretches of a series" in shown
    assert "Where pretraining helps" in shown and "Forgetting" in shown


def test_figures_are_also_files_and_old_ones_go(plain: tuple[Path, str]) -> None:
    root, shown = plain
    files = {file.name for file in (root / "report/figures").iterdir()}
    assert {"change.png", "learning_curves.png", "forecast_near.png", "confusion_fault.png"} <= files
    assert "forecast_removed.png" not in files
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in (root / "report/figures").iterdir())
    assert 'not known</span> <small class="below">too few seeds</small>' in shown and "a verdict needs 5" in shown
    assert "Where pretraining helps" not in shown and "Forgetting" not in shown


def test_what_is_missing_is_named_with_the_reason(tmp_path: Path) -> None:
    config, verdicts = write_results(tmp_path, methods=("joint",), seeds=1)
    for file in [*tmp_path.rglob("history.json"), *tmp_path.rglob("examples.json")]:
        file.unlink()
    shown = write_report(config, typed(verdicts), tmp_path).read_text(encoding="utf-8")
    assert "Learning curves</strong> is not shown: no history.json" in shown
    assert "Forecasts against truth: near</strong> is not shown" in shown
    assert Page(shown).open == []


def test_a_page_without_any_output_still_shows_the_verdicts(tmp_path: Path) -> None:
    config, verdicts = write_results(tmp_path / "elsewhere", methods=("joint",), seeds=1)
    verdicts["rows"][0]["change"] = {"mean": None, "low": None, "high": None, "n": 0}
    shown = write_report(config, typed(verdicts), tmp_path).read_text(encoding="utf-8")
    assert shown.count("is not shown") >= 6
    assert 'not known</span> <small class="below">too few seeds</small>' in shown


def test_what_the_verdicts_rest_on_is_said_where_it_stands(tmp_path: Path) -> None:
    config, verdicts = write_results(tmp_path / "elsewhere", methods=("joint",))
    level = {"change": interval_json(0.1, -0.2, 0.4, 5), "verdict": verdict_json("LEVEL")}
    for row in verdicts["rows"]:
        row |= level
    verdicts["margin"] = {"fault": 0.02}
    shown = write_report(config, typed(verdicts), tmp_path).read_text(encoding="utf-8")
    assert "= LEVEL" in shown and "5 are level" in shown
    assert "or lies within the margin of ±1 % (fault ±2 %) (LEVEL)" in shown
    assert "not known, " not in shown
    open_ = {"change": interval_json(2.0, 1.0, 3.0, 5), "verdict": verdict_json(open="seeds", seeds_needed=1024)}
    verdicts["rows"][0] |= open_
    verdicts["rows"][1]["verdict"] = verdict_json(open="test data", seeds_needed=None)
    shown = " ".join(Page(write_report(config, typed(verdicts), tmp_path).read_text(encoding="utf-8")).text)
    shown = " ".join(shown.split())
    for said in ("not known 1,024 seeds", "not known more test data", "80 %", "though an interval shown excludes"):
        assert said in shown
    verdicts["margin"] = 0.0
    assert "(LEVEL)" not in write_report(config, typed(verdicts), tmp_path).read_text(encoding="utf-8")


def test_outputs_of_a_removed_method_change_nothing(tmp_path: Path) -> None:
    config, verdicts = write_results(tmp_path / "elsewhere", methods=("joint",), seeds=1)
    before = write_report(config, typed(verdicts), tmp_path).read_bytes()
    ghost = tmp_path / "outputs" / "finetune" / "removed" / "seed-0"
    ghost.mkdir(parents=True)
    (ghost / "run.json").write_text("not even JSON", encoding="utf-8")
    assert write_report(config, typed(verdicts), tmp_path).read_bytes() == before


def test_a_broken_result_file_is_named(tmp_path: Path) -> None:
    config, verdicts = write_results(tmp_path, methods=("joint",), seeds=1)
    (tmp_path / "outputs" / "finetune" / "joint" / "seed-0" / "history.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"history\.json cannot be read"):
        write_report(config, typed(verdicts), tmp_path)


def test_settings_are_shown_as_yaml_that_reads_back(tmp_path: Path) -> None:
    config, verdicts = write_results(tmp_path / "elsewhere", methods=("joint",), seeds=1)
    shown = write_report(config, typed(verdicts), tmp_path).read_text(encoding="utf-8")
    part = shown.split("<summary>finetune</summary><pre>")[1].split("</pre>")[0]
    assert yaml.safe_load(part)["methods"]["joint"]["lambda"] == 0.2
    assert "jobs:" not in shown


def test_times_leave_the_page_as_it_is(tmp_path: Path) -> None:
    config, verdicts = write_results(tmp_path / "elsewhere", methods=("joint",), seeds=1)
    before = write_report(config, typed(verdicts), tmp_path).read_bytes()
    shutil.copytree(tmp_path / "elsewhere" / "timings", tmp_path / "timings")
    write_timings_js(tmp_path, typed(verdicts))
    assert write_report(config, typed(verdicts), tmp_path).read_bytes() == before


def test_report_imports_neither_torch_nor_mlflow() -> None:
    code = "import sys, mtl.report.page, mtl.report.table; print({'torch', 'mlflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
