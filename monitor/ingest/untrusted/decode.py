"""What the decoding process does with one request's bytes. See ``untrusted_child``."""

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import av
import av.logging
import cv2

from monitor.domain import Pixels
from monitor.errors import SourceError, SourceRejectedError
from monitor.ingest.frames.av_errors import translated
from monitor.ingest.frames.decoder import Decoder, video_stream
from monitor.ingest.frames.picture import VideoPicture
from monitor.ingest.frames.sampling import TimelineSampler
from monitor.ingest.frames.timeline import Timeline
from monitor.ingest.untrusted.images import MAX_PIXELS, check_size, still_images
from monitor.runtime.clock import SystemClock

_SIDE_PX = 1920  # frames of a recording are handed on no larger than this
_CONTAINERS: Final = "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg"
"""No playlists, no lists of files: nothing that names other places."""
_USUAL_FPS = 25.0  # for files that do not say
_NAME = "the recording"

cv2.setNumThreads(1)
av.logging.set_level(None)


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture, on its way to the parent."""

    seconds: float  # from the start
    spent_ms: float  # what decoding it cost, where that is known
    pixels: Pixels


def from_still(encoded: bytes) -> Iterator[Shown]:
    """The picture in a file, or some of an animation.

    Raises:
        SourceRejectedError: See ``still_images``.
    """
    for still in still_images(encoded):
        yield Shown(still.seconds, 0.0, still.pixels)


def from_recording(encoded: bytes, fps: float) -> Iterator[Shown]:
    """The frames of a recording that are due; one that is cut off gives what it has.

    Raises:
        TooLargeError: Its frames have more pixels than are taken.
        SourceError: Nothing of it can be decoded.
    """
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    with translated(_NAME):
        container = av.open(io.BytesIO(encoded), "r", options=options)
    with container:
        yield from _frames(container, fps)


def _frames(container: av.container.InputContainer, fps: float) -> Iterator[Shown]:
    stream = video_stream(container, _NAME)
    check_size(stream.width, stream.height)
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    stream.thread_count = 1
    decoder = Decoder(stream, SystemClock())
    rate = float(stream.average_rate or stream.guessed_rate or _USUAL_FPS)
    timeline = Timeline(stream.time_base, rate) if stream.time_base else None
    sampler = TimelineSampler(fps)
    with suppress(SourceError), translated(_NAME):
        for packet in container.demux(stream):
            for decoded in decoder.pictures(packet):
                seconds = (
                    timeline.seconds(decoded.frame.pts) if timeline else decoder.decoded / rate
                )
                if sampler.due(seconds):
                    picture = VideoPicture(decoded.frame)
                    yield Shown(seconds, decoded.milliseconds, _small(picture))
    if not decoder.decoded:
        raise SourceRejectedError(f"{_NAME} cannot be decoded; check that it plays elsewhere")


def _small(picture: VideoPicture) -> Pixels:
    """All of a frame, scaled down if it is large."""
    check_size(picture.width, picture.height)  # it may have grown since the start
    scale = min(1.0, _SIDE_PX / max(picture.width, picture.height))
    width, height = round(picture.width * scale), round(picture.height * scale)
    return picture.resize(max(1, width), max(1, height))
