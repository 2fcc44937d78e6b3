"""Leaving a server alone, and coming back to it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import JudgeUnavailableError
from monitor.judge.remote.circuit_breaker import WAIT_LIMIT_S, CircuitBreaker, parse_retry_after
from tests.support.fakes import ManualClock

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def open_at(breaker: CircuitBreaker, clock: ManualClock, limit_s: float = 200) -> float:
    """How long it takes until somebody may ask again, in seconds."""
    start = clock.seconds()
    while clock.seconds() - start < limit_s:
        try:
            breaker.check_allowed()
        except JudgeUnavailableError:
            clock.move_to(clock.seconds() + 0.25)
        else:
            return clock.seconds() - start
    raise AssertionError("it stays closed")


def test_busy_answers_are_followed_by_growing_waits() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker((4, 8, 16), clock.seconds)
    waits = []
    breaker.check_allowed()
    for _ in range(4):
        breaker.record_busy("busy", None)
        waits.append(open_at(breaker, clock))
    assert waits == [4, 8, 16, 16]


def test_an_answer_makes_the_waits_short_again() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker((4, 8), clock.seconds)
    breaker.check_allowed()
    breaker.record_busy("busy", None)
    open_at(breaker, clock)
    breaker.record_success()
    breaker.check_allowed()
    breaker.record_busy("busy", None)
    assert open_at(breaker, clock) == 4


def test_the_servers_own_wait_is_kept_but_not_for_ever() -> None:
    clock = ManualClock()
    for wanted, kept in [(2.0, 2.0), (3600.0, WAIT_LIMIT_S), (0.0, 0.25)]:
        breaker = CircuitBreaker((4,), clock.seconds)
        breaker.check_allowed()
        breaker.record_busy("busy", wanted)
        assert open_at(breaker, clock) == kept


def test_two_failures_are_borne_and_the_third_closes_it_for_longer_each_time() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(seconds=clock.seconds)
    for _ in range(2):
        breaker.check_allowed()
        breaker.record_failure("broken")
    rests = []
    for _ in range(6):
        breaker.record_failure("broken")
        rests.append(open_at(breaker, clock))
    assert rests == [2, 4, 8, 16, 30, 30]


def test_after_a_rest_one_tries_and_the_others_wait_for_how_it_goes() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(seconds=clock.seconds)
    for _ in range(3):
        breaker.record_failure("broken")
    clock.move_to(2)
    breaker.check_allowed()
    with pytest.raises(JudgeUnavailableError, match="broken; one request is trying it"):
        breaker.check_allowed()
    breaker.record_success()
    breaker.check_allowed()
    breaker.check_allowed()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("99999999999999999999", WAIT_LIMIT_S),
        ("Thu, 01 Jan 2026 12:00:09 GMT", 9.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2027 12:00:00 GMT", WAIT_LIMIT_S),
        ("Thu, 01 Jan 2026 12:00:09 -0000", 9.0),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("\u0663", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    value: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text())
def test_any_header_gives_a_bounded_wait_or_none(value: str) -> None:
    wait_s = parse_retry_after(value, NOW)
    assert wait_s is None or 0 <= wait_s <= WAIT_LIMIT_S
