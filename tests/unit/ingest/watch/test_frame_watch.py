"""What is noticed of each picture, and how often."""

import av
import numpy as np

from monitor.config.schema import Tampering as Settings
from monitor.domain import TamperingReason
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.motion import FrameWatch

FPS = 5
NOISE = np.random.default_rng(0)


def picture(seconds: float, *, frozen: bool) -> av.VideoFrame:
    """A room with a sensor's noise, or the same picture again."""
    rows = np.linspace(40, 200, 90, dtype=np.uint8)
    room = np.repeat(rows[:, None], 160, axis=1)
    room[30:60, 40:80] = 20
    if not frozen:
        room += NOISE.integers(0, 16, room.shape, dtype=np.uint8)
    room[0, 0] = round(10 * seconds) % 2
    return av.VideoFrame.from_ndarray(np.repeat(room[:, :, None], 3, axis=2), format="bgr24")


def seen(frame_watch: FrameWatch, start: int, end: int, *, frozen: bool) -> int:
    """Show the seconds from start to end; in how many pictures something moved."""
    times = np.arange(start * FPS, end * FPS) / FPS
    return sum(frame_watch.process_frame(picture(at, frozen=frozen), float(at)) for at in times)


def test_a_frozen_camera_is_noticed_in_its_time_though_not_every_picture_is_judged() -> None:
    settings = Settings(image_frozen_after_s=6)
    demand = CameraDemand(FPS, tampering_settings=settings)
    frame_watch = FrameWatch(demand, settings)
    reasons = []
    for start, end, frozen in ((0, 10, False), (10, 15, True), (15, 18, True), (18, 24, False)):
        seen(frame_watch, start, end, frozen=frozen)
        reasons.append(demand.tampering)
    assert reasons == [None, None, TamperingReason.IMAGE_FROZEN, None], (
        "in its time, and over in its time"
    )


def test_motion_is_looked_for_in_every_picture() -> None:
    frame_watch = FrameWatch(CameraDemand(FPS))
    assert seen(frame_watch, 0, 2, frozen=True) == 1, "the first, of which nothing is known"
    changed = av.VideoFrame.from_ndarray(np.full((90, 160, 3), 250, np.uint8), format="bgr24")
    assert frame_watch.process_frame(changed, 2.0)
    assert frame_watch.process_frame(changed, 2.2)
