"""Looking less often while there is too much to look at."""

import logging

import pytest

from monitor.domain import CameraId
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.load_shedder import LoadShedder
from tests.support.fakes import YARD

LOBBY = CameraId("lobby")


def shedder() -> LoadShedder:
    return LoadShedder({YARD: CameraDemand(5), LOBBY: CameraDemand(10)}, least_fps=2)


def spend(
    shedder: LoadShedder, seconds: int, *, lag_s: float, busy: float, start: float = 0.0
) -> float:
    """Record ten batches per second for ``seconds``; returns the time at their end."""
    for n in range(10 * seconds + 1):
        shedder.record_batch([lag_s / 2, lag_s, lag_s], busy / 10, start + n / 10)
    return start + seconds


def rates(shedder: LoadShedder) -> list[float]:
    return [round(a.current.fps, 2) for a in shedder.demand.values()]


def test_nothing_changes_while_there_is_time(caplog: pytest.LogCaptureFixture) -> None:
    calm = shedder()
    spend(calm, 10, lag_s=0.1, busy=0.5)
    assert (rates(calm), calm.skipped) == ([5, 10], 0)
    assert caplog.text == ""


def test_under_overload_all_cameras_are_looked_at_less_by_the_same_share() -> None:
    loaded = shedder()
    spend(loaded, 2, lag_s=0.6, busy=1.0)
    assert rates(loaded) == [pytest.approx(5 * 0.64), pytest.approx(10 * 0.64)]
    assert loaded.skipped > 0


def test_the_rate_never_falls_below_the_least() -> None:
    loaded = shedder()
    spend(loaded, 60, lag_s=5, busy=1.0)
    assert rates(loaded) == [2, 2]


def test_it_is_said_once_and_again_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    loaded = shedder()
    now = spend(loaded, 5, lag_s=0.6, busy=1.0)
    spend(loaded, 60, lag_s=0.1, busy=0.4, start=now)
    assert rates(loaded) == [5, 10]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "overloaded: pictures wait for 0.6 s" in caplog.text


def test_a_rate_that_just_fits_is_not_raised_again() -> None:
    loaded = shedder()
    now = spend(loaded, 3, lag_s=0.6, busy=1.0)
    before = rates(loaded)
    spend(loaded, 20, lag_s=0.1, busy=0.9, start=now)
    spend(loaded, 20, lag_s=0.3, busy=0.5, start=now + 20)
    assert rates(loaded) == before
