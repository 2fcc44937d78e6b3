"""Recordings: every frame that is due is delivered, and every replay is the same."""

import logging
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from monitor.domain import CameraId, Frame, Moment
from monitor.errors import SourceError, SourceRejectedError, SourceUnavailableError
from monitor.ingest import SourceTraits
from monitor.ingest.frames.av_errors import map_av_errors
from monitor.ingest.frames.decoder import DecodedFrame, Decoder, find_video_stream
from monitor.ingest.frames.picture import VideoPicture
from monitor.ingest.frames.timing import Timeline, TimelineSampler
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.motion import FrameWatch
from monitor.runtime.clock import Clock, SystemClock
from monitor.runtime.stop import Stop, StopSwitch

log = logging.getLogger(__name__)

USUAL_FPS = 25.0  # for files without a frame rate
DEFAULT_TIME_BASE = Fraction(1, 90_000)  # as in MPEG
MIN_DECODED_SHARE = 0.98  # of the frame count in the file; less means that pictures are missing


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file declares about its video."""

    width: int  # pixels across, upright
    height: int
    fps: float  # on average
    frames: int | None  # None if the container does not count them
    duration_s: float | None
    codec: str


@dataclass(slots=True)
class FileVideo:
    """One recording as a Source.

    ``started_at`` is when the recording began; by default the time of the file's last change.
    With ``paced`` the frames come at the recorded speed and their seconds are on the
    machine's monotonic clock, as for live cameras; otherwise they come as fast as they can
    be decoded and their seconds count from the first frame. ``stop`` ends a paced recording
    between two frames. ``threads`` is for the decoder; 0 is one per core. With ``demand``
    motion is detected, as for live cameras, and frames come at the rate that it asks for.
    """

    camera: CameraId
    path: Path
    analysis_fps: float = field(kw_only=True)
    paced: bool = field(kw_only=True)
    started_at: datetime | None = field(kw_only=True, default=None)
    clock: Clock = field(kw_only=True)
    stop: Stop = field(kw_only=True, default_factory=StopSwitch)
    threads: int = field(kw_only=True, default=0)
    demand: CameraDemand | None = field(kw_only=True, default=None)
    decoded: int = field(init=False, default=0)
    traits: SourceTraits = field(init=False)

    def __post_init__(self) -> None:
        self.traits = SourceTraits(self.camera, live=False)

    @property
    def info(self) -> VideoInfo:
        """What the file declares. Opens it.

        Raises:
            SourceRejectedError: See ``probe_file``.
        """
        return probe_file(self.path)

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        """See Source."""
        del abandoned  # it waits for ``stop`` only
        with _open_video(self.path) as (container, stream):
            stream.thread_type = "AUTO"
            stream.thread_count = self.threads
            with closing(self._read_frames(container, stream)) as frames:
                yield frames

    def _read_frames(
        self, container: av.container.InputContainer, stream: VideoStream
    ) -> Generator[Frame, None, None]:
        """Yield the frames that are due, in order. Logs missing pictures at the end."""
        decoder = Decoder(stream, self.clock)
        timeline = Timeline(stream.time_base or DEFAULT_TIME_BASE, _average_fps(stream))
        sampler = TimelineSampler(self.analysis_fps)
        opened_at = self.clock.seconds()
        frame_watch = (
            FrameWatch(self.demand, self.demand.tampering_settings) if self.demand else None
        )
        started_at = self.started_at or datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
        sequence = 0
        for picture in self._decode_all(container, stream, decoder):
            self.decoded += 1
            seconds = timeline.place(picture.frame.pts)
            if self.demand is not None:
                sampler.set_fps(self.demand.current.fps)
            if not sampler.take(seconds):
                continue
            taken_at = started_at + timedelta(seconds=seconds)
            if self.paced:
                seconds += opened_at
                if self.stop.wait(max(0.0, seconds - self.clock.seconds())):
                    return
            yield Frame(
                camera=self.camera,
                sequence=sequence,
                moment=Moment(seconds=seconds, taken_at=taken_at),
                picture=VideoPicture(picture.frame),
                decode_ms=picture.decode_ms,
                moved=frame_watch is None or frame_watch.process_frame(picture.frame, seconds),
            )
            sequence += 1

    def _decode_all(
        self, container: av.container.InputContainer, stream: VideoStream, decoder: Decoder
    ) -> Iterator[DecodedFrame]:
        """Yield all pictures. A file that is cut off ends early, with a warning."""
        problem = ""
        try:
            with map_av_errors("reading"):
                for packet in container.demux(stream):
                    yield from decoder.decode(packet)
        except SourceError as error:
            problem = str(error)
        if not decoder.decoded:
            raise SourceRejectedError(
                f"{self.path}: no picture could be decoded; check that it plays elsewhere"
            )
        if problem or decoder.damaged or decoder.decoded < MIN_DECODED_SHARE * stream.frames:
            log.warning(
                "%s: %s is damaged or cut off: %d of %s pictures could be decoded",
                self.camera,
                self.path,
                decoder.decoded,
                stream.frames or "an unknown number of",
            )


def probe_file(path: Path) -> VideoInfo:
    """Return what a video file declares. Decodes its first picture.

    Raises:
        SourceRejectedError: It is missing, unreadable, or not a video that can be decoded.
    """
    with _open_video(path) as (container, stream):
        picture = VideoPicture(_decode_first_frame(container, stream, path))
        duration_s = None
        if stream.duration is not None and stream.time_base is not None:
            duration_s = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration_s = container.duration / av.time_base
        return VideoInfo(
            width=picture.width,
            height=picture.height,
            fps=_average_fps(stream),
            frames=stream.frames or None,
            duration_s=duration_s,
            codec=stream.codec_context.name,
        )


def _decode_first_frame(
    container: av.container.InputContainer, stream: VideoStream, path: Path
) -> av.VideoFrame:
    decoder = Decoder(stream, SystemClock())
    with suppress(SourceError), map_av_errors("reading"):
        for packet in container.demux(stream):
            for picture in decoder.decode(packet):
                return picture.frame
    raise SourceRejectedError(f"{path}: no picture could be decoded; check that it plays elsewhere")


@contextmanager
def _open_video(path: Path) -> Iterator[tuple[av.container.InputContainer, VideoStream]]:
    """Open a file and its video stream; every failure is a SourceRejectedError."""
    try:
        # The prefix keeps FFmpeg from reading "10:30.mp4" as an address.
        with map_av_errors(str(path)):
            container = av.open(f"file:{path}")
    except SourceUnavailableError as error:
        raise SourceRejectedError(f"{error}; give a video file that is complete") from None
    with container:
        yield container, find_video_stream(container, str(path))


def _average_fps(stream: VideoStream) -> float:
    """Return the average of pictures per second."""
    return float(stream.average_rate or stream.guessed_rate or USUAL_FPS)
