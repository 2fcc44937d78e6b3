"""Measuring a detector: on cases worked out by hand, and on pictures in a folder."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from monitor.domain import Detection, Frame, Kind
from monitor.domain.framing import head_around_face
from monitor.errors import ConfigError, OutputError
from monitor.evaluate.charts import draw_precision_recall, save_chart, trace_precision_recall
from monitor.evaluate.detector import evaluate
from monitor.evaluate.scoring import (
    Scored,
    TrueBox,
    compute_average_precision,
    find_best_threshold,
    find_recall_at,
    match_detections,
)
from monitor.geometry import Box

HERE = Box(0, 0, 10, 10)
THERE = Box(50, 50, 60, 60)


class Recited:
    """A Detector that answers by rote: the same for every picture."""

    def __init__(self, *found: Detection) -> None:
        self._found = list(found)
        self.asked = 0

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        self.asked += len(frames)
        return [self._found for _ in frames]


def head(box: Box, sure: float) -> Detection:
    return Detection(Kind.HEAD, box, sure)


def scored(right: Sequence[bool], boxes: int) -> Scored:
    return Scored(np.linspace(0.9, 0.1, len(right)), np.array(right, np.bool_), boxes)


@pytest.mark.parametrize(
    ("right", "boxes", "expected"),
    [
        ([True, True], 2, 1.0),  # all found, nothing else
        ([True, False, True], 2, 0.5 * 1 + 0.5 * 2 / 3),  # precision 1 up to half, then 2 in 3
        ([False, True], 1, 0.5),  # the surest was wrong
        ([False, True, True], 2, 2 / 3),  # precision at recall one half is lifted to the later 2/3
        ([True], 4, 0.25),  # three missed
        ([], 3, 0.0),  # nothing reported
        ([False], 0, None),  # nothing to find
    ],
)
def test_average_precision_as_worked_out_by_hand(
    right: list[bool], boxes: int, expected: float | None
) -> None:
    assert compute_average_precision(scored(right, boxes)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scores", "right", "boxes", "best"),
    [
        ([0.9, 0.42, 0.33], [True, True, False], 2, 0.35),  # lets in all that is right
        (
            [0.9, 0.8, 0.7, 0.6, 0.5],
            [True, False, False, False, True],
            2,
            0.85,
        ),  # the last costs too much
        ([0.9], [False], 1, None),
        ([], [], 1, None),
    ],
)
def test_the_best_threshold_balances_finding_and_being_right(
    scores: list[float], right: list[bool], boxes: int, best: float | None
) -> None:
    found = Scored(np.array(scores), np.array(right, np.bool_), boxes)
    assert find_best_threshold(found) == pytest.approx(best)


@pytest.mark.parametrize(
    ("right", "boxes", "expected"),
    [
        ([True] * 9 + [False, True], 20, 10 / 20),  # 10 of 11 are right
        ([False, True], 1, 0.0),
        ([], 2, 0.0),
        ([False], 0, None),
    ],
)
def test_recall_is_given_where_nine_of_ten_are_right(
    right: list[bool], boxes: int, expected: float | None
) -> None:
    assert find_recall_at(scored(right, boxes), 0.9) == pytest.approx(expected)


def test_a_curve_is_drawn_from_recall_and_precision(tmp_path: Path) -> None:
    found = scored([True, False, True], 2)
    points = trace_precision_recall(found)
    assert points.tolist() == [[0.5, 1.0], [0.5, 0.5], [1.0, pytest.approx(2 / 3)]]
    chart = draw_precision_recall({"head": found, "person": scored([], 1)})
    lines = [np.asarray(line.get_xydata()).tolist() for line in chart.axes[0].lines]
    assert lines == [points.tolist(), []]
    save_chart(chart, tmp_path / "new" / "curves.png")
    assert (tmp_path / "new" / "curves.png").stat().st_size > 1000
    with pytest.raises(OutputError, match=r"end the name in \.png"):
        save_chart(chart, tmp_path / "curves.nonsense")


def test_a_box_is_found_once_and_the_second_finding_is_wrong() -> None:
    truth = {"a": [TrueBox(Kind.HEAD, HERE)]}
    found = {"a": [head(HERE, 0.9), head(HERE, 0.8)]}
    assert match_detections(truth, found, Kind.HEAD, iou=0.5).right.tolist() == [True, False]


def test_a_finding_takes_the_box_it_covers_best() -> None:
    truth = {"a": [TrueBox(Kind.HEAD, Box(0, 0, 10, 9)), TrueBox(Kind.HEAD, HERE)]}
    found = {"a": [head(HERE, 0.9), head(Box(0, 0, 10, 8.2), 0.8)]}
    assert match_detections(truth, found, Kind.HEAD, iou=0.85).right.tolist() == [True, True]


def test_overlap_below_the_limit_does_not_count_and_at_the_limit_does() -> None:
    truth = {"a": [TrueBox(Kind.HEAD, HERE)]}
    half = {"a": [head(Box(0, 0, 10, 5), 0.9)]}  # IoU exactly one half
    assert match_detections(truth, half, Kind.HEAD, iou=0.5).right.tolist() == [True]
    assert match_detections(truth, half, Kind.HEAD, iou=0.51).right.tolist() == [False]


def test_scores_are_ranked_over_all_pictures() -> None:
    truth = {"a": [TrueBox(Kind.HEAD, HERE)], "b": [TrueBox(Kind.HEAD, HERE)]}
    found = {"a": [head(HERE, 0.5)], "b": [head(THERE, 0.9), head(HERE, 0.4)]}
    ranked = match_detections(truth, found, Kind.HEAD, iou=0.5)
    assert ranked.scores.tolist() == [0.9, 0.5, 0.4]
    assert ranked.right.tolist() == [False, True, True]
    assert ranked.boxes == 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures: a head in the first, a head and a person in the second."""
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((80, 100, 3), np.uint8))
    (tmp_path / "boxes.csv").write_text(
        "file,kind,labelled_by,x0,y0,x1,y1,score\n"
        "a.png,head,human,0,0,10,10,1.0\n"
        "b.png,head,human,50,50,60,60,1.0\n"
        "b.png,person,human,0,0,40,80,1.0\n"
    )
    return tmp_path


