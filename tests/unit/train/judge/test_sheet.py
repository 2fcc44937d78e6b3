"""The contact sheet of what is drawn for the judge."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from monitor.errors import ConfigError, OutputError
from monitor.train.judge.faces import Landmarks
from monitor.train.judge.sheet import SheetSources, draw_sheet, write_sheet
from monitor.train.synthesis.dress import KINDS
from monitor.train.synthesis.innocent import Overlays


@pytest.fixture
def sources(tmp_path: Path) -> SheetSources:
    """Two clear faces, as even pictures, and one masked; no scenes, no overlays."""
    lines = ["file,split,label,source"]
    for number, (grey, label) in enumerate([(90, "none"), (160, "none"), (10, "mask")]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((40, 40, 3), grey, np.uint8))
        lines.append(f"{number}.png,train,{label},made")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return SheetSources(tmp_path, None, Landmarks(None), Overlays([], [], []))


def test_a_sheet_has_a_row_for_each_kind(sources: SheetSources) -> None:
    sheet = draw_sheet(sources, [], 2, np.random.default_rng(0))
    assert sheet.shape == (len(KINDS) * 140, 2 * 128, 3)
    assert all(sheet[140 * row : 140 * row + 128].std() > 1 for row in range(len(KINDS)))


def test_equal_seeds_draw_equal_sheets_of_the_kinds_asked_for(sources: SheetSources) -> None:
    first, second, other = (
        draw_sheet(sources, ["scarf", "helmet"], 3, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert first.shape == (2 * 140, 3 * 128, 3)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_an_unknown_kind_is_named(sources: SheetSources) -> None:
    with pytest.raises(ConfigError, match="unknown covering 'veil'; known are none, hood"):
        draw_sheet(sources, ["veil"], 1, np.random.default_rng(0))


def test_a_folder_without_clear_faces_is_named(sources: SheetSources) -> None:
    table = sources.heads / "labels.csv"
    table.write_text("file,split,label,source\n2.png,train,mask,made\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no clear face in its train split"):
        draw_sheet(sources, [], 1, np.random.default_rng(0))


def test_a_sheet_can_be_read_again(tmp_path: Path) -> None:
    sheet = np.random.default_rng(0).integers(0, 256, (140, 128, 3), np.uint8)
    write_sheet(tmp_path / "new" / "sheet.png", sheet)
    read = cv2.imread(str(tmp_path / "new" / "sheet.png"))
    assert read is not None
    assert np.array_equal(read, sheet)


def test_a_name_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"sheet\.txt: not a kind of picture"):
        write_sheet(tmp_path / "sheet.txt", np.zeros((2, 2, 3), np.uint8))
