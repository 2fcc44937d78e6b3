"""How long the embedded judge takes for one crop, and how many crops a second in batches.

    python -m tests.benchmarks.judge [ROUNDS] [PEER_LAYERS]

Beside it, in turn and on the same crops, the same model asked by transformers alone, and a
model of SmolVLM-256M's shape: random weights from its published sizes, nothing downloaded,
scored in one forward pass as ours is. Scaling the crops counts for all. Medians over the
rounds; fewer PEER_LAYERS than 30 make a quick look, not a comparison.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from monitor.domain import CameraId, HeadCrop, Moment, Pixels, SubjectId
from monitor.judge.local.embedded_judge import EmbeddedJudge
from monitor.judge.local.load import Loaded, load_model
from monitor.judge.profile import read_profile
from monitor.runtime.clock import SystemClock

FOLDER: Final = Path(__file__).parents[2] / "models" / "judge"
BATCH: Final = 16
PEER_BATCH: Final = 4  # of the large model; more are no faster and take its memory
PEER_PX: Final = 512
PEER_WORDS: Final = 160  # tokens of the question, as a chat template gives them
LAYERS: Final = 30

Judge = Callable[[Sequence[Pixels]], object]


def ours(loaded: Loaded) -> dict[str, Judge]:
    """The embedded judge, and the same model through transformers."""
    profile = read_profile(FOLDER)
    tokens = loaded.processor.tokenizer.convert_tokens_to_ids(profile.words)
    embedded = EmbeddedJudge(FOLDER, clock=SystemClock(), batch=BATCH)
    moment = Moment(0.0, SystemClock().now())

    def judge(crops: Sequence[Pixels]) -> object:
        """As the pipeline asks it."""
        return embedded.judge(
            [HeadCrop(CameraId("a"), SubjectId(1), moment, crop, 20.0) for crop in crops]
        )

    def by_the_book(crops: Sequence[Pixels]) -> object:
        """As the library's documentation has it."""
        import torch

        pictures = [np.ascontiguousarray(crop[..., ::-1]) for crop in crops]
        prompts = [profile.prompt] * len(crops)
        inputs = loaded.processor(images=pictures, text=prompts, return_tensors="pt")
        with torch.inference_mode():
            return loaded.model(**inputs).logits[:, -1, tokens]

    return {"ours": judge, "ours, by transformers": by_the_book}


def smolvlm(layers: int) -> Judge:
    """SmolVLM-256M's shape: SigLIP of 12 layers at 512 px, Llama of 30 layers, 64 picture tokens.

    Source:
        config.json of HuggingFaceTB/SmolVLM-256M-Instruct; Marafioti et al., "SmolVLM", 2025.
    """
    import torch
    import transformers as tf

    picture = 5
    config = tf.Idefics3Config(
        vision_config={
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": min(12, layers),
            "num_attention_heads": 12,
            "image_size": PEER_PX,
            "patch_size": 16,
        },
        text_config={
            "model_type": "llama",
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": layers,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "vocab_size": 49280,
            "pad_token_id": 2,
        },
        scale_factor=4,
        image_token_id=picture,
        tie_word_embeddings=True,
    )
    model = tf.Idefics3ForConditionalGeneration(config).eval()
    words = torch.full((1, 64 + PEER_WORDS), 9)
    words[:, 4:68] = picture

    def judge(crops: Sequence[Pixels]) -> object:
        """One forward pass, only the last place's scores."""
        tensors = [_stretched(crop) for crop in crops]
        with torch.inference_mode():
            return model(
                input_ids=words.expand(len(crops), -1),
                pixel_values=torch.stack(tensors)[:, None],  # (N, 1, 3, 512, 512)
                logits_to_keep=1,
                use_cache=False,
            ).logits

    return judge


def _stretched(crop: Pixels) -> Any:  # noqa: ANN401
    """(3, 512, 512) about 0."""
    import torch
    from torch.nn.functional import interpolate

    picture = torch.from_numpy(crop).permute(2, 0, 1)[None]
    large = interpolate(picture, (PEER_PX, PEER_PX), mode="bicubic", antialias=True)
    return large[0].flip(0).float() / 127.5 - 1


def seconds(judge: Judge, crops: Sequence[Pixels]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    judge(crops)
    return time.perf_counter() - began


def main(rounds: int = 20, layers: int = LAYERS) -> None:
    """Measure all in turn and print a table."""
    random = np.random.default_rng(3)
    sides = random.integers(60, 200, BATCH)
    crops = [random.integers(0, 256, (side, side, 3), np.uint8) for side in sides]
    ways = ours(load_model(FOLDER, "cpu"))
    ways[f"SmolVLM-256M's shape, {layers} layers"] = smolvlm(layers)
    batches = {name: PEER_BATCH if name.startswith("Smol") else BATCH for name in ways}
    for name, judge in ways.items():
        judge(crops[: batches[name]])  # the first calls prepare
        judge(crops[:1])
    single: dict[str, list[float]] = {name: [] for name in ways}
    batched: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, judge in ways.items():
            one = number % BATCH
            single[name].append(seconds(judge, crops[one : one + 1]))
            count = batches[name]
            batched[name].append(seconds(judge, crops[:count]) / count)
    lines = ["| judge | one crop, median ms | p95 ms | crops/s in batches | of |"]
    lines.append("|---|--:|--:|--:|--:|")
    for name in ways:
        ones = sorted(single[name])
        late = ones[min(len(ones) - 1, round(0.95 * len(ones)))]
        lines.append(
            f"| {name} | {1000 * statistics.median(ones):.1f} | {1000 * late:.1f} | "
            f"{1 / statistics.median(batched[name]):.1f} | {batches[name]} |"
        )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
