"""The embedded judge's short way from crops to scores: exact, and several times as fast.

What transformers does anew for every call is done once: the question becomes vectors, the
places of all words are known, only the answers' scores are computed, only at the last place.
Pictures are scaled and normalised as the model's own processor does it, to the same numbers.
Models of other shapes, and other devices, go the long way.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.domain import Pixels
from monitor.judge.loading import Loaded
from monitor.judge.model import answering
from monitor.judge.tower import Tower, open_tower

_BICUBIC: Final = 3  # as Pillow numbers ways of scaling
_WANTED: Final = {
    "do_resize": True,
    "do_center_crop": False,
    "do_rescale": True,
    "do_normalize": True,
    "resample": _BICUBIC,
}


def fast_answers(loaded: Loaded, prompt: str, tokens: Sequence[int]) -> "FastAnswers | None":
    """The short way, or None where the model is not of the embedded judge's shape.

    Args:
        loaded: A model on the CPU, with its processor.
        prompt: The text that goes with every picture.
        tokens: K answers, one token each.
    """
    if not _is_known(loaded.model.config) or not _is_plain(loaded.processor.image_processor):
        return None
    if loaded.model.device.type != "cpu":
        return None
    size = loaded.processor.image_processor.size
    return FastAnswers(loaded, prompt, tokens, open_tower(_tower(loaded.model), size["height"]))


class FastAnswers:
    """Scores of answers to one question about crops. One call at a time.

    Args:
        loaded: See fast_answers; the model is shared, not changed.
        prompt: See fast_answers.
        tokens: See fast_answers.
        tower: Reads the pictures.
    """

    def __init__(self, loaded: Loaded, prompt: str, tokens: Sequence[int], tower: Tower) -> None:
        self.engine = tower.engine
        self._tower = tower
        self._scale = _Scale(loaded.processor.image_processor)
        with answering():
            self._text = _Text(loaded, prompt, tokens)

    def logits(self, crops: Sequence[Pixels]) -> NDArray[np.float32]:
        """What one forward pass says about the answers.

        Args:
            crops: N pictures of any sizes, each (H, W, 3), blue-green-red.

        Returns:
            (N, K), of any scale.

        Raises:
            JudgeUnavailableError: Out of memory, or the engine failed.
        """
        with answering():
            scores = self._text.scores(self._tower(self._scale.tensor(crops)))
            found: NDArray[np.float32] = scores.float().numpy()
        return found


class _Scale:
    """Does what an image processor does: stretched to a square, about 0."""

    def __init__(self, image_processor: Any) -> None:  # noqa: ANN401
        import torch

        size = image_processor.size
        self._size = (int(size["height"]), int(size["width"]))
        mean, deviation = (
            torch.tensor(list(values), dtype=torch.float32).reshape(1, 3, 1, 1)
            for values in (image_processor.image_mean, image_processor.image_std)
        )
        self._factor = image_processor.rescale_factor / deviation
        self._shift = mean / deviation

    def tensor(self, crops: Sequence[Pixels]) -> Any:  # noqa: ANN401
        """(N, 3, S, S) float32, red-green-blue."""
        import torch
        from torch.nn.functional import interpolate

        squares = []
        for crop in crops:
            # (H, W, 3) to (1, 3, H, W); scaled as bytes, as the processor does
            picture = torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1)[None]
            squares.append(interpolate(picture, self._size, mode="bicubic", antialias=True))
        red_first = torch.cat(squares).flip(1).float()
        return (red_first * self._factor - self._shift).contiguous()


class _Text:
    """The text model of one question: from a map of picture features to the answers' scores."""

    def __init__(self, loaded: Loaded, prompt: str, tokens: Sequence[int]) -> None:
        import torch

        model = loaded.model
        blank = np.zeros((8, 8, 3), np.uint8)
        ids = loaded.processor(images=[blank], text=[prompt], return_tensors="pt")["input_ids"]
        places = (ids[0] == model.config.image_token_id).nonzero()[:, 0].tolist()
        words = model.get_input_embeddings()(ids)  # (1, L, D)
        self._before = words[:, : places[0]]
        self._behind = words[:, places[-1] + 1 :]
        self._project = model.model.multi_modal_projector
        self._language = model.model.language_model
        long = ids.shape[1]
        nothing = torch.finfo(torch.float32).min
        self._unseen = torch.full((long, long), nothing).triu(1)[None, None]  # what comes later
        self._turned = self._language.rotary_emb(words, torch.arange(long)[None])
        self._answers = model.get_output_embeddings().weight[list(tokens)].T  # (D, K)

    def scores(self, features: Any) -> Any:  # noqa: ANN401
        """(N, C, s, s) of the tower to (N, K)."""
        import torch

        count = len(features)
        seen = self._project(features.flatten(2).transpose(1, 2))  # (N, s * s, D)
        sides = (self._before.expand(count, -1, -1), self._behind.expand(count, -1, -1))
        x = torch.cat([sides[0], seen, sides[1]], dim=1)
        for layer in self._language.layers:
            x = layer(x, attention_mask=self._unseen, position_embeddings=self._turned)
        return self._language.norm(x[:, -1]) @ self._answers


def _tower(model: Any) -> Any:  # noqa: ANN401
    return model.model.vision_tower


def _is_known(config: Any) -> bool:  # noqa: ANN401
    """Whether a model has the embedded judge's shape; its widths and depths are free."""
    if config.model_type != "fast_vlm":
        return False
    tower, text = config.vision_config, config.text_config
    plain_tower = tower.model_type == "resnet" and tower.layer_type == "basic"
    plain_text = text.model_type == "qwen2" and set(text.layer_types) == {"full_attention"}
    return plain_tower and tower.hidden_act == "relu" and plain_text


def _is_plain(image_processor: Any) -> bool:  # noqa: ANN401
    """Whether a processor does no more than stretch, scale and shift."""
    asked = {name: getattr(image_processor, name, None) for name in _WANTED}
    size = image_processor.size
    return asked == _WANTED and bool(size.get("height")) and size["height"] == size.get("width")
