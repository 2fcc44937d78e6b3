"""Delays between attempts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.runtime.backoff import Backoff

seconds = st.floats(1e-3, 1e6)


@given(first_s=seconds, factor=st.floats(1, 1e6), attempts=st.integers(1, 60))
def test_delays_double_up_to_the_limit_and_are_never_short_of_half(
    first_s: float, factor: float, attempts: int
) -> None:
    backoff = Backoff(first_s, first_s * factor)
    for attempt in range(attempts):
        step = min(first_s * 2**attempt, backoff.limit_s)
        assert step / 2 <= backoff.next_delay_s() <= step


@given(first_s=seconds, attempts=st.integers(0, 60))
def test_a_success_starts_again_from_the_shortest_delay(first_s: float, attempts: int) -> None:
    backoff = Backoff(first_s, first_s * 100)
    for _ in range(attempts):
        backoff.next_delay_s()
    backoff.reset()
    assert backoff.next_delay_s() <= first_s


@pytest.mark.parametrize(("first_s", "limit_s"), [(0, 1), (-1, 1), (2, 1), (float("nan"), 1)])
def test_delays_that_make_no_sense_are_refused(first_s: float, limit_s: float) -> None:
    with pytest.raises(ValueError, match="first_s <= limit_s"):
        Backoff(first_s, limit_s)


def test_cameras_behind_one_switch_do_not_come_back_in_step() -> None:
    assert len({Backoff(1, 60).next_delay_s() for _ in range(10)}) > 1
