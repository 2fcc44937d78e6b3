"""Real model folders, tiny and random, built from configurations: nothing is downloaded."""

import json
import shutil
from pathlib import Path
from typing import Any

import tokenizers
from safetensors.torch import load_file, save_file

from monitor.domain import Covering
from monitor.judge.profile import EXPLAIN, build_chat_profile

WORDS = (*(covering.value for covering in Covering), "unusable", "what", "covers", "the", "face")
_SPECIAL = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
_TALK = " ".join(f"{letter} \n{letter} : {letter}" for letter in "ABCDEFGHIJK")


def write_profile(folder: Path, **changes: object) -> None:
    """Puts a monitor.json for ``florence`` in a folder, with some keys replaced."""
    profile: dict[str, object] = {
        "name": "tiny",
        "version": "1",
        "prompt": "what covers the face",
        "prompt_version": "1",
        "answers": {word: word for word in WORDS[:11]},
        "crop_px": 32,
        "temperature": 1.0,
        "decoder": "encoder-decoder",
    }
    (folder / "monitor.json").write_text(json.dumps(profile | changes), encoding="utf-8")


def copied(folder: Path, to: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(folder, to))


def spoil_weights(folder: Path) -> None:
    """Makes every weight of a model not a number."""
    import torch

    path = folder / "model.safetensors"
    weights = {name: torch.full_like(tensor, torch.nan) for name, tensor in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})


def blinded(folder: Path) -> Path:
    """Takes away what carries pictures into a model's words."""
    import torch

    path = folder / "model.safetensors"
    weights = load_file(path)
    for name in weights:
        if "projector" in name:
            weights[name] = torch.zeros_like(weights[name])
    save_file(weights, path, metadata={"format": "pt"})
    return folder


def florence(folder: Path) -> Path:
    """The embedded judge's shape: an encoder-decoder whose vocabulary is whole words."""
    import transformers as tf

    tokenizer = _word_tokenizer(["<image>"], image_token="<image>")  # noqa: S106
    config = tf.Florence2Config(
        text_config={
            "model_type": "bart",
            "vocab_size": len(tokenizer),
            "d_model": 16,
            **dict.fromkeys(("encoder_layers", "decoder_layers"), 1),
            **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2),
            **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 32),
            "max_position_embeddings": 64,
            "init_std": 0.5,
            **_ids(tokenizer),
            "decoder_start_token_id": tokenizer.bos_token_id,
            "forced_eos_token_id": None,
        },
        vision_config={
            "embed_dim": [8, 8, 8, 16],
            "depths": [1, 1, 1, 1],
            "num_heads": [1, 1, 1, 2],
            "num_groups": [1, 1, 1, 2],
            "patch_size": [7, 3, 3, 3],
            "patch_stride": [4, 2, 2, 1],
            "patch_padding": [3, 1, 1, 1],
            "patch_prenorm": [False, True, True, True],
            "window_size": 2,
            "projection_dim": 16,
            "max_position_embeddings": 8,
            "initializer_range": 0.5,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        **_ids(tokenizer),
    )
    images = tf.CLIPImageProcessor(
        size={"height": 32, "width": 32},
        do_center_crop=False,
        image_mean=[0.5] * 3,
        image_std=[0.25] * 3,
        image_seq_length=5,
    )
    write_profile(folder)
    processor = tf.Florence2Processor(images, tokenizer)
    return _saved(folder, processor, tf.Florence2ForConditionalGeneration, config)


