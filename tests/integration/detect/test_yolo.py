"""Finding people and heads with real, small YOLO models that the tests train and export."""

import subprocess
import sys
import warnings
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch  # noqa: TID253  (the tests train a model)

from monitor.detect.ultralytics_runtime import open_ultralytics
from monitor.detect.yolo import Yolo
from monitor.domain import CameraId, Detection, Kind
from monitor.domain.framing import head_around_face
from monitor.errors import ConfigError
from monitor.geometry import Box
from tests.support.tiny_detectors import (
    EVERYTHING,
    build_tiny_model,
    draw_rectangles,
    save_checkpoint,
)


def inside(box: Box) -> bool:
    """Whether a box in a frame of 64 pixels was not clipped."""
    return min(box.left, box.top) > 0 and max(box.right, box.bottom) < 64


def overlap(found: Detection, box: tuple[int, int, int, int]) -> float:
    """IoU of a detection with the truth."""
    return found.box.iou(Box(*box))


def random_batch(rng: np.random.Generator, side: int, count: int) -> dict[str, torch.Tensor]:
    """Pictures with one rectangle each; class 0 (tall, red) or 1 (wide, blue)."""
    pictures, boxes, classes = [], [], []
    for _ in range(count):
        number = int(rng.integers(2))
        long, short = int(rng.integers(30, 52)), int(rng.integers(16, 26))
        wide, high = (short, long) if number == 0 else (long, short)
        left, top = int(rng.integers(0, side - wide)), int(rng.integers(0, side - high))
        box = (left, top, left + wide, top + high)
        pictures.append(draw_rectangles(side, side, box).resize(side, side)[..., ::-1].copy())
        boxes.append([left + wide / 2, top + high / 2, wide, high])
        classes.append(number)
    return {
        "img": torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255,
        "batch_idx": torch.arange(count).float(),
        "cls": torch.tensor(classes).float(),
        "bboxes": torch.tensor(boxes).float() / side,
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that tells tall red rectangles (person) from wide blue ones (head)."""
    torch.set_num_threads(1)
    model = build_tiny_model()
    model.criterion = model.init_criterion()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
    rng = np.random.default_rng(0)
    model.train()
    for step in range(220):
        for group in optimizer.param_groups:
            group["lr"] = 0.006 * (1 - step / 220) + 1e-5
        loss, _ = model(random_batch(rng, 96, 8))
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("yolo") / "tiny.pt"
    model.args = {}
    return save_checkpoint(model.eval(), path, {0: "person", 1: "head"})


def export(checkpoint: Path, **settings: object) -> Path:
    """Write the ONNX export beside a checkpoint. Tracing warns of much."""
    model = open_ultralytics().YOLO(str(checkpoint))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Path(model.export(format="onnx", simplify=False, verbose=False, **settings))


@pytest.fixture(scope="module")
def exported(trained: Path) -> Path:
    """The same model for ONNX Runtime, for pictures of any size."""
    pytest.importorskip("onnxruntime")
    return export(trained, dynamic=True, imgsz=96)


@pytest.mark.slow
def test_what_is_found_lies_where_it_was_painted(trained: Path) -> None:
    detector = Yolo(trained, input_px=96, min_scores=EVERYTHING)
    person, head = (20, 30, 42, 74), (48, 8, 90, 28)
    (found,) = detector.detect([draw_rectangles(96, 96, person, head)])
    kinds = {detection.kind: detection for detection in found}
    assert len(found) == 2
    assert overlap(kinds[Kind.PERSON], person) > 0.7
    assert overlap(kinds[Kind.HEAD], head) > 0.7
    assert found[0].score >= found[1].score


@pytest.mark.slow
def test_boxes_come_in_the_pixels_of_their_own_frame_whatever_the_batch(trained: Path) -> None:
    """One batch: a square, a wide and a tall frame, of different scales and paddings."""
    detector = Yolo(trained, input_px=96, min_scores=EVERYTHING)
    truths = [(20, 30, 42, 74), (200, 40, 280, 200), (40, 180, 120, 350)]
    frames = [
        draw_rectangles(96, 96, truths[0]),
        draw_rectangles(384, 216, truths[1]),
        draw_rectangles(200, 384, truths[2]),
    ]
    together = detector.detect(frames)
    for found, truth in zip(together, truths, strict=True):
        assert found[0].kind is Kind.PERSON
        assert overlap(found[0], truth) > 0.6
    alone = [detector.detect([one])[0] for one in frames]
    for one, other in zip(together, alone, strict=True):
        assert one[0].score == pytest.approx(other[0].score, abs=0.05)


@pytest.mark.slow
def test_a_camera_is_looked_at_in_its_own_size_whatever_the_batch(trained: Path) -> None:
    truth = (300, 100, 322, 144)
    near = draw_rectangles(384, 216, truth)
    far = replace(near, camera=CameraId("far"))
    sizes = {far.camera: 384}  # at 64 it is too small to be found
    detector = Yolo(trained, input_px=64, min_scores=EVERYTHING, camera_px=sizes)
    first, second, _ = detector.detect([far, near, near])
    assert overlap(first[0], truth) > 0.6
    assert not any(overlap(one, truth) > 0.6 for one in second)


@pytest.mark.slow
def test_an_export_sees_the_same_as_its_checkpoint(trained: Path, exported: Path) -> None:
    frames = [
        draw_rectangles(96, 96, (20, 30, 42, 74), (48, 8, 90, 28)),
        draw_rectangles(160, 90, (60, 20, 90, 80)),
    ]
    ours = Yolo(trained, input_px=96, min_scores=EVERYTHING).detect(frames)
    theirs = Yolo(exported, input_px=96, min_scores=EVERYTHING).detect(frames)
    assert [len(found) for found in ours] == [len(found) for found in theirs] != [0, 0]
    for one, other in zip(chain(*ours), chain(*theirs), strict=True):
        assert one.kind is other.kind
        assert one.score == pytest.approx(other.score, abs=0.02)
        assert one.box.left == pytest.approx(other.box.left, abs=0.5)
        assert one.box.bottom == pytest.approx(other.box.bottom, abs=0.5)


@pytest.mark.slow
def test_an_export_for_one_size_is_asked_at_that_size(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    copy = tmp_path / "fixed.pt"
    copy.write_bytes(trained.read_bytes())
    truth = (60, 20, 90, 80)
    detector = Yolo(export(copy, imgsz=(64, 96)), input_px=640, min_scores=EVERYTHING)
    both = detector.detect(
        [draw_rectangles(144, 96, truth), draw_rectangles(288, 192, (120, 40, 180, 160))]
    )
    assert overlap(both[0][0], truth) > 0.6
    assert overlap(both[1][0], (120, 40, 180, 160)) > 0.6


@pytest.mark.slow
def test_each_kind_has_its_own_threshold(trained: Path) -> None:
    picture = draw_rectangles(96, 96, (20, 30, 42, 74), (48, 8, 90, 28))
    strict = Yolo(trained, input_px=96, min_scores={Kind.PERSON: 1.0, Kind.HEAD: 0.3})
    assert {found.kind for found in strict.detect([picture])[0]} == {Kind.HEAD}
    only_people = Yolo(trained, input_px=96, min_scores={Kind.PERSON: 0.3})
    assert {found.kind for found in only_people.detect([picture])[0]} == {Kind.PERSON}


@pytest.mark.slow
def test_no_frames_cost_nothing(trained: Path) -> None:
    assert Yolo(trained, min_scores=EVERYTHING).detect([]) == []


def test_classes_count_by_name_and_faces_are_widened_to_heads(tmp_path: Path) -> None:
    names = ({0: "Head", 1: "dog"}, {0: "Face", 1: "dog"}, {0: "head", 1: "face"})
    found = []
    for number, classes in enumerate(names):
        weights = save_checkpoint(build_tiny_model(), tmp_path / f"{number}.pt", classes)
        detector = Yolo(weights, input_px=64, min_scores={Kind.PERSON: 0.0, Kind.HEAD: 0.0})
        found.append(detector.detect([draw_rectangles(64, 64)])[0])
        assert {one.kind for one in found[-1]} == {Kind.HEAD}
    heads, faces, both = found
    assert both == heads, "a face is a part of a head, never reported beside it"
    wider = {head_around_face(head.box).clip(64, 64) for head in heads if inside(head.box)}
    assert wider & {face.box for face in faces}


def test_a_model_without_a_usable_class_is_refused_with_the_classes_it_has(tmp_path: Path) -> None:
    weights = save_checkpoint(build_tiny_model(), tmp_path / "pets.pt", {0: "cat", 1: "dog"})
    with pytest.raises(ConfigError, match=r"pets\.pt: .*only cat, dog; give a model"):
        Yolo(weights, min_scores=EVERYTHING)


@pytest.mark.parametrize(
    "name", ["missing.pt", "missing.onnx", "notes.txt", "empty.pt", "bad.onnx"]
)
def test_unusable_weights_are_the_operators_mistake_in_one_line(tmp_path: Path, name: str) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_bytes(b"" if name == "empty.pt" else b"not a model")
    with pytest.raises(ConfigError, match=name) as caught:
        Yolo(tmp_path / name, min_scores=EVERYTHING)
    assert "\n" not in str(caught.value)
    assert "give" in str(caught.value)


def test_a_folder_without_weights_is_the_operators_mistake(tmp_path: Path) -> None:
    for folder in (tmp_path / "models", tmp_path / "x_openvino_model"):
        folder.mkdir()
        with pytest.raises(ConfigError, match="a folder without weights; give a file"):
            Yolo(folder, min_scores=EVERYTHING)


@pytest.mark.slow
def test_a_device_that_is_not_there_is_the_operators_mistake(trained: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be loaded on abacus"):
        Yolo(trained, min_scores=EVERYTHING, device="abacus")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"model": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(ConfigError, match=r"trap\.pt: cannot be loaded"):
        Yolo(tmp_path / "trap.pt", min_scores=EVERYTHING)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.slow
def test_loading_and_looking_contact_nobody_and_start_nothing(trained: Path) -> None:
    """In a fresh interpreter, watched by Python's own audit events.

    torch is imported before the watch begins: looking for CUDA, it runs ldconfig.
    """
    script = f"""
import sys
import torch
watched = {{"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec"}}
seen = []
sys.addaudithook(lambda event, args: seen.append((event, args)) if event in watched else None)
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
from tests.support.tiny_detectors import EVERYTHING, draw_rectangles
from monitor.detect.yolo import Yolo
detector = Yolo(Path({str(trained)!r}), input_px=96, min_scores=EVERYTHING)
print(len(detector.detect([draw_rectangles(96, 96, (20, 30, 42, 74))])[0]), seen)
"""
    done = subprocess.run(  # noqa: S603  (our own interpreter, our own script)
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split(maxsplit=1) == ["1", "[]\n"], done.stderr
