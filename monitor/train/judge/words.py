"""The embedded judge's vocabulary: eleven answers, and sentences for each.

The first word the judge writes is its answer and is one token; what follows is the
``thinking`` shown with alerts. Every sentence is picked from the templates below, so the
vocabulary is closed and small.
"""

from typing import Final

from monitor.domain import ANSWERS

PROMPT: Final = "what covers the face"
PROMPT_VERSION: Final = "1"

SENTENCES: Final[dict[str, str]] = {
    "none": "the eyes nose and mouth are free to see",
    "none/glasses": "clear glasses leave the eyes nose and mouth free to see",
    "none/hat": "a hat or hood covers the hair but the face is free to see",
    "none/beard": "a beard covers the chin but the face is free to see",
    "none/hand": "a hand or object is near the face but the face is free to see",
    "mask": "a face mask covers mouth and nose",
    "mask_incorrect": "a face mask is worn below the nose",
    "scarf": "a scarf covers mouth and nose",
    "scarf/gaiter": "a neck gaiter is pulled over mouth and nose",
    "balaclava": "a balaclava covers the head and leaves only the eyes free",
    "balaclava/knit": "a knitted balaclava leaves only the eyes free",
    "balaclava/holes": "a balaclava with holes for the eyes covers the head",
    "balaclava/mouth": "a balaclava with holes for eyes and mouth covers the head",
    "balaclava/stocking": "a stocking pulled over the head hides the face",
    "hard_mask": "a hard mask hides the face",
    "hard_mask/hockey": "a hard mask with many holes hides the face",
    "hard_mask/painted": "a painted mask hides the face",
    "helmet": "a helmet with visor hides the face",
    "sunglasses": "dark glasses hide the eyes",
    "hand_object": "an object hides a good part of the face",
    "hand_object/hand": "a hand hides a good part of the face",
    "hand_object/paper": "a sheet of paper hides a good part of the face",
    "away": "no face is in view",
    "unusable": "the picture is too small dark or blurred to say",
}
"""By answer, or by answer and detail where more is known about the picture."""


def split_answer(key: str) -> list[str]:
    """The answer and its sentence, word by word, for an answer such as "scarf/gaiter".

    Raises:
        KeyError: There is no such answer or detail.
    """
    return [key.partition("/")[0], *SENTENCES[key].split()]


def list_vocabulary() -> list[str]:
    """Every word the judge reads or writes, without the special tokens; answers first."""
    words = dict.fromkeys(ANSWERS)
    words |= dict.fromkeys(PROMPT.split())
    for sentence in SENTENCES.values():
        words |= dict.fromkeys(sentence.split())
    return list(words)
