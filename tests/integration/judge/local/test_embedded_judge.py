"""The embedded judge's graph says what transformers says of the same folder."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.demo.drawing import LandmarkedFace, make_typical_points
from monitor.domain import CameraId, HeadCrop, Moment, Pixels, SubjectId
from monitor.errors import ConfigError
from monitor.judge.local.embedded_judge import EmbeddedJudge, choose_sentence, stretch_crops
from monitor.judge.local.load import Loaded, load_model
from monitor.judge.profile import GRAPH, read_profile
from monitor.judge.scoring import abstain, compute_probabilities
from monitor.train.synthesis.dress import KINDS, dress
from monitor.train.synthesis.innocent import Overlays
from tests.support.crops import SteppingClock, crops, row
from tests.support.fakes import START

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "models" / "judge"
PROFILE = read_profile(FOLDER)


def draw_crop(number: int) -> HeadCrop:
    """A plain face with something drawn on it, from 12 to 220 pixels a side."""
    rng = np.random.default_rng(number)
    skin = np.full((160, 160, 3), rng.uniform(30, 220, 3), np.uint8)
    behind = rng.integers(0, 256, (160, 160, 3), np.uint8)
    face = LandmarkedFace(skin, make_typical_points(160, 107))
    drawn = dress(face, behind, Overlays([], [], []), rng, KINDS[number % len(KINDS)]).face.pixels
    height, width = rng.integers(12, 221, 2)
    rows, columns = (np.linspace(0, 159, side).astype(int) for side in (height, width))
    return as_crop(np.ascontiguousarray(drawn[rows][:, columns]))


def as_crop(pixels: Pixels) -> HeadCrop:
    return HeadCrop(CameraId("yard"), SubjectId(1), Moment(0.0, START), pixels, 20.0)


@pytest.fixture(scope="module")
def drawn() -> list[HeadCrop]:
    return [draw_crop(number) for number in range(104)]


@pytest.fixture(scope="module")
def judge() -> EmbeddedJudge:
    return EmbeddedJudge(FOLDER, clock=SteppingClock(), batch=13)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    import torch

    torch.set_num_threads(1)  # others compute at the same time
    return load_model(FOLDER, "cpu")


def run_transformers(loaded: Loaded, pictures: list[Pixels]) -> NDArray[np.float64]:
    """(N, 11) probabilities by transformers' own classes, the temperature and the doubt as ours."""
    import torch

    tokens = loaded.processor.tokenizer.convert_tokens_to_ids(PROFILE.words)
    logits = []
    with torch.inference_mode():
        for start in range(0, len(pictures), 26):
            inputs = as_inputs(loaded, pictures[start : start + 26])
            logits.append(loaded.model(**inputs).logits[:, -1, tokens].numpy())
    return compute_probabilities(np.concatenate(logits), 1.0)


def as_inputs(loaded: Loaded, pictures: list[Pixels]) -> Any:  # noqa: ANN401
    """What the model takes, by the folder's own processor."""
    red_first = [np.ascontiguousarray(picture[..., ::-1]) for picture in pictures]
    prompt = [PROFILE.prompt] * len(pictures)
    return loaded.processor(images=red_first, text=prompt, return_tensors="pt")


def plain(folder: Path, *, batch: int = 13) -> EmbeddedJudge:
    """The shipped judge without temperatures and without abstaining: the bare softmax."""
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    bare = PROFILE.model_copy(update={"temperature": 1.0, "temperatures": {}, "abstain_above": {}})
    (folder / "monitor.json").write_text(bare.model_dump_json(), encoding="utf-8")
    return EmbeddedJudge(folder, clock=SteppingClock(), batch=batch)


def test_the_probabilities_are_those_of_transformers(
    loaded: Loaded, drawn: list[HeadCrop], tmp_path: Path
) -> None:
    squares = list(stretch_crops([crop.pixels for crop in drawn], 96))
    expected = run_transformers(loaded, squares)
    verdicts = plain(tmp_path).judge([as_crop(square) for square in squares])
    assert len(set(expected.argmax(axis=1))) > 4, "the crops are all alike"
    assert np.abs(np.array([row(v) for v in verdicts]) - expected).max() < 1e-4


def test_crops_of_any_size_are_scaled_as_the_models_processor_does_it(
    loaded: Loaded, drawn: list[HeadCrop], tmp_path: Path
) -> None:
    """Pillow's weights have 22 bits and torch's 15: a grey level here and there."""
    pictures = [crop.pixels for crop in drawn]
    pixels = as_inputs(loaded, pictures)["pixel_values"].numpy()
    levels = np.round((pixels * 0.25 + 0.5) * 255).transpose(0, 2, 3, 1)[..., ::-1]
    gaps = np.abs(stretch_crops(pictures, 96) - levels)
    assert gaps.max() <= 2
    assert (gaps > 0).mean() < 0.02
    verdicts = plain(tmp_path).judge(drawn)
    expected = run_transformers(loaded, pictures)
    assert np.abs(np.array([row(v) for v in verdicts]) - expected).max() < 1e-2


