"""How good a head crop is: sharp, lit and large enough to be worth a look.

Classical measures, computed on the crop scaled to a fixed size, so that one threshold
serves heads of every size.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from monitor.domain import Pixels

_SIDE_PX = 64  # every crop is measured at this size


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured on one crop."""

    sharpness: float  # variance of the Laplacian of the luma at 64 px, grey levels squared
    brightness: float  # mean luma, 0..1


def measured(crop: Pixels) -> Quality:
    """Sharpness and brightness of a (height, width, 3) crop.

    Source:
        Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000, for the
        variance of the Laplacian.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)  # (height, width)
    small = cv2.resize(grey, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)  # (64, 64)
    sharpness = float(cv2.Laplacian(small, cv2.CV_32F).var())
    return Quality(sharpness, float(np.mean(small)) / 255)
