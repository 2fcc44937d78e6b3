"""Live video: RTSP cameras, streams over HTTP, and cameras on this machine."""

import logging
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial

import av
from av.video.stream import VideoStream

from monitor.config.sources import DeviceSource, LiveSource
from monitor.domain import CameraId, Frame, Moment
from monitor.errors import SourceUnavailableError
from monitor.ingest import SourceTraits
from monitor.ingest.frames.av_errors import map_av_errors
from monitor.ingest.frames.decoder import find_video_stream
from monitor.ingest.frames.picture import VideoPicture
from monitor.ingest.frames.timing import ArrivalSampler, Timeline
from monitor.ingest.live.hardware import Hardware
from monitor.ingest.live.live_decoder import LiveDecoder
from monitor.ingest.live.open_stream import ffmpeg_input, opened, read_credentials_version
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.motion import FrameWatch
from monitor.runtime.clock import Clock
from monitor.runtime.stop import Stop

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 3.0  # between two pictures of a recording; longer gaps are skipped
USUAL_FPS = 25.0  # for recordings that do not say
STALLED_S = 3.0  # without a picture, and a camera counts as stalled
SLACK_S = 3.0  # beyond its time-outs before FFmpeg counts as hanging


class LiveVideo:
    """One camera as a Source. Opened and read by one thread at a time.

    FFmpeg's own log stays off: it would write the address, and with it the password.

    Raises:
        ConfigError: The password file cannot be read.
    """

    def __init__(
        self,
        camera: CameraId,
        source: LiveSource,
        *,
        analysis_fps: float,
        clock: Clock,
        demand: CameraDemand | None = None,
    ) -> None:
        self._camera = camera
        self._source = source
        self._demand = demand or CameraDemand(analysis_fps)
        self._frame_watch = FrameWatch(self._demand, self._demand.tampering_settings)
        self._hardware = Hardware(source.decoder, camera)
        self._clock = clock
        self.decoded = 0
        self.traits = SourceTraits(
            camera,
            live=True,
            hang_timeout_s=source.open_timeout_s + source.silence_limit_s + SLACK_S,
            stall_timeout_s=STALLED_S,
            read_credentials_version=partial(read_credentials_version, source),
        )
        self._warned = False
        ffmpeg_input(source)  # so that a missing password is noticed at start

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        """See Source. FFmpeg cannot be asked to leave, but after each packet we can."""
        host = ffmpeg_input(self._source).place
        with opened(self._source, self._clock) as container:
            stream = find_video_stream(container, host)
            self._warn_of_pieces(container)
            decoder = LiveDecoder(stream, self._clock, self._demand, self._hardware)
            playback = _Playback(container, stream, self._clock)
            try:
                with closing(self._frames(container, decoder, playback, abandoned)) as frames:
                    yield frames
            finally:
                decoder.finish()

    def _warn_of_pieces(self, container: av.container.InputContainer) -> None:
        """FFmpeg forgets whom to trust when it fetches what an HLS list names."""
        encrypted = not isinstance(self._source, DeviceSource) and self._source.encrypted
        if encrypted and "hls" in container.format.name and not self._warned:
            self._warned = True
            log.warning(
                "%s: the certificate is checked for the HLS list, not for the pieces in it",
                self._camera,
            )

    def _frames(
        self,
        container: av.container.InputContainer,
        decoder: LiveDecoder,
        playback: "_Playback",
        abandoned: Stop | None,
    ) -> Generator[Frame, None, None]:
        """The frames that are due, as they arrive, until nobody wants them any more."""
        host = ffmpeg_input(self._source).place
        sampler = ArrivalSampler(self._demand.full_fps)
        sequence = 0
        asked = last_picture = self._clock.seconds()
        with map_av_errors(f"reading {host}"):
            # All streams, though only pictures count: the time-out is one packet's, and
            # sound alone would keep a camera that has gone dark connected for ever.
            for packet in container.demux():
                if abandoned is not None and abandoned.requested:
                    return
                self._check_silence(last_picture, host)
                skipped, seen, came = decoder.skipped, decoder.seen, self._clock.seconds()
                decoder.add_wait(came - asked)
                sampler.set_fps(self._demand.current.fps)
                for picture in decoder.decode(packet, due=sampler.would_take(came)):
                    playback.wait_for(picture.frame.pts)
                    last_picture = self._clock.seconds()
                    if not sampler.take(last_picture):
                        continue
                    yield Frame(
                        camera=self._camera,
                        sequence=sequence,
                        moment=Moment(seconds=last_picture, taken_at=self._clock.now()),
                        picture=VideoPicture(picture.frame),
                        decode_ms=picture.decode_ms,
                        moved=self._frame_watch.process_frame(picture.frame, last_picture),
                    )
                    sequence += 1
                asked = self._clock.seconds()
                self.decoded += decoder.seen - seen
                if decoder.skipped != skipped:  # it came, though nobody needs it
                    last_picture = asked
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
            due = self._started + self._timeline.place(pts)
            wait_s = due - self._clock.seconds()
            if wait_s > LONGEST_WAIT_S:  # a gap in the recording
                self._started -= wait_s
            else:
                time.sleep(max(0.0, wait_s))
