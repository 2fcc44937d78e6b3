"""Deleting the pictures of alerts when they have been kept long enough."""

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
_NAME = "outcome"  # the file in an alert's folder that says what became of it
_UNVERIFIED = "unverified"
_TOLD = (AlertState.CONFIRMED, AlertState.REJECTED, AlertState.UNVERIFIED)


class Retention:
    """Remembers what became of alerts, and deletes their folders in time.

    ``note`` belongs to one thread, ``run`` to another. What is not a folder named after an
    alert's id is left alone.

    Args:
        folder: The evidence folder.
        days: For each outcome, how long its alerts are kept; None is for ever.
        clock: Tells how old they are.
    """

    def __init__(self, folder: Path, days: Mapping[str, float | None], clock: Clock) -> None:
        self._folder = folder
        self._days = days
        self._clock = clock

    def note(self, alert: Alert) -> None:
        """Remember what one state of an alert says about its outcome."""
        path = self._folder / str(alert.id) / _NAME
        outcome = _outcome(alert)
        if outcome is None or not path.parent.is_dir():
            return
        try:
            path.write_text(outcome, encoding="utf-8")
        except OSError as error:
            log.warning("%s: %s; kept as %s", path, error.strerror, _UNVERIFIED)

    def run(self, stop: Stop) -> None:
        """Sweep now and then until stop is requested."""
        while not stop.requested:
            self.sweep(stop)
            stop.wait(SWEEP_EVERY_S)

    def sweep(self, stop: Stop | None = None) -> int:
        """Delete what has been kept long enough, or until stop; how many alerts' folders."""
        now, deleted = self._clock.now().timestamp(), 0
        for folder in self._alerts():
            if stop is not None and stop.requested:
                break
            try:
                days = self._days.get(_noted(folder))
                if days is None or now - folder.stat().st_mtime < days * _DAY_S:
                    continue
                shutil.rmtree(folder)
                deleted += 1
            except OSError as error:
                log.warning("%s: not deleted: %s", folder, error.strerror)
        if deleted:
            log.info("%s: deleted the pictures of %d alerts", self._folder, deleted)
        return deleted

    def _alerts(self) -> Iterator[Path]:
        """The folders of alerts; a link out of here is none."""
        entries = list(self._folder.iterdir()) if self._folder.is_dir() else []
        for entry in entries:
            with suppress(ValueError):
                if str(UUID(entry.name)) == entry.name and not entry.is_symlink():
                    yield entry


def _outcome(alert: Alert) -> str | None:
    """What a state says; None if nothing new."""
    if alert.state in _TOLD:
        return alert.state.value
    if alert.state is AlertState.ENDED:
        return None
    return "note" if alert.severity is Severity.NOTE else _UNVERIFIED


def _noted(folder: Path) -> str:
    """What became of an alert; without a word of it, nobody has verified it."""
    try:
        return (folder / _NAME).read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return _UNVERIFIED