def idefics(folder: Path) -> Path:
    """SmolVLM's shape: a causal chat model whose processor likes to cut pictures into tiles."""
    import transformers as tf

    tokenizer = _chat_tokenizer(["<fake_token_around_image>", "<image>", "<end_of_utterance>"])
    config = tf.Idefics3Config(
        text_config=_text("llama", tokenizer),
        vision_config={**_VISION, "image_size": 32, "patch_size": 8},
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    images = tf.Idefics3ImageProcessor(
        size={"longest_edge": 128}, max_image_size={"longest_edge": 32}
    )
    processor = tf.Idefics3Processor(
        images, tokenizer, image_seq_len=4, chat_template=_template("<image>")
    )
    return _saved(folder, processor, tf.Idefics3ForConditionalGeneration, config)


def llava(folder: Path) -> Path:
    """LLaVA's shape: the replies of its template follow a colon, and so have a space first."""
    import transformers as tf

    tokenizer = _chat_tokenizer(["<image>"])
    config = tf.LlavaConfig(
        text_config=_text("llama", tokenizer),
        vision_config={
            **_VISION,
            "model_type": "clip_vision_model",
            "image_size": 32,
            "patch_size": 8,
            "projection_dim": 16,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    processor = tf.LlavaProcessor(
        tf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_template("<image>").replace("assistant\n", "ASSISTANT:"),
    )
    return _saved(folder, processor, tf.LlavaForConditionalGeneration, config)


def qwen(folder: Path) -> Path:
    """Qwen2-VL's shape: pictures become more or fewer tokens with their size."""
    import transformers as tf

    marks = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = _chat_tokenizer(marks)
    start, end, image, video = tokenizer.convert_tokens_to_ids(marks)
    config = tf.Qwen2VLConfig(
        text_config=_text("qwen2_vl_text", tokenizer)
        | {"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2]}},
        vision_config={
            "depth": 1,
            "embed_dim": 16,
            "hidden_size": 16,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 8,
            "spatial_merge_size": 2,
        },
        vision_start_token_id=start,
        vision_end_token_id=end,
        image_token_id=image,
        video_token_id=video,
    )
    sizes: dict[str, Any] = {"patch_size": 8, "merge_size": 2}
    processor = tf.Qwen2VLProcessor(
        tf.Qwen2VLImageProcessor(size={"shortest_edge": 32 * 32, "longest_edge": 64 * 64}, **sizes),
        tokenizer,
        tf.Qwen2VLVideoProcessor(**sizes),
        chat_template=_template("<|vision_start|><|image_pad|><|vision_end|>"),
    )
    return _saved(folder, processor, tf.Qwen2VLForConditionalGeneration, config)


def text_only(folder: Path) -> Path:
    """A language model that reads no pictures."""
    import transformers as tf

    tokenizer = _chat_tokenizer([])
    config = tf.LlamaConfig(**_text("llama", tokenizer))
    return _saved(folder, tokenizer, tf.LlamaForCausalLM, config)


_VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "initializer_range": 0.5,
}


def _text(model_type: str, tokenizer: Any) -> dict[str, Any]:  # noqa: ANN401
    """A language model of one layer."""
    return {
        **_VISION,
        "model_type": model_type,
        "vocab_size": len(tokenizer),
        "num_key_value_heads": 1,
        "max_position_embeddings": 1024,
        **_ids(tokenizer),
    }


def _ids(tokenizer: Any) -> dict[str, int]:  # noqa: ANN401
    return {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in _ENDS}


_ENDS = ("pad", "bos", "eos")


def _template(picture: str) -> str:
    """A chat template like those of real models, with their way of marking a picture."""
    return (
        "<s>{% for message in messages %}{{ message['role'] }}\n"
        "{% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}" + picture + "{% else %}{{ part['text'] }}{% endif %}"
        "{% endfor %}</s>\n{% endfor %}{% if add_generation_prompt %}assistant\n{% endif %}"
    )


def _word_tokenizer(marks: list[str], **names: str) -> Any:  # noqa: ANN401
    """One token per word, as the embedded judge has."""
    import transformers as tf

    words = [*_SPECIAL.values(), *marks, *WORDS]
    model = tokenizers.models.WordLevel(
        {word: number for number, word in enumerate(words)},
        unk_token="<unk>",  # noqa: S106
    )
    raw = tokenizers.Tokenizer(model)
    raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return tf.PreTrainedTokenizerFast(tokenizer_object=raw, **_SPECIAL, **names)


def _chat_tokenizer(marks: list[str]) -> Any:  # noqa: ANN401
    """Byte pairs, as chat models have: letters are tokens with and without a space before."""
    import transformers as tf

    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=900,
        show_progress=False,
        special_tokens=[*_SPECIAL.values(), *marks],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    raw.train_from_iterator([_TALK, EXPLAIN, build_chat_profile(Path("any")).prompt] * 10, trainer)
    # As Llama's: an opening token of its own accord, though the chat template puts one too.
    raw.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", raw.token_to_id("<s>"))]
    )
    return tf.PreTrainedTokenizerFast(tokenizer_object=raw, **_SPECIAL, extra_special_tokens=marks)


def _saved(folder: Path, processor: Any, kind: Any, config: Any) -> Path:  # noqa: ANN401
    """Writes the folder; the same weights every time."""
    import torch
    import transformers as tf

    tf.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # so small that threads would only wait for each other
    torch.manual_seed(0)
    model = kind(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights), alpha=0.1)  # biases too
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
