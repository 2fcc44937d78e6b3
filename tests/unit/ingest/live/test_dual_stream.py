"""A camera's large stream beside its small one."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from monitor.config.judges import Scheduler
from monitor.domain import Frame, Timings
from monitor.errors import SourceUnavailableError
from monitor.geometry import Box
from monitor.ingest import SourceTraits
from monitor.ingest.frames.picture import ArrayPicture
from monitor.ingest.live.dual_stream import (
    BUFFERED_FRAMES,
    MAIN_FPS,
    DualStream,
    FrameBuffer,
    MainStreamDemand,
)
from monitor.ingest.watch.demand import CameraDemand
from monitor.judge.schedule.crop_scheduler import CropScheduler
from monitor.runtime.clock import SystemClock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import Stop
from tests.support.fakes import ManualClock, frame, subject, textured

SMALL, LARGE = ArrayPicture(textured(64, 36)), ArrayPicture(textured(256, 144))


class Playing:
    """A Source that plays these frames, then loses its connection for ever."""

    decoded = 0

    def __init__(self, label: str, frames: Sequence[Frame]) -> None:
        self.traits = SourceTraits(label, live=True, hang_timeout_s=3.0, stall_timeout_s=3.0)
        self.abandoned: Stop | None = None
        self._frames = list(frames)

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        self.abandoned = abandoned
        yield self._play()

    def _play(self) -> Iterator[Frame]:
        while self._frames:
            yield self._frames.pop(0)
        raise SourceUnavailableError("lost")


def buffer(*seconds: float) -> FrameBuffer:
    box = Mailbox[Frame](BUFFERED_FRAMES)
    for second in seconds:
        box.put(frame(second, LARGE))
    return FrameBuffer(box)


def test_the_picture_that_came_closest_is_taken_unless_it_is_too_far_away() -> None:
    kept = buffer(1.0, 1.1, 1.2)
    assert kept.find_nearest(1.21) is LARGE
    assert kept.find_nearest(1.31) is LARGE
    assert kept.find_nearest(1.4) is None
    assert kept.find_nearest(0.8) is None
    assert buffer().find_nearest(1) is None


def test_only_the_last_pictures_are_kept() -> None:
    kept = buffer(*(n / 10 for n in range(3 * BUFFERED_FRAMES)))
    assert kept.find_nearest(0.3) is None
    assert kept.find_nearest((3 * BUFFERED_FRAMES - 1) / 10) is LARGE


def test_a_frame_without_a_larger_picture_is_its_own_closest() -> None:
    alone = frame(1, SMALL)
    assert alone.get_closest_picture() == (SMALL, 1.0)
    assert replace(alone, closer=lambda: SMALL).get_closest_picture() == (SMALL, 1.0)
    assert replace(alone, closer=lambda: LARGE).get_closest_picture() == (LARGE, 4.0)


def test_a_larger_stream_of_another_view_is_not_used() -> None:
    other = ArrayPicture(np.zeros((256, 256, 3), np.uint8))
    assert replace(frame(1, SMALL), closer=lambda: other).get_closest_picture() == (SMALL, 1.0)


@pytest.mark.parametrize(("larger", "looks"), [(True, 1), (False, 0)])
def test_a_head_too_small_in_the_small_stream_is_cut_from_the_large_one(
    larger: bool,  # noqa: FBT001  (a parameter of the test)
    looks: int,
) -> None:
    settings = Scheduler(min_sharpness=0, min_head_px=24)
    scheduler = CropScheduler(settings, ManualClock(1))
    shown = frame(1, SMALL)
    if larger:
        shown = replace(shown, closer=lambda: LARGE)
    scheduler.offer(shown, [subject(1, 1, Box(20, 10, 30, 20))], Timings())
    taken = scheduler.take(9)
    assert len(taken) == looks
    for crop in taken:
        assert crop.head_px == 40
        assert crop.pixels.shape == (45, 44, 3), "1.1 heads square, in whole pixels"


def test_frames_know_the_large_picture_and_the_large_stream_may_go_away() -> None:
    small = Playing("yard", [frame(1, SMALL), frame(1.2, SMALL), frame(9, SMALL)])
    large = Playing("yard, main stream", [frame(1.01, LARGE), frame(1.21, LARGE)])
    dual = DualStream(small, large, SystemClock())
    with dual.open() as frames:
        first, second, third = next(frames), next(frames), next(frames)
        deadline = time.monotonic() + 10
        while second.get_closest_picture()[1] == 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert first.get_closest_picture() == (LARGE, 4.0)
        assert second.get_closest_picture() == (LARGE, 4.0)
        assert third.get_closest_picture() == (SMALL, 1.0)
        with pytest.raises(SourceUnavailableError):
            next(frames)
        assert large.abandoned is not None
        assert not large.abandoned.requested
    assert dual.traits == small.traits
    assert dual.decoded == 0


def test_the_large_stream_is_decoded_as_closely_as_the_small_one() -> None:
    leader = CameraDemand(5, key_frames_only=True)
    main_demand = MainStreamDemand(leader)
    for occupied in (True, False):
        leader.set_occupied(occupied=occupied)
        assert main_demand.current.everything == occupied
    leader.limit_fps(2)
    assert main_demand.current.fps == MAIN_FPS
