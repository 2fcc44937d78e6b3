"""Staying connected to a camera."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from monitor.domain import Frame, StreamState
from monitor.errors import ConfigError, SourceRejectedError, SourceUnavailableError
from monitor.ingest import SourceTraits
from monitor.ingest.live.reader import MIN_PAUSE_S, Reader
from monitor.runtime.backoff import Backoff
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import Stop, StopSwitch
from tests.support.fakes import ManualClock, ManualStop

LOST = SourceUnavailableError("timed out")
REFUSED = SourceRejectedError("wrong password; check password_file")

MakeFrame = Callable[[int], Frame]


class ScriptedSource:
    """A Source that plays prepared connections: frames, then an error or a clean end."""

    def __init__(self, *connections: list[Frame | Exception], live: bool = True) -> None:
        self.traits = SourceTraits(
            "yard",
            live=live,
            stall_timeout_s=3.0,
            read_credentials_version=lambda: self.credentials,
        )
        self.decoded = 0
        self.credentials: object = None
        self._connections = iter(connections)

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        del abandoned
        yield self._play(next(self._connections))

    def _play(self, connection: list[Frame | Exception]) -> Iterator[Frame]:
        for item in connection:
            if isinstance(item, Exception):
                raise item
            self.decoded += 1
            yield item


class SlowSource(ScriptedSource):
    """A camera that keeps everybody waiting for some seconds before it lets them down."""

    def __init__(self, clock: ManualClock, seconds: float, tries: int) -> None:
        lost: list[Frame | Exception] = [LOST]
        super().__init__(*[lost] * tries)
        self._clock = clock
        self._seconds = seconds

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        self._clock.move_to(self._clock.seconds() + self._seconds)
        with super().open(abandoned) as frames:
            yield frames


class PasswordChange(ManualStop):
    """A Stop; while it waits, the password file of a source changes."""

    def __init__(self, source: ScriptedSource, after: int) -> None:
        super().__init__(waits_allowed=99)
        self._source = source
        self._after = after

    def wait(self, seconds: float) -> bool:
        self._source.credentials = "new" if len(self.waits) + 1 >= self._after else None
        return super().wait(seconds)


def reader_of(
    source: ScriptedSource,
    frames: Mailbox[Frame] | None = None,
    clock: ManualClock | None = None,
) -> Reader:
    return Reader(
        source, frames or Mailbox[Frame](9), Backoff(first_s=1, limit_s=4), clock or ManualClock()
    )


def test_reconnects_after_each_loss_and_backs_off_between(make_frame: MakeFrame) -> None:
    source = ScriptedSource([LOST], [LOST], [make_frame(0), LOST], [make_frame(0)])
    frames = Mailbox[Frame](capacity=9)
    stop = ManualStop(waits_allowed=9)
    reader = reader_of(source, frames)

    reader.run(stop)

    received = [frame.sequence for frame in iter(lambda: frames.take(0), None)]
    assert received == [0, 0]
    first, second, after_success = stop.waits
    assert 0.5 <= first <= 1 <= second <= 2
    assert 0.5 <= after_success <= 1, "a picture resets the delay"
    assert reader.status().reconnects == 1


def test_a_camera_that_kept_us_waiting_is_not_waited_for_again() -> None:
    clock = ManualClock()
    stop = ManualStop(waits_allowed=4)
    reader_of(SlowSource(clock, 5, tries=6), clock=clock).run(stop)
    assert stop.waits[:4] == [MIN_PAUSE_S] * 4, "its pause would have been 4 s at most"


@pytest.mark.parametrize("refusal", [REFUSED, ConfigError("password_file is gone")])
def test_a_refusal_is_retried_only_at_the_slowest_pace(
    make_frame: MakeFrame, refusal: Exception
) -> None:
    source = ScriptedSource([refusal], [make_frame(0)])
    frames = Mailbox[Frame](capacity=1)
    stop = ManualStop(waits_allowed=99)
    reader_of(source, frames).run(stop)
    assert stop.waits == [1] * 10
    assert frames.take(0) is not None
    assert frames.finished


def test_a_refused_camera_is_asked_again_at_once_when_its_password_has_changed(
    make_frame: MakeFrame,
) -> None:
    source = ScriptedSource([REFUSED], [make_frame(0)])
    stop = PasswordChange(source, after=2)
    frames = Mailbox[Frame](capacity=1)
    reader_of(source, frames).run(stop)
    assert frames.take(0) is not None
    assert stop.waits == [1, 1]


def test_a_refused_camera_says_so_until_it_lets_us_in(make_frame: MakeFrame) -> None:
    reader = reader_of(ScriptedSource([REFUSED], [make_frame(0)]))
    assert reader.status().state is StreamState.CONNECTING
    reader.run(ManualStop(waits_allowed=1))
    assert reader.status().state is StreamState.REJECTED


def test_a_refused_file_is_given_up_and_named(caplog: pytest.LogCaptureFixture) -> None:
    frames = Mailbox[Frame](1, lossless=True)
    stop = ManualStop(waits_allowed=9)
    reader = reader_of(ScriptedSource([SourceRejectedError("a.mp4: cut off")], live=False), frames)
    reader.run(stop)
    assert stop.waits == []
    assert frames.finished
    assert reader.status().state is StreamState.REJECTED
    assert caplog.messages == ["yard: given up: a.mp4: cut off"]
    assert caplog.records[0].levelno == logging.ERROR


def test_a_file_loses_no_frame_to_a_slow_taker(make_frame: MakeFrame) -> None:
    source = ScriptedSource([make_frame(n) for n in range(20)], live=False)
    frames = Mailbox[Frame](1, lossless=True)
    reader = reader_of(source, frames)
    thread = threading.Thread(target=reader.run, args=(StopSwitch(),))
    thread.start()
    taken = [frame.sequence for frame in iter(lambda: frames.take(5), None)]
    thread.join(5)
    assert taken == list(range(20))
    assert reader.status().state is StreamState.ENDED


def test_a_camera_without_a_picture_for_seconds_is_stalled(make_frame: MakeFrame) -> None:
    clock = ManualClock(100)
    reader = reader_of(ScriptedSource([make_frame(0), LOST]), clock=clock)
    reader.run(ManualStop(waits_allowed=1))
    assert reader.status().state is StreamState.STALLED, "no connection"
    assert reader.status().last_frame == make_frame(0).moment.taken_at


def test_the_rate_is_that_of_the_last_seconds_and_silence_shows() -> None:
    clock = ManualClock(100)
    source = ScriptedSource([])
    reader = reader_of(source, clock=clock)
    assert reader.status().fps == 0
    for _ in range(4):
        clock.move_to(clock.seconds() + 1)
        source.decoded += 25
        assert reader.status().fps == pytest.approx(25)
    clock.move_to(clock.seconds() + 4)
    assert reader.status().fps == pytest.approx(5), "25 in the last 5 s"
    clock.move_to(clock.seconds() + 60)
    assert reader.status().fps == 0
    assert reader.status().decoded == 100


def test_the_same_trouble_is_a_warning_only_now_and_then(
    make_frame: MakeFrame, caplog: pytest.LogCaptureFixture
) -> None:
    refused = SourceUnavailableError("connection refused")
    clock = ManualClock()
    source = ScriptedSource(
        [refused], [refused], [LOST], [LOST], [make_frame(0), LOST], [LOST], [LOST]
    )
    with caplog.at_level(logging.WARNING):
        reader_of(source, clock=clock).run(ManualStop(waits_allowed=7))
    troubles = [message.split(";")[0] for message in caplog.messages]
    assert troubles == [
        "yard: connection refused",
        "yard: timed out",
        "yard: timed out",  # again, after pictures came
    ]


def test_what_a_source_must_not_raise_ends_the_reader() -> None:
    """Otherwise a mistake of ours would look like a broken camera for ever."""
    with pytest.raises(ZeroDivisionError):
        reader_of(ScriptedSource([ZeroDivisionError("ours")])).run(StopSwitch())


def test_stops_at_once_while_nobody_takes_the_frames_of_a_file(make_frame: MakeFrame) -> None:
    source = ScriptedSource([make_frame(n) for n in range(9)], live=False)
    frames = Mailbox[Frame](1, lossless=True)
    stop = StopSwitch()
    thread = threading.Thread(target=reader_of(source, frames).run, args=(stop,))
    thread.start()
    while source.decoded < 2:
        time.sleep(0.01)
    stop.request()
    thread.join(5)
    assert not thread.is_alive(), "it waits until they are taken"
    assert frames.take(0) is not None, "what was handed over stays"
