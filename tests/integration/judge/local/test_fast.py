"""The embedded judge's short way says what transformers says of the same folder."""

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.demo.drawing import LandmarkedFace, typical_points
from monitor.domain import Pixels
from monitor.judge.local.fast import FastAnswers, fast_answers
from monitor.judge.local.load import Loaded, load
from monitor.judge.local.tower import OpenVinoTower, TorchTower, Tower, open_tower
from monitor.judge.profile import read_profile
from monitor.judge.scoring import probabilities
from monitor.train.synthesis.dress import KINDS, dress
from monitor.train.synthesis.innocent import Overlays
from tests.support import tiny_models

FOLDER = Path(__file__).parents[4] / "models" / "judge"
ENGINES: list[Callable[[Any], Tower]] = [TorchTower, lambda network: OpenVinoTower(network, 96)]


def crop(number: int) -> Pixels:
    """A plain face with something drawn on it, from 12 to 220 pixels a side."""
    rng = np.random.default_rng(number)
    skin = np.full((160, 160, 3), rng.uniform(30, 220, 3), np.uint8)
    behind = rng.integers(0, 256, (160, 160, 3), np.uint8)
    face = LandmarkedFace(skin, typical_points(160, 107))
    drawn = dress(face, behind, Overlays([], [], []), rng, KINDS[number % len(KINDS)]).face.pixels
    height, width = rng.integers(12, 221, 2)
    rows, columns = (np.linspace(0, 159, side).astype(int) for side in (height, width))
    return np.ascontiguousarray(drawn[rows][:, columns])


CROPS = [crop(number) for number in range(104)]


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    import torch

    torch.set_num_threads(1)  # others compute at the same time
    return load(FOLDER, "cpu")


@pytest.fixture(scope="module")
def tokens(loaded: Loaded) -> list[int]:
    words = read_profile(FOLDER).words
    found: list[int] = loaded.processor.tokenizer.convert_tokens_to_ids(words)
    return found


@pytest.fixture(scope="module")
def expected(tokens: list[int]) -> NDArray[np.float32]:
    """(N, 11) logits of the Auto classes, with the folder's own processor."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(FOLDER)
    model = AutoModelForImageTextToText.from_pretrained(FOLDER, dtype=torch.float32).eval()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(CROPS), 26):
            part = [np.ascontiguousarray(c[..., ::-1]) for c in CROPS[start : start + 26]]
            prompt = [read_profile(FOLDER).prompt] * len(part)
            inputs = processor(images=part, text=prompt, return_tensors="pt")
            rows.append(model(**inputs).logits[:, -1, tokens].numpy())
    return np.concatenate(rows)


def answers(loaded: Loaded, tokens: Sequence[int], tower: Tower) -> FastAnswers:
    return FastAnswers(loaded, read_profile(FOLDER).prompt, tokens, tower)


@pytest.mark.parametrize("engine", ENGINES, ids=["torch", "openvino"])
def test_the_probabilities_are_those_of_the_auto_classes(
    engine: Callable[[Any], Tower],
    loaded: Loaded,
    tokens: list[int],
    expected: NDArray[np.float32],
) -> None:
    fast = answers(loaded, tokens, engine(loaded.model.model.vision_tower))
    found = np.concatenate([fast.logits(CROPS[start : start + 13]) for start in range(0, 104, 13)])
    assert len(set(expected.argmax(axis=1))) > 4, "the crops are all alike"
    gap = np.abs(probabilities(found, 1.0) - probabilities(expected, 1.0))
    assert gap.max() < 1e-3  # a tenth of what is promised


def test_a_call_that_hangs_would_not_keep_the_process(loaded: Loaded, tokens: list[int]) -> None:
    fast = answers(loaded, tokens, OpenVinoTower(loaded.model.model.vision_tower, 96))
    threads = [thread for thread in threading.enumerate() if "judge-fast" in thread.name]
    assert fast.logits(CROPS[:1]).shape == (1, 11)
    assert threads
    assert all(thread.daemon for thread in threads)


@pytest.mark.parametrize("engine", ENGINES, ids=["torch", "openvino"])
def test_a_crop_gets_the_same_alone_as_in_a_batch(
    engine: Callable[[Any], Tower], loaded: Loaded, tokens: list[int]
) -> None:
    fast = answers(loaded, tokens, engine(loaded.model.model.vision_tower))
    together = fast.logits(CROPS[:5])
    assert together.shape == (5, 11)
    assert fast.logits(CROPS[3:4])[0] == pytest.approx(together[3], abs=1e-4)


def test_what_is_written_is_what_the_auto_classes_write(loaded: Loaded, tokens: list[int]) -> None:
    """Word for word: only the pictures' features are computed otherwise."""
    fast = answers(loaded, tokens, open_tower(loaded.model.model.vision_tower, 96))
    found, expected = [], []
    for crop in CROPS[::4]:
        picture = np.ascontiguousarray(crop[..., ::-1])
        prompt = read_profile(FOLDER).prompt
        inputs = loaded.processor(images=[picture], text=[prompt], return_tensors="pt")
        written = loaded.model.generate(**inputs, max_new_tokens=40, do_sample=False)
        new = written[0, inputs["input_ids"].shape[1] :]
        expected.append(loaded.processor.tokenizer.decode(new, skip_special_tokens=True))
        found.append(fast.write(crop, 40))
    assert found == expected
    assert len(set(found)) > 4, "the crops are all alike"
    assert fast.write(CROPS[0], 2).split() == found[0].split()[:2]


def test_crops_of_any_shape_and_memory_are_read(loaded: Loaded, tokens: list[int]) -> None:
    fast = answers(loaded, tokens, open_tower(loaded.model.model.vision_tower, 96))
    odd = [np.full(shape, 90, np.uint8) for shape in ((1, 1, 3), (3, 500, 3), (700, 5, 3))]
    mirrored = CROPS[0][:, ::-1]
    found = fast.logits([*odd, mirrored, np.ascontiguousarray(mirrored)])
    assert np.isfinite(found).all()
    assert found[3] == pytest.approx(found[4])


def test_the_shared_model_is_not_changed(
    loaded: Loaded, tokens: list[int], expected: NDArray[np.float32]
) -> None:
    import torch

    answers(loaded, tokens, TorchTower(loaded.model.model.vision_tower)).logits(CROPS[:2])
    inputs = loaded.processor(
        images=[np.ascontiguousarray(CROPS[0][..., ::-1])],
        text=[read_profile(FOLDER).prompt],
        return_tensors="pt",
    )
    with torch.inference_mode():
        still = loaded.model(**inputs).logits[0, -1, tokens].numpy()
    assert still == pytest.approx(expected[0], abs=1e-3)


def test_openvino_is_used_where_it_is_installed_and_torch_elsewhere(
    loaded: Loaded, tokens: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = read_profile(FOLDER).prompt
    found = fast_answers(loaded, prompt, tokens)
    assert found is not None
    assert found.engine == "openvino"
    assert "openvino_telemetry.main" not in sys.modules, "it would call home"
    monkeypatch.setitem(sys.modules, "openvino", None)  # as where it is not installed
    without = fast_answers(loaded, prompt, tokens)
    assert without is not None
    assert without.engine == "torch"


@pytest.mark.parametrize("build", [tiny_models.llava, tiny_models.florence])
def test_models_of_other_shapes_go_the_long_way(
    build: Callable[[Path], Path], tmp_path: Path
) -> None:
    assert fast_answers(load(build(tmp_path), "cpu"), "a question", [5, 6]) is None
