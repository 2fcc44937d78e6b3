"""Measuring a judge on the dev split while it trains, and setting its temperature."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from monitor.domain import ANSWERS, OCCLUDED, OCCLUDED_FROM
from monitor.errors import ConfigError
from monitor.train.judge.faces import read_rows
from monitor.train.judge.model import QUESTION

_BATCH: Final = 64
_HIDDEN: Final = [ANSWERS.index(covering.value) for covering in OCCLUDED]
_CLEAR: Final = ANSWERS.index("none")


@dataclass(frozen=True, slots=True, eq=False)
class DevSet:
    """The dev split as the processor gives it.

    Args:
        pixels: (N, 3, S, S) float32.
        labels: (N,) answers, or "not_a_face".
    """

    pixels: torch.Tensor
    labels: list[str]


@dataclass(frozen=True, slots=True)
class DevScore:
    """How well the occluded are told from the clear; ``not_a_face`` and the like left out."""

    count: int
    accuracy: float
    clear_as_clear: float
    occluded_as_occluded: float
    balaclavas_named: float
    loss: float  # of the right answer, after the temperature
    temperature: float


def read_dev(folder: Path, processor: Any, reduce_px: int = 0) -> DevSet:  # noqa: ANN401
    """Read the dev split; ``reduce_px`` shrinks each crop to that many pixels first.

    Raises:
        ConfigError: labels.csv or a picture cannot be read.
    """
    tensors, labels = [], []
    for path, label, _ in read_rows(folder, "dev"):
        crop = cv2.imread(str(path))
        if crop is None:
            raise ConfigError(f"{path}: not a readable picture")
        if reduce_px:
            crop = cv2.resize(crop, (reduce_px, reduce_px), interpolation=cv2.INTER_AREA)
        picture = np.ascontiguousarray(crop[..., ::-1])
        tensors.append(processor.image_processor(picture, return_tensors="pt")["pixel_values"])
        labels.append(label)
    return DevSet(torch.cat(tensors), labels)


def compute_answer_logits(model: Any, processor: Any, dev: DevSet) -> NDArray[np.float64]:  # noqa: ANN401
    """(N, 11): the answers' logits, in the order of ANSWERS."""
    tokens = processor.tokenizer.convert_tokens_to_ids(list(ANSWERS))
    blank = np.zeros((8, 8, 3), np.uint8)
    text = processor(images=[blank], text=[QUESTION], return_tensors="pt")["input_ids"]
    rows = []
    model.eval()
    with torch.inference_mode():
        for pixels in dev.pixels.split(_BATCH):
            out = model(input_ids=text.expand(len(pixels), -1), pixel_values=pixels)
            rows.append(out.logits[:, -1, tokens].double())
    return np.asarray(torch.cat(rows).numpy(), dtype=np.float64)


def compute_occluded_share(logits: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """(N, 11) logits to (N,) probabilities of being occluded, given clear or occluded."""
    scaled = logits / temperature
    hidden = np.logaddexp.reduce(scaled[:, _HIDDEN], axis=1)
    return np.asarray(1 / (1 + np.exp(scaled[:, _CLEAR] - hidden)), dtype=np.float64)


def fit_temperature(logits: NDArray[np.float64], labels: list[str]) -> float:
    """The temperature, from 0.5 to 4, with the lowest loss of occluded against clear."""
    decided = [i for i, label in enumerate(labels) if _is_judged(label)]
    hidden = np.array([labels[i] != "none" for i in decided])

    def mean_loss(temperature: float) -> float:
        """The mean loss at a temperature."""
        share = np.clip(compute_occluded_share(logits[decided], temperature), 1e-6, 1 - 1e-6)
        return float(-np.log(np.where(hidden, share, 1 - share)).mean())

    tried: list[float] = np.geomspace(0.5, 4.0, 60).tolist()
    return min(tried, key=mean_loss)


def score_answers(logits: NDArray[np.float64], labels: list[str]) -> DevScore:
    """The figures by which the best weights are chosen."""
    temperature = fit_temperature(logits, labels)
    decided = np.array([_is_judged(label) for label in labels])
    truth = np.array([label != "none" for label in labels])[decided]
    occluded = compute_occluded_share(logits, temperature)[decided]
    right = (occluded >= OCCLUDED_FROM) == truth
    named_balaclavas = [
        ANSWERS[int(row.argmax())] == label
        for row, label in zip(logits, labels, strict=True)
        if label == "balaclava"
    ]
    losses = -np.log(np.clip(np.where(truth, occluded, 1 - occluded), 1e-6, 1))
    return DevScore(
        count=int(decided.sum()),
        accuracy=float(right.mean()),
        clear_as_clear=float(right[~truth].mean()),
        occluded_as_occluded=float(right[truth].mean()),
        balaclavas_named=float(np.mean(named_balaclavas)) if named_balaclavas else 0.0,
        loss=float(losses.mean()),
        temperature=temperature,
    )


def _is_judged(label: str) -> bool:
    """Whether a label says occluded or clear."""
    return label == "none" or (label in OCCLUDED and label != "mask_incorrect")
