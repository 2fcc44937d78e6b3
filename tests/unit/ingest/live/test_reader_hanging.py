"""Cameras that hang inside FFmpeg, which cannot be interrupted."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from monitor.domain import Frame, StreamState
from monitor.ingest import SourceTraits
from monitor.ingest.live.reader import MAX_ABANDONED, Reader
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import Stop, StopSwitch
from tests.support.waiting import until

MakeFrame = Callable[[int], Frame]


class HangingSource:
    """A Source whose connection hangs in FFmpeg until it is let go."""

    decoded = 0

    def __init__(self, frame: Frame, hang_timeout_s: float = math.inf) -> None:
        self.traits = SourceTraits(
            "yard", live=True, hang_timeout_s=hang_timeout_s, stall_timeout_s=3.0
        )
        self.opened = 0
        self.hanging = threading.Event()
        self.let_go = threading.Event()
        self.gone = threading.Event()
        self._frame = frame

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        del abandoned
        self.opened += 1
        self.hanging.set()
        self.let_go.wait(10)
        yield iter([self._frame])
        self.gone.set()


def test_stops_at_once_while_a_connection_hangs_and_takes_nothing_from_it_later(
    make_frame: MakeFrame,
) -> None:
    source = HangingSource(make_frame(0))
    frames = Mailbox[Frame](1)
    stop = StopSwitch()
    reader = Reader(source, frames, Backoff(first_s=1, limit_s=4), SystemClock())
    thread = threading.Thread(target=reader.run, args=(stop,))
    thread.start()
    assert source.hanging.wait(5)
    started = time.monotonic()
    stop.request()
    thread.join(5)
    assert time.monotonic() - started < 3, "it waited for the connection"
    source.let_go.set()
    assert source.gone.wait(5)
    assert frames.finished
    assert reader.status().state is StreamState.CONNECTING


def test_a_connection_that_hangs_is_left_behind_and_another_is_made(
    make_frame: MakeFrame, caplog: pytest.LogCaptureFixture
) -> None:
    """A camera hung inside FFmpeg for ever and was gone until the program was started again."""
    source = HangingSource(make_frame(0), hang_timeout_s=0.2)
    frames, stop = Mailbox[Frame](9), StopSwitch()
    reader = Reader(source, frames, Backoff(first_s=0.01, limit_s=0.02), SystemClock())
    thread = threading.Thread(target=reader.run, args=(stop,))
    with caplog.at_level(logging.WARNING):
        thread.start()
        until(lambda: "waiting for one of them to end" in caplog.text, within_s=10)
    assert source.opened == MAX_ABANDONED, "no more than these may hang"
    assert "yard: hangs without an answer for 0.2 s; abandoned; retrying" in caplog.text
    source.let_go.set()
    until(
        lambda: reader.status().state is StreamState.STREAMING or source.opened > MAX_ABANDONED,
        within_s=10,
    )
    until(lambda: frames.take(0) is not None, within_s=10)
    stop.request()
    thread.join(5)
    assert not thread.is_alive()


def test_a_connection_that_hangs_cannot_keep_a_camera_from_being_paused(
    make_frame: MakeFrame,
) -> None:
    source = HangingSource(make_frame(0), hang_timeout_s=0.5)
    stop = StopSwitch()
    reader = Reader(source, Mailbox[Frame](1), Backoff(1, 4), SystemClock())
    thread = threading.Thread(target=reader.run, args=(stop,))
    thread.start()
    assert source.hanging.wait(5)
    reader.pause()
    until(lambda: reader.status().state is StreamState.PAUSED, within_s=10)
    reader.resume()
    until(lambda: source.opened == 2, within_s=10)
    stop.request()
    thread.join(5)
    source.let_go.set()
    assert not thread.is_alive()
