"""Decoding packets; damaged ones are skipped."""

from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.codec.context import CodecContext
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from monitor.errors import SourceRejectedError
from monitor.runtime.clock import Clock

_NO_VIDEO = frozenset({"ansi", "bintext", "idf", "xbin"})
"""Decoders that draw text files. FFmpeg takes any .txt for a video of a terminal."""


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One picture from the decoder."""

    frame: av.VideoFrame
    decode_ms: float


def find_video_stream(container: av.container.InputContainer, name: str) -> VideoStream:
    """Return the stream that players would show: not a cover picture, if there is another.

    Raises:
        SourceRejectedError: There is none, or no decoder for it. ``name`` begins the message.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        stream = next(iter(container.streams.video), None)  # best() needs a decoder
    codec: CodecContext | None = stream.codec_context if stream is not None else None
    if stream is None or (codec is not None and codec.name in _NO_VIDEO):
        raise SourceRejectedError(f"{name}: it holds no video; give a video file")
    if codec is None:
        raise SourceRejectedError(f"{name}: no decoder for its codec; convert it to H.264")
    return stream


class Decoder:
    """Decodes one stream's packets and skips damaged ones. Owned by one thread.

    Args:
        stream: Packets of other streams are ignored.
        clock: Measures how long decoding takes.
        context: The codec context; None is the stream's own.
    """

    def __init__(
        self, stream: VideoStream, clock: Clock, context: VideoCodecContext | None = None
    ) -> None:
        self.context = context or stream.codec_context
        self._index = stream.index
        self._clock = clock
        self.decoded = 0
        self.damaged = 0  # packets that could not be decoded
        self.failures = 0  # of the decoder itself

    def decode(self, packet: "Packet[VideoStream] | Packet[Stream]") -> Iterator[DecodedFrame]:
        """Yield the pictures that this packet completes: none, one or several.

        Raises:
            av.FFmpegError: Any error but damaged data.
        """
        if packet.stream.index == self._index:
            yield from self._decode(packet)

    def drain(self) -> Iterator[DecodedFrame]:
        """Yield the pictures that the decoder holds back. Only a key frame may follow.

        Raises:
            av.FFmpegError: Any error but damaged data.
        """
        yield from self._decode(None)
        self.context.flush_buffers()

    def _decode(
        self, packet: "Packet[VideoStream] | Packet[Stream] | None"
    ) -> Iterator[DecodedFrame]:
        started = self._clock.seconds()
        try:
            frames = self.context.decode(packet)
        except av.error.InvalidDataError:
            self.damaged += 1
            return
        except av.FFmpegError:
            self.failures += 1
            raise
        spent_ms = 1000 * (self._clock.seconds() - started)
        for frame in frames:
            self.decoded += 1
            yield DecodedFrame(frame, spent_ms / len(frames))
