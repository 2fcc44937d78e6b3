"""How often the judge sees which source and answer while it is trained."""

from typing import Final

from monitor.train.judge_words import UNUSABLE

Group = tuple[str, str]
"""A source and an answer; "*" is any answer."""
_MANY: Final = 100
OTHER: Final = 0.012  # of each source and answer that is not in the table, a site's own say

_MASKS: Final = ("andrewmvd", "chandrikadeb7", "jolignier", "masktype")
SHARES: Final[dict[Group, float]] = {
    ("synthetic", "*"): 0.40,
    ("weapons", "none"): 0.06,
    ("faceparts", "none"): 0.055,
    ("jolignier", "none"): 0.03,
    ("andrewmvd", "none"): 0.02,
    ("masktype", "none"): 0.02,
    ("chandrikadeb7", "none"): 0.025,
    ("utkface", "none"): 0.03,
    ("lfw", "none"): 0.01,
    ("scenes", "none"): 0.01,
    ("natural", "none"): 0.12,
    ("natural", "mask"): 0.06,
    ("natural", "mask_incorrect"): 0.01,
    **{(source, "mask"): 0.022 for source in _MASKS},
    ("faceparts", "mask"): 0.015,
    ("scenes", "mask"): 0.01,
    **{(source, "mask_incorrect"): 0.01 for source in _MASKS[2:]},
    ("scenes", "away"): 0.025,
    ("weapons", "away"): 0.03,
    ("background", "away"): 0.006,
    ("videos", "away"): 0.02,
    ("weapons", "sunglasses"): 0.012,
    ("weapons", "hand_object"): 0.01,
    ("weapons", UNUSABLE): 0.008,
    ("faceparts", "sunglasses"): 0.004,
}
"""The same for a small source as for a large one, so that no source stands for an answer,
and more for those labelled by eye."""


def share_of(group: Group, count: int) -> float:
    """How often a sample comes from a group of so many, before all shares are made to sum to 1.

    A few pictures that are in no table are not shown again and again.
    """
    return SHARES.get(group, OTHER * min(count / _MANY, 1.0))
