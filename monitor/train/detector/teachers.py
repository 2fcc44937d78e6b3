"""The teachers: public models that find people, poses and faces, asked in several views.

Small people need a larger picture and large ones a smaller one; what a mirrored view shows as
well is rarely wrong. ``label_fusion`` makes labels of their answers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from monitor.domain import Kind, Pixels
from monitor.errors import ConfigError
from monitor.runtime.openvino_runtime import core
from monitor.train.detector.export import convert, lay_on_sheet
from monitor.train.detector.label_fusion import Candidates, TeacherAnswers
from monitor.train.detector.model import find_weights, read_checkpoint

_MIN_SCORE: Final = 0.05
_OVERLAP: Final = 0.6  # IoU above which the worse of two boxes of one view is dropped
_KEYPOINTS: Final = 17
_SWAPPED: Final = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
"""COCO's keypoints as they are numbered in a mirrored picture: left and right change places."""
_FACE_VIEWS: Final = ((1, False), (1, True), (2, False))
"""Size as a multiple of the picture's own, and whether mirrored."""
_FACE_MAX_PX: Final = 1600
_FACE_MIN_SCORE: Final = 0.3
_FACE_OVERLAP: Final = 0.45


@dataclass(frozen=True, slots=True)
class TeacherViews:
    """In which views the teachers are asked: the longer side in pixels, and whether mirrored."""

    people: tuple[tuple[int, bool], ...]
    poses: tuple[tuple[int, bool], ...]


_ALL: Final = tuple((side, mirrored) for side in (480, 640, 960) for mirrored in (False, True))
THOROUGH: Final = TeacherViews(people=_ALL, poses=_ALL)
QUICK: Final = TeacherViews(people=((576, True),), poses=((480, True), (640, False)))
"""A quarter of the work, for large pictures of few people."""


@dataclass(frozen=True, slots=True, eq=False)
class YoloTeacher:
    """A model of ultralytics that finds people, or people and their keypoints.

    Owned by one thread.
    """

    forward: Callable[[Pixels], NDArray[np.float32]] = field(repr=False)
    """(1, H, W, 3) to (4 + classes + 3 * keypoints, A), see ``export.convert``."""
    person: int
    """The number of the class."""
    classes: int
    poses: bool

    def find(self, pixels: Pixels, longer_px: int, *, mirrored: bool) -> Candidates:
        """People in one view of a picture (H, W, 3), in the picture's pixels."""
        high, wide = pixels.shape[:2]
        shown = np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels
        sheet, (across, down) = lay_on_sheet(shown, longer_px)
        columns = self.forward(sheet[None])
        scores = columns[4 + self.person]
        columns, scores = columns[:, scores > _MIN_SCORE], scores[scores > _MIN_SCORE]
        corners = (columns[:2] - columns[2:4] / 2).T
        kept = cv2.dnn.NMSBoxes(
            np.concatenate([corners, columns[2:4].T], 1).tolist(), scores.tolist(), 0.0, _OVERLAP
        )
        best = np.asarray(kept, np.int64).reshape(-1)
        boxes = np.concatenate([corners, corners + columns[2:4].T], 1)[best]
        boxes = (boxes / np.array([across, down] * 2)).astype(np.float32)
        points = np.zeros((0, _KEYPOINTS, 3), np.float32)
        if self.poses:
            points = columns[4 + self.classes :, best].T.reshape(-1, _KEYPOINTS, 3)
            points /= np.array([across, down, 1], np.float32)
        boxes[:, [0, 2]] = boxes[:, [0, 2]].clip(0, wide)
        boxes[:, [1, 3]] = boxes[:, [1, 3]].clip(0, high)
        if mirrored:
            boxes[:, [0, 2]] = wide - boxes[:, [2, 0]]
            points[:, :, 0] = wide - points[:, :, 0]
            points = points[:, _SWAPPED]
        return Candidates(boxes, scores[best], points)


