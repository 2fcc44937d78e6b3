"""The pictures of alerts are kept as long as their outcome deserves, and no longer."""

import os
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from monitor.config.schema import EvidenceDays
from monitor.domain import AlertState, Severity
from monitor.record.retention import Retention
from tests.support.fakes import ALERT, START, ManualClock

DAY_S = 86_400.0
DAYS = EvidenceDays(confirmed=None, unverified=30, rejected=2, note=7).model_dump()


class Shelves:
    """An evidence folder, and the clock that its alerts grow old by."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.retention = Retention(folder, DAYS, self.clock)

    def keep(self, number: int, *states: AlertState, severity: Severity = Severity.ALERT) -> Path:
        """The pictures of an alert that went through some states at the start."""
        alert = replace(ALERT, id=UUID(int=number), severity=severity)
        folder = self.folder / str(alert.id)
        folder.mkdir(parents=True)
        (folder / "snapshot.jpg").write_bytes(b"jpeg")
        for state in states:
            self.retention.record_outcome(replace(alert, state=state))
        os.utime(folder, (START.timestamp(), START.timestamp()))
        return folder

    def after(self, days: float) -> int:
        """Sweep so long after the start."""
        self.clock.move_to(days * DAY_S)
        return self.retention.sweep()


@pytest.fixture
def shelves(tmp_path: Path) -> Shelves:
    return Shelves(tmp_path / "evidence")


def test_each_outcome_has_days_of_its_own(shelves: Shelves) -> None:
    raised, ended = AlertState.RAISED, AlertState.ENDED
    confirmed = shelves.keep(1, raised, AlertState.CONFIRMED, ended)
    nobody_asked = shelves.keep(2, raised, ended)
    rejected = shelves.keep(3, raised, AlertState.REJECTED)
    note = shelves.keep(4, raised, ended, severity=Severity.NOTE)
    silent = shelves.keep(5)
    gone_after = {rejected: 2, note: 7, nobody_asked: 30, silent: 30}
    for day in (1, 3, 8, 29, 31, 9999):
        shelves.after(day)
        left = {folder for folder, days in gone_after.items() if folder.exists()}
        assert left == {folder for folder, days in gone_after.items() if day < days}
    assert confirmed.exists(), "null keeps it for ever"


def test_what_is_not_an_alerts_folder_is_left_alone(shelves: Shelves, tmp_path: Path) -> None:
    (shelves.folder / "holiday pictures").mkdir(parents=True)
    (shelves.folder / "00000000000000000000000000000007").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (shelves.folder / str(UUID(int=9))).symlink_to(elsewhere)
    assert shelves.after(99999) == 0
    assert len(list(shelves.folder.iterdir())) == 3
    assert elsewhere.exists()


def test_an_alert_without_pictures_leaves_no_folder(shelves: Shelves) -> None:
    shelves.retention.record_outcome(ALERT)
    assert not shelves.folder.exists()
    assert shelves.after(1) == 0


def test_an_outcome_that_cannot_be_written_is_logged_and_stops_nothing(
    shelves: Shelves, caplog: pytest.LogCaptureFixture
) -> None:
    (shelves.keep(7) / "outcome").mkdir()
    shelves.retention.record_outcome(replace(ALERT, id=UUID(int=7)))
    assert "Is a directory" in caplog.text
    assert shelves.after(99) == 0
    assert "not deleted" in caplog.text
