"""A PostgreSQL server of the tests' own, on loopback, with a password."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = Path("/usr/lib/postgresql")
USER = "mtl"


def programs() -> Path | None:
    """Folder of the server's programs, or None."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    return max((path.parent for path in PROGRAMS.glob("*/bin/initdb")), default=None)


@contextmanager
def running(name: str) -> "Iterator[Postgres]":
    """A server that answers, in a temporary folder that `name` is a part of; the test skips where there is none."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # Not below pytest's own folder, which another user cannot enter.
    with tempfile.TemporaryDirectory(prefix=f"mtl-{name}-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)
        server = Postgres(found, Path(place) / "server")
        server.start()
        try:
            yield server
        finally:
            server.stop()


class Postgres:
    """A server in a folder that is made for it; it refuses to run as root, so root lends it to `postgres`."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        self.password = secrets.token_hex(8)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.user = "postgres" if os.geteuid() == 0 else None
        folder.mkdir(parents=True)
        (folder / "password").write_text(self.password)
        if self.user is not None:
            for path in (folder, folder / "password"):
                shutil.chown(path, self.user)
        self._call("initdb", "-D", str(folder / "data"), "-U", USER, "-A", "scram-sha-256", "-E", "UTF8",
                   "--pwfile", str(folder / "password"), "-N")  # fmt: skip

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._call(
            "pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log"), "-w", "start"
        )

    def stop(self) -> None:
        """At once: who is connected is cut off."""
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.programs / program), *arguments], user=self.user, cwd="/", check=True,
            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
