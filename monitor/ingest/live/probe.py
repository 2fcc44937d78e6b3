"""Reading a camera for a few seconds to describe its stream and the cost of decoding it."""

import itertools
from dataclasses import dataclass, field

import av
from av.packet import Packet
from av.video.stream import VideoStream

from monitor.config.sources import LiveSource
from monitor.errors import SourceUnavailableError
from monitor.ingest.frames.av_errors import map_av_errors
from monitor.ingest.frames.decoder import Decoder, find_video_stream
from monitor.ingest.live.hardware import SOFTWARE, Hardware
from monitor.ingest.live.open_stream import build_ffmpeg_input, open_stream
from monitor.runtime.clock import Clock

PROBE_S = 6.0  # long enough for two key frames of most cameras, and their clock's time
ENOUGH_KEY_FRAMES = 3  # key frames that are enough
MICRO = 1e6


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of a camera."""

    codec: str
    width: int  # pixels
    height: int
    fps: float  # pictures per second
    key_frames_s: float | None  # between key frames; None if fewer than two came
    megabits_s: float
    decode_ms: float  # of one core, per picture
    skew_s: float | None  # the camera's clock minus ours; None if it sends no time
    decoder: str = SOFTWARE  # or a card's name
    card_reasons: str = ""  # why a configured card was not used

    @property
    def core(self) -> float:
        """The cost of decoding every picture, in cores."""
        return self.fps * self.decode_ms / 1000


def probe_stream(source: LiveSource, clock: Clock, seconds: float = PROBE_S) -> StreamInfo:
    """Read a camera for up to ``seconds`` and describe its stream. Blocks.

    Raises:
        ConfigError: Its password file or ca_file is missing.
        SourceError: It cannot be opened, or sends no picture.
    """
    name = build_ffmpeg_input(source).name
    with open_stream(source, clock) as container:
        stream = find_video_stream(container, name)
        hardware = Hardware(source.decoder, name)
        by, context = hardware.create_decoder(stream)
        context.thread_count = 1  # so that times are those of one core
        stream_probe = _StreamProbe(clock, by, hardware.reasons)
        decoder = Decoder(stream, clock, context)
        with map_av_errors(f"reading {name}"):
            for packet in container.demux(stream):
                stream_probe.add_packet(packet, container, decoder)
                if stream_probe.seconds >= seconds or stream_probe.key_frames > ENOUGH_KEY_FRAMES:
                    break
        return stream_probe.summarise(stream, name)


@dataclass(slots=True)
class _StreamProbe:
    """Collects what is seen of one stream."""

    clock: Clock
    decoder: str
    card_reasons: str
    size: tuple[int, int] | None = None
    _stamps: list[float] = field(default_factory=list)  # seconds on the camera's clock
    _key_stamps: list[float] = field(default_factory=list)
    _bytes: int = 0
    _decode_ms: list[float] = field(default_factory=list)
    _skews_s: list[float] = field(default_factory=list)
    _started: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the first packet."""
        return 0.0 if self._started is None else self.clock.seconds() - self._started

    @property
    def key_frames(self) -> int:
        """Key frames so far."""
        return len(self._key_stamps)

    def add_packet(
        self,
        packet: "Packet[VideoStream]",
        container: av.container.InputContainer,
        decoder: Decoder,
    ) -> None:
        """Add one packet, and decode it."""
        if self._started is None:
            self._started = self.clock.seconds()
        self._bytes += packet.size
        if packet.pts is not None and packet.time_base is not None:
            stamp = float(packet.pts * packet.time_base)
            self._stamps.append(stamp)
            if packet.is_keyframe:
                self._key_stamps.append(stamp)
            if container.start_time_realtime is not None:
                taken = container.start_time_realtime / MICRO + stamp
                self._skews_s.append(taken - self.clock.now().timestamp())
        for picture in decoder.decode(packet):
            self.size = (picture.frame.width, picture.frame.height)
            self._decode_ms.append(picture.decode_ms)

    def summarise(self, stream: VideoStream, name: str) -> StreamInfo:
        """Describe the stream.

        Raises:
            SourceUnavailableError: No picture could be decoded.
        """
        if self.size is None:
            raise SourceUnavailableError(f"reading {name}: no picture could be decoded")
        stamps = sorted(self._stamps)
        span = stamps[-1] - stamps[0] if len(stamps) > 1 else 0.0
        declared_fps = float(stream.average_rate or stream.guessed_rate or 0)
        gaps = [after - before for before, after in itertools.pairwise(self._key_stamps)]
        return StreamInfo(
            codec=stream.codec_context.name,
            width=self.size[0],
            height=self.size[1],
            fps=(len(stamps) - 1) / span if span > 0 else declared_fps,
            key_frames_s=sum(gaps) / len(gaps) if gaps else None,
            megabits_s=8 * self._bytes / span / MICRO if span > 0 else 0.0,
            decode_ms=sum(self._decode_ms) / len(self._decode_ms),
            # The packet with the shortest delay tells most.
            skew_s=max(self._skews_s) if self._skews_s else None,
            decoder=self.decoder,
            card_reasons=self.card_reasons,
        )
