"""The embedded judge: one OpenVINO graph from crops to the logits of the answers.

``monitor models export`` writes the graph from the Hugging Face folder that training leaves.
Neither torch nor transformers is loaded to run it.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from monitor.domain import HeadCrop, Pixels
from monitor.errors import ConfigError, JudgeUnavailableError, first_sentence
from monitor.judge.local.scoring_judge import ScoringJudge
from monitor.judge.profile import ANSWER_LOGITS, GRAPH, SENTENCE_LOGITS, SENTENCES_KEY, read_profile
from monitor.judge.scoring import to_one_line
from monitor.runtime.clock import Clock
from monitor.runtime.openvino_runtime import count_cores, get_core, open_openvino

_log = logging.getLogger(__name__)


class EmbeddedJudge(ScoringJudge):
    """A Judge whose model was exported to OpenVINO. See ScoringJudge.

    Args:
        folder: Holds ``openvino/judge.xml`` and ``monitor.json``.
        clock: Times the answers.
        batch: Crops answered in one forward pass.

    Raises:
        ConfigError: OpenVINO is not installed, or the graph cannot be used; one line with the
            mend.
    """

    def __init__(self, folder: Path, *, clock: Clock, batch: int = 8) -> None:
        super().__init__(folder, read_profile(folder), clock=clock, batch=batch)
        model, self._sentences = _read_graph(folder / GRAPH)
        self._side = int(model.input().partial_shape[1].get_length())
        self._answer_graph = _compile_output(model, ANSWER_LOGITS)
        self._sentence_graph = _compile_output(model, SENTENCE_LOGITS)
        _log.info("%s: scores by OpenVINO", folder)

    def explain(self, crop: HeadCrop) -> str:
        """See Judge. One of the sentences that the model was trained on.

        Raises:
            JudgeUnavailableError: See ``judge``.
        """
        logits = _infer(self._sentence_graph, stretch_crops([crop.pixels], self._side))
        _answer, _, sentence = choose_sentence(self._sentences, logits[0]).partition(" ")
        return to_one_line(sentence)

    def _score_answers(self, crops: Sequence[Pixels]) -> NDArray[np.float32]:
        """See ScoringJudge."""
        return _infer(self._answer_graph, stretch_crops(crops, self._side))


def stretch_crops(crops: Sequence[Pixels], side: int) -> NDArray[np.uint8]:
    """Crops of any sizes as squares, scaled as the model's own processor does it.

    Args:
        crops: N pictures, each (H, W, 3).
        side: In pixels.

    Returns:
        (N, side, side, 3), with the channels in the order of the crops.
    """
    squares = np.empty((len(crops), side, side, 3), np.uint8)
    for square, crop in zip(squares, crops, strict=True):
        # Across first, as torch does it: Pillow alone takes the cheaper order, which rounds
        # otherwise.
        across = Image.fromarray(np.ascontiguousarray(crop)).resize(
            (side, crop.shape[0]), Image.Resampling.BICUBIC
        )
        square[:] = np.asarray(across.resize((side, side), Image.Resampling.BICUBIC))
    return squares


def choose_sentence(sentences: Sequence[str], logits: NDArray[np.float32]) -> str:
    """The sentence that a model writes word by word, always taking the likeliest next word.

    Args:
        sentences: K different ones.
        logits: (K, T) of each word, and of the end behind the last, after the words before it.
    """
    words = [[*sentence.split(), ""] for sentence in sentences]
    candidates = list(range(len(sentences)))
    place = 0
    while len(candidates) > 1:
        best = max(candidates, key=lambda row: logits[row, place])
        candidates = [row for row in candidates if words[row][place] == words[best][place]]
        place += 1
    return sentences[candidates[0]]


def _read_graph(path: Path) -> tuple[Any, list[str]]:
    """The exported graph (an OpenVINO Model), and the sentences that it scores.

    Raises:
        ConfigError: OpenVINO is not installed, or the graph is missing or broken.
    """
    try:
        open_openvino()
        model = get_core().read_model(path)
        return model, json.loads(model.get_rt_info(list(SENTENCES_KEY)).value)
    except ImportError as error:
        raise ConfigError(
            "the embedded judge runs on OpenVINO, which is not installed; pip install openvino "
            "(Linux on x86_64 or aarch64), or name another kind of judge"
        ) from error
    except RuntimeError as error:
        raise ConfigError(
            f"{path}: cannot load the embedded judge: {first_sentence(error)}; "
            "install monitor again, or run monitor models export"
        ) from error


def _compile_output(model: Any, name: str) -> Any:  # noqa: ANN401
    """The part of the graph that computes one output, ready to run.

    Raises:
        ConfigError: OpenVINO cannot run it here.
    """
    options = {
        "INFERENCE_PRECISION_HINT": "f32",  # fewer bits would give other numbers elsewhere
        "INFERENCE_NUM_THREADS": max(count_cores() // 2, 1),  # the detector needs some, too
        "ENABLE_CPU_PINNING": False,  # other threads run on the same cores
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        part = open_openvino().Model([model.output(name)], model.get_parameters())
        return get_core().compile_model(part, "CPU", options)
    except RuntimeError as error:
        raise ConfigError(
            f"OpenVINO cannot run the embedded judge: {first_sentence(error)}; "
            "name another kind of judge"
        ) from error


def _infer(graph: Any, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:  # noqa: ANN401
    """Run a compiled graph of one output.

    Raises:
        JudgeUnavailableError: Out of memory, or the graph failed.
    """
    try:
        return np.asarray(graph(pixels)[0], dtype=np.float32)
    except RuntimeError as error:
        raise JudgeUnavailableError(f"the judge failed: {first_sentence(error)}") from error
