"""Looking at a camera for a few seconds, to say what it sends and what that would cost."""

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
from monitor.ingest.live.open_stream import ffmpeg_input, opened
from monitor.runtime.clock import Clock

LOOK_S = 6.0  # long enough for two key frames of most cameras, and their first word of the time
ENOUGH_KEYS = 3  # key frames after which nothing more is to be learnt
MICRO = 1e6


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What one stream of a camera is like."""

    codec: str
    width: int  # pixels
    height: int
    fps: float  # pictures per second
    key_frames_s: float | None  # seconds between two key frames; None if fewer than two came
    megabits_s: float  # per second
    decode_ms: float  # of one core, per picture
    skew_s: float | None  # how far the camera's clock is ahead of ours; None if it does not say
    decoder: str = SOFTWARE  # what decoded it: this, or a card's name
    not_by: str = ""  # why not a card that was wanted

    @property
    def core(self) -> float:
        """What decoding every picture costs, in parts of one core."""
        return self.fps * self.decode_ms / 1000


def examine(source: LiveSource, clock: Clock, seconds: float = LOOK_S) -> CameraFacts:
    """Read a camera for so long at most. Blocks.

    Raises:
        ConfigError: Its password file or ca_file is missing.
        SourceError: It cannot be opened, or sends no picture.
    """
    place = ffmpeg_input(source).place
    with opened(source, clock) as container:
        stream = find_video_stream(container, place)
        hardware = Hardware(source.decoder, place)
        by, context = hardware.create_decoder(stream)
        context.thread_count = 1  # so that seconds are seconds of one core
        stream_probe = _StreamProbe(clock, by, hardware.reasons)
        decoder = Decoder(stream, clock, context)
        with map_av_errors(f"reading {place}"):
            for packet in container.demux(stream):
                stream_probe.note(packet, container, decoder)
                if stream_probe.seconds >= seconds or stream_probe.keys > ENOUGH_KEYS:
                    break
        return stream_probe.facts(stream, place)


@dataclass(slots=True)
class _StreamProbe:
    """What has been seen of one stream."""

    clock: Clock
    decoder: str
    not_by: str
    size: tuple[int, int] | None = None
    _stamps: list[float] = field(default_factory=list)  # seconds on the camera's clock
    _key_stamps: list[float] = field(default_factory=list)
    _bytes: int = 0
    _decode_ms: list[float] = field(default_factory=list)
    _skews_s: list[float] = field(default_factory=list)
    _started: float | None = None

    @property
    def seconds(self) -> float:
        """Since the first packet."""
        return 0.0 if self._started is None else self.clock.seconds() - self._started

    @property
    def keys(self) -> int:
        """Key frames so far."""
        return len(self._key_stamps)

    def note(
        self,
        packet: "Packet[VideoStream]",
        container: av.container.InputContainer,
        decoder: Decoder,
    ) -> None:
        """Take one packet in."""
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

    def facts(self, stream: VideoStream, place: str) -> CameraFacts:
        """What it comes to.

        Raises:
            SourceUnavailableError: Not one picture could be decoded.
        """
        if self.size is None:
            raise SourceUnavailableError(f"reading {place}: no picture could be decoded")
        stamps = sorted(self._stamps)
        span = stamps[-1] - stamps[0] if len(stamps) > 1 else 0.0
        said = float(stream.average_rate or stream.guessed_rate or 0)
        gaps = [after - before for before, after in itertools.pairwise(self._key_stamps)]
        return CameraFacts(
            codec=stream.codec_context.name,
            width=self.size[0],
            height=self.size[1],
            fps=(len(stamps) - 1) / span if span > 0 else said,
            key_frames_s=sum(gaps) / len(gaps) if gaps else None,
            megabits_s=8 * self._bytes / span / MICRO if span > 0 else 0.0,
            decode_ms=sum(self._decode_ms) / len(self._decode_ms),
            # What was on its way for the shortest time tells most.
            skew_s=max(self._skews_s) if self._skews_s else None,
            decoder=self.decoder,
            not_by=self.not_by,
        )
