"""Where studies are kept: a SQLite file of the project, or PostgreSQL by its address; and whose turn it is there."""

import hashlib
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from mtl.errors import UserError, shown
from mtl.paths import TRIALS

DATABASE = TRIALS / "studies.db"
HEARTBEAT_SECONDS = 20
GRACE_SECONDS = 90
"""A trial on another machine whose worker was not heard of for this long is taken from it."""
MOST_RETRIES = 3
"""How often a trial whose worker was lost is tried again."""
ATTEMPTS = (1.0, 3.0)
"""Pauses between the attempts to reach a server, in seconds."""
BUSY_SECONDS = 60


GONE = (SQLAlchemyError, StorageInternalError)
"""What a storage raises that cannot be had any more."""


def gone(error: Exception) -> UserError:
    """The message for it."""
    return UserError(
        f"the storage cannot be reached any more: {_reason(error)}. What is finished is kept, and what was under way "
        "goes on from its last state when the same command is given again."
    )


class Store:
    """An address with what belongs to it. Holds no connection that a fork would share: see `close`."""

    def __init__(self, url: str | None, root: Path) -> None:
        """Finds out whether the address can be used, and creates its tables.

        Args:
            url: address as SQLAlchemy writes it; None: the project's own file.
            root: folder of the project.

        Raises:
            UserError: the address is wrong, or cannot be reached after some attempts.
        """
        self.url = _parsed(url, root)
        self.file = Path(self.url.database) if self.url.drivername == "sqlite" and self.url.database else None
        self.storage = self._opened()

    def close(self) -> None:
        """Lets go of all connections; they come back when they are needed."""
        self.storage.remove_session()
        self.storage.engine.dispose()

    @contextmanager
    def turn(self, study: str) -> Iterator[None]:
        """One process at a time decides on the next trial of a study; whoever dies lets go."""
        if self.file is not None:
            with FileLock(f"{self.file}.lock"):
                yield
            return
        number = int.from_bytes(hashlib.sha256(study.encode()).digest()[:8], "big", signed=True)
        engine = create_engine(self.url)
        try:
            with engine.connect() as connection:
                connection.execute(text("select pg_advisory_lock(:number)"), {"number": number})
                yield
        finally:
            engine.dispose()

    def _opened(self) -> RDBStorage:
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        options = {"connect_args": {"timeout": BUSY_SECONDS}} if self.file is not None else {"pool_pre_ping": True}
        for pause in (*ATTEMPTS, None):
            try:
                with self._creating(), warnings.catch_warnings():
                    warnings.simplefilter("ignore", ExperimentalWarning)  # Of the heartbeat.
                    return RDBStorage(
                        self.url.render_as_string(hide_password=False),
                        engine_kwargs=options,
                        heartbeat_interval=HEARTBEAT_SECONDS,
                        grace_period=GRACE_SECONDS,
                        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(
                            MOST_RETRIES, inherit_intermediate_values=True
                        ),
                    )
            except (ImportError, NoSuchModuleError) as error:
                raise UserError(f"`--storage` {self.url!r} cannot be used: {error}.") from None
            except (SQLAlchemyError, OSError) as error:
                if pause is None or self.file is not None:
                    raise UserError(f"`--storage` {self.url!r} cannot be reached: {_reason(error)}.") from None
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def _creating(self) -> Iterator[None]:
        """Two processes that create the tables of one SQLite file at once break it."""
        if self.file is None:
            yield
            return
        with FileLock(f"{self.file}.lock"):
            yield


def _parsed(url: str | None, root: Path) -> URL:
    if url is None:
        return make_url(f"sqlite:///{(root / DATABASE).resolve()}")
    try:
        found = make_url(url)
    except ArgumentError:
        raise UserError(f"`--storage` should be an address such as sqlite:///studies.db, found {shown(url)}.") from None
    kind = found.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise UserError(f"`--storage` should begin with sqlite:/// or postgresql://, found {found!r}.")
    if kind == "sqlite" and (not found.database or found.database == ":memory:"):
        raise UserError("`--storage` should name a file, since several processes share it, found none.")
    return found.set(drivername="postgresql+psycopg") if found.drivername == "postgresql" else found


def _reason(error: Exception) -> str:
    """The last cause, in a line."""
    inner: BaseException = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    return " ".join(str(inner).split())[:240].rstrip(".")
