"""MLflow's pages, and Optuna's dashboard, in headless Chromium, as `mtl ui` opens them on a project with a study.

Screenshots: `mlflow-…png` and `optuna-…png` (tests/e2e/browser.py says where).
"""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import chromium, keep, needs_chromium
from tests.e2e.conftest import Finished
from tests.e2e.killing import until
from tests.e2e.project import METHODS, SEEDS, STARTS, Json, Project, settings
from tests.tracking.server import HOST, free_port

pytestmark = [pytest.mark.slow, needs_chromium]

WINDOW = (1600, 1000)
PATIENCE_MS = 60_000
BARS = "() => [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => plot.data)"
"""JavaScript: the data of the charts on the screen; a bar of MLflow's has a run's id on `y` and its value on `x`."""
DRAWN = f"""wanted => {{
    const bars = ({BARS})();
    if (bars.length !== 1 || bars[0].type !== 'bar' || bars[0].x.length !== wanted.length) return false;
    const found = [...bars[0].x].sort((a, b) => a - b);
    return found.every((value, i) => Math.abs(value - wanted[i]) <= 1e-9 * Math.abs(wanted[i]));
}}"""
"""JavaScript: true when there is one bar chart whose values are those wanted."""


@pytest.fixture(scope="module")
def tuned(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished project with a study of three trials, all of it in MLflow."""
    project = finished.project.copy(tmp_path_factory.mktemp("tuned") / "project")
    params = settings() | {"tune": {"objectives": ["error", "accuracy"], "trials": 3}}
    project.use(params)
    project.mtl("tune", "--workers", "1").well()
    project.mtl("sync", "--no-models").well()  # `mtl ui` puts the models in
    return project


@contextmanager
def served(project: Project, *options: str) -> Iterator[str]:
    """`mtl ui`; yields its address."""
    port = free_port()
    address = f"http://{HOST}:{port}"
    with (project.root / ".mtl/ui.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines", "ui", "--port", str(port), *options],
            cwd=project.root, env=project.environment(), stdout=log, stderr=log,
        )  # fmt: skip

        def answers() -> bool:
            assert process.poll() is None, (project.root / ".mtl/ui.log").read_text()
            try:
                with urllib.request.urlopen(address, timeout=5) as answer:
                    return int(answer.status) == 200
            except (urllib.error.URLError, OSError):
                return False

        try:
            until(answers, 300, "the server of `mtl ui` to answer")
            yield address
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def mlflow(browser: Browser, tuned: Project) -> Iterator[str]:
    """Address of the experiment's page."""
    with served(tuned) as address:
        query = f"{address}/api/2.0/mlflow/experiments/get-by-name?experiment_name=mtl"
        with urllib.request.urlopen(query, timeout=30) as answer:
            number = json.load(answer)["experiment"]["experiment_id"]
        yield f"{address}/#/experiments/{number}/runs"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    width, height = WINDOW
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def nested(page: Page, parent: str) -> list[str]:
    """Names of the runs below a parent, once it is opened."""
    row = page.locator(".ag-row").filter(has=page.get_by_role("link", name=parent))
    row.locator("button").first.click()
    page.wait_for_function("before => document.querySelectorAll('.ag-row a').length > before", arg=2)
    found = page.locator(".ag-row").get_by_role("link").all_inner_texts()
    return [name for name in found if not name.startswith(("study: ", "sensors: "))]


def test_the_parent_is_listed_and_opens_to_its_runs(page: Page, mlflow: str) -> None:
    page.goto(mlflow)
    expect(page.get_by_role("link", name="sensors: 2 tasks")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("link", name="study: study")).to_be_visible()
    names = nested(page, "sensors: 2 tasks")
    keep(page, "mlflow-runs")
    wanted = {f"s{seed} {method}" for method in METHODS for seed in SEEDS}
    wanted |= {f"s{seed} pretraining" for seed in SEEDS}
    wanted |= {f"s{seed} stl {task}" for task in ("ahead", "fault") for seed in SEEDS}
    wanted |= {f"mean {name}" for name in ("stl", *METHODS)}
    assert wanted <= set(names)
    page.get_by_role("link", name="sensors: 2 tasks").click()
    expect(page.get_by_text("Methods against single-task models")).to_be_visible()
    keep(page, "mlflow-parent")


def test_charts_compare_the_methods_with_stl(page: Page, mlflow: str, tuned: Project) -> None:
    """The filter and the charts, as the note on the parent run says."""
    filtered = quote("tags.stage = 'summary'")
    verdicts: Json = tuned.json("results/verdicts.json")
    metrics: Json = tuned.json("results/metrics.json")
    assert set(metrics) == {"stl", "stl_pretrained", "simple", *METHODS}
    assert len(STARTS) == 2
    rows = [row for row in verdicts["rows"] if row["method"] == "joint"]
    assert len(rows) == 2
    for number, row in enumerate(rows):
        metric = f"test/{row['task']}/{row['metric']}"
        page.goto("about:blank")
        page.goto(f"{mlflow}?searchFilter={filtered}&compareRunsMode=CHART")
        if number == 0:  # MLflow remembers the opened parent.
            page.locator(".ag-row").locator("button").first.click()
        page.get_by_placeholder("Search metric charts").fill(metric)
        # The last chart may still be there, and this one be drawn anew: so seen and compared in one look.
        page.wait_for_function(DRAWN, arg=sorted(method[row["task"]][row["metric"]] for method in metrics.values()))
        for name in (*METHODS, "stl"):
            expect(page.locator(".ag-row").get_by_role("link", name=f"mean {name}", exact=True)).to_be_visible()
        keep(page, f"mlflow-chart-{row['metric']}")


def test_a_summary_holds_the_model_of_its_method(page: Page, mlflow: str) -> None:
    server, number = mlflow.partition("/#")[0], mlflow.split("/")[-2]

    def summary() -> Json:
        asked = {"experiment_ids": [number], "filter": "tags.stage = 'summary' and tags.method = 'joint'"}
        request = urllib.request.Request(f"{server}/api/2.0/mlflow/runs/search", json.dumps(asked).encode(),
                                         {"Content-Type": "application/json"})  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:
            (run,) = json.load(answer)["runs"]
        return run

    until(lambda: "mtl.models" in {tag["key"] for tag in summary()["data"]["tags"]}, 120, "the model of joint")
    page.goto(f"{mlflow.removesuffix('/runs')}/runs/{summary()['info']['run_id']}")
    expect(page.get_by_role("heading", name="mean joint")).to_be_visible(timeout=PATIENCE_MS)
    model = page.get_by_role("link", name="model", exact=True).first  # beside each of its metrics
    expect(model).to_be_visible(timeout=PATIENCE_MS)
    keep(page, "mlflow-summary-model")
    page.goto(f"{server}/{model.get_attribute('href')}")  # a click may open another window
    expect(page.get_by_role("button", name="Register model")).to_be_visible(timeout=PATIENCE_MS)
    keep(page, "mlflow-model")


def test_a_study_and_its_trials_are_listed(page: Page, mlflow: str, tuned: Project) -> None:
    page.goto(mlflow)
    expect(page.get_by_role("link", name="study: study")).to_be_visible(timeout=PATIENCE_MS)
    names = nested(page, "study: study")
    keep(page, "mlflow-study")
    trials: list[dict[str, Any]] = tuned.json("studies/study/study.json")["arms"]["joint"]["trials"]
    assert {f"joint:{trial['number']}" for trial in trials} <= set(names)


def test_optunas_dashboard_opens_on_the_study(page: Page, tuned: Project) -> None:
    with served(tuned, "--study") as address:
        page.goto(address)
        expect(page.get_by_text("study/joint")).to_be_visible(timeout=PATIENCE_MS)
        keep(page, "optuna-studies")
        page.get_by_text("study/joint").click()
        page.wait_for_function(f"({BARS})().some(drawn => (drawn.x || []).length === 3)")
        keep(page, "optuna-study")
        assert page.get_by_text("not found").count() == 0
