"""Doubtful detections: they start no subject, but continue one that is followed already."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.detect import Detector
from monitor.domain import Detection, Frame, Kind

_KEPT = {Kind.PERSON: 0.45, Kind.HEAD: 0.5}  # of a kind's threshold


def doubtful_from(sure_from: Mapping[Kind, float]) -> dict[Kind, float]:
    """Lower thresholds, for a detector that also reports doubtful detections."""
    return {kind: _KEPT[kind] * score for kind, score in sure_from.items()}


class TwoThresholdDetector:
    """A Detector that marks which detections of another are sure. As thread-safe as that.

    Args:
        detector: Built with thresholds below these.
        sure_from: The score, in 0..1, from which on a detection of a kind is sure.

    Source:
        The two thresholds of Zhang et al., "ByteTrack: Multi-Object Tracking by Associating
        Every Detection Box", 2022.
    """

    def __init__(self, detector: Detector, sure_from: Mapping[Kind, float]) -> None:
        self._detector = detector
        self._sure_from = dict(sure_from)

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector."""
        return [
            [replace(one, sure=one.score >= self._sure_from[one.kind]) for one in found]
            for found in self._detector.detect(frames)
        ]
