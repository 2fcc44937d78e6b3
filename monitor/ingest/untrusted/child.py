"""The process that decodes untrusted files. It may crash, hang or be killed at any time.

Everything that FFmpeg, libjpeg and other decoders do with hostile bytes happens here, in a
bounded address space, with no file to write and no protocol but plain bytes. The process
holds no secret: only the file of one request at a time. See sandbox.py for its messages.
"""

import io
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final

import av
import av.logging
import cv2

from monitor.domain import Pixels
from monitor.errors import SourceError, SourceRejectedError, TooLargeError, WrongMediaError
from monitor.ingest.frames.av_errors import map_av_errors
from monitor.ingest.frames.decoder import Decoder, find_video_stream
from monitor.ingest.frames.picture import VideoPicture
from monitor.ingest.frames.timing import Timeline, TimelineSampler
from monitor.ingest.untrusted.images import MAX_PIXELS, DecodedPicture, check_size, decode_images
from monitor.ingest.untrusted.sandbox import REPLY, TASK, ReplyKind, TaskKind
from monitor.runtime.clock import SystemClock

MEMORY_BYTES: Final = 1536 * 1024 * 1024  # address space, of which libraries take a quarter
_NICENESS = 5  # the cameras' own decoding goes first
_DESCRIPTORS = 32
_MAX_SIDE_PX = 1920  # frames of a video are scaled down to this
_CONTAINERS: Final = "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg"
"""No playlists and no lists of files: nothing that names other places."""
_USUAL_FPS = 25.0  # for files that do not say
_NAME = "the video"

cv2.setNumThreads(1)
av.logging.set_level(None)


def main() -> None:
    """Decode until the parent closes the connection, whose descriptor is the first argument."""
    connection: Connection[bytes, bytes] = Connection(int(sys.argv[1]))
    _give_up_rights()
    with suppress(EOFError):
        while True:
            kind, fps = TASK.unpack(connection.recv_bytes(TASK.size))
            _send_pictures(connection, TaskKind(kind), fps, connection.recv_bytes())


def _give_up_rights() -> None:
    """Give up for good what decoding does not need. The decoders have been loaded before."""
    os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))


def _send_pictures(
    connection: "Connection[bytes, bytes]", kind: TaskKind, fps: float, encoded: bytes
) -> None:
    """Send the pictures of one file, and how it ended."""
    reply, text = ReplyKind.END, ""
    try:
        images = decode_images(encoded) if kind is TaskKind.IMAGE else decode_video(encoded, fps)
        for image in images:
            height, width = image.pixels.shape[:2]
            connection.send_bytes(
                REPLY.pack(ReplyKind.PICTURE, image.seconds, image.decode_ms, width, height)
            )
            connection.send_bytes(image.pixels.data.cast("B"))
    except MemoryError:
        reply, text = ReplyKind.TOO_LARGE, "it takes too much memory to decode; scale it down"
    except TooLargeError as error:
        reply, text = ReplyKind.TOO_LARGE, str(error)
    except WrongMediaError as error:
        reply, text = ReplyKind.WRONG_MEDIA, str(error)
    except SourceError as error:
        reply, text = ReplyKind.REJECTED, str(error)
    connection.send_bytes(REPLY.pack(reply, 0.0, 0.0, 0, 0))
    if reply is not ReplyKind.END:
        connection.send_bytes(text.encode())


def decode_video(encoded: bytes, fps: float) -> Iterator[DecodedPicture]:
    """Yield ``fps`` frames per second of a video; one that is cut off gives what it has.

    Raises:
        TooLargeError: Its frames have too many pixels.
        SourceError: Nothing of it can be decoded.
    """
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    with map_av_errors(_NAME):
        container = av.open(io.BytesIO(encoded), "r", options=options)
    with container:
        yield from _decode_frames(container, fps)


def _decode_frames(container: av.container.InputContainer, fps: float) -> Iterator[DecodedPicture]:
    stream = find_video_stream(container, _NAME)
    check_size(stream.width, stream.height)
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    stream.thread_count = 1
    decoder = Decoder(stream, SystemClock())
    rate = float(stream.average_rate or stream.guessed_rate or _USUAL_FPS)
    timeline = Timeline(stream.time_base, rate) if stream.time_base else None
    sampler = TimelineSampler(fps)
    with suppress(SourceError), map_av_errors(_NAME):
        for packet in container.demux(stream):
            for decoded in decoder.decode(packet):
                seconds = timeline.place(decoded.frame.pts) if timeline else decoder.decoded / rate
                if sampler.take(seconds):
                    pixels = _scale_down(VideoPicture(decoded.frame))
                    yield DecodedPicture(seconds, pixels, decoded.decode_ms)
    if not decoder.decoded:
        raise SourceRejectedError(f"{_NAME} cannot be decoded; check that it plays elsewhere")


def _scale_down(picture: VideoPicture) -> Pixels:
    """Convert a frame, scaled down if it is large."""
    check_size(picture.width, picture.height)  # it may have grown since the first frame
    scale = min(1.0, _MAX_SIDE_PX / max(picture.width, picture.height))
    width, height = round(picture.width * scale), round(picture.height * scale)
    return picture.resize(max(1, width), max(1, height))


if __name__ == "__main__":
    main()
