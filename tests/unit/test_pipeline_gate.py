"""The detector is asked only about frames that are worth it, and nobody is lost by that."""

from collections.abc import Sequence
from pathlib import Path

from monitor.build import Models, PipelineSettings, build_pipeline
from monitor.config.judges import Scheduler
from monitor.config.policy import Policy
from monitor.config.schema import Economy, Tracking
from monitor.domain import CameraId, Detection, Frame
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from monitor.ingest.watch.demand import CameraDemand
from monitor.pipeline import Pipeline
from monitor.runtime.clock import RecordingClock
from tests.support.fakes import YARD, BlueJudge, moment, person, textured

FPS = 5
LOBBY = CameraId("lobby")
PICTURE = ArrayPicture(textured(160, 120))


class CountingDetector:
    """Finds a person who came without moving a leaf, and writes down what it was asked."""

    def __init__(self, present: range) -> None:
        self._present = present
        self.batches: list[list[tuple[str, int]]] = []

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        assert frames, "never asked about nothing"
        self.batches.append([(f.camera, f.sequence) for f in frames])
        found = [person(Box(40, 10, 80, 110))]
        return [found if f.camera == YARD and f.sequence in self._present else [] for f in frames]


def settings(folder: Path, detector: CountingDetector, economy: Economy | None) -> Pipeline:
    pipeline, _ = build_pipeline(
        PipelineSettings(Tracking(), Scheduler(), Policy(), folder, economy),
        {YARD: None, LOBBY: None},
        Models(detector, BlueJudge(), batch=4),
        RecordingClock(),
        demand={YARD: CameraDemand(FPS), LOBBY: CameraDemand(FPS)},
    )
    return pipeline


def play(pipeline: Pipeline, *, moving: range) -> list[int]:
    """Ten seconds of two cameras; on the second, something moves at times. People on the first."""
    people = []
    for n in range(50):
        frames = [
            Frame(camera, n, moment(n / FPS), PICTURE, 1.0, moved=camera == LOBBY and n in moving)
            for camera in (YARD, LOBBY)
        ]
        pipeline.observe(frames)
        people.append(len(pipeline.cameras[YARD].subjects))
    return people


def test_who_came_unnoticed_is_found_within_two_seconds_and_then_followed(tmp_path: Path) -> None:
    detector = CountingDetector(range(12, 40))
    people = play(settings(tmp_path, detector, Economy()), moving=range(0))
    assert people.index(1) == 21, "the next look around is at 4 s; two detections make a subject"
    assert people[21:40] == [1] * 19
    assert people[40:] == [0] * 10


def test_cameras_on_which_nothing_moves_are_left_out_of_the_batch(tmp_path: Path) -> None:
    detector = CountingDetector(range(0))
    play(settings(tmp_path, detector, Economy()), moving=range(22, 27))
    assert detector.batches[0] == [(YARD, 0), (LOBBY, 0)]
    asked = {n for batch in detector.batches for camera, n in batch if camera == LOBBY}
    assert asked >= set(range(22, 32)), "while it moves, and for a second after that"
    assert not asked & {21, 33}
    assert len(detector.batches) < 20


def test_without_economy_every_frame_is_looked_at(tmp_path: Path) -> None:
    detector = CountingDetector(range(0))
    play(settings(tmp_path, detector, None), moving=range(0))
    assert [len(batch) for batch in detector.batches] == [2] * 50
