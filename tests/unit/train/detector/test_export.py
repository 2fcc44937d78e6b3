"""From a checkpoint to OpenVINO's form, and the sheets it is calibrated on."""

from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: TID253  (training is torch)

from monitor.detect.engine import load_engine
from monitor.errors import ConfigError
from monitor.train.detector.export import export_openvino, lay_on_sheet
from monitor.train.detector.model import build, read_checkpoint, save_checkpoint
from tests.support.detector_scenes import street


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights."""
    path = tmp_path_factory.mktemp("weights") / "random.pt"
    save_checkpoint(build(seed=3), path, input_px=64, version="1")
    return path


def test_the_export_gives_the_boxes_that_torch_gives(checkpoint: Path, tmp_path: Path) -> None:
    export_openvino(checkpoint, tmp_path / "random.xml", [])
    engine = load_engine(tmp_path / "random.xml", "cpu")
    assert engine.names == {0: "person", 1: "head"}
    network = read_checkpoint(checkpoint).eval()
    rng = np.random.default_rng(0)
    for shape in ((1, 64, 96, 3), (2, 128, 64, 3)):
        sheets = rng.integers(0, 255, shape).astype(np.uint8)
        planes = torch.from_numpy(sheets).permute(0, 3, 1, 2).flip(1).float() / 255
        with torch.inference_mode():
            expected = network(planes)[0].numpy()
        given = engine.forward(sheets)
        assert np.abs(given[:, :4] - expected[:, :4]).max() < 1, "pixels"
        assert np.abs(given[:, 4:] - expected[:, 4:]).max() < 0.01


@pytest.mark.slow
@pytest.mark.timeout(600)  # half a minute alone on a core
def test_an_export_that_is_calibrated_computes_in_int8(checkpoint: Path, tmp_path: Path) -> None:
    sheets = [street(seed, 64) for seed in range(4)]
    export_openvino(checkpoint, tmp_path / "exact.xml", [])
    export_openvino(checkpoint, tmp_path / "int8.xml", sheets)
    sizes = {name: (tmp_path / f"{name}.bin").stat().st_size for name in ("exact", "int8")}
    assert sizes["int8"] < 0.4 * sizes["exact"]
    exact, int8 = (load_engine(tmp_path / f"{name}.xml", "cpu") for name in ("exact", "int8"))
    assert int8.names == exact.names
    sheet = np.stack(sheets)
    off = np.abs(exact.forward(sheet)[:, :4] - int8.forward(sheet)[:, :4])
    assert np.median(off) < 1, "pixels"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "exact.bin",
        "exact.xml",
        "int8.bin",
        "int8.xml",
    ]


@pytest.mark.parametrize(
    ("size", "longer_px", "sheet", "picture"),
    [
        ((40, 100), 64, (32, 64), (26, 64)),
        ((100, 40), 64, (64, 32), (64, 26)),
        ((30, 30), 96, (96, 96), (96, 96)),
        ((1, 300), 64, (32, 64), (1, 64)),
    ],
)
def test_a_sheet_has_sides_of_whole_strides_and_the_picture_in_its_corner(
    size: tuple[int, int], longer_px: int, sheet: tuple[int, int], picture: tuple[int, int]
) -> None:
    laid, (across, down) = lay_on_sheet(np.full((*size, 3), 250, np.uint8), longer_px)
    assert laid.shape == (*sheet, 3)
    assert (down, across) == (picture[0] / size[0], picture[1] / size[1])
    assert (laid[: picture[0], : picture[1]] == 250).all()
    assert (laid[picture[0] :] == 114).all()
    assert (laid[:, picture[1] :] == 114).all()


@pytest.mark.parametrize("text", [None, "not a checkpoint"])
def test_what_is_not_a_checkpoint_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "broken.pt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"broken\.pt: (no such file|not a checkpoint)"):
        export_openvino(path, tmp_path / "broken.xml", [])
