"""Measuring a judge on a folder of pictures that are made here."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import Covering, HeadCrop, JudgeName, Timings, Verdict
from monitor.errors import ConfigError
from monitor.evaluate.judge import evaluate_judge
from monitor.evaluate.judge_report import JudgeReport, wilson_interval


class GreyJudge:
    """A Judge that takes a dark crop for a balaclava, a light one for a clear face.

    A crop of middling grey is called unusable, but rather occluded if anything.
    """

    name = JudgeName("grey", "3")

    def judge(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        return [self._verdict(crop, float(crop.pixels.mean()) / 255) for crop in crops]

    def explain(self, crop: HeadCrop) -> str:
        return f"mean {crop.pixels.mean():.0f}"

    def _verdict(self, crop: HeadCrop, light: float) -> Verdict:
        unusable = 0.8 if 0.4 < light < 0.6 else 0.0
        clear = 0.9 if light >= 0.6 else 0.2
        probabilities = {
            Covering.NONE: clear * (1 - unusable),
            Covering.BALACLAVA: (1 - clear) * (1 - unusable),
        }
        return Verdict(
            crop.camera,
            crop.subject,
            crop.moment,
            probabilities,
            unusable,
            "",
            self.name,
            Timings(),
        )


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes pictures of one grey, named by their row, and their labels."""

    def write(*rows: tuple[int, str]) -> Path:
        lines = ["source,file,label"]
        for number, (grey, label) in enumerate(rows):
            cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((30, 20, 3), grey, np.uint8))
            lines.append(f"here,{number}.png,{label}")
        (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def report(folder: Callable[..., Path]) -> JudgeReport:
    """Three clear faces, one taken for covered; two covered, one of them a mask."""
    rows = (220, "none"), (230, "none"), (10, "none"), (20, "balaclava"), (30, "mask")
    rest = (128, "unusable"), (240, "away"), (240, "mask_incorrect"), (10, "not_a_face")
    return evaluate_judge(folder(*rows, *rest), GreyJudge())


def test_accuracy_counts_only_labels_that_are_occluded_or_clear(report: JudgeReport) -> None:
    read = json.loads(report.to_json())
    assert read["n"] == 5
    assert read["accuracy"] == pytest.approx(4 / 5)
    assert read["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    low, high = read["wilson"]
    assert 0.3 < low < 0.8 < high < 1


def test_recall_asks_for_the_name_and_occlusion_does_not(report: JudgeReport) -> None:
    assert report.recall["mask"] == 0
    assert report.called_occluded["mask"] == 1
    assert report.recall["none"] == pytest.approx(2 / 3)
    assert report.recall["unusable"] == 1
    assert "not_a_face" not in report.recall


def test_confusion_holds_every_crop(report: JudgeReport) -> None:
    table = report.confusion
    assert table["none"] == {"balaclava": 1, "none": 2}
    assert table["not_a_face"] == {"balaclava": 1}
    assert sum(sum(row.values()) for row in table.values()) == 9


def test_the_file_names_each_prediction_and_the_judge(report: JudgeReport) -> None:
    read = json.loads(report.to_json())
    assert read["judge"] == {"name": "grey", "version": "3"}
    assert [p["file"] for p in read["predictions"]] == [f"{n}.png" for n in range(9)]
    third = read["predictions"][2]
    assert (third["label"], third["covering"]) == ("none", "balaclava")
    assert third["probability"] == pytest.approx(0.8)
    assert 0 <= read["seconds_per_crop"]["median"] <= read["seconds_per_crop"]["p95"]


def test_certainty_that_is_deserved_costs_nothing(folder: Callable[..., Path]) -> None:
    honest = evaluate_judge(folder(*[(240, "none")] * 9, (240, "mask")), GreyJudge())
    boastful = evaluate_judge(folder(*[(240, "none")] * 5, *[(240, "mask")] * 5), GreyJudge())
    assert honest.calibration_error == pytest.approx(0, abs=1e-9)
    assert boastful.calibration_error == pytest.approx(0.4)


def test_a_folder_without_decided_labels_gives_no_figures(folder: Callable[..., Path]) -> None:
    read = json.loads(evaluate_judge(folder((128, "unusable")), GreyJudge()).to_json())
    assert (read["n"], read["accuracy"], read["wilson"]) == (0, 0, [0, 1])


@given(st.integers(1, 2000), st.data())
def test_the_interval_holds_the_share(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    low, high = wilson_interval(hits, count)
    assert 0 <= low <= hits / count + 1e-12
    assert hits / count - 1e-12 <= high <= 1


def test_the_interval_agrees_with_a_published_one() -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998: 81 of 263.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_an_unknown_label_names_its_line(folder: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"labels\.csv, line 3: unknown label 'hat'"):
        evaluate_judge(folder((0, "mask"), (0, "hat")), GreyJudge())


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,kind\na.png,mask\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"labels\.csv: no column label"):
        evaluate_judge(tmp_path, GreyJudge())


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"labels\.csv: No such file"):
        evaluate_judge(tmp_path, GreyJudge())


def test_a_table_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00file")
    with pytest.raises(ConfigError, match=r"labels\.csv: not readable as CSV"):
        evaluate_judge(tmp_path, GreyJudge())


def test_an_unreadable_picture_is_named(folder: Callable[..., Path]) -> None:
    where = folder((0, "mask"))
    (where / "0.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"0\.png: not a readable picture"):
        evaluate_judge(where, GreyJudge())
