"""The embedded judge's network: FastVLM's architecture, a thousandth of its size.

A convolutional tower, EfficientNet-lite0 or plain residual, reads the crop; its last map, nine
tokens, and the prompt go through one layer of a Qwen2 text model, which writes the answer.
Everything is a class of the transformers library, so the saved folder loads without code of
ours. A tower with attention (Florence-2's) was tried first and learned a good deal slower.

Source:
    Vasu et al., "FastVLM: Efficient Vision Encoding for Vision Language Models", 2025;
    Tan & Le, "EfficientNet", 2019;
    He et al., "Deep Residual Learning for Image Recognition", 2016.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessor,
    EfficientNetConfig,
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2Config,
    ResNetConfig,
)

from monitor.domain import ANSWERS
from monitor.train.judge.words import PROMPT, PROMPT_VERSION, SENTENCES, list_vocabulary

PAD, START, END, UNKNOWN, IMAGE = SPECIALS = ("<pad>", "<s>", "</s>", "<unk>", "<image>")
QUESTION: Final = f"{IMAGE} {PROMPT}"
"""The text given to the processor with each picture."""
PROFILE: Final = "monitor.json"
_LITE_WIDTH: Final = 1280
_SHRINKS: Final = 32
_OPEN: Final = 30.0  # a gate's bias; its sigmoid is exactly one in float32
_IDLE: Final = 1e-3  # so small a share leaves one squeezed channel, which does nothing


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a judge.

    ``widths`` and ``depths`` have one entry per stage of a residual tower; an efficient one is
    EfficientNet-lite0, whose sizes are its own.
    """

    crop_px: int = 96
    widths: tuple[int, ...] = (32, 64, 128, 256)
    depths: tuple[int, ...] = (2, 2, 2, 2)
    text_width: int = 128
    text_layers: int = 1
    tower: Literal["residual", "efficient"] = "residual"

    @property
    def map_side(self) -> int:
        """Places along one side of the tower's last map; each convolution rounds up."""
        return -(-self.crop_px // (_SHRINKS if self._is_efficient else 2 << len(self.widths)))

    @property
    def map_width(self) -> int:
        """Features at each place of the tower's last map."""
        return _LITE_WIDTH if self._is_efficient else self.widths[-1]

    @property
    def _is_efficient(self) -> bool:
        return self.tower == "efficient"

    @property
    def image_tokens(self) -> int:
        """How many tokens the tower hands to the text model."""
        return self.map_side**2


def build_processor(shape: Shape) -> LlavaProcessor:
    """Pictures of any size and text, to the tensors the model takes."""
    ids = {word: i for i, word in enumerate([*SPECIALS, *list_vocabulary()])}
    word_tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    word_tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=word_tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        extra_special_tokens={"image_token": IMAGE},
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
    side = {"height": shape.crop_px, "width": shape.crop_px}
    images = CLIPImageProcessor(
        size=side,
        crop_size=side,
        do_center_crop=False,
        do_convert_rgb=True,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.25, 0.25, 0.25],
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=shape.crop_px // shape.map_side,  # the processor rounds down
        vision_feature_select_strategy="full",
        image_token=IMAGE,
        num_additional_image_tokens=0,
    )


def build_model(shape: Shape, tokenizer: Any) -> Any:  # noqa: ANN401  (transformers is untyped)
    """A FastVlmForConditionalGeneration with random weights, in float32."""
    vision = (
        _build_efficient_config(shape)
        if shape.tower == "efficient"
        else _build_residual_config(shape)
    )
    vision.hidden_size = shape.map_width  # what FastVLM asks of any tower
    ends = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    text = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=shape.text_width,
        intermediate_size=2 * shape.text_width,
        num_hidden_layers=shape.text_layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        **ends,
    )
    config = FastVlmConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=shape.image_tokens,
        tie_word_embeddings=True,
        **ends,
    )
    model = FastVlmForConditionalGeneration(config)
    if shape.tower == "efficient":
        _open_gates(model.model.vision_tower)
    model.generation_config.max_new_tokens = 2 + max(len(s.split()) for s in SENTENCES.values())
    return model


def _build_residual_config(shape: Shape) -> Any:  # noqa: ANN401
    return ResNetConfig(
        embedding_size=shape.widths[0],
        hidden_sizes=list(shape.widths),
        depths=list(shape.depths),
        layer_type="basic",
        hidden_act="relu",
    )


def _build_efficient_config(shape: Shape) -> Any:  # noqa: ANN401
    """The *lite* form: no squeeze and excitation, and an activation that stops at six."""
    return EfficientNetConfig(
        image_size=shape.crop_px,
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_dim=_LITE_WIDTH,
        hidden_act="relu6",
        squeeze_expansion_ratio=_IDLE,
        batch_norm_momentum=0.01,  # torch counts the other way round
        dropout_rate=0.0,
        drop_connect_rate=0.0,
    )


def _open_gates(tower: Any) -> None:  # noqa: ANN401
    """Let squeeze and excitation pass everything through, for good: lite towers have none.

    The library begins with norms near nought, from which nothing is learned; torch's begin at one.
    """
    for module in tower.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.BatchNorm2d):
            module.reset_parameters()
    for block in tower.encoder.blocks:
        gate = block.squeeze_excite
        for layer in (gate.reduce, gate.expand):
            torch.nn.init.zeros_(layer.weight)
        torch.nn.init.constant_(gate.expand.bias, _OPEN)
        gate.requires_grad_(requires_grad=False)
        gate.forward = _pass_through  # the same with less to compute


def _pass_through(x: Any) -> Any:  # noqa: ANN401
    return x


def save_weights(model: Any, folder: Path) -> None:  # noqa: ANN401
    """Write a model in half the bytes; it is read back in float32, as its config says."""
    halves = {
        name: weights.half() if weights.is_floating_point() else weights
        for name, weights in model.state_dict().items()
    }
    model.save_pretrained(folder, state_dict=halves)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)


def write_profile(folder: Path, shape: Shape, version: str, temperature: float) -> None:
    """Write what run time must know beside the weights: the prompt, the answers, the crop."""
    profile = {
        "name": "monitor-judge",
        "version": version,
        "prompt": QUESTION,
        "prompt_version": PROMPT_VERSION,
        "answers": {answer: answer for answer in ANSWERS},
        "crop_px": shape.crop_px,
        "temperature": round(temperature, 4),
        "decoder": "causal",
    }
    (folder / PROFILE).write_text(json.dumps(profile, indent=2) + "\n", encoding="utf-8")
