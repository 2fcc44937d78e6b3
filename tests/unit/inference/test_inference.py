"""One picture or recording in, one answer out."""

from dataclasses import replace

import numpy as np

from monitor.build import Models
from monitor.domain import Detection, Pixels
from monitor.errors import JudgeUnavailableError
from monitor.geometry import Box
from monitor.inference.inference import Inference
from monitor.ingest.frames.picture import ArrayPicture
from tests.support.fakes import BlueJudge, ScriptedDetector, face, frame, person
from tests.support.scenes import LEFT, RIGHT, blue_boxes


def answer(*found: Detection, blue: tuple[Box, ...] = ()) -> dict[str, object]:
    judge = BlueJudge(sentences=("a balaclava covers the head",))
    models = Models(ScriptedDetector({0: found}), judge, batch=4)
    return Inference(models).judge_picture(ArrayPicture(blue_boxes(*blue)))


def response(whole: dict[str, object]) -> dict[str, object]:
    result = whole["result"]
    assert isinstance(result, dict)
    inner: dict[str, object] = result["response"]
    return inner


def test_the_answer_has_the_keys_of_the_contract() -> None:
    whole = answer(face(LEFT))
    assert whole.keys() == {
        *("inference_id", "model_id", "model_name", "moderation_type", "status", "result")
    }
    assert whole["model_id"] == "face_occlusion_detection"
    assert whole["moderation_type"] == "image"


def test_a_free_face_is_not_occluded() -> None:
    found = response(answer(face(LEFT)))
    assert found["occluded"] is False
    assert found["covering"] == "none"
    assert found["head_found"] is True


def test_the_worst_of_many_faces_decides_and_all_are_listed() -> None:
    whole = answer(face(LEFT), face(RIGHT), blue=(RIGHT,))
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


def test_a_person_without_a_face_is_judged_by_the_upper_part() -> None:
    found = response(answer(person(Box(180, 20, 290, 240)), blue=(RIGHT,)))
    assert found["covering"] == "balaclava"
    assert found["head_found"] is True


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
        frame(n / 5, ArrayPicture(blue_boxes(*([RIGHT] if n != 5 else []))), sequence=n)
        for n in range(12)
    ]
    script = {n: (face(LEFT), face(RIGHT)) for n in range(12)}
    whole = Inference(Models(ScriptedDetector(script), judge, batch=4)).judge_video(frames)
    found = response(whole)
    faces = found["faces"]
    assert isinstance(faces, list)
    assert [entry["covering"] for entry in faces] == ["balaclava", "none"]
    assert whole["moderation_type"] == "video"


def test_a_recording_with_nobody_in_it_is_not_occluded() -> None:
    models = Models(ScriptedDetector({}), BlueJudge(), batch=4)
    found = response(Inference(models).judge_video([frame(0, ArrayPicture(blue_boxes()))]))
    assert found["occluded"] is False
    assert found["faces"] == []


def poor(pixels: Pixels, *found: Detection, quality_is_occlusion: bool = True) -> dict[str, object]:
    """What is said of a picture; the judge sees nothing on any face."""
    models = Models(ScriptedDetector({0: found}), BlueJudge(), batch=4)
    return response(Inference(models, quality_is_occlusion).judge_picture(ArrayPicture(pixels)))


def test_a_face_in_the_dark_counts_as_occluded_unless_told_otherwise() -> None:
    dark = np.asarray(blue_boxes() * 0.1, np.uint8)
    found = poor(dark, face(LEFT))
    assert found["quality"] == ["dark"]
    assert found["occluded"] is True
    assert found["covering"] == "none", "what the judge saw is not changed by it"
    assert poor(dark, face(LEFT), quality_is_occlusion=False)["occluded"] is False


def test_a_blurred_passer_by_does_not_make_the_answer_yes() -> None:
    pixels = blue_boxes()
    far = Box(290, 40, 315, 68)
    pixels[20:90, 270:320] = 127
    found = poor(pixels, face(LEFT), face(far))
    faces = found["faces"]
    assert isinstance(faces, list)
    assert sorted(entry["quality"] for entry in faces) == [[], ["blurred"]]
    assert found["occluded"] is False
    assert poor(pixels, face(far))["occluded"] is True, "alone he is whom the picture shows"


def test_words_are_harmless_and_short_whoever_said_them() -> None:
    judge = BlueJudge(sentences=("a\x00 \u202emask\n" + "x" * 999,))
    models = Models(ScriptedDetector({0: (face(RIGHT),)}), judge, batch=4)
    whole = Inference(models).judge_picture(ArrayPicture(blue_boxes(RIGHT)))
    result = whole["result"]
    assert isinstance(result, dict)
    assert result["thinking"].startswith("a mask xxx")
    assert len(result["thinking"]) <= 200


def test_a_judge_that_finds_no_words_still_gives_an_answer() -> None:
    judge = BlueJudge(sentences=(JudgeUnavailableError("busy"),))
    models = Models(ScriptedDetector({0: (face(RIGHT),)}), judge, batch=4)
    whole = Inference(models).judge_picture(ArrayPicture(blue_boxes(RIGHT)))
    assert response(whole)["occluded"] is True


def test_the_worst_picture_of_an_animation_decides() -> None:
    models = Models(ScriptedDetector({0: (face(RIGHT),)}), BlueJudge(), batch=4)
    pictures = [
        ArrayPicture(blue_boxes()),
        ArrayPicture(blue_boxes(RIGHT)),
        ArrayPicture(blue_boxes()),
    ]
    whole = Inference(models).judge_pictures(pictures)
    assert whole["moderation_type"] == "image"
    assert response(whole)["covering"] == "balaclava"
    assert response(whole)["complete"] is True


def test_when_time_runs_out_the_answer_says_what_was_not_judged() -> None:
    crowd = tuple(face(Box(10 * n, 40, 10 * n + 30 + n, 80)) for n in range(9))
    models = Models(ScriptedDetector({0: crowd}), BlueJudge(), batch=4)
    found = response(
        Inference(models, is_late=lambda: True).judge_picture(ArrayPicture(blue_boxes()))
    )
    faces = found["faces"]
    assert isinstance(faces, list)
    assert len(faces) == 4, "one batch, of the largest"
    assert found["complete"] is False
    frames = [frame(n / 5, ArrayPicture(blue_boxes()), sequence=n) for n in range(12)]
    short = response(Inference(models, is_late=lambda: True).judge_video(frames))
    assert short["complete"] is False
