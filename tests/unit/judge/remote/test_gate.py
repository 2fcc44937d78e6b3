"""Finding out how many requests a server takes at once."""

import threading
from contextlib import ExitStack, suppress

import pytest

from monitor.errors import JudgeUnavailableError
from monitor.judge.remote.gate import Gate
from tests.support.fakes import ManualClock


def served(gate: Gate, clock: ManualClock, latency: dict[int, float], rounds: int) -> list[int]:
    """Rounds of as many requests as fit; each takes as long as so many at once do."""
    limits = []
    for _ in range(rounds):
        with ExitStack() as inside:
            for _ in range(gate.limit):
                inside.enter_context(gate.passing(0))
            clock.move_to(clock.seconds() + latency[gate.limit])
        limits.append(gate.limit)
    return limits


def test_it_goes_up_while_latency_stays_and_down_when_it_grows() -> None:
    clock = ManualClock()
    gate = Gate(8, clock.seconds)
    latency = {n: 1.0 if n <= 4 else n / 4 for n in range(1, 9)}  # a server with four places
    limits = served(gate, clock, latency, 200)
    assert max(limits) == 5
    assert limits[-1] in (4, 5)
    assert limits.count(4) > limits.count(5) * 3, "it stays where it is good"


def test_it_never_passes_the_most_that_is_allowed() -> None:
    clock = ManualClock()
    assert max(served(Gate(3, clock.seconds), clock, dict.fromkeys(range(1, 9), 1.0), 100)) == 3


def test_a_server_that_slows_down_altogether_gives_a_new_base() -> None:
    clock = ManualClock()
    gate = Gate(4, clock.seconds)
    served(gate, clock, dict.fromkeys(range(1, 5), 1.0), 100)
    assert gate.limit == 4
    limits = served(gate, clock, dict.fromkeys(range(1, 5), 3.0), 600)
    assert min(limits) == 1
    assert limits[-1] == 4


def test_a_busy_server_gets_half() -> None:
    clock = ManualClock()
    gate = Gate(8, clock.seconds)
    served(gate, clock, dict.fromkeys(range(1, 9), 1.0), 100)
    gate.overloaded()
    assert gate.limit == 4
    for _ in range(5):
        gate.overloaded()
    assert gate.limit == 1


def test_who_finds_no_room_in_time_is_told() -> None:
    gate = Gate(8)
    with ExitStack() as inside:
        inside.enter_context(gate.passing(1))
        with pytest.raises(JudgeUnavailableError, match="too many requests"):
            inside.enter_context(gate.passing(0.01))


def test_room_is_given_to_who_waits_even_after_an_error() -> None:
    gate = Gate(1)
    done = threading.Event()

    def wait() -> None:
        with gate.passing(30):
            done.set()

    thread = threading.Thread(target=wait)
    with suppress(ValueError), gate.passing(1):
        thread.start()
        raise ValueError
    thread.join(30)
    assert done.is_set()
