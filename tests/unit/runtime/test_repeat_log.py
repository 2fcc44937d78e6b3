"""Repeated problems in the log."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.runtime.repeat_log import EVERY_S, MAX_KEYS, RepeatLog
from tests.support.fakes import ManualClock

log = logging.getLogger("test")


def test_the_first_is_written_at_once_then_a_count_per_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock()
    repeats = RepeatLog(log, clock)
    with caplog.at_level(logging.INFO):
        for second in range(0, 130, 10):
            clock.move_to(second)
            repeats.write(logging.WARNING, "%s: away", "broker")
    assert caplog.messages == ["broker: away", "broker: away (6 times)", "broker: away (6 times)"]


def test_what_is_held_back_is_written_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    repeats = RepeatLog(log, ManualClock())
    with caplog.at_level(logging.DEBUG):
        written = [repeats.write(logging.ERROR, "away") for _ in range(3)]
    assert written == [True, False, False]
    assert [record.levelname for record in caplog.records] == ["ERROR", "DEBUG", "DEBUG"]


def test_problems_with_different_keys_do_not_hold_each_other_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    repeats = RepeatLog(log, ManualClock())
    with caplog.at_level(logging.INFO):
        for key in ("disk", "broker", "disk"):
            repeats.write(logging.WARNING, key, key=key)
    assert caplog.messages == ["disk", "broker"]


def test_what_happened_several_times_at_once_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    repeats = RepeatLog(log, clock)
    with caplog.at_level(logging.INFO):
        repeats.write(logging.WARNING, "dropped", times=4)
        repeats.write(logging.WARNING, "dropped", times=2)
        clock.move_to(EVERY_S)
        repeats.write(logging.WARNING, "dropped", times=3)
    assert caplog.messages == ["dropped (4 times)", "dropped (5 times)"]


def test_after_a_reset_the_next_problem_is_written_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    repeats = RepeatLog(log, ManualClock())
    assert not repeats.reset(), "there was no problem yet"
    with caplog.at_level(logging.INFO):
        repeats.write(logging.WARNING, "away")
        assert repeats.reset()
        repeats.write(logging.WARNING, "away")
    assert caplog.messages == ["away", "away"]


@given(keys=st.lists(st.integers(0, 2 * MAX_KEYS), max_size=300))
def test_however_many_problems_there_are_memory_is_bounded(keys: list[int]) -> None:
    repeats = RepeatLog(logging.getLogger("nowhere"), ManualClock())
    latest = {key: place for place, key in enumerate(keys)}
    for key in keys:
        repeats.write(logging.WARNING, "away", key=key)
    kept = sorted(latest, key=latest.__getitem__)[-MAX_KEYS:]
    assert not any(repeats.write(logging.WARNING, "away", key=key) for key in reversed(kept))
