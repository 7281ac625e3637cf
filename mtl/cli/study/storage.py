"""Where studies are kept: a SQLite file of the project, or PostgreSQL by its address; and whose turn it is there.

A server that goes away in the middle of a study is waited for, within bounds: whoever needs a new connection asks for
it again and again, and what was cut off in the middle of a statement is done again (`Store.again`, `trial.work`).
"""

import hashlib
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from mtl.errors import UserError, shown
from mtl.paths import TRIALS
from mtl.tracking.address import check_length, misread, sqlite_address

DATABASE = TRIALS / "studies.db"
HEARTBEAT_SECONDS = 20
GRACE_SECONDS = 90
"""A trial on another machine whose worker was not heard of for this long is taken from it."""
MOST_RETRIES = 3
"""How often a trial whose worker was lost is tried again."""
ATTEMPTS = (1.0, 3.0)
"""Pauses between the attempts to reach a server, in seconds."""
RETURN = (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)
"""The same, for a server that was there before: a restart is waited for."""
MOST_CUTS = 5
"""How often in a row something may be cut off by a server that comes back each time."""
BUSY_SECONDS = 60
SILENT_SECONDS = 60
"""After this long a server that does not answer at all is taken to be away."""
SERVER = {
    "connect_timeout": 10, "keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 4,
    "tcp_user_timeout": 1000 * SILENT_SECONDS,
}  # fmt: skip
"""Options of a connection to PostgreSQL (libpq)."""
Result = TypeVar("Result")


GONE = (SQLAlchemyError, StorageInternalError)
"""Errors that a storage raises when it cannot be reached any more."""


def gone(error: Exception) -> UserError:
    """The message for it."""
    return UserError(
        f"the storage cannot be reached any more: {_reason(error)}. What is finished is kept, and what was under way "
        "goes on from its last state when the same command is given again."
    )


@dataclass(frozen=True)
class Turn:
    """The right to decide on the next trial."""

    connection: Connection | None
    """Whose end ends the turn; None: a file's lock, which only its holder lets go of."""

    def is_held(self) -> bool:
        """True when the turn was ours all the time: a server that was restarted has given it to others."""
        if self.connection is None:
            return True
        try:
            self.connection.execute(text("select 1"))
        except SQLAlchemyError:
            return False
        return True


class _Storage(RDBStorage):
    """Optuna's, whose trials outlive a beat that is lost with its server: the next one tells that they are alive."""

    def record_heartbeat(self, trial_id: int) -> None:
        with suppress(*GONE):
            super().record_heartbeat(trial_id)


