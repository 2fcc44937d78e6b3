"""What must be known again after a restart, kept in the outbox's file beside the messages."""

from collections.abc import Collection

from monitor.publish.outbox.database import COLUMNS, OutboxDatabase
from monitor.publish.outbox.outbox import OutboxMessage, message_of


class SavedState:
    """Small facts that outlive the program. Thread-safe.

    They are lost with a file that is damaged: only messages are carried over then.

    Args:
        file: Of the outbox.

    Raises:
        OutboxError: From any method, when the file cannot be used.
    """

    def __init__(self, file: OutboxDatabase) -> None:
        self._file = file

    def retained(self) -> set[str]:
        """Topics on which the broker keeps something of ours, as far as was noted."""
        with self._file.using() as db:
            return {str(topic) for (topic,) in db.execute("SELECT topic FROM retained")}

    def note_retained(self, topics: Collection[str]) -> None:
        """Remember topics until they are forgotten."""
        with self._file.changing() as db:
            db.executemany(
                "INSERT OR IGNORE INTO retained (topic) VALUES (?)", [(t,) for t in topics]
            )

    def forget_retained(self, topic: str) -> None:
        """The broker keeps nothing there any more."""
        with self._file.using() as db:
            db.execute("DELETE FROM retained WHERE topic = ?", (topic,))

    def paused(self) -> set[str]:
        """Cameras that were told to pause and not to resume since."""
        with self._file.using() as db:
            return {str(camera) for (camera,) in db.execute("SELECT camera FROM paused")}

    def note_paused(self, camera: str, *, paused: bool) -> None:
        """Remember what a camera was told."""
        statement = (
            "INSERT OR IGNORE INTO paused (camera) VALUES (?)"
            if paused
            else "DELETE FROM paused WHERE camera = ?"
        )
        with self._file.using() as db:
            db.execute(statement, (camera,))

    def unfinished(self) -> list[OutboxMessage]:
        """The latest state of every alert that goes on, or went on when the program ended."""
        with self._file.using() as db:
            rows = db.execute(f"SELECT {COLUMNS} FROM unfinished ORDER BY created_at").fetchall()  # noqa: S608  (our own constant)
        return [message_of(row) for row in rows]
