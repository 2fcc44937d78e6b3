"""Decoding a camera's packets: no more than is wanted, and than there is time for."""

import logging
from collections.abc import Iterator

from av.video.stream import VideoStream

from monitor.ingest.frames.decoder import DecodedFrame
from monitor.ingest.live.adaptive_decoder import AdaptiveDecoder, AnyPacket
from monitor.ingest.live.decode_lag import DecodeLag
from monitor.ingest.live.hardware import SOFTWARE, Hardware
from monitor.ingest.watch.demand import CameraDemand
from monitor.runtime.clock import Clock

log = logging.getLogger(__name__)

DECODER_THREADS = 2  # for large pictures in slices; most cameras send one slice
ONE_THREAD_PX = 1_000_000  # smaller pictures are decoded by one thread


class LiveDecoder:
    """One connection's decoder. Owned by the connection's thread.

    Args:
        stream: Packets of other streams are ignored.
        clock: Measures the lag.
        demand: What the analyst wants; pictures dropped for lack of time are counted there.
        hardware: Chooses the decoder, and learns in ``finish`` how it did.
    """

    def __init__(
        self, stream: VideoStream, clock: Clock, demand: CameraDemand, hardware: Hardware
    ) -> None:
        self._by, context = hardware.create_decoder(stream)
        # Threads by frame would hold pictures back.
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
        self._dropped = 0  # pictures, since only key frames are decoded

    @property
    def seen(self) -> int:
        """Pictures received, decoded or not."""
        return self._decoder.seen

    @property
    def skipped(self) -> int:
        """Pictures that were not decoded."""
        return self._decoder.skipped

    def finish(self) -> None:
        """Record how the connection went, at its end."""
        decoder = self._decoder.decoder
        self._hardware.record_result(
            self._by, pictures=decoder.decoded, failures=decoder.failures + decoder.damaged
        )

    def add_wait(self, seconds: float) -> None:
        """Add the time that the reader has just waited for the camera's data."""
        self._lag.add_wait(seconds)

    def decode(self, packet: AnyPacket, *, due: bool) -> Iterator[DecodedFrame]:
        """Yield the pictures that this packet completes: often none.

        Args:
            packet: Of any stream.
            due: Whether a picture that came now would be analysed.

        Raises:
            av.FFmpegError: Any error but damaged data.
        """
        if packet.stream.index != self._index:
            return
        if packet.dts is not None and packet.time_base is not None:
            self._update_lag(float(packet.dts * packet.time_base))
        if not self._lag.key_frames_only:
            everything = self._demand.current.everything
            yield from self._decoder.decode(packet, everything=everything, due=due)
            return
        before = self._decoder.skipped
        yield from self._decoder.decode_key_frames(packet, due=due)
        dropped = self._decoder.skipped - before
        self._dropped += dropped
        self._demand.count_dropped(dropped)

    def _update_lag(self, stamp: float) -> None:
        decode_key_frames = self._lag.key_frames_only
        self._lag.record_packet(stamp, self._clock.seconds())
        if self._lag.key_frames_only and not decode_key_frames:
            log.warning(
                "%s: overloaded: its pictures come faster than they can be decoded; "
                "only key frames are until nothing waits",
                self._label,
            )
        elif decode_key_frames and not self._lag.key_frames_only:
            log.info("%s: caught up; %d pictures were left out", self._label, self._dropped)
            self._dropped = 0
