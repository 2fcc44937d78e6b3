"""Asking public models, here ones with random weights, in several views of a picture."""

from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: TID253  (training is torch)

from monitor.errors import ConfigError
from monitor.train.detector.export import lay_on_sheet
from monitor.train.detector.model import find_weights, read_checkpoint
from monitor.train.detector.teachers import (
    QUICK,
    THOROUGH,
    Teachers,
    TeacherViews,
    YoloTeacher,
    _find_faces,
    open_teachers,
)
from tests.support.detector_scenes import save_model, street

VIEWS = TeacherViews(people=((64, False), (96, True)), poses=((64, True),))
SWAPPED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``people.pt`` and ``poses.pt``, which find something everywhere."""
    folder = tmp_path_factory.mktemp("teachers")
    save_model(folder / "people.pt", poses=False, bias=0.0)
    save_model(folder / "poses.pt", poses=True, bias=0.0)
    return folder


@pytest.fixture(scope="module")
def teachers(weights: Path) -> Teachers:
    return open_teachers(str(weights / "people.pt"), str(weights / "poses.pt"), None, VIEWS)


@pytest.mark.slow
def test_all_teachers_are_asked_in_all_views(teachers: Teachers) -> None:
    answers = teachers.ask(street(1, 96)[:60])
    assert answers.size == (96, 60)
    assert [len(found) for found in (answers.people, answers.poses, answers.faces)] == [2, 1, 0]
    for found in answers.people:
        assert len(found.boxes) == len(found.scores) > 0
        assert found.keypoints.shape == (0, 17, 3)
        assert (found.boxes >= 0).all()
        assert (found.boxes <= [96, 60, 96, 60]).all()
    (poses,) = answers.poses
    assert poses.keypoints.shape == (len(poses.boxes), 17, 3)


def test_a_mirrored_view_is_the_view_of_the_mirrored_picture_turned_back(
    teachers: Teachers,
) -> None:
    picture = street(2, 96)
    ours = teachers.poses.find(picture, 64, mirrored=True)
    flipped = np.ascontiguousarray(picture[:, ::-1])
    theirs = teachers.poses.find(flipped, 64, mirrored=False)
    assert np.array_equal(ours.scores, theirs.scores)
    assert np.allclose(ours.boxes[:, [0, 2]], 96 - theirs.boxes[:, [2, 0]], atol=1e-3)
    assert np.allclose(ours.boxes[:, [1, 3]], theirs.boxes[:, [1, 3]])
    turned = theirs.keypoints[:, SWAPPED]
    assert np.allclose(ours.keypoints[:, :, 0], 96 - turned[:, :, 0], atol=1e-3)
    assert np.allclose(ours.keypoints[:, :, 1:], turned[:, :, 1:])


def test_boxes_and_keypoints_are_those_of_torch_in_pixels_of_the_picture(
    teachers: Teachers, weights: Path
) -> None:
    picture = street(3, 128)
    found = teachers.poses.find(picture, 64, mirrored=False)
    network = read_checkpoint(weights / "poses.pt").eval()
    sheet, _ = lay_on_sheet(picture, 64)
    planes = torch.from_numpy(sheet[None].copy()).permute(0, 3, 1, 2).flip(1).float() / 255
    with torch.inference_mode():
        columns = network(planes)[0][0].numpy()
    best = int(columns[4].argmax())
    assert found.scores[0] == pytest.approx(columns[4, best], abs=0.01)
    points = columns[5:, best].reshape(17, 3)
    assert np.abs(found.keypoints[0, :, :2] - 2 * points[:, :2]).max() < 2
    assert np.abs(found.keypoints[0, :, 2] - points[:, 2]).max() < 0.02
    x, y, width, height = 2 * columns[:4, best]
    box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    assert np.abs(found.boxes[0] - np.clip(box, 0, 128)).max() < 2


def test_of_two_boxes_in_one_place_the_surer_one_stays() -> None:
    columns = np.zeros((7, 4), np.float32)
    columns[:4] = np.array([[20, 20, 10, 30], [21, 20, 10, 30], [50, 30, 10, 20], [9, 9, 4, 4]]).T
    columns[5] = [0.5, 0.7, 0.3, 0.01]
    teacher = YoloTeacher(lambda _: columns, person=1, classes=3, poses=False)
    found = teacher.find(np.zeros((64, 64, 3), np.uint8), 64, mirrored=False)
    assert found.boxes.tolist() == [[16, 5, 26, 35], [45, 20, 55, 40]]
    assert found.scores.tolist() == np.array([0.7, 0.3], np.float32).tolist()


def test_a_picture_without_anything_gives_nothing() -> None:
    teacher = YoloTeacher(lambda _: np.zeros((56, 9), np.float32), person=0, classes=1, poses=True)
    found = teacher.find(np.zeros((64, 64, 3), np.uint8), 64, mirrored=True)
    assert (found.boxes.shape, found.keypoints.shape) == ((0, 4), (0, 17, 3))


def test_the_quick_views_are_a_quarter_of_the_thorough_ones() -> None:
    counts = [len(views.people) + len(views.poses) for views in (QUICK, THOROUGH)]
    assert counts == [3, 12]


class Bright:
    """OpenCV's face detector, if a face were the one bright rectangle of a picture."""

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802  (OpenCV's name)
        self.size = size

    def detect(self, pixels: np.ndarray) -> tuple[int, np.ndarray | None]:
        assert pixels.shape[1::-1] == self.size
        y, x = np.nonzero(pixels[..., 0] > 128)
        if len(x) == 0:
            return 0, None
        row = [x.min(), y.min(), x.max() + 1 - x.min(), y.max() + 1 - y.min(), *[0] * 10, 0.9]
        return 1, np.array([row], np.float32)


def test_faces_are_looked_for_in_three_views_and_given_in_pixels_of_the_picture() -> None:
    picture = np.zeros((60, 100, 3), np.uint8)
    picture[10:30, 20:36] = 255
    found = list(_find_faces(Bright(), picture))  # type: ignore[arg-type]
    assert len(found) == 3
    for view in found:
        assert np.abs(view.boxes - [[20, 10, 36, 30]]).max() <= 0.5
        assert view.scores.tolist() == np.array([0.9], np.float32).tolist()
    nothing = list(_find_faces(Bright(), picture * 0))  # type: ignore[arg-type]
    assert [len(view.boxes) for view in nothing] == [0, 0, 0]


def test_weights_inside_a_package_are_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "made_up_models"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_weights("package:made_up_models/sub/a.pt") == package / "sub" / "a.pt"
    with pytest.raises(ConfigError, match="no package nowhere_at_all; install it or give a path"):
        find_weights("package:nowhere_at_all/a.pt")


def test_a_model_for_something_else_is_refused(weights: Path, tmp_path: Path) -> None:
    people, poses = str(weights / "people.pt"), str(weights / "poses.pt")
    with pytest.raises(ConfigError, match=r"people\.pt: is a model for detect; name one for pose"):
        open_teachers(people, people, None)
    with pytest.raises(ConfigError, match=r"poses\.pt: is a model for pose; name one for detect"):
        open_teachers(poses, poses, None)
    with pytest.raises(ConfigError, match=r"missing\.onnx: no such file; name YuNet's weights"):
        open_teachers(people, poses, tmp_path / "missing.onnx")
    (tmp_path / "broken.onnx").write_text("no network")
    with pytest.raises(ConfigError, match=r"broken\.onnx: not a face detector"):
        open_teachers(people, poses, tmp_path / "broken.onnx")