class Store:
    """An address with what belongs to it. Holds no connection that a fork would share: see `close`."""

    def __init__(self, url: str | None, root: Path, say: Callable[[str], None] = lambda message: None) -> None:
        """Finds out whether the address can be used, and creates its tables.

        Args:
            url: address as SQLAlchemy writes it; None: the project's own file.
            root: folder of the project.
            say: told when a server goes away, and when it is back.

        Raises:
            UserError: the address is wrong, or cannot be reached after some attempts.
        """
        self.url = _parsed(url, root)
        self.file = Path(self.url.database) if self.url.get_backend_name() == "sqlite" and self.url.database else None
        self.say = say
        self.lost = False
        """True after the storage was waited for in vain."""
        self.storage = self._opened()
        self._wait_with(self.storage.engine)

    def close(self) -> None:
        """Lets go of all connections; they come back when they are needed."""
        self.storage.remove_session()
        self.storage.engine.dispose()

    @contextmanager
    def turn(self, study: str) -> Iterator[Turn]:
        """One process at a time decides on the next trial of a study; whoever dies lets go."""
        if self.file is not None:
            with FileLock(f"{self.file}.lock"):
                yield Turn(None)
            return
        number = int.from_bytes(hashlib.sha256(study.encode()).digest()[:8], "big", signed=True)
        engine = create_engine(self.url, connect_args=SERVER)
        self._wait_with(engine)
        try:
            with engine.connect() as connection:
                connection.execute(text("select pg_advisory_lock(:number)"), {"number": number})
                yield Turn(connection)
        finally:
            engine.dispose()

    def again(self, action: Callable[[], Result]) -> Result:
        """Does something that may be done twice, and once more when the server was lost meanwhile and is back."""
        for _ in range(MOST_CUTS):
            try:
                return action()
            except GONE as error:
                self.wait_for_return(error)
        return action()

    def wait_for_return(self, error: Exception) -> None:
        """Waits for a server that has cut us off.

        Raises:
            Exception: `error`, where there is no server to wait for; or the last one of those that waiting came to.
            KeyboardInterrupt: it was Ctrl-C that broke off the statement, which looks like a failure of the server's.
        """
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, KeyboardInterrupt):
                raise cause
            cause = cause.__cause__ or cause.__context__
        if self.file is not None or self.lost:
            raise error
        self.close()
        with self.storage.engine.connect():
            pass

    def _wait_with(self, engine: Engine) -> None:
        """Has the connections of an engine wait for a server that is away."""
        if self.file is None:
            event.listen(engine, "do_connect", self._connected)

    def _connected(self, dialect: Any, record: Any, arguments: Any, options: Any) -> Any:
        said = False
        for pause in (*(() if self.lost else RETURN), None):
            try:
                connection = dialect.connect(*arguments, **options)
            except dialect.loaded_dbapi.OperationalError as error:
                if pause is None:
                    self.lost = True
                    raise
                if not said:
                    self.say(f"The storage is away ({_reason(error)}); waiting {sum(RETURN):.0f} s for it at most.")
                    said = True
                time.sleep(pause)
            else:
                self.lost = False
                if said:
                    self.say("The storage is back.")
                return connection
        raise AssertionError("the last attempt returns or raises")

    def _opened(self) -> RDBStorage:
        options: dict[str, Any] = {"connect_args": SERVER, "pool_pre_ping": True}
        if self.file is not None:
            options = {"connect_args": {"timeout": BUSY_SECONDS}}
        for pause in (*ATTEMPTS, None):
            try:
                if self.file is not None:
                    _check_readable(self.file, self.url)
                with self._creating(), warnings.catch_warnings():
                    warnings.simplefilter("ignore", ExperimentalWarning)  # Of the heartbeat.
                    return _Storage(
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
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.file}.lock"):
            yield


def _parsed(url: str | None, root: Path) -> URL:
    if url is None:
        return make_url(sqlite_address((root / DATABASE).resolve()))
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UserError(f"`--storage` should be an address such as sqlite:///studies.db, found {shown(url)}.") from None
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise UserError(f"`--storage` should begin with sqlite:/// or postgresql://, found {parsed!r}.")
    if kind == "sqlite" and (not parsed.database or parsed.database == ":memory:"):
        raise UserError("`--storage` should name a file, since several processes share it, found none.")
    if kind == "sqlite" and (meant := misread(url, Path())) is not None:
        raise UserError(f"`--storage` means {parsed.database} as it stands; `%` and `?` of a path are escaped: {meant}")
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _check_readable(file: Path, url: URL) -> None:
    """Raises a UserError for a SQLite file that something has cut off or overwritten."""
    try:
        if file.is_file():
            with closing(sqlite3.connect(file)) as connection:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            check_length(file)
    except sqlite3.OperationalError:
        return  # Who opens it for writing says it.
    except sqlite3.DatabaseError as error:
        old = f"{file.name}.damaged"
        raise UserError(
            f"`--storage` {url!r} cannot be reached: {error}. If it held studies, put a copy of an earlier day in its "
            f"place, from which they go on; or rename it to {old}, and `mtl tune` starts anew (studies/NAME/study.json "
            "keeps what the trials came to: copy it first)."
        ) from None


def _reason(error: Exception) -> str:
    """The last cause, in a line."""
    inner: BaseException = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    return " ".join(str(inner).split())[:240].rstrip(".")
