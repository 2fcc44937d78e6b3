"""The trained judge as an OpenVINO graph: from crops to the logits of its answers.

The graph is the Hugging Face model's own scoring pass with what never changes done once: the
question and the sentences are vectors, the places of all words are known. Batch norms are not
folded, so every weight is the one that was saved, and fits float16 as it does there.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from monitor.errors import ConfigError, OutputError, first_sentence
from monitor.judge.local.load import Loaded, load_model
from monitor.judge.profile import (
    ANSWER_LOGITS,
    GRAPH,
    SENTENCE_LOGITS,
    SENTENCES_KEY,
    Profile,
    read_profile,
)
from monitor.runtime.openvino_runtime import open_openvino
from monitor.train.judge.words import SENTENCES, list_vocabulary, split_answer


def export_judge(folder: Path) -> Path:
    """Write a judge's graph into its folder, as ``openvino/judge.xml`` and ``judge.bin``.

    Args:
        folder: A Hugging Face model as the training writes it, with its ``monitor.json``.

    Returns:
        The path of the .xml.

    Raises:
        ConfigError: The folder holds no such model, or OpenVINO is not installed.
        OutputError: The graph cannot be written.
    """
    try:
        openvino = open_openvino()
    except ImportError as error:
        raise ConfigError(
            f"{folder}: exporting needs OpenVINO; pip install openvino, then run "
            "monitor models export"
        ) from error
    loaded = load_model(folder, "cpu")
    known = set(list_vocabulary()) <= set(loaded.processor.tokenizer.get_vocab())
    if loaded.model.config.model_type != "fast_vlm" or not known:
        raise ConfigError(f"{folder}: not made by monitor train judge; name a folder that is")
    graph = _convert(ScoringPass(loaded, read_profile(folder)))
    _halve_constants(openvino, graph)
    for output, name in zip(graph.outputs, (ANSWER_LOGITS, SENTENCE_LOGITS), strict=True):
        output.set_names({name})
    sentences = [" ".join(split_answer(key)) for key in SENTENCES]
    graph.set_rt_info(json.dumps(sentences), list(SENTENCES_KEY))
    path = folder / GRAPH
    try:
        path.parent.mkdir(exist_ok=True)
        openvino.save_model(graph, path, compress_to_fp16=False)
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{path}: {first_sentence(error)}; make the folder writable") from error
    return path


class ScoringPass(torch.nn.Module):  # type: ignore[misc]  # torch goes untyped here
    """One forward pass of the judge over crops, in operations that OpenVINO knows.

    The library's own ``forward`` builds its mask with some that it does not.

    Args:
        loaded: A model that the training wrote; it is shared, not changed.
        profile: Its prompt and answers.
    """

    def __init__(self, loaded: Loaded, profile: Profile) -> None:
        super().__init__()
        model, images = loaded.model, loaded.processor.image_processor
        self.side = int(images.size["height"])
        mean, deviation = (
            torch.tensor(list(values)).reshape(1, 3, 1, 1)
            for values in (images.image_mean, images.image_std)
        )
        self._factor, self._shift = images.rescale_factor / deviation, mean / deviation
        self._tower = model.model.vision_tower
        self._project = model.model.multi_modal_projector
        self._text = model.model.language_model

        blank = np.zeros((8, 8, 3), np.uint8)
        prompt = loaded.processor(images=[blank], text=[profile.prompt], return_tensors="pt")
        ids = prompt["input_ids"]
        image_places = (ids[0] == model.config.image_token_id).nonzero()[:, 0].tolist()
        embed = model.get_input_embeddings()
        question = embed(ids).detach()  # (1, L, D)
        self._before, self._behind = (
            question[:, : image_places[0]],
            question[:, image_places[-1] + 1 :],
        )

        tokenizer = loaded.processor.tokenizer
        rows = [
            [*tokenizer.convert_tokens_to_ids(split_answer(key)), tokenizer.eos_token_id]
            for key in SENTENCES
        ]
        longest = max(len(row) for row in rows)
        padded = torch.tensor(
            [row + [tokenizer.pad_token_id] * (longest - len(row)) for row in rows]
        )
        self._read = embed(padded[:, :-1]).detach()  # (K, T - 1, D)
        words = model.get_output_embeddings().weight.detach()  # (V, D)
        self._written = words[padded]  # (K, T, D)
        self._answers = words[tokenizer.convert_tokens_to_ids(profile.words)].T  # (D, answers)

        length = ids.shape[1] + longest - 1
        low = torch.finfo(torch.float32).min
        self._causal_mask = torch.full((length, length), low).triu(1)[None, None]
        rope = self._text.rotary_emb(question, torch.arange(length)[None])
        self._rope = tuple(part.detach() for part in rope)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Score the answers, and each word of each sentence after the words before it.

        Args:
            pixels: (N, S, S, 3) uint8, blue-green-red.

        Returns:
            (N, answers) and (N, K, T) logits.
        """
        red_first = pixels.permute(0, 3, 1, 2).flip(1).float()
        features = self._tower(red_first * self._factor - self._shift).last_hidden_state
        image = self._project(features.flatten(2).transpose(1, 2))  # (N, s * s, D)
        count = image.shape[0]  # a number that stays open; len() would fix it
        sentences, length, _ = self._written.shape
        before, behind = (part.expand(count, -1, -1) for part in (self._before, self._behind))
        question = torch.cat([before, image, behind], dim=1)  # (N, L, D)
        answers = self._run_text(question)[:, -1] @ self._answers
        repeated = question[:, None].expand(-1, sentences, -1, -1)
        text = torch.cat([repeated, self._read.expand(count, -1, -1, -1)], dim=2)
        states = self._run_text(text.flatten(0, 1))[:, -length:].unflatten(0, (count, sentences))
        return answers, (states * self._written).sum(dim=-1)

    def _run_text(self, x: Tensor) -> Tensor:
        """The text model's last states: (N, L, D) to (N, L, D)."""
        length = x.shape[1]
        mask = self._causal_mask[:, :, :length, :length]
        rope = tuple(part[:, :length] for part in self._rope)
        for layer in self._text.layers:
            x = layer(x, attention_mask=mask, position_embeddings=rope)
        states: Tensor = self._text.norm(x)
        return states


