"""From a camera's packets to pictures: no more than are wanted, and than there is time for."""

import logging
from collections.abc import Iterator

from av.video.stream import VideoStream

from monitor.ingest.frames.decoder import Decoded
from monitor.ingest.live.adaptive_decoder import AdaptiveDecoder, AnyPacket
from monitor.ingest.live.decode_lag import DecodeLag
from monitor.ingest.live.hardware import SOFTWARE, Hardware
from monitor.ingest.watch.demand import CameraDemand
from monitor.runtime.clock import Clock

log = logging.getLogger(__name__)

DECODER_THREADS = 2  # where a picture is worth dividing; most cameras do not allow it
ONE_THREAD_PX = 1_000_000  # pictures of fewer pixels are decoded by one


class LiveDecoder:
    """One connection's decoder. Owned by the connection's thread.

    Args:
        stream: Whose packets they are; those of others are passed over.
        clock: Ours.
        demand: What the analyst wants; it is told what there was no time for.
        hardware: Says what decodes, and is told by ``end`` how that went.
    """

    def __init__(
        self, stream: VideoStream, clock: Clock, demand: CameraDemand, hardware: Hardware
    ) -> None:
        self._by, context = hardware.decoder(stream)
        # By frames would hold pictures back.
        context.thread_type = "SLICE"
        large = stream.codec_context.width * stream.codec_context.height >= ONE_THREAD_PX
        context.thread_count = DECODER_THREADS if large and self._by == SOFTWARE else 1
        self._decoder = AdaptiveDecoder(stream, clock, context)
        self._hardware = hardware
        self._lag = DecodeLag()
        self._index = stream.index
        self._clock = clock
        self._demand = demand
        self._label = hardware.label
        self._left_out = 0  # since there was no time for more than key frames

    @property
    def seen(self) -> int:
        """Pictures that came, decoded or not."""
        return self._decoder.seen

    @property
    def skipped(self) -> int:
        """Pictures that were never decoded."""
        return self._decoder.skipped

    def end(self) -> None:
        """Note that the connection has ended."""
        decoder = self._decoder.decoder
        self._hardware.ended(
            self._by, pictures=decoder.decoded, failures=decoder.failures + decoder.damaged
        )

    def waited(self, seconds: float) -> None:
        """Note how long the camera's next data has just been waited for."""
        self._lag.waited(seconds)

    def pictures(self, packet: AnyPacket, *, due: bool) -> Iterator[Decoded]:
        """The pictures that come out when this packet goes in: often none.

        Args:
            packet: Of any stream.
            due: Whether a picture that came now would be looked at.

        Raises:
            av.FFmpegError: Anything but damaged data.
        """
        if packet.stream.index != self._index:
            return
        if packet.dts is not None and packet.time_base is not None:
            self._note(float(packet.dts * packet.time_base))
        if not self._lag.hurry:
            everything = self._demand.current.everything
            yield from self._decoder.pictures(packet, everything=everything, due=due)
            return
        before = self._decoder.skipped
        yield from self._decoder.hurried(packet, due=due)
        left_out = self._decoder.skipped - before
        self._left_out += left_out
        self._demand.leave_out(left_out)

    def _note(self, stamp: float) -> None:
        hurried = self._lag.hurry
        self._lag.note(stamp, self._clock.seconds())
        if self._lag.hurry and not hurried:
            log.warning(
                "%s: overloaded: its pictures come faster than they can be decoded; "
                "only key frames are until nothing waits",
                self._label,
            )
        elif hurried and not self._lag.hurry:
            log.info("%s: caught up; %d pictures were left out", self._label, self._left_out)
            self._left_out = 0
