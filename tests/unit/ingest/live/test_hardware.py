"""Decoding by a graphics card: on machines without one, how it is done without."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from monitor.cli.probe import describe_camera
from monitor.config.sources import DecoderName
from monitor.ingest.frames.decoder import Decoder
from monitor.ingest.live.hardware import SOFTWARE, Hardware
from monitor.ingest.live.probe import StreamInfo
from tests.stress.many_cameras import ManyCameras
from tests.support.camera_bench import rtsp
from tests.support.clips import numbered, write_clip
from tests.support.fakes import ManualClock

COUNT = 12
CARDS: list[DecoderName] = ["cuda", "vaapi", "qsv"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", numbered(COUNT, width=640, height=360))


@pytest.fixture
def stream(clip: Path) -> Iterator[VideoStream]:
    with av.open(str(clip)) as container:
        yield container.streams.video[0]


def levels(stream: VideoStream, decoder: Decoder) -> list[float]:
    """How bright each of a clip's pictures is."""
    container = stream.container
    assert isinstance(container, av.container.InputContainer)
    return [
        float(np.mean(picture.frame.to_ndarray(format="gray")))
        for packet in container.demux(stream)
        for picture in decoder.decode(packet)
    ]


@pytest.mark.parametrize("wanted", get_args(DecoderName))
def test_every_picture_comes_whatever_is_wanted_and_whatever_there_is(
    stream: VideoStream, wanted: DecoderName
) -> None:
    name, context = Hardware(wanted, "yard").create_decoder(stream)
    assert name in {SOFTWARE, *CARDS}
    seen = levels(stream, Decoder(stream, ManualClock(), context))
    assert seen == pytest.approx([20 * n for n in range(COUNT)], abs=4)


def test_a_decoder_of_its_own_gives_the_same_pictures(clip: Path) -> None:
    with av.open(str(clip)) as container, av.open(str(clip)) as again:
        stream, other = container.streams.video[0], again.streams.video[0]
        own = av.CodecContext.create("h264", "r")
        own.extradata = other.codec_context.extradata
        assert isinstance(own, av.VideoCodecContext)
        usual = levels(stream, Decoder(stream, ManualClock()))
        assert levels(other, Decoder(other, ManualClock(), own)) == usual


def test_without_a_wish_the_stream_s_own_decoder_works_and_nothing_is_said(
    stream: VideoStream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert Hardware("software", "yard").create_decoder(stream) == (SOFTWARE, stream.codec_context)
    assert caplog.messages == []


@pytest.mark.parametrize("card", CARDS)
def test_a_card_that_fails_at_every_picture_is_given_up_and_the_log_says_so_once(
    stream: VideoStream, card: DecoderName, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    hardware = Hardware(card, "yard")
    hardware.record_result(card, pictures=0, failures=5)
    for _ in range(3):
        assert hardware.create_decoder(stream) == (SOFTWARE, stream.codec_context)
    assert caplog.messages == [f"yard: decoded in software ({card}: failed at every picture)"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_card_that_gave_pictures_is_not_given_up_for_damaged_ones() -> None:
    hardware = Hardware("cuda", "yard")
    hardware.record_result("cuda", pictures=9, failures=5)
    hardware.record_result("cuda", pictures=0, failures=0)
    hardware.record_result(SOFTWARE, pictures=0, failures=5)
    assert hardware.reasons == ""


@pytest.mark.parametrize("wanted", ["auto", "vaapi"])
def test_a_camera_that_wants_a_card_is_seen_without_one(clip: Path, wanted: str) -> None:
    with (
        ManyCameras(clip) as cameras,
        rtsp("yard", cameras.url, decoder=wanted).open() as frames,
    ):
        assert next(frames).width == 640
        assert next(frames).resize(64, 36).shape == (36, 64, 3)


def test_the_probe_says_who_decodes_and_why_not_a_card() -> None:
    facts = StreamInfo("h264", 640, 360, 15.0, 2.0, 0.6, 2.0, 0.1)
    assert "decoding all of it takes 3 % of a core; " in describe_camera(facts)
    refused = StreamInfo("h264", 640, 360, 15, 2, 0.6, 2, 0.1, SOFTWARE, "cuda: no such device")
    assert "takes 3 % of a core, in software (cuda: no such device)" in describe_camera(refused)
    by_card = StreamInfo("h264", 640, 360, 15, 2, 0.6, 0.2, 0.1, "cuda")
    assert "decoding all of it by cuda takes 0 % of a core" in describe_camera(by_card)
