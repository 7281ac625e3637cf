"""A server and a proxy before it, results to publish, and what a test is told of warnings."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtl.config import Config
from mtl.tracking import open_database
from tests.tracking.results import make_config, write_results
from tests.tracking.server import Proxy, Server


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests, since making one takes seconds; each test has its own experiment."""
    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    open_database(make_config(uri, "first"), Path("/"))
    shutil.copyfile(folder / "mlflow.db", folder / "empty.db")
    return uri


@pytest.fixture(scope="session")
def empty_database(database: str) -> Path:
    """The same before any test wrote to it, with its first experiment alone: to be copied."""
    return Path(database.removeprefix("sqlite:///")).with_name("empty.db")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that do not kill it; starting one takes seconds."""
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    made = Proxy(server.port)
    yield made
    made.close()


@pytest.fixture
def remote(proxy: Proxy, request: pytest.FixtureRequest) -> Config:
    """Settings that publish to the proxy, in an experiment of the test's own."""
    return make_config(proxy.uri, request.node.name)


@pytest.fixture
def results(tmp_path: Path, remote: Config) -> Path:
    """A project folder with results that are to be published to the proxy."""
    root = tmp_path / "project"
    write_results(root, remote)
    return root


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Warnings that the user was given."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    handler, logger = Keep(logging.WARNING), logging.getLogger("mtl.tracking")
    logger.addHandler(handler)
    yield said
    logger.removeHandler(handler)
