"""Packets to decoded pictures, whatever is wrong with some of them."""

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
"""Decoders that draw text files. FFmpeg takes any .txt for a film of a terminal."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One picture out of the decoder."""

    frame: av.VideoFrame
    milliseconds: float  # what decoding it cost


def video_stream(container: av.container.InputContainer, name: str) -> VideoStream:
    """The video stream that players would show; a cover picture is not one if there is another.

    Raises:
        SourceRejectedError: There is none, or no decoder for it. ``name`` begins the message.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        stream = next(iter(container.streams.video), None)  # best() needs a decoder
    codec: CodecContext | None = stream.codec_context if stream is not None else None
    if stream is None or (codec is not None and codec.name in _NO_VIDEO):
        raise SourceRejectedError(f"{name}: there is no video in it; give a video")
    if codec is None:
        raise SourceRejectedError(f"{name}: no decoder for its codec; convert it to H.264")
    return stream


class Decoder:
    """Decodes one stream's packets, skipping what is damaged. Owned by one thread.

    Args:
        stream: Packets of others are passed over.
        clock: Ours.
        context: What decodes; None is the stream's own decoder.
    """

    def __init__(
        self, stream: VideoStream, clock: Clock, context: VideoCodecContext | None = None
    ) -> None:
        self.context = context or stream.codec_context
        self._index = stream.index
        self._clock = clock
        self.decoded = 0
        self.damaged = 0  # packets that gave no picture because they could not be understood
        self.failures = 0  # of the decoder itself

    def pictures(self, packet: "Packet[VideoStream] | Packet[Stream]") -> Iterator[Decoded]:
        """The pictures that come out when this packet goes in: none, one or several.

        Raises:
            av.FFmpegError: Anything but damaged data.
        """
        if packet.stream.index == self._index:
            yield from self._decoded(packet)

    def drained(self) -> Iterator[Decoded]:
        """What the decoder still holds back. Only a key frame may follow.

        Raises:
            av.FFmpegError: Anything but damaged data.
        """
        yield from self._decoded(None)
        self.context.flush_buffers()

    def _decoded(self, packet: "Packet[VideoStream] | Packet[Stream] | None") -> Iterator[Decoded]:
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
            yield Decoded(frame, spent_ms / len(frames))
