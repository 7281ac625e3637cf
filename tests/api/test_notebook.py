"""In a real notebook: the table, the page inside it, a bar while it trains, and no warnings."""

import os
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
CELLS = [
    """
from IPython.display import DisplayHandle

seen, update = [], DisplayHandle.update

def listening(self, shown, **more):
    seen.append(shown.data)
    update(self, shown, **more)

DisplayHandle.update = listening

import mtl
from tests.api.conftest import QUICK, wines

result = mtl.compare(wines(), {"quality": "regression", "good": "binary"}, **QUICK)
""",
    "result",
    "place = result.report()",
    "result.report(show=False).is_file() and place.name",
    "print(seen[0]); print(repr(seen[-1]))",
]


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.processes
def test_a_notebook_shows_progress_table_and_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient")
    from nbformat import v4

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    trained, table, page, place, bars = (cell.outputs for cell in notebook.cells)
    assert [html(output) for output in trained] == [""], "the bar is gone, and nothing was warned of"
    assert "<table>" in html(table[0]) and "not known: too few seeds" in html(table[0])
    (shown,) = page
    assert html(shown).startswith('<div><iframe srcdoc="&lt;!') and "window.TIMINGS =" in html(shown)
    assert place[0]["data"]["text/plain"] == "'report.html'"
    first, last = bars[0]["text"].splitlines()
    assert first.startswith("mtl.compare <progress value=") and last == "''"


def html(output: Any) -> str:
    """HTML of an output; fails on what is printed."""
    assert output["output_type"] != "stream", output["text"]
    return str(output["data"]["text/html"])
