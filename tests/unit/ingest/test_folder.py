"""Pictures that appear in a folder."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from monitor.config.sources import FolderSource
from monitor.domain import CameraId, Frame, StreamState
from monitor.errors import SourceUnavailableError
from monitor.ingest.folder import FolderPictures
from monitor.ingest.live.reader import Reader
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import StopSwitch


def encoded(level: int) -> bytes:
    """A grey picture of 64 by 48."""
    return cv2.imencode(".png", np.full((48, 64, 3), level, np.uint8))[1].tobytes()


def folder(path: Path, **settings: object) -> FolderPictures:
    source = FolderSource.model_validate({"kind": "folder", "path": path} | settings)
    return FolderPictures(CameraId("gate"), source, analysis_fps=50, clock=SystemClock())


def level(frame: Frame) -> int:
    return round(float(frame.resize(8, 8).mean()))


@contextmanager
def watched(source: FolderPictures) -> Iterator[tuple[Reader, Mailbox[Frame]]]:
    frames, stop = Mailbox[Frame](9), StopSwitch()
    reader = Reader(source, frames, Backoff(0.05, 0.1), SystemClock())
    thread = threading.Thread(target=reader.run, args=(stop,))
    thread.start()
    try:
        yield reader, frames
    finally:
        stop.request()
        thread.join(5)
        assert not thread.is_alive()


def test_every_new_picture_comes_once_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "old.png").write_bytes(encoded(10))
    (tmp_path / "today").mkdir()
    with folder(tmp_path).open() as frames:
        (tmp_path / "today" / "b.png").write_bytes(encoded(120))
        (tmp_path / "a.jpg").write_bytes(encoded(60))
        (tmp_path / "readme.txt").write_text("not a picture")
        (tmp_path / ".hidden.png").write_bytes(encoded(99))
        first, second = next(frames), next(frames)
        (tmp_path / "c.png").write_bytes(encoded(180))
        third = next(frames)
    assert [level(frame) for frame in (first, second, third)] == [60, 120, 180]
    assert [frame.sequence for frame in (first, second, third)] == [0, 1, 2]
    assert (first.width, first.height) == (64, 48)


def test_a_picture_that_is_written_anew_comes_again(tmp_path: Path) -> None:
    """Cameras that keep one file, and replace it."""
    path = tmp_path / "latest.png"
    path.write_bytes(encoded(10))
    source = folder(tmp_path)
    with source.open() as frames:
        path.write_bytes(encoded(50))
        os.utime(path, (1_700_000_000, 1_700_000_000))
        first = next(frames)
        path.write_bytes(encoded(90))
        second = next(frames)
    assert [level(first), level(second)] == [50, 90]
    assert first.moment.taken_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert source.decoded == 2


def test_a_picture_is_read_only_once_it_is_complete(tmp_path: Path) -> None:
    content = encoded(70)
    path = tmp_path / "a.png"
    source = folder(tmp_path)
    with watched(source) as (_, frames):
        assert frames.take(0.3) is None
        path.write_bytes(content[:20])
        assert frames.take(0.8) is None
        path.write_bytes(content)
        frame = frames.take(5)
    assert frame is not None
    assert level(frame) == 70


def test_a_picture_that_never_becomes_one_is_named_and_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = folder(tmp_path)
    with caplog.at_level(logging.WARNING), source.open() as frames:
        (tmp_path / "broken.png").write_bytes(b"not a picture")
        (tmp_path / "good.png").write_bytes(encoded(40))
        assert level(next(frames)) == 40
        (tmp_path / "later.png").write_bytes(encoded(80))
        assert level(next(frames)) == 80
        for n in range(6):
            (tmp_path / f"{n:02}.png").write_bytes(encoded(n))
            next(frames)
    (message,) = caplog.messages
    assert "gate: " in message
    assert "broken.png: not a picture" in message


def test_a_read_picture_is_removed_if_that_is_asked_for(tmp_path: Path) -> None:
    with folder(tmp_path, remove=True).open() as frames:
        (tmp_path / "a.png").write_bytes(encoded(40))
        frame = next(frames)
        assert list(tmp_path.iterdir()) == []
    assert level(frame) == 40


def test_a_folder_that_is_missing_may_come_later(tmp_path: Path) -> None:
    place = tmp_path / "ftp"
    with pytest.raises(SourceUnavailableError, match="create the folder or correct path"):
        folder(place).open().__enter__()
    with watched(folder(place)) as (reader, frames):
        assert frames.take(0.3) is None
        assert reader.status().state is StreamState.CONNECTING
        place.mkdir()
        frame = None
        for n in range(100):
            (place / f"{n}.png").write_bytes(encoded(n))
            if frame := frames.take(0.2):
                break
        assert frame is not None
        assert reader.status().state is StreamState.STREAMING


def test_a_folder_without_news_is_paused_at_once(tmp_path: Path) -> None:
    with watched(folder(tmp_path)) as (reader, frames):
        for n in range(50):  # until it watches the folder: what was there before does not count
            (tmp_path / f"{n}.png").write_bytes(encoded(n))
            if (frame := frames.take(0.2)) is not None:
                break
        assert frame is not None
        reader.pause()
        assert reader.status().state is StreamState.PAUSED
        reader.resume()
        (tmp_path / "b.png").write_bytes(encoded(90))
        assert frames.take(5) is not None
