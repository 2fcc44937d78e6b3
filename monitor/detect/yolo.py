"""People and heads with any YOLO model: a checkpoint, or its export to another engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from monitor.detect.engine import load_engine
from monitor.detect.letterbox import LetterboxedBatch, letterbox, sheet_size
from monitor.domain import CameraId, Detection, Frame, Kind
from monitor.domain.framing import head_around_face
from monitor.errors import ConfigError
from monitor.geometry import Box

_KIND_OF_CLASS = {"person": Kind.PERSON, "head": Kind.HEAD, "face": Kind.HEAD}
_OVERLAP_LIMIT = 0.5  # of two boxes of one kind that overlap more, the better one stays
_MOST_PER_FRAME = 300


class Yolo:
    """A Detector for people and heads. Thread-safe.

    Args:
        weights: Our own export (.xml), or a checkpoint (.pt) or an export (.onnx, a folder
            ``*_openvino_model``, .engine) that ultralytics can run. Classes count by name:
            ``person``, ``head``, or ``face`` where there is no ``head``; faces are widened to
            heads. A COCO model gives people only.
        input_px: The longer side that frames are scaled to. An export for one size is asked
            at that size instead.
        min_scores: What is less sure than this, in 0..1, is not reported; a kind that is
            left out is not reported at all.
        device: As torch names it: ``cpu``, ``cuda:0``.
        camera_px: As ``input_px``, for the frames of some cameras.

    Raises:
        ConfigError: The weights cannot be loaded, or know neither people nor heads.

    Source:
        Redmon et al., "You Only Look Once: Unified, Real-Time Object Detection", 2016; the
        networks and engines are those of the library ultralytics.
    """

    def __init__(
        self,
        weights: Path,
        *,
        input_px: int = 320,
        min_scores: Mapping[Kind, float],
        device: str = "cpu",
        camera_px: Mapping[CameraId, int] = MappingProxyType({}),
    ) -> None:
        self._engine = load_engine(weights, device)
        self._kinds = _kinds(weights, self._engine.names)
        self._faces = {n for n in self._kinds if self._engine.names[n].lower() == "face"}
        self._input_px = input_px
        self._camera_px = dict(camera_px)
        self._min_scores = dict(min_scores)

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector. Frames whose sheets are alike share a forward pass; none is padded more."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for place, frame in enumerate(frames):
            longer_px = self._camera_px.get(frame.camera, self._input_px)
            size = self._engine.fixed_size or sheet_size(frame, longer_px)
            alike.setdefault((longer_px, *size), []).append(place)
        found: dict[int, list[Detection]] = {}
        for (longer_px, *_), places in alike.items():
            together = [frames[place] for place in places]
            found |= zip(places, self._looked_at(together, longer_px), strict=True)
        return [found[place] for place in range(len(frames))]

    def _looked_at(self, frames: Sequence[Frame], longer_px: int) -> list[list[Detection]]:
        """One forward pass."""
        sheet = letterbox(frames, longer_px, fixed=self._engine.fixed_size)
        found = self._engine.run(
            sheet.pixels,
            classes=sorted(self._kinds),
            min_score=min(self._min_scores.values(), default=1.0),
            overlap_limit=_OVERLAP_LIMIT,
            limit=_MOST_PER_FRAME,
        )
        return [
            self._read(rows, frame, sheet, index)
            for index, (rows, frame) in enumerate(zip(found, frames, strict=True))
        ]

    def _read(
        self,
        rows: np.ndarray[Any, np.dtype[np.float32]],
        frame: Frame,
        sheet: LetterboxedBatch,
        index: int,
    ) -> list[Detection]:
        """Rows of left, top, right, bottom, score, class in the sheet's pixels."""
        across, down = sheet.scales[index]
        found = []
        for left, top, right, bottom, score, number in rows.tolist():
            kind = self._kinds[int(number)]
            box = Box(left / across, top / down, right / across, bottom / down)
            if int(number) in self._faces:
                box = head_around_face(box)
            clipped = box.clip(frame.width, frame.height)
            if score >= self._min_scores.get(kind, 2.0) and clipped.area > 0:
                found.append(Detection(kind, clipped, score))
        return sorted(found, key=lambda detection: detection.score, reverse=True)


def _kinds(weights: Path, names: Mapping[int, str]) -> dict[int, Kind]:
    """Which of the model's classes we know, by their number."""
    lower = {number: name.lower() for number, name in names.items()}
    known = {
        number: _KIND_OF_CLASS[name] for number, name in lower.items() if name in _KIND_OF_CLASS
    }
    if "head" in lower.values():  # a face is a part of it, never reported beside it
        known = {number: kind for number, kind in known.items() if lower[number] != "face"}
    if not known:
        raise ConfigError(
            f"{weights}: finds neither person nor face nor head, only {_listed(names)}; "
            "give a model with one of these classes"
        )
    return known


def _listed(names: Mapping[int, str], most: int = 6) -> str:
    """The first few names, so that the message stays one line."""
    words = [" ".join(name.split()) for name in names.values()]
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
