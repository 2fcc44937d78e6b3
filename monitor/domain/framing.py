"""One framing for everybody: where the head is around a face, and what a judge is shown of it.

Training, evaluation and run time cut crops by these, so that a judge sees what it learnt from.
"""

from typing import Final

from monitor.geometry import Box

_HEAD_OF_FACE: Final = (0.69, 0.9, 0.69, 0.63)
"""A head's left, top, right and bottom edge from the face's centre, in the face's longer sides:
medians over 246 heads labelled by eye on surveillance pictures, faces found by YuNet."""
_CROP_SIDE: Final = 1.1  # of a judge's crop, in longer sides of the head
_CROP_DOWN: Final = 0.08  # of the crop's centre below the head's, in heights of the head


def head_around_face(face: Box) -> Box:
    """The whole head, with hair, around a box from forehead to chin; not clipped."""
    (x, y), size = face.centre, face.longer_side
    left, top, right, bottom = (size * share for share in _HEAD_OF_FACE)
    return Box(x - left, y - top, x + right, y + bottom)


def crop_window(head: Box) -> Box:
    """The square that a judge is shown of a head: the face in its middle; not clipped."""
    x, y = head.centre
    y += _CROP_DOWN * head.height
    half = max(_CROP_SIDE * head.longer_side, 1.0) / 2
    return Box(x - half, y - half, x + half, y + half)
