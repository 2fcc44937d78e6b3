"""How little of a live stream is decoded, and that nothing is missing when more is wanted."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from monitor.domain import Pixels
from monitor.ingest.frames.decoder import DecodedFrame, Decoder
from monitor.ingest.live.adaptive_decoder import AdaptiveDecoder
from tests.support.clips import panning, photo
from tests.support.fakes import ManualClock

FPS = 10
QUIET = 63  # pictures of nothing that moves


def scene(count: int) -> Iterator[Pixels]:
    """A photo with a sensor's noise."""
    rng = np.random.default_rng(0)
    still = photo()[200:440, 300:620].astype(np.int16)
    for _ in range(count):
        yield np.clip(still + rng.integers(-2, 3, still.shape), 0, 255).astype(np.uint8)


def encoded(path: Path, pictures: Iterable[Pixels], **codec: str) -> Path:
    """Write a clip of 320 by 240 with these options of the codec."""
    options = {"preset": "veryfast", "crf": "30", "bf": "0", "g": "10", "sc_threshold": "0"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options | codec)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six quiet seconds and more with a key frame in each, then three of panning."""
    pictures = [*scene(QUIET), *panning(30)]
    return encoded(tmp_path_factory.mktemp("clips") / "still.mp4", pictures)


class Played:
    """A clip through a thrifty decoder, packet by packet, at its own speed."""

    def __init__(
        self,
        path: Path,
        *,
        everything: Callable[[int], bool] = lambda _: True,
        due: Callable[[int], bool] = lambda _: True,
        hurry: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self.given: list[tuple[int, DecodedFrame]] = []  # with the number of the packet
        self.keys: list[int] = []
        clock = ManualClock()
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type, stream.thread_count = "SLICE", 1
            self.decoder = AdaptiveDecoder(stream, clock)
            for n, packet in enumerate(container.demux(stream)):
                clock.move_to(n / FPS)
                if packet.is_keyframe:
                    self.keys.append(n)
                out = (
                    self.decoder.decode_key_frames(packet, due=due(n))
                    if hurry(n)
                    else self.decoder.decode(packet, everything=everything(n), due=due(n))
                )
                for picture in out:
                    self.given.append((n, picture))

    @property
    def numbers(self) -> list[int]:
        return [n for n, _ in self.given]


def plainly(path: Path) -> Sequence[av.VideoFrame]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = Decoder(stream, ManualClock())
        return [d.frame for packet in container.demux(stream) for d in decoder.decode(packet)]


def test_every_picture_is_decoded_while_everything_is_wanted(still: Path) -> None:
    played = Played(still)
    assert played.numbers == list(range(QUIET + 30))
    assert (played.decoder.seen, played.decoder.skipped) == (QUIET + 30, 0)


def test_only_key_frames_are_decoded_while_they_are_enough(still: Path) -> None:
    played = Played(still, everything=lambda _: False)
    quiet = [n for n in played.numbers if 10 <= n < QUIET]
    assert quiet == [n for n in played.keys if 10 <= n < QUIET]
    assert played.decoder.seen == QUIET + 30, "what is skipped came all the same"


def test_motion_between_key_frames_is_noticed_by_its_size_and_nothing_is_missing(
    still: Path,
) -> None:
    played = Played(still, everything=lambda n: n > QUIET + 4)
    moving = [n for n in played.numbers if n > QUIET]
    assert moving[0] <= QUIET + 2, "not only at the next key frame"
    assert moving == list(range(moving[0], QUIET + 30))


@pytest.mark.parametrize("back_at", [34, 39, 40, 41])
def test_it_is_back_at_once_and_its_pictures_are_the_same(still: Path, back_at: int) -> None:
    played = Played(still, everything=lambda n: n >= back_at)
    truth = plainly(still)
    assert [n for n in played.numbers if back_at <= n < QUIET] == list(range(back_at, QUIET))
    for n, picture in played.given:
        assert picture.frame.pts == truth[n].pts
        assert np.array_equal(picture.frame.to_ndarray(), truth[n].to_ndarray()), n


@pytest.mark.parametrize("hurried", [range(15, 36), range(20, 40), range(15, 31)])
def test_in_a_hurry_only_key_frames_are_decoded_and_nothing_is_spoilt_after_it(
    still: Path, hurried: range
) -> None:
    played = Played(still, hurry=lambda n: n in hurried)
    first_whole = next(n for n in played.keys if n >= hurried.stop)
    expected = [
        n for n in range(QUIET + 30) if n < hurried.start or n in played.keys or n >= first_whole
    ]
    assert played.numbers == expected
    assert played.decoder.seen == QUIET + 30
    truth = plainly(still)
    for n, picture in played.given:
        assert np.array_equal(picture.frame.to_ndarray(), truth[n].to_ndarray()), n


def test_where_key_frames_are_rare_everything_is_decoded(tmp_path: Path) -> None:
    rare = encoded(tmp_path / "rare.mp4", scene(60), g="60")
    assert len(Played(rare, everything=lambda _: False).given) == 60


def test_a_stream_whose_key_frames_stop_is_decoded_again_after_four_seconds(
    tmp_path: Path,
) -> None:
    keys = {"g": "300", "forced-idr": "1"}
    path = tmp_path / "stopping.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=keys | {"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for n, picture in enumerate(scene(100)):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pict_type = 1 if n <= 30 and n % 10 == 0 else 0
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    played = Played(path, everything=lambda _: False)
    assert played.keys == [0, 10, 20, 30]
    assert [n for n in played.numbers if n > 30] == list(range(71, 100))


def test_pictures_that_no_other_needs_are_left_out_unless_they_are_due(tmp_path: Path) -> None:
    layered = encoded(
        tmp_path / "b.mp4", panning(60), bf="2", **{"x264-params": "b-adapt=0:b-pyramid=none"}
    )
    all_of_them, few = Played(layered), Played(layered, due=lambda n: n % 10 == 0)
    assert len(all_of_them.given) == 60
    assert 18 <= len(few.given) <= 32, "the pictures that others are made from, and some more"
    assert few.decoder.seen == pytest.approx(60, abs=4)
    truth = {f.pts: f.to_ndarray() for f in plainly(layered)}
    for _, picture in few.given:
        assert picture.frame.pts is not None
        assert np.array_equal(picture.frame.to_ndarray(), truth[picture.frame.pts])


def test_of_a_stream_of_key_frames_alone_only_those_that_are_due_are_decoded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        for picture in panning(40):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    assert Played(path, due=lambda n: n % 4 == 0).numbers == list(range(0, 40, 4))
    assert Played(path, everything=lambda _: False).numbers == list(range(0, 40, 5))


def test_damaged_packets_do_not_wake_the_dead(still: Path) -> None:
    clock = ManualClock()
    with av.open(str(still)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.thread_count = "SLICE", 1
        decoder = AdaptiveDecoder(stream, clock)
        given = 0
        for n, packet in enumerate(container.demux(stream)):
            clock.move_to(n / FPS)
            broken = av.Packet(b"\x00\x00\x00\x01\xff" * 40) if 25 <= n < 35 else packet
            broken.stream = stream
            given += sum(1 for _ in decoder.decode(broken, everything=n > 45, due=True))
    assert given >= 40, "it goes on at the next key frame"
