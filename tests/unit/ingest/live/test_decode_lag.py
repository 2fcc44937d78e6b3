"""Telling a reader that is too slow from a camera or a network that is late."""

import math

import pytest

from monitor.ingest.live.decode_lag import HOLD_S, MAX_LAG_S, MIN_BEHIND_S, DecodeLag

FPS = 10


class Reading:
    """A camera at ten pictures a second, and its reader."""

    def __init__(self) -> None:
        self.lag = DecodeLag()
        self.now = 1000.0
        self.stamp = 5.0
        self.ready = 1000.0  # when the next picture is there
        self.hurried_s = 0.0

    def read(self, seconds: float, *, work_s: float, key_work_s: float = 0.0) -> None:
        """Read the camera for ``seconds``; each picture takes ``work_s`` to decode."""
        for _ in range(round(seconds * FPS)):
            waits = max(self.ready - self.now, 0.0)
            self.now += waits
            self.lag.add_wait(waits)
            self.lag.record_packet(self.stamp, self.now)
            work = key_work_s / FPS if self.lag.key_frames_only else work_s
            self.hurried_s += 1 / FPS if self.lag.key_frames_only else 0.0
            self.now += work
            self.ready += 1 / FPS
            self.stamp += 1 / FPS

    @property
    def late_s(self) -> float:
        """How old the next picture is when it is read."""
        return self.now - self.ready


def test_a_reader_that_keeps_up_decodes_everything() -> None:
    reading = Reading()
    reading.read(60, work_s=0.09)
    assert reading.hurried_s == 0


def test_a_reader_that_is_too_slow_falls_back_to_key_frames_before_it_is_far_behind() -> None:
    reading = Reading()
    reading.read(10, work_s=0.15)
    assert reading.hurried_s > 0
    assert reading.late_s < MAX_LAG_S + 2 * MIN_BEHIND_S


def test_it_decodes_everything_again_once_it_has_time() -> None:
    reading = Reading()
    reading.read(10, work_s=0.15)
    reading.read(HOLD_S[0] + 1, work_s=0.01)
    assert not reading.lag.key_frames_only
    assert reading.late_s < 0.1


def test_relapses_make_it_wait_longer_each_time() -> None:
    reading = Reading()
    reading.read(300, work_s=0.15)
    assert reading.hurried_s > 200, "else it would fall behind every few seconds"
    assert reading.late_s < MAX_LAG_S + 2 * MIN_BEHIND_S


def test_key_frames_that_take_too_long_as_well_keep_it_in_a_hurry() -> None:
    reading = Reading()
    reading.read(10, work_s=0.5)
    reading.read(20, work_s=0.5, key_work_s=1.2)
    assert reading.lag.key_frames_only


@pytest.mark.parametrize("leap_s", [-3600.0, -3.0, 3.0, 3600.0])
def test_a_camera_whose_clock_is_set_is_not_taken_for_a_backlog(leap_s: float) -> None:
    reading = Reading()
    reading.read(10, work_s=0.02)
    reading.stamp += leap_s
    reading.read(30, work_s=0.02)
    assert reading.hurried_s == 0


def test_what_comes_all_at_once_after_a_stall_is_decoded() -> None:
    reading = Reading()
    reading.read(10, work_s=0.02)
    for _ in range(3):
        reading.now += 4  # waiting for the first of those that then come at once
        reading.lag.add_wait(4)
        reading.read(20, work_s=0.02)
    assert reading.hurried_s == 0


def test_a_network_that_grows_slower_and_stays_so_is_none_of_our_doing() -> None:
    reading = Reading()
    reading.read(10, work_s=0.02)
    for _ in range(20):
        reading.ready += 0.1
        reading.read(2, work_s=0.02)
    assert reading.hurried_s == 0


def test_clocks_that_run_apart_do_not_add_up() -> None:
    reading = Reading()
    for _ in range(3600):
        reading.read(1, work_s=0.05)
        reading.stamp -= 2e-4  # the camera's is slow
    assert reading.hurried_s == 0
    assert not math.isinf(reading.late_s)
