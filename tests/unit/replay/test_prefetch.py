"""Decoding and detecting ahead: the same order, the same errors, nothing left running."""

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import pytest

from monitor.domain import CameraId, Detection, Frame, Kind, Moment
from monitor.errors import SourceRejectedError
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from monitor.replay.prefetch import BATCH, BATCHES_WAITING, PrefetchingDetector
from monitor.runtime.openvino_runtime import count_parallel_requests
from tests.support.fakes import BrokenDetector, ScriptedDetector

MakeFrame = Callable[[int], Frame]


def found(number: int) -> Detection:
    """What is to be found in the frame of this number, and in no other."""
    return Detection(Kind.PERSON, Box(number, 0, number + 1, 1), 0.9)


class Recording:
    """Frames that note how many of them were decoded; breaks after the last if told to."""

    def __init__(self, frames: Sequence[Frame], error: Exception | None = None) -> None:
        self.decoded = 0
        self._frames = frames
        self._error = error

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.decoded += 1
            yield frame
        if self._error is not None:
            raise self._error


class BatchCounter:
    """A Detector that finds nothing and remembers how large its batches were."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        self.batches.append(len(frames))
        return [[] for _ in frames]


def prefetch_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "-ahead" in thread.name]


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, 5 * BATCH + 1])
def test_every_frame_comes_in_order_with_what_is_in_it(make_frame: MakeFrame, count: int) -> None:
    recording = Recording([make_frame(number) for number in range(count)])
    detector = ScriptedDetector({number: [found(number)] for number in range(count)})
    with PrefetchingDetector(iter(recording), detector) as prefetching:
        seen = [
            (frame.sequence, prefetching.detect([frame])) for frame in prefetching.read_frames()
        ]
    assert seen == [(number, [[found(number)]]) for number in range(count)]
    assert not prefetch_threads()


def test_batches_depend_on_the_recording_alone(make_frame: MakeFrame) -> None:
    counter = BatchCounter()
    with PrefetchingDetector(
        iter([make_frame(number) for number in range(2 * BATCH + 1)]), counter
    ) as prefetching:
        assert len(list(prefetching.read_frames())) == 2 * BATCH + 1
    assert sorted(batch for batch in counter.batches if batch) == [1, BATCH, BATCH]


def test_large_pictures_go_in_smaller_batches(make_frame: MakeFrame) -> None:
    """Of a wall of cameras in one picture, three are as much as may be kept."""
    large = ArrayPicture(np.broadcast_to(np.uint8(0), (2600, 5400, 3)))
    moment: Moment = make_frame(0).moment
    frames = [Frame(CameraId("wall"), n, moment, large, decode_ms=0.0) for n in range(4)]
    counter = BatchCounter()
    with PrefetchingDetector(iter(frames), counter) as prefetching:
        assert len(list(prefetching.read_frames())) == 4
    assert sorted(batch for batch in counter.batches if batch) == [1, 3]


def test_no_more_is_decoded_than_there_is_room_for(make_frame: MakeFrame) -> None:
    recording = Recording([make_frame(number) for number in range(50 * BATCH)])
    with PrefetchingDetector(iter(recording), BatchCounter()) as prefetching:
        taken = list(islice(prefetching.read_frames(), 2 * BATCH))
    assert [frame.sequence for frame in taken] == list(range(2 * BATCH))
    assert recording.decoded <= (2 + BATCHES_WAITING + count_parallel_requests()) * BATCH
    assert not prefetch_threads()


def test_a_recording_that_breaks_is_the_players_error(make_frame: MakeFrame) -> None:
    broken = SourceRejectedError("clip.mp4: no picture could be decoded")
    recording = Recording([make_frame(number) for number in range(BATCH)], broken)
    played = []
    with (
        pytest.raises(SourceRejectedError, match=r"clip\.mp4"),
        PrefetchingDetector(iter(recording), BatchCounter()) as prefetching,
    ):
        played += [frame.sequence for frame in prefetching.read_frames()]
    assert not prefetch_threads()


def test_a_detector_that_fails_is_not_passed_over(make_frame: MakeFrame) -> None:
    with (
        pytest.raises(RuntimeError, match="cannot look at 2"),
        PrefetchingDetector(iter([make_frame(0), make_frame(1)]), BrokenDetector()) as prefetching,
    ):
        list(prefetching.read_frames())
    assert not prefetch_threads()


def test_only_the_frame_at_hand_has_been_looked_at(make_frame: MakeFrame) -> None:
    with PrefetchingDetector(
        iter([make_frame(0), make_frame(1)]), ScriptedDetector({})
    ) as prefetching:
        frames = prefetching.read_frames()
        first = next(frames)
        assert prefetching.detect([first]) == [[]]
        next(frames)
        with pytest.raises(KeyError):
            prefetching.detect([first])
