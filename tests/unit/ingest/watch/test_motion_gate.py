"""Which frames the detector is asked about."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor.config.schema import Economy
from monitor.domain import Detection, Frame
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.motion_gate import MotionGate
from tests.support.fakes import YARD, moment, person

PICTURE = ArrayPicture(np.zeros((2, 2, 3), np.uint8))
FPS = 5
FOUND = [person(Box(0, 0, 1, 2))]


def frame(seconds: float, *, moved: bool = False) -> Frame:
    return Frame(YARD, 0, moment(seconds), PICTURE, decode_ms=1.0, moved=moved)


def looked_at(
    gate: MotionGate, found: Sequence[Detection] = (), *, seconds: float, start: float = 0.0
) -> list[float]:
    """When the gate opened for a camera on which nothing moves and this is always found."""
    times = []
    for n in range(round(seconds * FPS)):
        shown = frame(start + n / FPS)
        if gate.admits(shown):
            gate.record_detections(shown, found)
            times.append(round(shown.moment.seconds, 3))
    return times


def test_where_nothing_moves_it_looks_around_every_two_seconds() -> None:
    gate = MotionGate(Economy())
    assert looked_at(gate, seconds=10) == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert gate.skipped == 45


def test_a_key_frame_that_comes_a_little_early_is_looked_at_all_the_same() -> None:
    """Of 100 idle cameras on a busy machine every sixth look around was left out."""
    gate, times = MotionGate(Economy()), [0.0, 2.05, 3.95, 6.0, 7.9, 10.1]
    seen = []
    for seconds in times:
        shown = frame(seconds)
        if gate.admits(shown):
            gate.record_detections(shown, ())
            seen.append(seconds)
    assert seen == times


def test_key_frames_that_come_every_second_are_looked_at_by_turns() -> None:
    gate, seen = MotionGate(Economy()), []
    for seconds in (0.0, 1.0, 1.97, 3.0, 4.0, 5.02, 5.95):
        shown = frame(seconds)
        if gate.admits(shown):
            gate.record_detections(shown, ())
            seen.append(seconds)
    assert seen == [0.0, 1.97, 4.0, 5.95]


def test_it_looks_around_as_often_as_it_is_told() -> None:
    assert looked_at(MotionGate(Economy(look_around_s=1)), seconds=3) == [0.0, 1.0, 2.0]


def test_motion_opens_it_at_once_and_for_a_second_more() -> None:
    gate = MotionGate(Economy())
    looked_at(gate, seconds=1)
    moving = frame(1.0, moved=True)
    assert gate.admits(moving)
    gate.record_detections(moving, ())
    assert looked_at(gate, seconds=2, start=1.2) == [1.2, 1.4, 1.6, 1.8, 2.0]


def test_who_stops_moving_is_looked_at_in_every_frame_for_a_while_and_then_once_a_second() -> None:
    """One can turn invisible by standing still, users of other programs complain."""
    gate = MotionGate(Economy())
    coming = frame(0.0, moved=True)
    assert gate.admits(coming)
    gate.record_detections(coming, FOUND)
    assert looked_at(gate, FOUND, seconds=4.8, start=0.2) == [n / FPS for n in range(1, 25)]
    assert looked_at(gate, FOUND, seconds=4, start=5.2) == [5.8, 6.8, 7.8, 8.8]
    assert gate.last_detections == FOUND, "in the frames between as well"
    assert gate.admits(frame(9.2, moved=True)), "and at once when anything moves"


def test_what_the_detector_doubts_is_no_reason_to_look_more_often() -> None:
    chair = [replace(FOUND[0], sure=False)]
    gate = MotionGate(Economy())
    assert looked_at(gate, chair, seconds=6) == [0.0, 2.0, 4.0]
    assert gate.last_detections == chair, "but who is followed may be it"


def test_a_poster_is_looked_at_once_a_second_and_gone_when_it_is_gone() -> None:
    gate = MotionGate(Economy())
    assert len(looked_at(gate, FOUND, seconds=20)) == 26 + 14, "in each frame for 5 s first"
    looked_at(gate, seconds=1, start=20)
    assert gate.last_detections == ()


def test_who_is_missed_for_a_moment_is_still_looked_for() -> None:
    gate = MotionGate(Economy(), lost_after_s=3)
    first = frame(0.0)
    assert gate.admits(first)
    gate.record_detections(first, FOUND)
    assert looked_at(gate, seconds=2.8, start=0.2) == [n / FPS for n in range(1, 15)]


def test_without_the_setting_every_frame_is_looked_at() -> None:
    for gate in (MotionGate(), MotionGate(Economy(motion_gate=False))):
        assert len(looked_at(gate, seconds=4)) == 20
        assert gate.skipped == 0


def everything(demand: CameraDemand) -> bool:
    return demand.current.everything


def test_key_frames_are_enough_only_after_five_quiet_seconds() -> None:
    demand = CameraDemand(5, key_frames_only=True)
    gate = MotionGate(Economy(), demand)
    assert everything(demand), "before anything is known"
    moving = frame(0.0, moved=True)
    gate.admits(moving)
    gate.record_detections(moving, ())
    looked_at(gate, seconds=4.8, start=0.2)
    assert everything(demand)
    looked_at(gate, seconds=1, start=5.0)
    assert not everything(demand)
    gate.admits(frame(6.2, moved=True))
    gate.record_detections(frame(6.2, moved=True), ())
    assert everything(demand)


def test_all_frames_are_wanted_where_key_frames_never_are_enough() -> None:
    demand = CameraDemand(5)
    demand.set_occupied(occupied=False)
    assert everything(demand)


def test_the_rate_can_be_lowered_and_never_raised_above_what_is_set() -> None:
    demand = CameraDemand(5)
    demand.limit_fps(3)
    assert demand.current.fps == 3
    demand.limit_fps(9)
    assert demand.current.fps == 5
