"""Labelling a folder: teachers, what humans drew, and pictures corrected whole."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.cli.train import labels
from monitor.domain import Pixels
from monitor.errors import ConfigError, OutputError
from monitor.train.detector.labelled_boxes import LabelledBox, read_boxes
from monitor.train.detector.labels import (
    MIN_PAIRS,
    HumanLabels,
    fit_heads,
    read_human_labels,
    write_labels,
)
from monitor.train.detector.scenes import read_scenes
from monitor.train.detector.teachers import Teachers, TeacherViews, YoloTeacher
from tests.support.detector_scenes import RED, save_model, street

NOTHING = HumanLabels({}, {})
VIEWS = TeacherViews(
    people=((96, False), (96, True)),
    poses=tuple((side, mirrored) for side in (64, 96, 128) for mirrored in (False, True)),
)


class RedPeople:
    """What a network would find if people were red rectangles, a head at the top of each."""

    def __init__(self) -> None:
        self.asked = 0

    def forward(self, sheet: Pixels) -> NDArray[np.float32]:
        """(1, H, W, 3) to (56, 1) or (56, 0): box, score, 17 keypoints."""
        self.asked += 1
        y, x = np.nonzero((sheet[0, ..., 2] > 200) & (sheet[0, ..., 0] < 80))
        if len(x) == 0:
            return np.zeros((56, 0), np.float32)
        left, top, right, bottom = x.min(), y.min(), x.max() + 1, y.max() + 1
        size, middle = (right - left) / 2, (left + right) / 2
        points = np.zeros((17, 3), np.float32)
        places = [(0, 0.6), (0.1, 0.45), (-0.1, 0.45), (0.35, 0.5), (-0.35, 0.5)]
        places += [(-0.9, 1.4), (0.9, 1.4)]
        points[:7] = [(middle + dx * size, top + dy * size, 0.9) for dx, dy in places]
        box = [middle, (top + bottom) / 2, right - left, bottom - top, 0.9]
        return np.array([*box, *points.ravel()], np.float32)[:, None]


def teach(network: RedPeople, views: TeacherViews = VIEWS) -> Teachers:
    people = YoloTeacher(network.forward, person=0, classes=1, poses=False)
    poses = YoloTeacher(network.forward, person=0, classes=1, poses=True)
    return Teachers(people, poses, None, views)


def draw(folder: Path, name: str, seed: int, *, empty: bool = False) -> tuple[int, int, int, int]:
    """Write a picture of 128 pixels with one red rectangle; its edges."""
    rng = np.random.default_rng(seed)
    left, top = (int(v) for v in rng.integers(10, 60, 2))
    edges = (left, top, left + 28, top + 56)
    pixels = street(seed, 128)
    if not empty:
        cv2.rectangle(pixels, edges[:2], (edges[2] - 1, edges[3] - 1), RED, -1)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)
    return edges


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures, the last one without anybody and in a folder of its own."""
    folder = tmp_path / "pictures"
    draw(folder, "a.png", 1)
    draw(folder, "b.png", 2)
    draw(folder, "deeper/c.png", 3, empty=True)
    return folder


