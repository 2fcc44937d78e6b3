"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable

DEADLINE_S = 20.0  # a wait that is not over by then has failed
_POLL_S = 0.01


def until(
    condition: Callable[[], object], what: str = "it to happen", within_s: float = DEADLINE_S
) -> float:
    """Wait for a condition, or fail the test; how long it took, in seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within_s, f"waited too long for {what}"
        time.sleep(_POLL_S)
    return time.monotonic() - started