def test_a_folder_is_measured_kind_by_kind_at_the_threshold_asked_for(folder: Path) -> None:
    detector = Recited(head(HERE, 0.9), head(THERE, 0.2))
    report = evaluate(folder, detector, min_scores={Kind.HEAD: 0.5, Kind.PERSON: 0.4})
    heads, people = report.kinds[Kind.HEAD], report.kinds[Kind.PERSON]
    assert (report.pictures, report.iou) == (2, 0.5)
    assert (heads.boxes, heads.found, heads.threshold) == (2, 2, 0.5)
    assert (heads.recall, heads.precision) == (0.5, 0.5)  # HERE in both, right in the first
    # ranked: right 0.9, wrong 0.9, wrong 0.2, right 0.2
    assert heads.ap == pytest.approx(0.5 * 1 + 0.5 * 0.5)
    assert (people.boxes, people.ap, people.recall, people.precision) == (1, 0.0, 0.0, None)
    assert 0 <= report.ms_median <= report.ms_p95
    assert detector.asked == 3, "two pictures, and one to warm up"


def test_the_report_is_json_with_the_kinds_by_name(folder: Path) -> None:
    report = json.loads(evaluate(folder, Recited(head(HERE, 0.9)), iou=0.3).to_json())
    assert report["iou"] == 0.3
    assert set(report["kinds"]) == {"person", "head"}
    assert report["kinds"]["head"]["recall"] == 0.5
    assert {"pictures", "ms_median", "ms_p95"} <= set(report)


def test_hard_boxes_are_neither_missed_nor_false() -> None:
    truth = {"a": [TrueBox(Kind.HEAD, HERE), TrueBox(Kind.HEAD, THERE, hard=True)]}
    found = {"a": [head(THERE, 0.9), head(HERE, 0.8), head(Box(20, 0, 30, 10), 0.7)]}
    counted = match_detections(truth, found, Kind.HEAD, iou=0.5)
    assert counted.boxes == 1
    assert counted.right.tolist() == [True, False], "what lies on the hard one does not count"


def test_pictures_without_rows_have_nobody_in_them(folder: Path) -> None:
    cv2.imwrite(str(folder / "empty.png"), np.zeros((80, 100, 3), np.uint8))
    detector = Recited(head(HERE, 0.9), head(THERE, 0.2))
    report = evaluate(folder, detector, min_scores={Kind.HEAD: 0.5})
    assert (report.pictures, report.empty_pictures) == (3, 1)
    assert report.kinds[Kind.HEAD].false_boxes == 1, "0.2 is below the threshold"
    assert report.kinds[Kind.HEAD].precision == pytest.approx(1 / 3)


def test_hard_is_read_from_the_list_and_predictions_are_written(folder: Path) -> None:
    (folder / "boxes.csv").write_text(
        "file,kind,x0,y0,x1,y1,hard\na.png,head,0,0,10,10,1\nb.png,head,0,0,10,10,0\n"
    )
    report = json.loads(evaluate(folder, Recited(head(HERE, 0.9))).to_json())
    assert report["kinds"]["head"]["boxes"] == 1
    assert report["predictions"]["a.png"] == [["head", 0.9, 0, 0, 10, 10]]


def test_faces_are_widened_to_heads_where_the_list_has_no_heads(folder: Path) -> None:
    table = folder / "boxes.csv"
    table.write_text("file,kind,x0,y0,x1,y1\na.png,face,40,40,50,50\n")
    wide = head(head_around_face(Box(40, 40, 50, 50)), 0.9)
    assert evaluate(folder, Recited(wide), iou=0.9).kinds[Kind.HEAD].recall == 1.0
    table.write_text(table.read_text() + "b.png,head,0,0,10,10\n")
    assert evaluate(folder, Recited(wide)).kinds[Kind.HEAD].boxes == 1, "the face does not count"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file,kind,x0,y0,x1\n", "lacks the columns y1"),
        ("file,kind,x0,y0,x1,y1\n", "names no picture"),
        ("file,kind,x0,y0,x1,y1\na.png,face,0,0,ten,10\n", "line 2 is not readable"),
        ("file,kind,x0,y0,x1,y1\na.png,cat,0,0,10,10\n", "line 2 is not readable"),
        ("file,kind,x0,y0,x1,y1\na.png,face,10,0,0,10\n", "line 2 is not readable"),
        ("file,kind,x0,y0,x1,y1\na.png,face,0,0\n", "line 2 is not readable"),
        ("file,kind,x0,y0,x1,y1\nz.png,face,0,0,10,10\n", r"z\.png: no such picture"),
        ("file,kind,x0,y0,x1,y1\nboxes.csv,face,0,0,9,9\n", "not readable as a picture"),
    ],
)
def test_a_bad_list_is_the_operators_mistake_in_one_line(
    folder: Path, text: str, complaint: str
) -> None:
    (folder / "boxes.csv").write_text(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        evaluate(folder, Recited())
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_list_is_the_operators_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"boxes\.csv: No such file or directory; give a folder"):
        evaluate(tmp_path, Recited())
