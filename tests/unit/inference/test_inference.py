"""One picture or recording in, one answer out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor.build import Models
from monitor.domain import Detection, Frame, Pixels
from monitor.errors import JudgeUnavailableError
from monitor.geometry import Box
from monitor.inference.inference import Inference
from monitor.ingest.frames.picture import ArrayPicture
from tests.support.fakes import BlueJudge, ScriptedDetector, frame, head, person, textured

BLUE = (1.0, 0.3, 0.3)
LEFT = Box(40, 40, 100, 110)
RIGHT = Box(200, 40, 260, 110)


def scene(*blue: Box) -> Pixels:
    """A textured picture of 320 by 240 in which some boxes are blue."""
    pixels = textured(320, 240)
    for box in blue:
        left, top, right, bottom = (round(edge) for edge in _wider(box))
        patch = pixels[top:bottom, left:right]
        pixels[top:bottom, left:right] = (patch * np.array(BLUE)).astype(np.uint8)
    return pixels


def _wider(box: Box) -> tuple[float, float, float, float]:
    return box.left - 25, box.top - 25, box.right + 25, box.bottom + 25


def answer(*found: Detection, blue: tuple[Box, ...] = ()) -> dict[str, object]:
    judge = BlueJudge(sentences=("a balaclava covers the head",))
    models = Models(ScriptedDetector({0: found}), judge, batch=4)
    return Inference(models).judge_picture(ArrayPicture(scene(*blue)))


def response(whole: dict[str, object]) -> dict[str, object]:
    result = whole["result"]
    assert isinstance(result, dict)
    inner: dict[str, object] = result["response"]
    return inner


def test_the_answer_has_the_keys_of_the_contract() -> None:
    whole = answer(head(LEFT))
    assert whole.keys() == {
        *("inference_id", "model_id", "model_name", "moderation_type", "status", "result")
    }
    assert whole["model_id"] == "face_occlusion_detection"
    assert whole["moderation_type"] == "image"


def test_a_free_face_is_not_occluded() -> None:
    found = response(answer(head(LEFT)))
    assert found["occluded"] is False
    assert found["covering"] == "none"
    assert found["head_found"] is True


def test_the_worst_of_many_faces_decides_and_all_are_listed() -> None:
    whole = answer(head(LEFT), head(RIGHT), blue=(RIGHT,))
    found = response(whole)
    assert found["occluded"] is True
    assert found["covering"] == "balaclava"
    faces = found["faces"]
    assert isinstance(faces, list)
    assert [entry["covering"] for entry in faces] == ["balaclava", "none"]
    assert faces[0]["box"] == [200, 40, 260, 110]
    result = whole["result"]
    assert isinstance(result, dict)
    assert result["thinking"] == "a balaclava covers the head"


class Nearsighted:
    """A Detector that finds people in a whole picture, and heads only in a part of one."""

    def __init__(self, *people: Box) -> None:
        self._people = people

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector."""
        return [self._one(seen) for seen in frames]

    def _one(self, seen: Frame) -> list[Detection]:
        if seen.width >= 320:  # the whole, or the whole on grey
            return [person(box) for box in self._people] if seen.width == 320 else []
        return [head(Box(30, 20, 90, 90))]


def test_a_person_whose_head_was_missed_is_looked_at_from_near() -> None:
    models = Models(Nearsighted(Box(180, 20, 290, 240)), BlueJudge(), batch=4)
    found = response(Inference(models).judge_picture(ArrayPicture(scene(RIGHT))))
    assert (found["covering"], found["head_found"]) == ("balaclava", True)
    faces = found["faces"]
    assert isinstance(faces, list)
    assert [entry["box"] for entry in faces] == [[188, 20, 248, 90]]


def test_every_person_of_a_picture_is_looked_at_from_near() -> None:
    crowd = [Box(80 * n, 20, 80 * n + 70, 200) for n in range(4)]
    models = Models(Nearsighted(*crowd), BlueJudge(), batch=4)
    found = response(Inference(models).judge_picture(ArrayPicture(scene())))
    faces = found["faces"]
    assert isinstance(faces, list)
    assert len(faces) == 4


def test_a_person_whose_head_cannot_be_found_leaves_the_whole_picture_to_judge() -> None:
    found = response(answer(person(Box(180, 20, 290, 240)), blue=(RIGHT,)))
    assert found["head_found"] is False


def test_in_a_picture_only_people_count_that_the_detector_is_sure_of() -> None:
    doubtful = replace(person(Box(180, 20, 290, 240)), sure=False)
    found = response(answer(doubtful, blue=(RIGHT,)))
    assert found["head_found"] is False


