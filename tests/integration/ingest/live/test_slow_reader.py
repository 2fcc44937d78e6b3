"""A real camera whose pictures take longer to be taken in than to come."""

import itertools
import logging
import time
from pathlib import Path

import pytest

from monitor.config.schema import Tampering as Settings
from monitor.domain import TamperingReason
from monitor.ingest.watch.demand import CameraDemand
from tests.support.camera_bench import rtsp
from tests.support.clips import panning, write_clip
from tests.support.rtsp_server import RtspServer

pytestmark = [pytest.mark.rtsp, pytest.mark.slow]

LIMIT = 400  # frames in which it must have happened


class Busy(CameraDemand):
    """A machine with no time: every picture that is judged takes far longer than it should."""

    def __init__(self) -> None:
        super().__init__(5, tampering_settings=Settings())
        self.each_s = 0.6

    def set_tampering(self, reason: TamperingReason | None) -> None:
        """See CameraDemand."""
        time.sleep(self.each_s)
        super().set_tampering(reason)


def test_a_reader_that_is_too_slow_leaves_pictures_out_says_so_and_recovers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor.ingest.live.live_decoder")
    clip = write_clip(tmp_path / "clip.mp4", panning(30), fps=10)
    demand = Busy()
    with RtspServer(clip) as server:
        source = rtsp("yard", server.url, demand=demand)
        with source.open() as frames:
            for _ in itertools.islice(frames, LIMIT):
                if caplog.messages:
                    break
            assert "yard: overloaded: its pictures come faster" in caplog.text
            demand.each_s = 0.0
            for _ in itertools.islice(frames, LIMIT):
                if "caught up" in caplog.text:
                    break
            assert "yard: caught up; " in caplog.text
            before = source.decoded
            assert len(list(itertools.islice(frames, 10))) == 10
    assert demand.dropped > 10
    assert source.decoded > before, "and all on one connection"
