"""Live video: RTSP cameras, HTTP streams, and cameras attached to this machine."""

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
from monitor.ingest.live.open_stream import (
    build_ffmpeg_input,
    open_stream,
    read_credentials_version,
)
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.motion import FrameWatch
from monitor.runtime.clock import Clock
from monitor.runtime.stop import Stop

log = logging.getLogger(__name__)

MAX_WAIT_S = 3.0  # between two pictures of a file over HTTP; longer gaps are skipped
USUAL_FPS = 25.0  # for files without a frame rate
STALL_TIMEOUT_S = 3.0  # without a picture
HANG_SLACK_S = 3.0  # beyond FFmpeg's own time-outs


class LiveVideo:
    """One camera as a Source. Opened and read by one thread at a time.

    FFmpeg's own log stays off: it would show the URL, and with it the password.

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
            hang_timeout_s=source.open_timeout_s + source.silence_limit_s + HANG_SLACK_S,
            stall_timeout_s=STALL_TIMEOUT_S,
            read_credentials_version=partial(read_credentials_version, source),
        )
        self._segments_warned = False
        self._name = build_ffmpeg_input(source).name  # a missing password file is reported here

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        """See Source. ``abandoned`` is checked after each packet: FFmpeg cannot be interrupted."""
        with open_stream(self._source, self._clock) as container:
            stream = find_video_stream(container, self._name)
            self._warn_about_segments(container)
            decoder = LiveDecoder(stream, self._clock, self._demand, self._hardware)
            playback = _Playback(container, stream, self._clock)
            try:
                with closing(self._read_frames(container, decoder, playback, abandoned)) as frames:
                    yield frames
            finally:
                decoder.finish()

    def _warn_about_segments(self, container: av.container.InputContainer) -> None:
        """Warn once that FFmpeg does not check the certificate for an HLS list's segments."""
        encrypted = not isinstance(self._source, DeviceSource) and self._source.encrypted
        if encrypted and "hls" in container.format.name and not self._segments_warned:
            self._segments_warned = True
            log.warning(
                "%s: the certificate is checked for the HLS list, not for its segments",
                self._camera,
            )

    def _read_frames(
        self,
        container: av.container.InputContainer,
        decoder: LiveDecoder,
        playback: "_Playback",
        abandoned: Stop | None,
    ) -> Generator[Frame, None, None]:
        """Yield the frames to analyse as they arrive, until the connection is abandoned."""
        sampler = ArrivalSampler(self._demand.full_fps)
        sequence = 0
        asked_at = last_picture_at = self._clock.seconds()
        with map_av_errors(f"reading {self._name}"):
            # All streams, though only pictures count: the time-out is that of a packet, and
            # sound alone would keep a camera without pictures connected for ever.
            for packet in container.demux():
                if abandoned is not None and abandoned.requested:
                    return
                self._check_silence(last_picture_at)
                skipped, seen, received_at = decoder.skipped, decoder.seen, self._clock.seconds()
                decoder.add_wait(received_at - asked_at)
                sampler.set_fps(self._demand.current.fps)
                for picture in decoder.decode(packet, due=sampler.would_take(received_at)):
                    playback.wait_until_due(picture.frame.pts)
                    last_picture_at = self._clock.seconds()
                    if not sampler.take(last_picture_at):
                        continue
                    yield Frame(
                        camera=self._camera,
                        sequence=sequence,
                        moment=Moment(seconds=last_picture_at, taken_at=self._clock.now()),
                        picture=VideoPicture(picture.frame),
                        decode_ms=picture.decode_ms,
                        moved=self._frame_watch.process_frame(picture.frame, last_picture_at),
                    )
                    sequence += 1
                asked_at = self._clock.seconds()
                self.decoded += decoder.seen - seen
                if decoder.skipped != skipped:  # pictures came, though none was decoded
                    last_picture_at = asked_at
        raise SourceUnavailableError(f"reading {self._name}: the stream ended")

    def _check_silence(self, last_picture_at: float) -> None:
        """Raise if data comes without pictures: FFmpeg's time-out is that of a packet."""
        limit_s = self._source.silence_limit_s
        if self._clock.seconds() - last_picture_at > limit_s:
            raise SourceUnavailableError(f"reading {self._name}: no picture for {limit_s:g} s")


class _Playback:
    """Paces files and HLS over HTTP at their own speed; other streams are not delayed.

    A file would otherwise end as soon as it is downloaded, and HLS comes in bursts.
    """

    def __init__(
        self, container: av.container.InputContainer, stream: VideoStream, clock: Clock
    ) -> None:
        self._clock = clock
        self._timeline: Timeline | None = None
        is_buffered = container.duration is not None or "hls" in container.format.name
        if is_buffered and stream.time_base and "rtsp" not in container.format.name:
            fps = float(stream.average_rate or USUAL_FPS)
            self._timeline = Timeline(stream.time_base, fps)
        self._started = clock.seconds()

    def wait_until_due(self, pts: int | None) -> None:
        """Sleep until the picture with this time stamp is due."""
        if self._timeline is not None:
            due = self._started + self._timeline.place(pts)
            wait_s = due - self._clock.seconds()
            if wait_s > MAX_WAIT_S:  # a gap in the recording
                self._started -= wait_s
            else:
                time.sleep(max(0.0, wait_s))
