"""The embedded judge's short way from crops to scores and words: exact, and far faster.

What transformers does anew for every call is done once: the question becomes vectors, the
places of all words are known, only the answers' scores are computed, only at the last place.
Pictures are scaled and normalised as the model's own processor does it, to the same numbers.
Models of other shapes, and other devices, go the long way.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.domain import Pixels
from monitor.judge.local.load import Loaded
from monitor.judge.local.tower import Tower, open_tower
from monitor.judge.local.vision_model import answering
from monitor.runtime.pool import DaemonPool

T = TypeVar("T")

_BICUBIC: Final = 3  # as Pillow numbers ways of scaling
_MOST_WRITTEN: Final = 64  # tokens; sentences of alerts are shorter
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
        self._tokenizer = loaded.processor.tokenizer
        self._scale = _Scale(loaded.processor.image_processor)
        self._thread = _one_core() if tower.engine == "openvino" else None
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
        return self._done(lambda: self._text.scores(self._features(crops)).float().numpy())

    def write(self, crop: Pixels, limit: int) -> str:
        """What the model writes about one picture, word by word and without chance.

        Args:
            crop: As one of those of ``logits``.
            limit: Tokens written at most.

        Raises:
            JudgeUnavailableError: See ``logits``.
        """
        tokens = self._done(lambda: self._text.written(self._features([crop]), limit))
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    def _features(self, crops: Sequence[Pixels]) -> Any:  # noqa: ANN401
        return self._tower(self._scale.tensor(crops))

    def _done(self, work: Callable[[], T]) -> T:
        """Do it where torch uses one core, unless torch computes the tower too."""

        def answered() -> T:
            """What comes of it, or a JudgeUnavailableError."""
            with answering():
                return work()

        return answered() if self._thread is None else self._thread.submit(answered).result()


def _one_core() -> DaemonPool:
    """A thread in which torch uses no others.

    A text model of one small layer is computed in a tenth of the time that threads need to
    agree on who does what. How many threads torch uses is each thread's own setting, and at
    the same time that of all threads to come, which is put back.
    """
    import torch

    usual = torch.get_num_threads()
    thread = DaemonPool(1, "judge-fast")
    thread.submit(partial(torch.set_num_threads, 1)).result()
    torch.set_num_threads(usual)
    return thread


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
        self._long = ids.shape[1]
        most = self._long + _MOST_WRITTEN
        nothing = torch.finfo(torch.float32).min
        self._unseen = torch.full((most, most), nothing).triu(1)[None, None]  # what comes later
        self._turned = self._language.rotary_emb(words, torch.arange(most)[None])
        self._words = model.get_output_embeddings().weight  # (V, D)
        self._read = model.get_input_embeddings()
        self._answers = self._words[list(tokens)].T  # (D, K)
        ends = model.generation_config.eos_token_id
        self._ends = set(ends if isinstance(ends, list) else [ends])

    def scores(self, features: Any) -> Any:  # noqa: ANN401
        """(N, C, s, s) of the tower to (N, K)."""
        return self._last(self._asked(features)) @ self._answers

    def written(self, features: Any, limit: int) -> list[int]:  # noqa: ANN401
        """The tokens that follow (1, C, s, s) of the tower, each the likeliest, up to an end."""
        import torch

        x = self._asked(features)
        tokens: list[int] = []
        for _ in range(min(limit, _MOST_WRITTEN)):
            token = int((self._last(x) @ self._words.T).argmax())
            if token in self._ends:
                break
            tokens.append(token)
            x = torch.cat([x, self._read(torch.tensor([[token]]))], dim=1)
        return tokens

    def _asked(self, features: Any) -> Any:  # noqa: ANN401
        """The question with the picture in it, (N, L, D)."""
        import torch

        count = len(features)
        seen = self._project(features.flatten(2).transpose(1, 2))  # (N, s * s, D)
        sides = (self._before.expand(count, -1, -1), self._behind.expand(count, -1, -1))
        return torch.cat([sides[0], seen, sides[1]], dim=1)

    def _last(self, x: Any) -> Any:  # noqa: ANN401
        """What the layers make of the last of (N, L, D): (N, D)."""
        long = x.shape[1]
        turned = tuple(part[:, :long] for part in self._turned)
        for layer in self._language.layers:
            x = layer(
                x, attention_mask=self._unseen[:, :, :long, :long], position_embeddings=turned
            )
        return self._language.norm(x[:, -1])


def _tower(model: Any) -> Any:  # noqa: ANN401
    return model.model.vision_tower


def _is_known(config: Any) -> bool:  # noqa: ANN401
    """Whether a model has the embedded judge's shape; its widths and depths are free."""
    if config.model_type != "fast_vlm":
        return False
    tower, text = config.vision_config, config.text_config
    residual = tower.model_type == "resnet" and tower.layer_type == "basic"
    plain_tower = residual and tower.hidden_act == "relu"
    efficient = tower.model_type == "efficientnet" and tower.hidden_act == "relu6"
    plain_text = text.model_type == "qwen2" and set(text.layer_types) == {"full_attention"}
    return (plain_tower or efficient) and plain_text


def _is_plain(image_processor: Any) -> bool:  # noqa: ANN401
    """Whether a processor does no more than stretch, scale and shift."""
    asked = {name: getattr(image_processor, name, None) for name in _WANTED}
    size = image_processor.size
    return asked == _WANTED and bool(size.get("height")) and size["height"] == size.get("width")
