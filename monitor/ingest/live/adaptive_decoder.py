"""Decoding no more of a live stream than somebody needs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from monitor.ingest.frames.decoder import Decoded, Decoder
from monitor.runtime.clock import Clock

AnyPacket: TypeAlias = "Packet[VideoStream] | Packet[Stream]"

LONGEST_REST_S = 4.0  # between key frames; where they are rarer, all pictures are decoded
KEY_PACE_S = 0.5  # between two decoded pictures of a camera that sends nothing but key frames
SURGE = 3.0  # times the usual size of a picture in a still scene means that something moves
SURGE_BYTES = 600  # beside that, for scenes so still that a picture is next to nothing
USUAL_WEIGHT = 0.1  # of the newest size in the usual one
MOST_KEPT = 300  # packets since a key frame: what it may take to be back


@dataclass(slots=True)
class _Sizes:
    """How large the pictures between key frames are while nothing moves, in bytes."""

    usual: float = math.nan

    def surges(self, size: int) -> bool:
        """Whether this picture is far larger than those before it."""
        if math.isnan(self.usual):
            self.usual = size
        if size > SURGE * self.usual + SURGE_BYTES:
            return True
        self.usual += USUAL_WEIGHT * (size - self.usual)
        return False


class AdaptiveDecoder:
    """Decodes a stream's packets: all, or only those that others need, or only key frames.

    While key frames are enough, the packets since the last one are kept as they came. As
    soon as more is wanted, or a packet is so large that something must be moving, they are
    decoded in one go, so that no key frame has to be waited for. Owned by one thread.
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
        self._interval_s = math.inf  # between the last two
        self._kept: list[AnyPacket] = []  # since the last key frame, while resting
        self._resting = False
        self._broken = False  # pictures were left out that others need, until a key frame comes
        self._woken = False  # by a surge: rest no more before the next key frame but one
        self._sizes = _Sizes()
        self.skipped = 0  # pictures that were never decoded

    @property
    def seen(self) -> int:
        """Pictures that came, decoded or skipped."""
        return self.decoder.decoded + self.skipped

    def hurried(self, packet: AnyPacket, *, due: bool) -> Iterator[Decoded]:
        """As ``pictures``, while there is no time for more than key frames."""
        if packet.stream.index != self._index:
            return
        self._end_rest()
        if packet.size and packet.is_keyframe and due:
            self._context.skip_frame = "DEFAULT"
            yield from self.decoder.pictures(packet)
            yield from self.decoder.drained()
        elif packet.size:
            self.skipped += 1
        self._broken = not self._intra_only
        self._key_at = -math.inf

    def pictures(self, packet: AnyPacket, *, everything: bool, due: bool) -> Iterator[Decoded]:
        """The pictures that come out when this packet goes in: often none.

        Args:
            packet: Of any stream; those of others are passed over.
            everything: False while key frames are enough.
            due: Whether a picture that came now would be looked at.

        Raises:
            av.FFmpegError: Anything but damaged data.
        """
        if packet.stream.index != self._index:
            return
        if not packet.size:  # the end
            yield from self.decoder.pictures(packet)
        elif packet.is_keyframe:
            self._broken = False
            yield from self._key(packet, everything=everything, due=due)
        elif self._broken:
            self.skipped += 1
        elif self._resting:
            self._kept.append(packet)
            self.skipped += 1
            if everything or self._must_wake(packet):
                yield from self._wake()
        else:
            yield from self._plain(packet, due=due)

    def _key(self, packet: AnyPacket, *, everything: bool, due: bool) -> Iterator[Decoded]:
        now = self._clock.seconds()
        if self._intra_only:
            pause_s = 0.0 if everything else KEY_PACE_S
            if due and now - self._key_at >= pause_s:
                self._key_at = now
                yield from self.decoder.pictures(packet)
            else:
                self.skipped += 1
            return
        self._interval_s, self._key_at = now - self._key_at, now
        rest = not everything and self._interval_s <= LONGEST_REST_S and not self._woken
        self._woken = False
        if not rest:
            self._end_rest()
            yield from self._plain(packet, due=True)
            return
        self._resting = True
        self._kept = [packet]
        self._context.skip_frame = "DEFAULT"
        yield from self.decoder.pictures(packet)
        yield from self.decoder.drained()

    def _plain(self, packet: AnyPacket, *, due: bool) -> Iterator[Decoded]:
        """One packet as it comes. A picture that no other needs is left out unless due."""
        self._context.skip_frame = "DEFAULT" if due else "NONREF"
        before = self.decoder.decoded
        yield from self.decoder.pictures(packet)
        if not due and self.decoder.decoded == before:
            self.skipped += 1

    def _must_wake(self, packet: AnyPacket) -> bool:
        if self._sizes.surges(packet.size):
            self._woken = True
            return True
        late = self._clock.seconds() - self._key_at > LONGEST_REST_S
        return late or len(self._kept) > MOST_KEPT

    def _wake(self) -> Iterator[Decoded]:
        """Decode what was kept; of its pictures only the newest is new to anybody."""
        kept = self._kept
        self._end_rest()
        self._context.skip_frame = "DEFAULT"
        newest: Decoded | None = None
        for packet in kept:
            for picture in self.decoder.pictures(packet):
                newest = picture
                self.skipped -= 1  # counted when it was put aside
        if newest is not None:
            yield newest

    def _end_rest(self) -> None:
        self._resting = False
        self._kept = []
        self._sizes = _Sizes()
