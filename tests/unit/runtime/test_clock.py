"""The clocks."""

from datetime import UTC, timedelta

from monitor.runtime.clock import RecordingClock, SystemClock
from tests.support.fakes import START


def test_the_machines_clocks_only_go_forward_and_tell_utc() -> None:
    clock = SystemClock()
    earlier, later = clock.seconds(), clock.seconds()
    assert earlier <= later
    assert clock.now().tzinfo is UTC


def test_a_recordings_clock_stands_until_a_frame_is_set() -> None:
    clock = RecordingClock()
    assert (clock.seconds(), clock.now().tzinfo) == (0.0, UTC)
    clock.set(1.5, START + timedelta(seconds=1.5))
    shown = [(clock.seconds(), clock.now()) for _ in range(2)]
    assert shown == [(1.5, START + timedelta(seconds=1.5))] * 2


def test_a_recordings_clock_follows_a_recording_back_to_its_start() -> None:
    clock = RecordingClock()
    clock.set(9, START + timedelta(seconds=9))
    clock.set(0, START)
    assert (clock.seconds(), clock.now()) == (0, START)