def test_where_nobody_is_found_the_whole_picture_is_judged_and_it_says_so() -> None:
    found = response(answer())
    assert found["head_found"] is False
    assert found["covering"] == "none"


def test_a_recording_fuses_the_crops_of_each_person() -> None:
    judge = BlueJudge()
    frames = [
        frame(n / 5, ArrayPicture(scene(*([RIGHT] if n != 5 else []))), sequence=n)
        for n in range(12)
    ]
    script = {n: (head(LEFT), head(RIGHT)) for n in range(12)}
    whole = Inference(Models(ScriptedDetector(script), judge, batch=4)).judge_video(frames)
    found = response(whole)
    faces = found["faces"]
    assert isinstance(faces, list)
    assert [entry["covering"] for entry in faces] == ["balaclava", "none"]
    assert whole["moderation_type"] == "video"


def test_a_recording_with_nobody_in_it_is_not_occluded() -> None:
    models = Models(ScriptedDetector({}), BlueJudge(), batch=4)
    found = response(Inference(models).judge_video([frame(0, ArrayPicture(scene()))]))
    assert found["occluded"] is False
    assert found["faces"] == []


def poor(pixels: Pixels, *found: Detection, quality_is_occlusion: bool = True) -> dict[str, object]:
    """What is said of a picture; the judge sees nothing on any face."""
    models = Models(ScriptedDetector({0: found}), BlueJudge(), batch=4)
    return response(Inference(models, quality_is_occlusion).judge_picture(ArrayPicture(pixels)))


def test_a_face_in_the_dark_counts_as_occluded_unless_told_otherwise() -> None:
    dark = np.asarray(scene() * 0.18, np.uint8)
    found = poor(dark, head(LEFT))
    assert found["quality"] == ["dark"]
    assert found["occluded"] is True
    assert found["covering"] == "none", "what the judge saw is not changed by it"
    assert poor(dark, head(LEFT), quality_is_occlusion=False)["occluded"] is False


def test_a_blurred_passer_by_does_not_make_the_answer_yes() -> None:
    pixels = scene()
    far = Box(290, 40, 315, 68)
    pixels[20:90, 270:320] = 127
    found = poor(pixels, head(LEFT), head(far))
    faces = found["faces"]
    assert isinstance(faces, list)
    assert sorted(entry["quality"] for entry in faces) == [[], ["blurred"]]
    assert found["occluded"] is False
    assert poor(pixels, head(far))["occluded"] is True, "alone he is whom the picture shows"


def test_words_are_harmless_and_short_whoever_said_them() -> None:
    judge = BlueJudge(sentences=("a\x00 \u202emask\n" + "x" * 999,))
    models = Models(ScriptedDetector({0: (head(RIGHT),)}), judge, batch=4)
    whole = Inference(models).judge_picture(ArrayPicture(scene(RIGHT)))
    result = whole["result"]
    assert isinstance(result, dict)
    assert result["thinking"].startswith("a mask xxx")
    assert len(result["thinking"]) <= 200


def test_a_judge_that_finds_no_words_still_gives_an_answer() -> None:
    judge = BlueJudge(sentences=(JudgeUnavailableError("busy"),))
    models = Models(ScriptedDetector({0: (head(RIGHT),)}), judge, batch=4)
    whole = Inference(models).judge_picture(ArrayPicture(scene(RIGHT)))
    assert response(whole)["occluded"] is True


def test_the_worst_picture_of_an_animation_decides() -> None:
    models = Models(ScriptedDetector({0: (head(RIGHT),)}), BlueJudge(), batch=4)
    pictures = [ArrayPicture(scene()), ArrayPicture(scene(RIGHT)), ArrayPicture(scene())]
    whole = Inference(models).judge_pictures(pictures)
    assert whole["moderation_type"] == "image"
    assert response(whole)["covering"] == "balaclava"
    assert response(whole)["complete"] is True


def test_when_time_runs_out_the_answer_says_what_was_not_judged() -> None:
    crowd = tuple(head(Box(10 * n, 40, 10 * n + 30 + n, 80)) for n in range(9))
    models = Models(ScriptedDetector({0: crowd}), BlueJudge(), batch=4)
    found = response(Inference(models, is_late=lambda: True).judge_picture(ArrayPicture(scene())))
    faces = found["faces"]
    assert isinstance(faces, list)
    assert len(faces) == 4, "one batch, of the largest"
    assert found["complete"] is False
    frames = [frame(n / 5, ArrayPicture(scene()), sequence=n) for n in range(12)]
    short = response(Inference(models, is_late=lambda: True).judge_video(frames))
    assert short["complete"] is False
