"""The embedded judge's network: Florence-2's architecture, scaled down about a hundredfold.

A DaViT tower (convolutions, attention in windows and between channels) reads the crop; a
small BART reads the tower's tokens with the prompt and writes the answer. Everything is a
class of the transformers library, so the saved folder loads without code of ours.

Source:
    Xiao et al., "Florence-2: Advancing a Unified Representation for a Variety of Vision
    Tasks", 2023; Ding et al., "DaViT: Dual Attention Vision Transformers", 2022.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BartConfig,
    CLIPImageProcessor,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    PreTrainedTokenizerFast,
)

from monitor.train.judge_words import ANSWERS, PROMPT, PROMPT_VERSION, SENTENCES, vocabulary

PAD, START, END, UNKNOWN, IMAGE = SPECIALS = ("<pad>", "<s>", "</s>", "<unk>", "<image>")
PROFILE = "monitor.json"


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a judge. Each tuple has one entry per stage of the tower."""

    crop_px: int = 96
    depths: tuple[int, ...] = (1, 1, 2, 1)
    patch: tuple[int, ...] = (7, 3, 3, 3)
    stride: tuple[int, ...] = (4, 2, 2, 2)
    width: tuple[int, ...] = (32, 64, 160, 256)
    window: int = 6
    text_width: int = 128
    text_layers: int = 1
    drop_path: float = 0.05

    @property
    def image_tokens(self) -> int:
        """How many tokens the tower hands to the text model: its last map, and their mean."""
        side = self.crop_px
        for patch, stride in zip(self.patch, self.stride, strict=True):
            side = (side + 2 * (patch // 2) - patch) // stride + 1
        return side * side + 1


def build_processor(shape: Shape) -> Florence2Processor:
    """Pictures of any size and text, to the tensors the model takes."""
    ids = {word: i for i, word in enumerate([*SPECIALS, *vocabulary()])}
    words = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        extra_special_tokens={"image_token": IMAGE},
        clean_up_tokenization_spaces=False,
    )
    side = {"height": shape.crop_px, "width": shape.crop_px}
    images = CLIPImageProcessor(
        size=side,
        crop_size=side,
        do_center_crop=False,
        do_convert_rgb=True,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.25, 0.25, 0.25],
        image_seq_length=shape.image_tokens,
    )
    return Florence2Processor(image_processor=images, tokenizer=tokenizer)


def build_model(shape: Shape, tokenizer: Any) -> Any:  # noqa: ANN401  (transformers is untyped)
    """A Florence2ForConditionalGeneration with random weights, in float32."""
    text = BartConfig(
        vocab_size=len(tokenizer),
        d_model=shape.text_width,
        encoder_layers=shape.text_layers,
        decoder_layers=shape.text_layers,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=2 * shape.text_width,
        decoder_ffn_dim=2 * shape.text_width,
        max_position_embeddings=128,
        dropout=0.1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.bos_token_id,
        forced_eos_token_id=None,
    )
    stages = len(shape.depths)
    vision = {
        "depths": shape.depths,
        "patch_size": shape.patch,
        "patch_stride": shape.stride,
        "patch_padding": tuple(patch // 2 for patch in shape.patch),
        "patch_prenorm": (False,) + (True,) * (stages - 1),
        "embed_dim": shape.width,
        "num_heads": tuple(max(1, width // 32) for width in shape.width),
        "num_groups": tuple(max(1, width // 32) for width in shape.width),
        "window_size": shape.window,
        "drop_path_rate": shape.drop_path,
        "projection_dim": shape.text_width,
        "max_temporal_embeddings": 4,
        "max_position_embeddings": 16,
    }
    config = Florence2Config(
        text_config=text.to_dict(),
        vision_config=vision,
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = Florence2ForConditionalGeneration(config)
    _wake(model)
    model.generation_config.max_new_tokens = 2 + max(len(s.split()) for s in SENTENCES.values())
    model.generation_config.num_beams = 1
    model.generation_config.decoder_start_token_id = tokenizer.bos_token_id
    return model


def _wake(model: Any) -> None:  # noqa: ANN401
    """Start with weights as large as their inputs are few.

    The library starts every matrix at 0.02, right for widths near a thousand; at a width of
    32 each layer would pass on next to nothing, and learning begins only after minutes.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module is not model.lm_head:
            torch.nn.init.xavier_uniform_(module.weight)
        elif isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="linear")


def write_profile(folder: Path, shape: Shape, version: str, temperature: float) -> None:
    """Write what run time must know beside the weights: the prompt, the answers, the crop."""
    profile = {
        "name": "monitor-judge",
        "version": version,
        "prompt": PROMPT,
        "prompt_version": PROMPT_VERSION,
        "answers": {answer: answer for answer in ANSWERS},
        "crop_px": shape.crop_px,
        "temperature": round(temperature, 4),
        "decoder": "encoder-decoder",
    }
    (folder / PROFILE).write_text(json.dumps(profile, indent=2) + "\n", encoding="utf-8")
