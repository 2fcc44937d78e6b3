"""State that survives a restart, stored in the outbox's file beside the messages."""

from collections.abc import Collection

from monitor.publish.outbox.database import COLUMNS, OutboxDatabase
from monitor.publish.outbox.outbox import OutboxMessage, parse_row


class SavedState:
    """State that survives a restart. Thread-safe.

    It is lost if the file is damaged: only messages are copied to the new file.

    Args:
        file: The outbox's.

    Raises:
        OutboxError: From any method, when the file cannot be used.
    """

    def __init__(self, file: OutboxDatabase) -> None:
        self._file = file

    def read_retained_topics(self) -> set[str]:
        """Return the topics on which we have published a retained message."""
        with self._file.connect() as db:
            return {str(topic) for (topic,) in db.execute("SELECT topic FROM retained")}

    def save_retained_topics(self, topics: Collection[str]) -> None:
        """Add topics with a retained message."""
        with self._file.begin() as db:
            db.executemany(
                "INSERT OR IGNORE INTO retained (topic) VALUES (?)", [(t,) for t in topics]
            )

    def delete_retained_topic(self, topic: str) -> None:
        """Delete a topic whose retained message has been cleared."""
        with self._file.connect() as db:
            db.execute("DELETE FROM retained WHERE topic = ?", (topic,))

    def read_paused_cameras(self) -> set[str]:
        """Return the cameras that are paused by a command."""
        with self._file.connect() as db:
            return {str(camera) for (camera,) in db.execute("SELECT camera FROM paused")}

    def save_paused(self, camera: str, *, paused: bool) -> None:
        """Save whether a camera is paused."""
        statement = (
            "INSERT OR IGNORE INTO paused (camera) VALUES (?)"
            if paused
            else "DELETE FROM paused WHERE camera = ?"
        )
        with self._file.connect() as db:
            db.execute(statement, (camera,))

    def read_unfinished(self) -> list[OutboxMessage]:
        """Return the latest state of each alert that is open, or was when the program ended."""
        with self._file.connect() as db:
            rows = db.execute(f"SELECT {COLUMNS} FROM unfinished ORDER BY created_at").fetchall()  # noqa: S608  (our own constant)
        return [parse_row(row) for row in rows]
