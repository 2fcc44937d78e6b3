"""Network cameras: RTSP over TCP or UDP, and live video over HTTP."""

import math
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote, urlsplit

import av
from av.video.stream import VideoStream

from monitor.config.sources import HttpSource, RtspSource
from monitor.domain import CameraId, Frame, Moment
from monitor.errors import ConfigError, SourceUnavailableError
from monitor.ingest.av_errors import translated
from monitor.ingest.decoding import Decoder, video_stream
from monitor.ingest.picture import VideoPicture
from monitor.ingest.sampling import ArrivalSampler
from monitor.ingest.timeline import Timeline
from monitor.runtime.clock import Clock

DECODER_THREADS = 2
UDP_BUFFER_BYTES = 2_097_152  # a key frame of a 4K camera, in one burst
PROBE_US = "1000000"  # of video that FFmpeg may look at before the first picture comes
LONGEST_WAIT_S = 3.0  # between two pictures of a recording; longer gaps are skipped
USUAL_FPS = 25.0  # for recordings that do not say
SLACK_S = 3.0  # beyond its time-outs before FFmpeg counts as hanging


class NetworkVideo:
    """One camera as a Source. Opened and read by one thread at a time.

    FFmpeg's own log stays off: it would write the address, and with it the password.

    Raises:
        ConfigError: The password file cannot be read.
    """

    def __init__(
        self,
        camera: CameraId,
        source: RtspSource | HttpSource,
        *,
        analysis_fps: float,
        clock: Clock,
    ) -> None:
        self._camera = camera
        self._source = source
        self._analysis_fps = analysis_fps
        self._clock = clock
        self._decoded = 0
        _address(source)  # so that a missing password is noticed at start

    @property
    def label(self) -> str:
        """See Source."""
        return self._camera

    @property
    def live(self) -> bool:
        """See Source."""
        return True

    @property
    def decoded(self) -> int:
        """See Source."""
        return self._decoded

    @property
    def patience_s(self) -> float:
        """See Source."""
        return self._source.open_timeout_s + self._source.silence_limit_s + SLACK_S

    @property
    def access(self) -> object:
        """See Source. The password file's state; None without one, or while it is missing."""
        path = self._source.password_file
        try:
            state = path.stat() if path is not None else None
        except OSError:
            return None
        return (state.st_mtime_ns, state.st_ino, state.st_size) if state is not None else None

    @contextmanager
    def open(self) -> Iterator[Iterator[Frame]]:
        """See Source."""
        host = _host(self._source)
        with self._connected(host) as container:
            stream = video_stream(container, host)
            stream.thread_type = "SLICE"  # by frames would hold pictures back
            stream.thread_count = DECODER_THREADS
            with closing(self._frames(container, stream, host)) as frames:
                yield frames

    def _connected(self, host: str) -> av.container.InputContainer:
        """The open stream. What FFmpeg says after a time-out depends on what it was doing."""
        source, started = self._source, self._clock.seconds()
        try:
            with translated(f"opening {host}"):
                return av.open(
                    _address(source),
                    options=_options(source),
                    timeout=(source.open_timeout_s, source.silence_limit_s),
                )
        except SourceUnavailableError:
            if self._clock.seconds() - started < source.open_timeout_s:
                raise
            raise SourceUnavailableError(
                f"opening {host}: no answer in {source.open_timeout_s:g} s"
            ) from None

    def _frames(
        self, container: av.container.InputContainer, stream: VideoStream, host: str
    ) -> Generator[Frame, None, None]:
        """The frames that are due, as they arrive."""
        decoder = Decoder(stream, self._clock)
        sampler = ArrivalSampler(self._analysis_fps)
        playback = _Playback(container, stream, self._clock)
        sequence = 0
        last_picture = self._clock.seconds()
        with translated(f"reading {host}"):
            # All streams, though only pictures count: the time-out is one packet's, and
            # sound alone would keep a camera that has gone dark connected for ever.
            for packet in container.demux():
                self._check_silence(last_picture, host)
                for picture in decoder.pictures(packet):
                    self._decoded += 1
                    playback.wait_for(picture.frame.pts)
                    last_picture = self._clock.seconds()
                    if not sampler.due(last_picture):
                        continue
                    yield Frame(
                        camera=self._camera,
                        sequence=sequence,
                        moment=Moment(seconds=last_picture, taken_at=self._clock.now()),
                        picture=VideoPicture(picture.frame),
                        decode_ms=picture.milliseconds,
                    )
                    sequence += 1
        raise SourceUnavailableError(f"reading {host}: the stream ended")

    def _check_silence(self, last_picture: float, host: str) -> None:
        """Raise if data comes, but no picture: FFmpeg's last packet may come after its time-out."""
        limit_s = self._source.silence_limit_s
        if self._clock.seconds() - last_picture > limit_s:
            raise SourceUnavailableError(f"reading {host}: no picture for {limit_s:g} s")


class _Playback:
    """Holds what comes in pieces over HTTP to its own speed; lets everything else pass.

    A recording would else be over as soon as it is downloaded, and HLS comes in bursts of
    seconds with silence between them.
    """

    def __init__(
        self, container: av.container.InputContainer, stream: VideoStream, clock: Clock
    ) -> None:
        self._clock = clock
        self._timeline: Timeline | None = None
        in_pieces = container.duration is not None or "hls" in container.format.name
        if in_pieces and stream.time_base and "rtsp" not in container.format.name:
            fps = float(stream.average_rate or USUAL_FPS)
            self._timeline = Timeline(stream.time_base, fps)
        self._started = clock.seconds()

    def wait_for(self, pts: int | None) -> None:
        """Sleep until the picture with this stamp is due."""
        if self._timeline is not None:
            due = self._started + self._timeline.seconds(pts)
            wait_s = due - self._clock.seconds()
            if wait_s > LONGEST_WAIT_S:  # a gap in the recording
                self._started -= wait_s
            else:
                time.sleep(max(0.0, wait_s))


def _options(source: RtspSource | HttpSource) -> dict[str, str]:
    """What FFmpeg is told: no sound, and to begin without measuring the frame rate first.

    It must keep what it reads to begin with ("nobuffer" would not), or the first key frame
    is lost and the picture comes one interval of key frames later.
    """
    common = {"fpsprobesize": "0", "analyzeduration": PROBE_US}
    if isinstance(source, HttpSource):
        return common
    return common | {
        "rtsp_transport": source.transport,
        "allowed_media_types": "video",
        "buffer_size": str(UDP_BUFFER_BYTES),
        # PyAV's own time-out cannot end a connection attempt on every system.
        "timeout": str(math.ceil(1e6 * max(source.open_timeout_s, source.silence_limit_s))),
    }


def _host(source: RtspSource | HttpSource) -> str:
    """The host and port: all of the address that may be shown."""
    return urlsplit(source.url).netloc


def _address(source: RtspSource | HttpSource) -> str:
    """The URL with the credentials in it. For FFmpeg only, never for a log.

    Raises:
        ConfigError: The password file cannot be read.
    """
    if source.username is None:
        return source.url
    credentials = quote(source.username, safe="")
    if source.password_file is not None:
        try:
            password = source.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"password_file {source.password_file} cannot be read "
                f"({getattr(error, 'strerror', None) or 'not UTF-8'}); create it or mend its path"
            ) from None
        credentials = f"{credentials}:{quote(password, safe='')}"
    parts = urlsplit(source.url)
    return parts._replace(netloc=f"{credentials}@{parts.netloc}").geturl()
