"""A loaded model: the logits of the next token, or a sentence."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.domain import Pixels
from monitor.errors import JudgeUnavailableError, first_sentence
from monitor.judge.local.load import Precision, load_model, map_load_errors
from monitor.judge.scoring import find_answer_tokens

_TILING: Final = ("do_image_splitting", "crop_to_patches", "do_pan_and_scan")
"""Options of image processors that cut a picture into tiles: useless for one head."""


@contextmanager
def map_inference_errors() -> Iterator[None]:
    """Compute without gradients, and map errors to JudgeUnavailableError.

    Raises:
        JudgeUnavailableError: Out of memory, or the model broke; one line.
    """
    import torch

    try:
        with torch.inference_mode():
            yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise JudgeUnavailableError("the judge is out of memory") from error
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise JudgeUnavailableError(f"the judge failed: {first_sentence(error)}") from error


class VisionModel:
    """A model and its processor. Not thread-safe: tokenisers refuse two callers at a time.

    Args:
        folder: A Hugging Face model: config.json, *.safetensors, the processor's files.
        device: As torch names it: "cpu", "cuda", "cuda:1", "xpu", "mps".
        precision: See ``load_model``.

    Raises:
        ConfigError: Nothing usable is there; one line that names the folder and the mend.
    """

    def __init__(self, folder: Path, device: str, precision: Precision = "auto") -> None:
        loaded = load_model(folder, device, precision)
        self._folder = folder
        self._processor = loaded.processor
        self._tokenizer = loaded.processor.tokenizer
        self._model = loaded.model
        self._image_options = _choose_image_options(loaded.processor.image_processor)
        self._options = _choose_forward_options(loaded.model)

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether the model is an encoder-decoder: its answer does not follow the prompt."""
        return bool(self._model.config.is_encoder_decoder)

    @property
    def has_chat_template(self) -> bool:
        """Whether prompts go through a chat template."""
        return getattr(self._processor, "chat_template", None) is not None

    def format_prompt(self, question: str) -> str:
        """The question as the model's chat template writes it, if it has one.

        Raises:
            ConfigError: The template cannot be used.
        """
        if not self.has_chat_template:
            return question
        content = [{"type": "image"}, {"type": "text", "text": question}]
        with map_load_errors(self._folder):
            text: str = self._processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=False,
                enable_thinking=False,
            )
        return text

    def find_answer_tokens(self, prompt: str, answers: Sequence[str]) -> list[int]:
        """The token of each answer to a prompt.

        Raises:
            ValueError: As in scoring; also when an answer is unknown to the tokeniser.
        """

        def tokenise(text: str) -> list[int]:
            """The numbers of a text, without special tokens."""
            numbers: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            return numbers

        tokens = find_answer_tokens(tokenise, "" if self.is_encoder_decoder else prompt, answers)
        if self._tokenizer.unk_token_id in tokens:
            unknown = answers[tokens.index(self._tokenizer.unk_token_id)]
            raise ValueError(f"answer {unknown!r} is not one token")
        return tokens

    def score_answers(
        self, pictures: Sequence[Pixels], prompt: str, tokens: Sequence[int]
    ) -> NDArray[np.float32]:
        """The next token's logits from one forward pass.

        Args:
            pictures: N squares of one size, red-green-blue.
            prompt: From ``format_prompt``; the same for all.
            tokens: K of the vocabulary.

        Returns:
            (N, K), of any scale.

        Raises:
            JudgeUnavailableError: Out of memory, or the model broke on these pictures.
        """
        with map_inference_errors():
            inputs = self._prepare_inputs(pictures, prompt)
            scores = self._model(
                **inputs, **self._start_decoder(len(pictures)), **self._options
            ).logits
            chosen: NDArray[np.float32] = scores[:, -1, list(tokens)].float().cpu().numpy()
        return chosen

    def write(self, picture: Pixels, prompt: str, limit: int) -> str:
        """The text that the model writes about one picture, by greedy decoding.

        Args:
            picture: A red-green-blue square.
            prompt: From ``format_prompt``.
            limit: Tokens written at most.

        Raises:
            JudgeUnavailableError: See ``score_answers``.
        """
        with map_inference_errors():
            inputs = self._prepare_inputs([picture], prompt)
            written = self._model.generate(
                **inputs, max_new_tokens=limit, do_sample=False, num_beams=1
            )
            start = 0 if self.is_encoder_decoder else inputs["input_ids"].shape[1]
            text: str = self._tokenizer.decode(written[0, start:], skip_special_tokens=True)
        return text

    def _prepare_inputs(self, pictures: Sequence[Pixels], prompt: str) -> Any:  # noqa: ANN401
        """The model's inputs. All rows are equally long: one prompt, one size of picture."""
        chat = {"add_special_tokens": False} if self._has_opening_token(prompt) else {}
        inputs = self._processor(
            # Chat processors want the pictures of each conversation, the others a plain list.
            images=[[picture] for picture in pictures]
            if self.has_chat_template
            else list(pictures),
            text=[prompt] * len(pictures),
            return_tensors="pt",
            **self._image_options,
            **chat,
        )
        return inputs.to(self._model.device, dtype=self._model.dtype)

    def _has_opening_token(self, prompt: str) -> bool:
        """Whether a chat template has put the opening token, which must not come twice."""
        opening = self._tokenizer.bos_token
        return self.has_chat_template and opening is not None and prompt.startswith(opening)

    def _start_decoder(self, rows: int) -> dict[str, Any]:
        """For an encoder-decoder, the token that opens each answer."""
        if not self.is_encoder_decoder:
            return {}
        import torch

        start = self._model.generation_config.decoder_start_token_id
        if start is None:
            start = self._model.config.get_text_config(decoder=True).decoder_start_token_id
        return {"decoder_input_ids": torch.full((rows, 1), start, device=self._model.device)}


def _choose_image_options(image_processor: Any) -> dict[str, Any]:  # noqa: ANN401
    """Keep a picture in one piece, and no larger than the model sees it."""
    options: dict[str, Any] = {name: False for name in _TILING if hasattr(image_processor, name)}
    largest = getattr(image_processor, "max_image_size", None)
    if "do_image_splitting" in options and largest:
        options["size"] = {"longest_edge": largest["longest_edge"]}
    return options


def _choose_forward_options(model: Any) -> dict[str, Any]:  # noqa: ANN401
    """Only the last position's scores, and no cache, where the model has these options."""
    options = {"logits_to_keep": 1, "use_cache": False}
    parameters = inspect.signature(model.forward).parameters
    return {name: value for name, value in options.items() if name in parameters}
