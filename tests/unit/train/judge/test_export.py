"""The exported graph computes what transformers computes, for every shape that can be trained."""

from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: TID253  (the tests of the training need what the training needs)

from monitor.domain import ANSWERS
from monitor.errors import ConfigError, OutputError
from monitor.judge.profile import ANSWER_LOGITS, GRAPH
from monitor.runtime.openvino_runtime import get_core
from monitor.train.judge.export import export_judge
from monitor.train.judge.model import (
    QUESTION,
    Shape,
    build_model,
    build_processor,
    save_weights,
    write_profile,
)
from tests.support import tiny_models

SHAPES = {
    "residual": Shape(crop_px=64, widths=(8, 16, 24), depths=(1, 2, 1), text_width=32),
    "efficient": Shape(crop_px=64, text_width=32, tower="efficient"),
    "deeper text": Shape(crop_px=32, widths=(8, 16), depths=(1, 1), text_width=32, text_layers=2),
}
SLOW = pytest.mark.slow


@pytest.fixture(
    scope="module",
    params=["deeper text", *(pytest.param(name, marks=SLOW) for name in ("residual", "efficient"))],
)
def shape(request: pytest.FixtureRequest) -> Shape:
    return SHAPES[request.param]


@pytest.fixture(scope="module")
def folder(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported judge of each shape."""
    folder = write_judge(tmp_path_factory.mktemp("judge"), shape)
    assert export_judge(folder) == folder / GRAPH
    return folder


def write_judge(folder: Path, shape: Shape) -> Path:
    """Writes a judge whose norms are those of some noise, so that something comes out of it."""
    torch.manual_seed(2)
    torch.set_num_threads(1)
    processor = build_processor(shape)
    model = build_model(shape, processor.tokenizer)
    tower = model.model.vision_tower.train()
    for module in tower.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of all it sees
    with torch.no_grad():
        tower(1 + 2 * torch.randn(8, 3, shape.crop_px, shape.crop_px))
    save_weights(model, folder)
    processor.save_pretrained(folder)
    write_profile(folder, shape, "1", 1.0)
    return folder


def test_the_graph_computes_what_transformers_does(folder: Path, shape: Shape) -> None:
    import transformers as tf

    graph = get_core().compile_model(folder / GRAPH, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    side = shape.crop_px
    crops = np.random.default_rng(5).integers(0, 256, (3, side, side, 3), np.uint8)
    processor = tf.AutoProcessor.from_pretrained(folder, local_files_only=True)
    model = tf.AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True).eval()
    pictures = [np.ascontiguousarray(crop[..., ::-1]) for crop in crops]
    inputs = processor(images=pictures, text=[QUESTION] * 3, return_tensors="pt")
    tokens = processor.tokenizer.convert_tokens_to_ids(list(ANSWERS))
    with torch.inference_mode():
        expected = model(**inputs).logits[:, -1, tokens].numpy()
    found = graph(crops)[ANSWER_LOGITS]
    assert np.ptp(expected, axis=0).max() > 1e-3, "the picture matters"
    assert np.abs(found - expected).max() < 1e-4


def test_the_graph_takes_hardly_more_room_than_the_weights(folder: Path) -> None:
    weights = (folder / "model.safetensors").stat().st_size
    room = (folder / GRAPH).with_suffix(".bin").stat().st_size
    assert room < weights + 60_000, "the question and the sentences, two bytes a number"


def test_a_model_of_another_make_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not made by monitor train judge; name a folder that"):
        export_judge(tiny_models.llava(tmp_path))


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    folder = write_judge(tmp_path, SHAPES["deeper text"])
    (folder / GRAPH.parent).write_text("a file, not a folder")
    with pytest.raises(OutputError, match="make the folder writable"):
        export_judge(folder)
