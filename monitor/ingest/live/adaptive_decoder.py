"""Decoding no more of a live stream than is needed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from monitor.ingest.frames.decoder import DecodedFrame, Decoder
from monitor.runtime.clock import Clock

AnyPacket: TypeAlias = "Packet[VideoStream] | Packet[Stream]"

MAX_KEY_INTERVAL_S = 4.0  # with rarer key frames, all pictures are decoded
KEY_PAUSE_S = 0.5  # between two decoded pictures of a camera that sends only key frames
SURGE_FACTOR = 3.0  # times the usual size of a picture: something moves
SURGE_BYTES = 600  # added to that, for scenes so still that pictures are tiny
USUAL_WEIGHT = 0.1  # of the newest size in the average
MAX_PENDING = 300  # packets since a key frame that may have to be decoded in one go


@dataclass(slots=True)
class _UsualSize:
    """The average size, in bytes, of pictures between key frames while nothing moves."""

    mean: float = math.nan

    def is_surge(self, size: int) -> bool:
        """Whether this picture is far larger than those before it. Updates the average."""
        if math.isnan(self.mean):
            self.mean = size
        if size > SURGE_FACTOR * self.mean + SURGE_BYTES:
            return True
        self.mean += USUAL_WEIGHT * (size - self.mean)
        return False


class AdaptiveDecoder:
    """Decodes all of a stream, or only the pictures others refer to, or only key frames.

    While key frames are enough, the packets since the last one are kept. As soon as more is
    wanted, or a packet is so large that something must be moving, they are decoded in one go
    instead of waiting for the next key frame. Owned by one thread.
    """

    def __init__(
        self, stream: VideoStream, clock: Clock, context: VideoCodecContext | None = None
    ) -> None:
        self.decoder = Decoder(stream, clock, context)
        self._index = stream.index
        self._context = self.decoder.context
        self._intra_only = self._context.codec.intra_only
        self._clock = clock
        self._key_at = -math.inf  # when the last key frame came
        self._interval_s = math.inf  # between the last two key frames
        self._pending: list[AnyPacket] = []  # packets since the last key frame
        self._key_frames_only = False
        self._gap = False  # reference pictures are missing, until the next key frame
        self._just_woken = False  # by a surge: decode everything until the next key frame but one
        self._usual_size = _UsualSize()
        self.skipped = 0  # pictures that were not decoded

    @property
    def seen(self) -> int:
        """Pictures received, decoded or skipped."""
        return self.decoder.decoded + self.skipped

    def decode_key_frames(self, packet: AnyPacket, *, due: bool) -> Iterator[DecodedFrame]:
        """As ``decode``, while there is no time for more than key frames."""
        if packet.stream.index != self._index:
            return
        self._decode_all_again()
        if packet.size and packet.is_keyframe and due:
            self._context.skip_frame = "DEFAULT"
            yield from self.decoder.decode(packet)
            yield from self.decoder.drain()
        elif packet.size:
            self.skipped += 1
        self._gap = not self._intra_only
        self._key_at = -math.inf

    def decode(self, packet: AnyPacket, *, everything: bool, due: bool) -> Iterator[DecodedFrame]:
        """Yield the pictures that this packet completes: often none.

        Args:
            packet: Packets of other streams are ignored.
            everything: False while key frames are enough.
            due: Whether a picture that came now would be analysed.

        Raises:
            av.FFmpegError: Any error but damaged data.
        """
        if packet.stream.index != self._index:
            return
        if not packet.size:  # the end
            yield from self.decoder.decode(packet)
        elif packet.is_keyframe:
            self._gap = False
            yield from self._decode_key_frame(packet, everything=everything, due=due)
        elif self._gap:
            self.skipped += 1
        elif self._key_frames_only:
            self._pending.append(packet)
            self.skipped += 1
            if everything or self._should_wake(packet):
                yield from self._decode_pending()
        else:
            yield from self._decode_packet(packet, due=due)

    def _decode_key_frame(
        self, packet: AnyPacket, *, everything: bool, due: bool
    ) -> Iterator[DecodedFrame]:
        now = self._clock.seconds()
        if self._intra_only:
            pause_s = 0.0 if everything else KEY_PAUSE_S
            if due and now - self._key_at >= pause_s:
                self._key_at = now
                yield from self.decoder.decode(packet)
            else:
                self.skipped += 1
            return
        self._interval_s, self._key_at = now - self._key_at, now
        rest = not everything and self._interval_s <= MAX_KEY_INTERVAL_S and not self._just_woken
        self._just_woken = False
        if not rest:
            self._decode_all_again()
            yield from self._decode_packet(packet, due=True)
            return
        self._key_frames_only = True
        self._pending = [packet]
        self._context.skip_frame = "DEFAULT"
        yield from self.decoder.decode(packet)
        yield from self.decoder.drain()

    def _decode_packet(self, packet: AnyPacket, *, due: bool) -> Iterator[DecodedFrame]:
        """Decode one packet. A picture that no other refers to is skipped unless due."""
        self._context.skip_frame = "DEFAULT" if due else "NONREF"
        before = self.decoder.decoded
        yield from self.decoder.decode(packet)
        if not due and self.decoder.decoded == before:
            self.skipped += 1

    def _should_wake(self, packet: AnyPacket) -> bool:
        if self._usual_size.is_surge(packet.size):
            self._just_woken = True
            return True
        late = self._clock.seconds() - self._key_at > MAX_KEY_INTERVAL_S
        return late or len(self._pending) > MAX_PENDING

    def _decode_pending(self) -> Iterator[DecodedFrame]:
        """Decode the pending packets and yield only the newest picture."""
        pending = self._pending
        self._decode_all_again()
        self._context.skip_frame = "DEFAULT"
        newest: DecodedFrame | None = None
        for packet in pending:
            for picture in self.decoder.decode(packet):
                newest = picture
                self.skipped -= 1  # counted when it came
        if newest is not None:
            yield newest

    def _decode_all_again(self) -> None:
        self._key_frames_only = False
        self._pending = []
        self._usual_size = _UsualSize()
