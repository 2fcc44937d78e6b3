"""Tampering: a covered or turned lens, a dark, frozen or blurred picture."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.config.schema import Tampering as Settings
from monitor.domain import TamperingReason

Luma: TypeAlias = NDArray[np.uint8]
"""(height, width), 0..255: the brightness of a picture."""

_Averages: TypeAlias = NDArray[np.float32]

MIN_CONTRAST = (
    7.0  # grey levels of standard deviation; less, in a lit picture, and the lens is covered
)
MAX_DARK_LEVEL = 42.0  # grey levels; without light, nearly all pixels are darker (black is 16)
MIN_LIT_SHARE = 0.7  # of the usual brightness; above it the view is lit
MAX_COVERING_S = 3.0  # in which a lens is covered; light that goes more slowly is nightfall
MAX_FROZEN_DIFFERENCE = 3  # grey levels of a pixel; a frozen picture changes a little by coding
MAX_CHANGED_SHARE = 0.001  # of the pixels of a frozen picture that may change more
MIN_SHARPNESS = 0.2  # of the usual sharpness
MIN_CORRELATION = 0.5  # of the view with the usual one; another view has about 0
SETTLING_S = 5.0  # before the usual view and sharpness are known
MEMORY_S = 120.0  # over which the usual view, sharpness and brightness are averaged
GLANCE_S = 2.0  # over which the view is averaged, so that people who pass do not count
ADOPT_VIEW_S = 600.0  # after which another view becomes the usual one
MAX_STEP_S = 2.5  # between two pictures; a longer gap counts as this


@dataclass(slots=True)
class _Debounce:
    """Raises a sign that lasts, and clears it once it has been gone for a while."""

    after_s: float
    clear_s: float
    strict: bool = False  # one picture without the sign starts again from 0
    held_s: float = 0.0
    raised: bool = False

    def update(self, *, active: bool, elapsed_s: float) -> None:
        """Take in whether the latest picture shows the sign."""
        if active:
            self.held_s = min(self.held_s + elapsed_s, self.after_s)
        elif self.strict and not self.raised:
            self.held_s = 0.0
        else:
            self.held_s = max(self.held_s - elapsed_s * self.after_s / self.clear_s, 0.0)
        if self.held_s >= self.after_s:
            self.raised = True
        elif self.held_s <= 0:
            self.raised = False


@dataclass(slots=True)
class _RunningMean:
    """An exponential average that starts as a plain mean."""

    value: _Averages = field(default_factory=lambda: np.empty(0, np.float32))
    known_s: float = 0.0  # how long it has been averaged

    def add(self, new: _Averages, elapsed_s: float, memory_s: float) -> None:
        """Add one value; another shape starts again."""
        if self.value.shape != new.shape:
            self.value, self.known_s = new.copy(), 0.0
        self.known_s += elapsed_s
        self.value += (1 - math.exp(-elapsed_s / min(self.known_s + 0.1, memory_s))) * (
            new - self.value
        )


class TamperDetector:
    """Checks one camera's pictures for signs of tampering. Not thread-safe.

    A sign must last for a while before it counts, and be gone for a while before it is
    cleared. Seconds are those of the frames, so a replay gives the same result.
    """

    def __init__(self, settings: Settings) -> None:
        self._debounced: Mapping[TamperingReason, _Debounce] = {
            reason: _Debounce(
                settings.get_delay_s(reason),
                settings.clear_after_s,
                reason is TamperingReason.IMAGE_FROZEN,
            )
            for reason in TamperingReason
            if reason in settings.reasons
        }
        self._seconds = -math.inf
        self._last_sample: Luma = np.empty((0, 0), np.uint8)
        self._lit_at = -math.inf  # when the picture was last as bright as it usually is
        self._dark_since = math.inf
        self._brightness, self._glance = _RunningMean(), _RunningMean()
        self._sharpness, self._view = _RunningMean(), _RunningMean()
        self._changed_view_s = 0.0

    @property
    def reason(self) -> TamperingReason | None:
        """The first of the reasons that count now; None if there is none."""
        return next((reason for reason, p in self._debounced.items() if p.raised), None)

    def check_picture(self, luma: Luma, sample: Luma, seconds: float) -> None:
        """Check one picture.

        Args:
            luma: The picture scaled down to about 320 pixels across, with noise averaged out.
            sample: Single pixels of it, with their noise.
            seconds: When it was taken.
        """
        elapsed_s = min(max(seconds - self._seconds, 0.0), MAX_STEP_S)
        signs = self._find_signs(luma, sample, seconds, elapsed_s)
        self._seconds = seconds
        for reason, debounce in self._debounced.items():
            debounce.update(active=reason in signs, elapsed_s=elapsed_s)

    def _find_signs(
        self, luma: Luma, sample: Luma, now: float, elapsed_s: float
    ) -> set[TamperingReason]:
        signs = {TamperingReason.IMAGE_FROZEN} if self._is_frozen(sample) else set()
        bright = float(np.percentile(luma, 95))
        if bright < MAX_DARK_LEVEL:
            self._dark_since = min(self._dark_since, now)
            sudden = self._dark_since - self._lit_at <= MAX_COVERING_S
            return signs | {
                TamperingReason.LENS_COVERED if sudden else TamperingReason.IMAGE_TOO_DARK
            }
        self._dark_since = math.inf
        self._brightness.add(np.array([bright], np.float32), elapsed_s, MEMORY_S)
        if bright > MIN_LIT_SHARE * self._brightness.value[0]:
            self._lit_at = now
        spread = float(luma.std())
        if spread < MIN_CONTRAST:
            return signs | {TamperingReason.LENS_COVERED}
        return signs | self._find_view_changes(luma, spread, elapsed_s)

    def _is_frozen(self, sample: Luma) -> bool:
        """Whether the picture is the same as when it last changed."""
        if sample.shape == self._last_sample.shape:
            changed = cv2.absdiff(sample, self._last_sample) > MAX_FROZEN_DIFFERENCE
            if np.count_nonzero(changed) <= MAX_CHANGED_SHARE * sample.size:
                return True
        self._last_sample = sample
        return False

    def _find_view_changes(
        self, luma: Luma, spread: float, elapsed_s: float
    ) -> set[TamperingReason]:
        """Find a blurred or turned lens: the picture differs from the usual one."""
        sharp = np.log([max(cv2.Laplacian(luma, cv2.CV_32F).var() / spread**2, 1e-6)])
        edges = _measure_edges(luma)
        if edges.shape != self._view.value.shape:  # another picture size, or the first one
            self._sharpness, self._view = _RunningMean(), _RunningMean()
            self._glance = _RunningMean()
        self._glance.add(edges, elapsed_s, GLANCE_S)
        settled = min(self._sharpness.known_s, self._view.known_s) >= SETTLING_S
        blurred = settled and float(sharp[0] - self._sharpness.value[0]) < math.log(MIN_SHARPNESS)
        shifted = settled and _correlate(self._glance.value, self._view.value) < MIN_CORRELATION
        if not blurred:
            self._sharpness.add(sharp.astype(np.float32), elapsed_s, MEMORY_S)
        if not blurred and not shifted:
            self._view.add(edges, elapsed_s, MEMORY_S)
        self._changed_view_s = self._changed_view_s + elapsed_s if shifted or blurred else 0.0
        if self._changed_view_s > ADOPT_VIEW_S:
            self._sharpness, self._view = _RunningMean(), _RunningMean()
            self._changed_view_s = 0.0
        if blurred:
            return {TamperingReason.IMAGE_TOO_BLURRY}
        return {TamperingReason.GLOBAL_SCENE_CHANGE} if shifted else set()


def _measure_edges(luma: Luma) -> _Averages:
    """Return where there are more edges than nearby, in any light: (height / 4, width / 4)."""
    small = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    across = cv2.Sobel(small, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(small, cv2.CV_32F, 0, 1)
    strength = cv2.GaussianBlur(np.sqrt(cv2.magnitude(across, down)), (0, 0), 1.5)
    coarse = cv2.resize(strength, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cast("_Averages", coarse - cv2.GaussianBlur(coarse, (0, 0), 4))


def _correlate(first: _Averages, second: _Averages) -> float:
    """Correlate two pictures of edges: -1 to 1, and 1 if either has none."""
    if first.shape != second.shape:
        return 0.0
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float((first * second).sum()) / norm if norm > 0 else 1.0