def _convert(scoring: ScoringPass) -> Any:  # noqa: ANN401  (OpenVINO's Model)
    """The graph for any number of crops.

    OpenVINO's ``convert_model`` would fold the batch norms.
    """
    from openvino.frontend import FrontEndManager  # noqa: PLC0415  (open_openvino goes first)
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder  # noqa: PLC0415

    side = scoring.side
    crops = torch.zeros((2, side, side, 3), dtype=torch.uint8)
    with torch.no_grad(), _silence_warnings():
        program = torch.export.export(
            scoring.eval(), (crops,), dynamic_shapes=({0: torch.export.Dim("crops")},)
        )
        decoder = TorchFXPythonDecoder.from_exported_program(program)
        frontend = FrontEndManager().load_by_framework("pytorch")
        read = frontend.load(decoder)  # needs the decoder for as long as it is used
        graph = frontend.convert(read)
    graph.reshape([-1, side, side, 3])
    return graph


@contextmanager
def _silence_warnings() -> Iterator[None]:
    """Silence the converter, which logs operations that it does not know."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _halve_constants(openvino: Any, graph: Any) -> None:  # noqa: ANN401
    """Store each constant that float16 holds exactly as such; it is computed in float32."""
    op = openvino.opset13
    for node in graph.get_ops():
        if node.get_type_name() != "Constant" or node.get_element_type() != openvino.Type.f32:
            continue
        with np.errstate(over="ignore"):
            halves = node.data.astype(np.float16)
        if halves.size > 1 and np.array_equal(halves, node.data):
            restored = op.convert(op.constant(halves), np.float32).output(0)
            for user in node.output(0).get_target_inputs():
                user.replace_source_output(restored)
