"""The outbox's file: creating, migrating and checking it, and replacing a damaged one."""

import errno
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from monitor.errors import OutboxDamagedError, OutboxDiskError, OutboxError, OutboxFullError

log = logging.getLogger(__name__)

Row: TypeAlias = tuple[str, int, str, bytes, str, int]

VERSION = 3  # of the tables below, stored in the file
COLUMNS = "id, seq, topic, payload, created_at, expendable"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    position   INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of sending; never reused
    id         TEXT NOT NULL,                      -- the alert's
    seq        INTEGER NOT NULL,                   -- which of its states
    topic      TEXT NOT NULL,
    payload    BLOB NOT NULL,
    created_at TEXT NOT NULL,                      -- ISO 8601, UTC
    expendable INTEGER NOT NULL DEFAULT 0,         -- 1: may be deleted for others
    UNIQUE (id, seq)                               -- a second add is ignored
) STRICT;
CREATE TABLE IF NOT EXISTS retained (              -- topics with a retained message
    topic TEXT PRIMARY KEY
) STRICT;
CREATE TABLE IF NOT EXISTS unfinished (            -- the latest state of open alerts
    id         TEXT PRIMARY KEY,
    seq        INTEGER NOT NULL,
    topic      TEXT NOT NULL,
    payload    BLOB NOT NULL,
    created_at TEXT NOT NULL,
    expendable INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS paused (                -- cameras paused by a command
    camera TEXT PRIMARY KEY
) STRICT;
"""
INSERT = f"INSERT OR IGNORE INTO message ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608  (our own constant)
_FROM_1 = "ALTER TABLE message ADD COLUMN expendable INTEGER NOT NULL DEFAULT 0"
_INDEX = "CREATE INDEX IF NOT EXISTS spare ON message (position) WHERE expendable = 1"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_REMEDIES = {
    "SQLITE_FULL": "free disk space; alerts already waiting are kept",
    "SQLITE_IOERR": "free disk space or check the disk; alerts already waiting are kept",
    "SQLITE_CANTOPEN": "let the user that runs the monitor write to this folder",
    "SQLITE_READONLY": "let the user that runs the monitor write to this file and its folder",
    "SQLITE_PERM": "let the user that runs the monitor write to this file and its folder",
    "SQLITE_NOTADB": "move the file away; it is not an outbox",
    "SQLITE_CORRUPT": "move the file away; it is damaged",
    "SQLITE_BUSY": "end the other program that keeps it locked",
}
_ERRORS = {
    "SQLITE_FULL": OutboxFullError,
    "SQLITE_IOERR": OutboxDiskError,
    "SQLITE_NOTADB": OutboxDamagedError,
    "SQLITE_CORRUPT": OutboxDamagedError,
}


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged file that was replaced."""

    aside: Path  # its new path
    rescued: int  # messages that could be read and are in the new file


class OutboxDatabase:
    """One connection to the file; replaces the file when it is damaged. Thread-safe.

    Args:
        path: The file. It and its folder are created if missing.
        max_bytes: Limit of the tables' size; None is the size of the disk.
        busy_timeout_s: How long to wait for another process that is writing.
        on_damage: See Outbox. With it, a disk that is full or fails does not raise here: the
            file is opened as soon as the disk allows.

    Raises:
        OutboxError: The file cannot be used.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int | None,
        busy_timeout_s: float,
        on_damage: Callable[[Damage], None] | None,
    ) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self._busy_timeout_s = busy_timeout_s
        self._on_damage = on_damage
        self._db: sqlite3.Connection | None = None
        try:
            db = self._get_connection()
            if on_damage is not None:
                check_database(path, db)
        except OutboxDamagedError:
            if on_damage is None:
                raise
            self._replace_damaged()
        except (OutboxFullError, OutboxDiskError) as error:
            if on_damage is None:
                raise
            log.error("%s; going on without it until the disk allows", error)

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """Use the connection within the block, one thread at a time.

        Raises:
            OutboxError: The work was not done. After damage the next attempt finds a new
                file, if ``on_damage`` is set.
        """
        with self._lock:
            try:
                with map_sqlite_errors(self.path):
                    yield self._get_connection()
            except OutboxDamagedError:
                if self._on_damage is not None:
                    self._replace_damaged()
                raise

    @contextmanager
    def begin(self) -> Iterator[sqlite3.Connection]:
        """As ``connect``, in one transaction."""
        with self.connect() as db, db:  # commits, or rolls back what an error left open
            db.execute("BEGIN IMMEDIATE")
            yield db

    def _get_connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = open_database(
                self.path, max_bytes=self._max_bytes, busy_timeout_s=self._busy_timeout_s
            )
        return self._db

    def _replace_damaged(self) -> None:
        """Move a damaged file aside, and copy what can be read into a new one."""
        damaged, self._db = self._db, None
        aside = move_aside(self.path, datetime.now(UTC))
        rows = read_salvageable_rows(aside)
        with map_sqlite_errors(self.path):
            db = self._get_connection()
            db.execute("BEGIN")
            db.executemany(INSERT, rows)
            db.execute("COMMIT")
        if damaged is not None:
            damaged.close()
        log.error("%s: damaged; moved to %s, %d rescued", self.path, aside.name, len(rows))
        if self._on_damage is not None:
            self._on_damage(Damage(aside, len(rows)))


def open_database(
    path: Path, *, max_bytes: int | None, busy_timeout_s: float
) -> sqlite3.Connection:
    """Open the file; create it if missing.

    Raises:
        OutboxError: It cannot be used; one line that names the file and the remedy.
    """
    with map_sqlite_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, busy_timeout_s, check_same_thread=False, isolation_level=None)
    try:
        with map_sqlite_errors(path):
            _create_tables(db, path, max_bytes)
    except OutboxError:
        db.close()
        raise
    return db


def check_database(path: Path, db: sqlite3.Connection) -> None:
    """Check the whole file.

    Raises:
        OutboxDamagedError: It is damaged.
    """
    with map_sqlite_errors(path):
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise OutboxDamagedError(f"{path}: {verdict}; move the file away; it is damaged")


def move_aside(path: Path, now: datetime) -> Path:
    """Rename a damaged file and its log; the new name ends in the time, in UTC.

    Raises:
        OutboxError: The folder cannot be written.
    """
    aside = path.with_name(f"{path.name}.damaged-{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}")
    with map_sqlite_errors(path):
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def read_salvageable_rows(path: Path) -> list[Row]:
    """Return the messages of a damaged file that can still be read, in order."""
    forwards: dict[int, Row] = {}
    for direction in ("ASC", "DESC"):  # from both ends, around the damaged part
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
            columns = {str(row[1]) for row in db.execute("PRAGMA table_info(message)")}
            columns_sql = COLUMNS if "expendable" in columns else COLUMNS.replace("expendable", "0")
            for position, *row in db.execute(
                f"SELECT position, {columns_sql} FROM message ORDER BY position {direction}"  # noqa: S608  (our own constants)
            ):
                if position in forwards:
                    break
                forwards[position] = tuple(row)
    return [row for _, row in sorted(forwards.items()) if _is_message(row)]


def _is_message(row: Sequence[object]) -> bool:
    """Whether a row of a damaged file is still a valid message."""
    id_, seq, topic, payload, created_at, _ = row
    try:
        UUID(str(id_))
        timed = datetime.fromisoformat(str(created_at)).tzinfo is not None
    except ValueError:
        return False
    return timed and isinstance(seq, int) and isinstance(topic, str) and isinstance(payload, bytes)


@contextmanager
def map_sqlite_errors(path: Path) -> Iterator[None]:
    """Re-raise errors of SQLite and of the disk as OutboxErrors that name the remedy."""
    try:
        yield
    except sqlite3.Error as error:
        # Names such as SQLITE_IOERR_WRITE: the first two words determine the remedy.
        name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
        remedy = _REMEDIES.get(name, "check the file and its folder")
        raise _ERRORS.get(name, OutboxError)(f"{path}: {error}; {remedy}") from error
    except OSError as error:
        if error.errno in _FULL:
            raise OutboxDiskError(f"{path}: {error.strerror}; free disk space") from error
        remedy = "let the user that runs the monitor write there, or configure another outbox"
        raise OutboxError(f"{path}: {error.strerror}; {remedy}") from error


def _create_tables(db: sqlite3.Connection, path: Path, max_bytes: int | None) -> None:
    """Create or migrate the tables; refuse a file of a later version."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in range(VERSION + 1):
        raise OutboxError(
            f"{path}: created by another version of this program; "
            "let that version deliver what is inside, or move the file away"
        )
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    if max_bytes is not None:
        (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
        db.execute(f"PRAGMA max_page_count={max(1, max_bytes // page_bytes)}")
    if version == VERSION:
        return
    migration = f"{_FROM_1};" if version == 1 else ""
    db.executescript(
        f"BEGIN IMMEDIATE; {migration} {_SCHEMA} {_INDEX}; PRAGMA user_version={VERSION}; COMMIT"
    )
