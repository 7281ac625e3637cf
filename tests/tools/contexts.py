"""A plugin of pytest that tells coverage.py which test is running, in this process and in those that it starts.

    COVERAGE_FILE=reached coverage run -m pytest -p tests.tools.contexts tests/balancing

Set-up and teardown count as parts of their test; what several tests share counts for the first of them.
"""

import os
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest

SETTINGS = "MTL_CONTEXTS"
"""Variable that names a folder for the settings of coverage.py in processes that tests start."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Names the test to coverage.py while it runs."""
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.switch_context(item.nodeid)
        if SETTINGS in os.environ:
            file = Path(os.environ[SETTINGS], f"{os.getpid()}.ini")
            test = item.nodeid.replace("$", "$$").replace("\n", " ")
            folder = os.environ["COVERAGE_FILE"]
            file.write_text(
                f"[run]\nparallel = true\nsource_pkgs = mtl\nconcurrency = multiprocessing, thread\n"
                f"patch = subprocess\ndata_file = {folder}\ncontext = {test}\n",
                encoding="utf-8",
            )
            os.environ["COVERAGE_PROCESS_START"] = str(file)
    return (yield)
