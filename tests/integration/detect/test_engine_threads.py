"""The detector asked by several threads at a time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from monitor.build import build_detector
from monitor.config.schema import YoloDetector
from monitor.domain import CameraId, Frame, Moment
from monitor.ingest.frames.picture import ArrayPicture
from monitor.runtime.resources import find_bundled
from tests.support.clips import photo

MODELS = find_bundled("models") / "detector"
MOMENT = Moment(0.0, datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize("weights", ["monitor-detector.xml", "monitor-detector.pt"])
def test_several_threads_get_what_one_gets(weights: str) -> None:
    """Their pictures are of several sizes, and networks remember the last."""
    settings = YoloDetector(kind="yolo", weights=MODELS / weights, input_px=320)
    detector = build_detector(settings)
    whole = photo("bus")
    frames = [
        Frame(CameraId("yard"), n, MOMENT, ArrayPicture(whole[: 300 + 90 * n]), 0.0)
        for n in range(6)
    ]
    alone = [detector.detect([frame]) for frame in frames]
    assert any(found for (found,) in alone)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda frame: detector.detect([frame]), 4 * frames)) == 4 * alone