def test_small_crops_have_a_temperature_of_their_own_and_may_be_abstained_from(
    judge: EmbeddedJudge, drawn: list[HeadCrop], tmp_path: Path
) -> None:
    logits = np.log([row(verdict) for verdict in plain(tmp_path).judge(drawn)])
    sides = [max(crop.pixels.shape[:2]) for crop in drawn]
    temperatures = np.array([[PROFILE.get_temperature(side)] for side in sides])
    limits = np.array([PROFILE.get_abstain_limit(side) for side in sides])
    expected = abstain(compute_probabilities(logits.astype(np.float32), temperatures), limits)
    assert np.abs(np.array([row(v) for v in judge.judge(drawn)]) - expected).max() < 1e-5


def test_a_crop_gets_the_same_alone_as_in_a_batch(
    judge: EmbeddedJudge, drawn: list[HeadCrop]
) -> None:
    together = judge.judge(drawn[:5])
    (alone,) = judge.judge(drawn[3:4])
    assert row(alone) == pytest.approx(row(together[3]), abs=1e-5)


def test_a_sentence_is_what_transformers_writes(
    judge: EmbeddedJudge, loaded: Loaded, drawn: list[HeadCrop]
) -> None:
    found, expected = [], []
    for square in stretch_crops([crop.pixels for crop in drawn[::4]], 96):
        inputs = as_inputs(loaded, [square])
        written = loaded.model.generate(**inputs, max_new_tokens=40, do_sample=False)
        new = written[0, inputs["input_ids"].shape[1] :]
        reply = loaded.processor.tokenizer.decode(new, skip_special_tokens=True)
        expected.append(reply.partition(" ")[2])
        found.append(judge.explain(as_crop(square)))
    assert found == expected
    assert len(set(found)) > 4, "the crops are all alike"


def test_a_sentence_is_followed_word_by_word() -> None:
    """The likeliest first word decides, even where another sentence would be likelier in all."""
    sentences = ["mask a mask", "none free", "none free at last"]
    logits = np.array(
        [
            [2.0, 9.0, 9.0, 9.0],
            [3.0, 1.0, -1.0, 0.0],  # ends after "free" ...
            [3.0, 1.0, -0.5, 0.0],  # ... or, likelier, goes on
        ],
        np.float32,
    )
    assert choose_sentence(sentences, logits) == "none free at last"
    logits[1, 2] = 0.0
    assert choose_sentence(sentences, logits) == "none free"
    logits[0, 0] = 4.0
    assert choose_sentence(sentences, logits) == "mask a mask"


def test_crops_of_any_shape_and_memory_are_read(judge: EmbeddedJudge) -> None:
    odd = [np.full(shape, 90, np.uint8) for shape in ((1, 1, 3), (3, 500, 3), (700, 5, 3))]
    mirrored = crops(3)[2].pixels[:, ::-1]
    pictures = [*odd, mirrored, np.ascontiguousarray(mirrored)]
    verdicts = judge.judge([as_crop(picture) for picture in pictures])
    assert all(np.isfinite(row(verdict)).all() for verdict in verdicts)
    assert row(verdicts[3]) == row(verdicts[4])


def test_verdicts_carry_the_facts_of_their_crops(judge: EmbeddedJudge) -> None:
    seen = crops(3)
    for crop, verdict in zip(seen, judge.judge(seen), strict=True):
        assert (verdict.camera, verdict.subject) == (crop.camera, crop.subject)
        assert verdict.moment is crop.moment
        assert (verdict.judge, verdict.thinking) == (judge.name, "")
        assert verdict.timings.judge == 250
    assert judge.judge([]) == []


WATCHED = """
import sys
from pathlib import Path
from monitor.judge.local.embedded_judge import EmbeddedJudge
from tests.support.crops import SteppingClock, crops

judge = EmbeddedJudge(Path(sys.argv[1]), clock=SteppingClock())
judge.warm_up()
judge.judge(crops(2))
judge.explain(crops(1)[0])
print(*sys.modules)
"""


def test_it_runs_without_torch_and_reports_to_nobody() -> None:
    done = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-c", WATCHED, str(FOLDER)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    modules = set(done.stdout.split())
    assert "openvino" in modules
    assert not modules & {"torch", "transformers", "openvino_telemetry.main"}


def test_without_openvino_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)  # as where it is not installed
    with pytest.raises(ConfigError, match=r"OpenVINO, which is not installed; pip install open"):
        EmbeddedJudge(FOLDER, clock=SteppingClock())


@pytest.mark.parametrize("spoilt", ["missing", "cut short", "no weights", "of something else"])
def test_a_broken_graph_is_one_line_that_names_it_and_the_mend(spoilt: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "judge"))
    graph = folder / GRAPH
    if spoilt == "missing":
        graph.unlink()
    elif spoilt == "cut short":
        graph.write_bytes(graph.read_bytes()[:2000])
    elif spoilt == "no weights":
        graph.with_suffix(".bin").unlink()
    else:
        text = graph.read_text(encoding="utf-8")
        graph.write_text(text.replace("<judge>", "<other>").replace("</judge>", "</other>"))
    with pytest.raises(ConfigError) as caught:
        EmbeddedJudge(folder, clock=SteppingClock())
    told = str(caught.value)
    assert told.startswith(f"{graph}: cannot load the embedded judge: ")
    assert told.endswith("install monitor again, or run monitor models export")
    assert len(told.splitlines()) == 1
