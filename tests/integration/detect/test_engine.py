"""The embedded detector by OpenVINO: the same boxes as by torch, converted once, in silence."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from monitor.detect.engine import Engine, load_engine
from monitor.domain import Pixels
from monitor.errors import ConfigError
from tests.integration.detect.test_yolo import save, tiny_model

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights; its scores are all near 0."""
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    return save(tiny_model(), path, {0: "person", 1: "face"})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "monitor"


def boxes(engine: Engine, sheet: Pixels) -> list[np.ndarray]:
    return engine.run(sheet, classes=[0, 1], min_score=0.0, overlap_limit=0.5, limit=50)


def test_both_engines_find_the_same_boxes_in_batches_of_any_size(
    weights: Path, cache: Path
) -> None:
    fast, plain = load_engine(weights, "cpu"), load_engine(weights, "cpu", "torch")
    assert (fast.kind, plain.kind) == ("openvino", "torch")
    rng = np.random.default_rng(0)
    for count, high, wide in ((1, 64, 96), (3, 96, 64), (8, 32, 32)):
        sheet = rng.integers(0, 256, (count, high, wide, 3)).astype(np.uint8)
        for ours, theirs in zip(boxes(fast, sheet), boxes(plain, sheet), strict=True):
            assert len(ours) == len(theirs) > 0
            assert np.abs(ours - theirs).max() < 0.01, "pixels"
    assert len(list(cache.glob("*.xml"))) == 1


def test_a_second_start_reads_what_the_first_converted(weights: Path, cache: Path) -> None:
    first = load_engine(weights, "cpu")
    written = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    second = load_engine(weights, "cpu")
    assert {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} == written
    assert second.names == first.names == {0: "person", 1: "face"}
    sheet = np.full((1, 64, 64, 3), 90, np.uint8)
    assert np.array_equal(boxes(first, sheet)[0], boxes(second, sheet)[0])


@pytest.mark.slow
def test_a_damaged_conversion_is_made_anew(weights: Path, cache: Path) -> None:
    load_engine(weights, "cpu")
    (model,) = cache.glob("*.xml")
    whole = model.read_bytes()
    assert whole.rstrip().endswith(b"</net>")
    model.write_bytes(whole[: len(whole) // 2])
    assert load_engine(weights, "cpu").kind == "openvino"
    assert model.read_bytes().rstrip().endswith(b"</net>")


@pytest.mark.slow
def test_other_weights_are_converted_anew(weights: Path, cache: Path, tmp_path: Path) -> None:
    load_engine(weights, "cpu")
    other = save(tiny_model(), tmp_path / "tiny.pt", {0: "face"} | {1: "person"})
    assert load_engine(other, "cpu").names[0] == "face"
    assert len(list(cache.glob("*.xml"))) == 2


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_costs_time_only(weights: Path, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    engine = load_engine(weights, "cpu", "openvino")
    assert engine.kind == "openvino"
    assert len(boxes(engine, np.zeros((1, 64, 64, 3), np.uint8))) == 1


def test_systemd_names_the_cache_folder(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "var"))
    load_engine(weights, "cpu", "openvino")
    assert {path.suffix for path in (tmp_path / "var").iterdir()} == {".xml", ".bin", ".json"}


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


def test_an_engine_that_is_not_installed_is_the_operators_mistake(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match="pip install openvino"):
        load_engine(weights, "cpu", "openvino")
    assert load_engine(weights, "cpu").kind == "torch"
