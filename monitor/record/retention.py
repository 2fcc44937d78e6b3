"""Deletes the pictures of alerts after a number of days."""

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from monitor.domain import Alert, AlertState, Severity
from monitor.runtime.clock import Clock
from monitor.runtime.stop import Stop

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 3600.0
_DAY_S = 86_400.0
_FILE = "outcome"  # in an alert's folder; holds the outcome
_UNVERIFIED = "unverified"
_OUTCOMES = (AlertState.CONFIRMED, AlertState.REJECTED, AlertState.UNVERIFIED)


class Retention:
    """Records the outcome of each alert, and deletes its folder when it is old enough.

    One thread calls ``record_outcome``, another ``run``. Only folders named by an alert's id are
    touched.

    Args:
        folder: The evidence folder.
        days: How long alerts are kept, by outcome; None never deletes them.
        clock: The present, to tell their age.
    """

    def __init__(self, folder: Path, days: Mapping[str, float | None], clock: Clock) -> None:
        self._folder = folder
        self._days = days
        self._clock = clock

    def record_outcome(self, alert: Alert) -> None:
        """Store the outcome of an alert, if this state decides one."""
        path = self._folder / str(alert.id) / _FILE
        outcome = _get_outcome(alert)
        if outcome is None or not path.parent.is_dir():
            return
        try:
            path.write_text(outcome, encoding="utf-8")
        except OSError as error:
            log.warning("%s: %s; the outcome stays %s", path, error.strerror, _UNVERIFIED)

    def run(self, stop: Stop) -> None:
        """Sweep every hour until stop is requested."""
        while not stop.requested:
            self.sweep(stop)
            stop.wait(SWEEP_EVERY_S)

    def sweep(self, stop: Stop | None = None) -> int:
        """Delete folders that are old enough, until stop is requested. Returns their number."""
        now, deleted = self._clock.now().timestamp(), 0
        for folder in self._list_folders():
            if stop is not None and stop.requested:
                break
            try:
                days = self._days.get(_read_outcome(folder))
                if days is None or now - folder.stat().st_mtime < days * _DAY_S:
                    continue
                shutil.rmtree(folder)
                deleted += 1
            except OSError as error:
                log.warning("%s: not deleted: %s", folder, error.strerror)
        if deleted:
            log.info("%s: deleted the pictures of %d alerts", self._folder, deleted)
        return deleted

    def _list_folders(self) -> Iterator[Path]:
        """Alert folders; symlinks are skipped."""
        entries = list(self._folder.iterdir()) if self._folder.is_dir() else []
        for entry in entries:
            with suppress(ValueError):
                if str(UUID(entry.name)) == entry.name and not entry.is_symlink():
                    yield entry


def _get_outcome(alert: Alert) -> str | None:
    """The outcome that a state decides; None if it decides none."""
    if alert.state in _OUTCOMES:
        return alert.state.value
    if alert.state is AlertState.ENDED:
        return None
    return "note" if alert.severity is Severity.NOTE else _UNVERIFIED


def _read_outcome(folder: Path) -> str:
    """The stored outcome of an alert; unverified if none is stored."""
    try:
        return (folder / _FILE).read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return _UNVERIFIED
