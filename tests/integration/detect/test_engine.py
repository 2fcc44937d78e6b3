"""Our own export by OpenVINO: the same boxes as by torch, in batches of any size, in silence."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from monitor.detect.engine import Engine, load_engine
from monitor.domain import Pixels
from monitor.errors import ConfigError
from monitor.train.detector.export import export_openvino
from tests.support.tiny_detectors import build_tiny_model, save_checkpoint

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights; its scores are all near 0."""
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    return save_checkpoint(build_tiny_model(), path, {0: "person", 1: "head"})


@pytest.fixture(scope="module")
def exported(checkpoint: Path) -> Path:
    """The same in OpenVINO's form, in float32."""
    target = checkpoint.with_suffix(".xml")
    export_openvino(checkpoint, target, [])
    return target


def find_boxes(engine: Engine, sheet: Pixels) -> list[np.ndarray]:
    return engine.run(sheet, classes=[0, 1], min_score=0.0, overlap_limit=0.5, limit=50)


def test_export_and_checkpoint_find_the_same_boxes_in_batches_of_any_size(
    checkpoint: Path, exported: Path
) -> None:
    fast, plain = load_engine(exported, "cpu"), load_engine(checkpoint, "cpu")
    assert (fast.kind, plain.kind) == ("openvino", "torch")
    assert fast.names == plain.names == {0: "person", 1: "head"}
    rng = np.random.default_rng(0)
    for count, high, wide in ((1, 64, 96), (3, 96, 64), (8, 32, 32)):
        sheet = rng.integers(0, 256, (count, high, wide, 3)).astype(np.uint8)
        for ours, theirs in zip(fast.forward(sheet), plain.forward(sheet), strict=True):
            assert np.abs(ours - theirs).max() < 0.05, "pixels, and scores"
        for ours, theirs in zip(find_boxes(fast, sheet), find_boxes(plain, sheet), strict=True):
            assert len(ours) == len(theirs) > 0


def test_a_damaged_export_is_the_operators_mistake(exported: Path, tmp_path: Path) -> None:
    whole = exported.read_bytes()
    broken = tmp_path / "broken.xml"
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match=r"broken\.xml: not an export") as caught:
        load_engine(broken, "cpu")
    assert "\n" not in str(caught.value)
    alone = tmp_path / "alone.xml"
    alone.write_bytes(whole)  # its .bin is missing
    with pytest.raises(ConfigError, match=r"alone\.xml: not an export"):
        load_engine(alone, "cpu")


def test_openvino_reports_nothing_to_anybody() -> None:
    """Importing OpenVINO sent an event over the network."""
    asked = (
        "import sys; from monitor.runtime.openvino_runtime import open_openvino; open_openvino();"
        "import openvino.tools.ovc as ovc; print(type(ovc.telemetry).__module__)"
    )
    answer = subprocess.run(  # noqa: S603  (our own words)
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "openvino.tools.ovc.telemetry_stub"


def test_without_openvino_the_export_says_what_to_install(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match="pip install openvino"):
        load_engine(exported, "cpu")