@dataclass(frozen=True, slots=True, eq=False)
class Teachers:
    """All teachers together. Owned by one thread."""

    people: YoloTeacher
    poses: YoloTeacher
    faces: cv2.FaceDetectorYN | None
    views: TeacherViews = THOROUGH

    def ask(self, pixels: Pixels) -> TeacherAnswers:
        """What is in a picture (H, W, 3), blue-green-red."""
        people = [self.people.find(pixels, px, mirrored=m) for px, m in self.views.people]
        faces = [] if self.faces is None else list(_find_faces(self.faces, pixels))
        size = (pixels.shape[1], pixels.shape[0])
        return TeacherAnswers(size, people, self.ask_poses(pixels), faces)

    def ask_poses(self, pixels: Pixels) -> list[Candidates]:
        """The poses in each view of a picture (H, W, 3), blue-green-red."""
        return [self.poses.find(pixels, px, mirrored=m) for px, m in self.views.poses]


def open_teachers(
    people: str, poses: str, faces: Path | None, views: TeacherViews = THOROUGH
) -> Teachers:
    """Load the teachers.

    Args:
        people: A checkpoint of ultralytics for boxes of people, or ``package:NAME/FILE``, one
            inside an installed package.
        poses: The same for poses of 17 keypoints.
        faces: YuNet as ONNX, for pictures of any size; None does without faces.
        views: In which views they are asked.

    Raises:
        ConfigError: A model is missing, or is for something else.
    """
    yunet = None
    if faces is not None:
        if not faces.is_file():
            raise ConfigError(f"{faces}: no such file; name YuNet's weights (.onnx)")
        try:
            yunet = cv2.FaceDetectorYN.create(
                str(faces), "", (320, 320), _FACE_MIN_SCORE, _FACE_OVERLAP
            )
        except cv2.error as error:
            raise ConfigError(f"{faces}: not a face detector; name YuNet's weights") from error
    for_people, for_poses = _read_yolo(people, poses=False), _read_yolo(poses, poses=True)
    return Teachers(_compile_yolo(for_people), _compile_yolo(for_poses), yunet, views)


def _read_yolo(start: str, *, poses: bool) -> Any:  # noqa: ANN401  (ultralytics has no types)
    """The network of a checkpoint, if it is one for people or for poses, as wanted."""
    network = read_checkpoint(find_weights(start))
    wanted = "pose" if poses else "detect"
    if network.task != wanted:
        raise ConfigError(f"{start}: is a model for {network.task}; name one for {wanted}")
    if poses and tuple(network.model[-1].kpt_shape) != (_KEYPOINTS, 3):
        raise ConfigError(f"{start}: has other keypoints than COCO's 17; name another model")
    if Kind.PERSON not in network.names.values():
        raise ConfigError(f"{start}: does not know persons; name another model")
    return network


def _compile_yolo(network: Any) -> YoloTeacher:  # noqa: ANN401
    """A network that ``_read_yolo`` gave, ready to run."""
    person = next(number for number, name in network.names.items() if name == Kind.PERSON)
    classes, poses = len(network.names), network.task == "pose"
    request = core().compile_model(convert(network), "CPU").create_infer_request()

    def forward(sheet: Pixels) -> NDArray[np.float32]:
        """See YoloTeacher."""
        output: NDArray[np.float32] = request.infer([sheet])[0][0]
        return output

    return YoloTeacher(forward, person, classes, poses)


def _find_faces(yunet: cv2.FaceDetectorYN, pixels: Pixels) -> Iterator[Candidates]:
    """The faces in each view of a picture, in the picture's pixels."""
    high, wide = pixels.shape[:2]
    for times, mirrored in _FACE_VIEWS:
        scale = min(times * max(high, wide), _FACE_MAX_PX) / max(high, wide)
        width, height = max(round(wide * scale), 1), max(round(high * scale), 1)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        shown = cv2.resize(pixels, (width, height), interpolation=how)
        yunet.setInputSize((width, height))
        _, rows = yunet.detect(cv2.flip(shown, 1) if mirrored else shown)
        found = _to_rows(rows)
        boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], 1)
        if mirrored:
            boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
        boxes /= np.array([width / wide, height / high] * 2, np.float32)
        yield Candidates(boxes, found[:, 14])


def _to_rows(found: MatLike | None) -> NDArray[np.float32]:
    """YuNet's (N, 15): left, top, width, height, landmarks, score; None when it found nothing."""
    return np.zeros((0, 15), np.float32) if found is None else np.asarray(found, np.float32)
