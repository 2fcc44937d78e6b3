"""The outbox's file: made, brought up to date, checked, and set aside when it is broken."""

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

VERSION = 3  # of the tables below, kept in the file
COLUMNS = "id, seq, topic, payload, created_at, expendable"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    position   INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of sending; never reused
    id         TEXT NOT NULL,                      -- the alert's
    seq        INTEGER NOT NULL,                   -- which of its states
    topic      TEXT NOT NULL,
    payload    BLOB NOT NULL,
    created_at TEXT NOT NULL,                      -- ISO 8601, UTC
    expendable INTEGER NOT NULL DEFAULT 0,         -- 1: may make room for others
    UNIQUE (id, seq)                               -- a second add is ignored
) STRICT;
CREATE TABLE IF NOT EXISTS retained (              -- topics the broker keeps something on
    topic TEXT PRIMARY KEY
) STRICT;
CREATE TABLE IF NOT EXISTS unfinished (            -- the latest state of alerts that go on
    id         TEXT PRIMARY KEY,
    seq        INTEGER NOT NULL,
    topic      TEXT NOT NULL,
    payload    BLOB NOT NULL,
    created_at TEXT NOT NULL,
    expendable INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS paused (                -- cameras that somebody told to pause
    camera TEXT PRIMARY KEY
) STRICT;
"""
INSERT = f"INSERT OR IGNORE INTO message ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608  (our own constant)
_FROM_1 = "ALTER TABLE message ADD COLUMN expendable INTEGER NOT NULL DEFAULT 0"
_INDEX = "CREATE INDEX IF NOT EXISTS spare ON message (position) WHERE expendable = 1"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_MENDS = {
    "SQLITE_FULL": "free disk space; alerts already waiting are kept",
    "SQLITE_IOERR": "free disk space or check the disk; alerts already waiting are kept",
    "SQLITE_CANTOPEN": "let the user that runs the monitor write to this folder",
    "SQLITE_READONLY": "let the user that runs the monitor write to this file and its folder",
    "SQLITE_PERM": "let the user that runs the monitor write to this file and its folder",
    "SQLITE_NOTADB": "move the file away; it is not an outbox",
    "SQLITE_CORRUPT": "move the file away; it is damaged",
    "SQLITE_BUSY": "end the other program that keeps it locked",
}
_KINDS = {
    "SQLITE_FULL": OutboxFullError,
    "SQLITE_IOERR": OutboxDiskError,
    "SQLITE_NOTADB": OutboxDamagedError,
    "SQLITE_CORRUPT": OutboxDamagedError,
}


@dataclass(frozen=True, slots=True)
class Damage:
    """What became of a broken file."""

    aside: Path  # where it lies now
    rescued: int  # messages that could still be read, and are in the new file


class OutboxDatabase:
    """One connection to the file, and what happens when the file breaks. Thread-safe.

    Args:
        path: The file. It and its folder are made if they are missing.
        max_bytes: What its tables may grow to; None is whatever the disk holds.
        busy_timeout_s: How long to wait for another process that is writing.
        on_damage: See Outbox. With it, a disk that is full or fails is no error yet: the
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
            db = self._opened()
            if on_damage is not None:
                checked(path, db)
        except OutboxDamagedError:
            if on_damage is None:
                raise
            self._start_afresh()
        except (OutboxFullError, OutboxDiskError) as error:
            if on_damage is None:
                raise
            log.error("%s; going on without it until the disk allows", error)

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time.

        Raises:
            OutboxError: What was asked for was not done. After damage the next try finds a
                sound file, if there is somebody to tell.
        """
        with self._lock:
            try:
                with translated(self.path):
                    yield self._opened()
            except OutboxDamagedError:
                if self._on_damage is not None:
                    self._start_afresh()
                raise

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """As ``using``; what is done within is done as a whole or not at all."""
        with self.using() as db, db:  # commits, or rolls back what an error left open
            db.execute("BEGIN IMMEDIATE")
            yield db

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = opened(
                self.path, max_bytes=self._max_bytes, busy_timeout_s=self._busy_timeout_s
            )
        return self._db

    def _start_afresh(self) -> None:
        """Set a broken file aside, and carry over what can be read of it."""
        broken, self._db = self._db, None
        aside = set_aside(self.path, datetime.now(UTC))
        rows = salvaged(aside)
        with translated(self.path):
            db = self._opened()
            db.execute("BEGIN")
            db.executemany(INSERT, rows)
            db.execute("COMMIT")
        if broken is not None:
            broken.close()
        log.error("%s: damaged; set aside as %s, %d rescued", self.path, aside.name, len(rows))
        if self._on_damage is not None:
            self._on_damage(Damage(aside, len(rows)))


def opened(path: Path, *, max_bytes: int | None, busy_timeout_s: float) -> sqlite3.Connection:
    """The file, made if it is missing.

    Raises:
        OutboxError: It cannot be used; one line that names the file and the mend.
    """
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, busy_timeout_s, check_same_thread=False, isolation_level=None)
    try:
        with translated(path):
            _prepare(db, path, max_bytes)
    except OutboxError:
        db.close()
        raise
    return db


def checked(path: Path, db: sqlite3.Connection) -> None:
    """Read the whole file once.

    Raises:
        OutboxDamagedError: A part of it is broken.
    """
    with translated(path):
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise OutboxDamagedError(f"{path}: {verdict}; move the file away; it is damaged")


def set_aside(path: Path, now: datetime) -> Path:
    """Rename a broken file and what belongs to it; its new name ends in the time, UTC.

    Raises:
        OutboxError: The folder cannot be written.
    """
    aside = path.with_name(f"{path.name}.damaged-{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}")
    with translated(path):
        path.rename(aside)
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    return aside


def salvaged(path: Path) -> list[Row]:
    """The messages of a broken file that can still be read, in their order."""
    forwards: dict[int, Row] = {}
    for direction in ("ASC", "DESC"):  # around the broken part, from both ends
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
            columns = {str(row[1]) for row in db.execute("PRAGMA table_info(message)")}
            wanted = COLUMNS if "expendable" in columns else COLUMNS.replace("expendable", "0")
            for position, *row in db.execute(
                f"SELECT position, {wanted} FROM message ORDER BY position {direction}"  # noqa: S608  (our own constants)
            ):
                if position in forwards:
                    break
                forwards[position] = tuple(row)
    return [row for _, row in sorted(forwards.items()) if _is_sound(row)]


def _is_sound(row: Sequence[object]) -> bool:
    """Whether a row of a broken file is still a message."""
    id_, seq, topic, payload, created_at, _ = row
    try:
        UUID(str(id_))
        timed = datetime.fromisoformat(str(created_at)).tzinfo is not None
    except ValueError:
        return False
    return timed and isinstance(seq, int) and isinstance(topic, str) and isinstance(payload, bytes)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the disk as OutboxError, with the mend."""
    try:
        yield
    except sqlite3.Error as error:
        # Names such as SQLITE_IOERR_WRITE: the first two words say what can be done.
        name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
        mend = _MENDS.get(name, "check the file and its folder")
        raise _KINDS.get(name, OutboxError)(f"{path}: {error}; {mend}") from error
    except OSError as error:
        if error.errno in _FULL:
            raise OutboxDiskError(f"{path}: {error.strerror}; free disk space") from error
        mend = "let the user that runs the monitor write there, or configure another outbox"
        raise OutboxError(f"{path}: {error.strerror}; {mend}") from error


def _prepare(db: sqlite3.Connection, path: Path, max_bytes: int | None) -> None:
    """Make the tables in a new file; refuse a file of a later version."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in range(VERSION + 1):
        raise OutboxError(
            f"{path}: made by another version of this program; "
            "let that version deliver what is inside, or move the file away"
        )
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    if max_bytes is not None:
        (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
        db.execute(f"PRAGMA max_page_count={max(1, max_bytes // page_bytes)}")
    if version == VERSION:
        return
    more = f"{_FROM_1};" if version == 1 else ""
    db.executescript(
        f"BEGIN IMMEDIATE; {more} {_SCHEMA} {_INDEX}; PRAGMA user_version={VERSION}; COMMIT"
    )