def test_every_picture_is_labelled_and_the_table_is_one_for_training(
    pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "labels.csv"
    assert write_labels(pictures, out, teach(RedPeople()), NOTHING) == 3
    edges = draw(pictures, "a.png", 1)
    boxes = read_boxes(out)
    assert list(boxes) == ["a.png", "b.png", "deeper/c.png"]
    assert boxes["deeper/c.png"] == [], "an empty picture is in the table, too"
    person, head = boxes["a.png"]
    assert (person.kind, person.sure, head.kind, head.sure) == ("person", True, "head", True)
    assert np.abs(np.subtract(person.edges, edges)).max() < 2
    assert edges[0] - 8 < head.edges[0] < head.edges[2] < edges[2] + 8
    assert edges[1] - 8 < head.edges[1] < head.edges[3] < (edges[1] + edges[3]) / 2
    assert [len(scene.boxes) for scene in read_scenes(pictures, out)] == [2, 2, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "pictures"]


def test_corrected_pictures_stand_as_they_are_and_no_teacher_is_asked(
    pictures: Path, tmp_path: Path
) -> None:
    by_hand = tmp_path / "corrections.csv"
    by_hand.write_text(
        "file,kind,sure,x0,y0,x1,y1\n"
        "a.png,person,0,1.5,2,30,40\na.png,face,1,5,6,9,10\n"
        "b.png,,,,,,\n"
    )
    network = RedPeople()
    human = read_human_labels(None, by_hand)
    write_labels(pictures, tmp_path / "labels.csv", teach(network), human)
    boxes = read_boxes(tmp_path / "labels.csv")
    assert boxes["a.png"] == [
        LabelledBox("person", sure=False, edges=(1.5, 2, 30, 40)),
        LabelledBox("face", sure=True, edges=(5, 6, 9, 10)),
    ]
    assert boxes["b.png"] == []
    assert network.asked == len(VIEWS.people) + len(VIEWS.poses), "about the third one only"


def test_only_what_humans_drew_is_kept_of_the_table_of_a_source(
    pictures: Path, tmp_path: Path
) -> None:
    drawn = tmp_path / "boxes.csv"
    left, top, right, bottom = draw(pictures, "a.png", 1)
    drawn.write_text(
        "file,kind,labelled_by,x0,y0,x1,y1\n"
        f"a.png,person,human,{left - 3},{top},{right},{bottom}\n"
        "a.png,head,yunet,0,0,9,9\n"
        "b.png,person,yolox,90,90,120,120\n"
    )
    human = read_human_labels(drawn, None)
    write_labels(pictures, tmp_path / "labels.csv", teach(RedPeople()), human)
    boxes = read_boxes(tmp_path / "labels.csv")
    people = [box for box in boxes["a.png"] if box.kind == "person"]
    assert people == [LabelledBox("person", sure=True, edges=(left - 3, top, right, bottom))]
    kept = {edges for found in boxes.values() for edges in (box.edges for box in found)}
    assert not {(0, 0, 9, 9), (90, 90, 120, 120)} & kept


def test_heads_are_fitted_on_corrections_if_there_are_enough(tmp_path: Path) -> None:
    corrections: dict[str, list[LabelledBox]] = {}
    for seed in range(20):
        left, top, right, _ = draw(tmp_path, f"{seed:02}.png", seed)
        wide = (left - 20.0, top - 20.0, right + 20.0, top + 40.0)
        corrections[f"{seed:02}.png"] = [LabelledBox("head", sure=True, edges=wide)]
    few = {name: corrections[name] for name in list(corrections)[:5]}
    assert len(corrections) * len(VIEWS.poses) > MIN_PAIRS > len(few) * len(VIEWS.poses)
    teachers = teach(RedPeople())
    left, top, right, _ = draw(tmp_path, "new.png", 99)
    pixels = cv2.imread(str(tmp_path / "new.png"))
    assert pixels is not None
    (pose, *_) = teachers.ask_poses(pixels.astype(np.uint8))
    learnt, usual = (
        fit_heads(tmp_path, teachers, table).predict(pose.keypoints)[0]
        for table in (corrections, few)
    )
    assert np.abs(learnt - [left - 20, top - 20, right + 20, top + 40]).max() < 6
    assert usual[2] - usual[0] < 40, "pixels: the regression that comes with the program"


def test_a_second_call_goes_on_after_the_last_whole_picture(pictures: Path, tmp_path: Path) -> None:
    part = tmp_path / "labels.csv.part"
    part.write_text(
        "file,kind,sure,x0,y0,x1,y1\na.png,person,1,1.0,2.0,3.0,4.0\nb.png,person,1,0.0,0.0,9.0\n"
    )
    network = RedPeople()
    write_labels(pictures, tmp_path / "labels.csv", teach(network), NOTHING)
    boxes = read_boxes(tmp_path / "labels.csv")
    assert boxes["a.png"] == [LabelledBox("person", sure=True, edges=(1, 2, 3, 4))]
    assert {box.kind for box in boxes["b.png"]} == {"person", "head"}
    assert network.asked == 2 * (len(VIEWS.people) + len(VIEWS.poses))
    assert not part.exists()


def test_mistakes_of_the_operator_are_named(pictures: Path, tmp_path: Path) -> None:
    teachers = teach(RedPeople())
    unknown = HumanLabels({}, {"z.png": []})
    with pytest.raises(ConfigError, match=r"z\.png: corrected, but no such picture"):
        write_labels(pictures, tmp_path / "labels.csv", teachers, unknown)
    with pytest.raises(OutputError, match="name a file that can be written"):
        write_labels(pictures, tmp_path / "nowhere" / "labels.csv", teachers, NOTHING)
    (pictures / "d.jpg").write_text("not a picture")
    with pytest.raises(ConfigError, match=r"d\.jpg: not readable as a picture"):
        write_labels(pictures, tmp_path / "labels.csv", teachers, NOTHING)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty: no pictures"):
        write_labels(tmp_path / "empty", tmp_path / "labels.csv", teachers, NOTHING)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file,kind,x0,y0,x1\na.png,face,1,2,3\n", "line 2 .* needs the columns"),
        ("file,kind,x0,y0,x1,y1\na.png,cat,1,2,3,4\n", "unknown kind cat"),
        ("file,kind,x0,y0,x1,y1\na.png,face,1,2,3,x\n", "line 2 is not readable"),
        (None, "No such file"),
    ],
)
def test_a_wrong_table_is_the_operators_mistake(
    tmp_path: Path, text: str | None, complaint: str
) -> None:
    if text is not None:
        (tmp_path / "boxes.csv").write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        read_boxes(tmp_path / "boxes.csv")


@pytest.mark.slow
def test_the_command_labels_with_models_given_by_path(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = save_model(tmp_path / "people.pt", poses=False, bias=-1.0)
    pose = save_model(tmp_path / "pose.pt", poses=True)
    out = tmp_path / "labels.csv"
    assert labels(pictures, out, None, None, str(pose), str(people), None, quick=True) == 0
    assert f"{out}: 3 pictures" in capsys.readouterr().out
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["file"] for row in rows} == {"a.png", "b.png", "deeper/c.png"}
    assert {row["kind"] for row in rows} == {"person", "head"}, "random weights find people"
