"""The embedded detector in whole numbers: nearly the same boxes, and never without its ranges."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from monitor.build import build_detector
from monitor.cli.models import quantise
from monitor.config.schema import EmbeddedDetector, YoloDetector
from monitor.demo.scene import load_picture
from monitor.detect.engine import load_engine
from monitor.detect.ranges import beside, read_ranges
from monitor.domain import CameraId, Detection, Frame
from monitor.errors import ConfigError
from tests.integration.detect.test_engine import cache  # noqa: F401  (a fixture)
from tests.integration.detect.test_yolo import MOMENT, Still, save, tiny_model

EMBEDDED = Path(__file__).parents[3] / "models" / "detector" / "monitor-detector.pt"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A small checkpoint in a folder of its own."""
    return save(tiny_model(), tmp_path / "tiny.pt", {0: "person", 1: "face"})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with three pictures of noise, and a text."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        noise = rng.integers(0, 256, (90, 160, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), noise)
    (folder / "notes.txt").write_text("no picture")
    return folder


def found_by(precision: str, input_px: int) -> list[Detection]:
    settings = EmbeddedDetector.model_validate({"input_px": input_px, "precision": precision})
    frame = Frame(CameraId("demo"), 0, MOMENT, Still(load_picture()), decode_ms=0.0)
    one, other = build_detector(settings).detect([frame, frame])
    assert one == other, "a picture is seen alike wherever it stands in a batch"
    return one


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("input_px", [320, 416])
def test_int8_finds_nearly_what_float32_finds(input_px: int) -> None:
    """Tolerance: 0.1 of a score, and boxes that share nine tenths."""
    exact, rounded = found_by("float32", input_px), found_by("int8", input_px)
    sure = [one for one in exact if one.score >= 0.5]
    assert sure
    for one in sure:
        alike = [other for other in rounded if other.kind is one.kind]
        best = max(alike, key=lambda other: one.box.iou(other.box))
        assert one.box.iou(best.box) > 0.9
        assert best.score == pytest.approx(one.score, abs=0.1)


def test_the_embedded_ranges_are_those_of_the_embedded_weights() -> None:
    ranges = read_ranges(EMBEDDED)
    assert ranges is not None, "write them with monitor models quantise after new weights"
    assert all(low <= 0 < high for low, high in ranges.values())


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_the_command_measures_what_int8_needs(weights: Path, pictures: Path) -> None:
    with pytest.raises(ConfigError, match="monitor models quantise"):
        load_engine(weights, "cpu", precision="int8")
    quantise(weights, pictures, 2)
    engine = load_engine(weights, "cpu", precision="int8")
    assert (engine.kind, engine.precision) == ("openvino", "int8")
    exact = load_engine(weights, "cpu", precision="float32")
    assert exact.precision == "float32"


def test_ranges_of_other_weights_are_not_used(
    weights: Path, pictures: Path, tmp_path: Path
) -> None:
    quantise(weights, pictures, 2)
    other = save(tiny_model(), tmp_path / "other.pt", {0: "face"})
    shutil.copyfile(beside(weights), beside(other))
    assert read_ranges(weights) is not None
    assert read_ranges(other) is None


def test_broken_ranges_are_named_with_their_mend(weights: Path) -> None:
    beside(weights).write_text('{"ranges": 3')
    with pytest.raises(ConfigError, match=r"tiny\.ranges\.json: not readable; write it anew"):
        read_ranges(weights)


def test_a_folder_without_pictures_is_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no pictures there"):
        quantise(weights, tmp_path / "nowhere", 10)


def test_int8_on_a_device_that_has_none_is_the_operators_mistake(weights: Path) -> None:
    settings = YoloDetector(kind="yolo", weights=weights, engine="torch", precision="int8")
    with pytest.raises(ConfigError, match="int8 needs a checkpoint"):
        build_detector(settings)
