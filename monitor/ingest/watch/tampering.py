"""Whether a camera that sends pictures still shows anything of use."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.config.tampering import Tampering as Settings
from monitor.domain import TamperingReason

Luma: TypeAlias = NDArray[np.uint8]
"""(height, width), 0..255: how bright a picture is."""

_Averages: TypeAlias = NDArray[np.float32]

FLAT = 7.0  # grey levels that a lit picture without anything in it varies by
DARK = 42.0  # grey levels; where nearly all is darker, black being 16, there is no light
LIT = 0.7  # of the usual brightness
SUDDEN_S = 3.0  # in which the light goes when it is the lens that was covered
CHANGED = 3  # grey levels that a pixel of a frozen picture may differ by, for it is coded anew
MAX_CHANGED_SHARE = 0.001  # part of the pixels that may differ by more
BLURRED = 0.2  # of the usual sharpness
SHIFTED = 0.5  # likeness of what is seen to what usually is, 0..1; another view has about 0
SETTLING_S = 5.0  # before the usual view and sharpness are known
MEMORY_S = 120.0  # that the usual looks back
GLANCE_S = 2.0  # over which people who pass are averaged out of what is seen
ADOPTED_S = 600.0  # after which another view is the usual one
LONGEST_STEP_S = 2.5  # between two pictures; what lies further apart proves no more


@dataclass(slots=True)
class _Debounce:
    """For how long something has been so: grows while it is, shrinks while it is not."""

    after_s: float
    clear_s: float
    strict: bool = False  # one exception, and it starts from nothing
    held_s: float = 0.0
    raised: bool = False

    def note(self, *, so: bool, passed: float) -> None:
        """One picture more."""
        if so:
            self.held_s = min(self.held_s + passed, self.after_s)
        elif self.strict and not self.raised:
            self.held_s = 0.0
        else:
            self.held_s = max(self.held_s - passed * self.after_s / self.clear_s, 0.0)
        if self.held_s >= self.after_s:
            self.raised = True
        elif self.held_s <= 0:
            self.raised = False


@dataclass(slots=True)
class _Usual:
    """An average over a long time that starts as a plain mean."""

    value: _Averages = field(default_factory=lambda: np.empty(0, np.float32))
    known_s: float = 0.0

    def learn(self, new: _Averages, passed: float, memory_s: float) -> None:
        """Take in one more."""
        if self.value.shape != new.shape:
            self.value, self.known_s = new.copy(), 0.0
        self.known_s += passed
        self.value += (1 - math.exp(-passed / min(self.known_s + 0.1, memory_s))) * (
            new - self.value
        )


class TamperDetector:
    """Looks at one camera's pictures for signs of trouble. Not thread-safe.

    What is seen must hold for a while before it counts, and be gone for a while before it
    counts no more. Seconds are those of the frames; a recording gives the same each time.
    """

    def __init__(self, settings: Settings) -> None:
        self._debounced: Mapping[TamperingReason, _Debounce] = {
            reason: _Debounce(
                settings.after_s(reason),
                settings.clear_after_s,
                reason is TamperingReason.IMAGE_FROZEN,
            )
            for reason in TamperingReason
            if reason in settings.reasons
        }
        self._seconds = -math.inf
        self._still: Luma = np.empty((0, 0), np.uint8)
        self._lit_at = -math.inf  # when the picture was last as bright as it usually is
        self._dark_since = math.inf
        self._brightness, self._glance = _Usual(), _Usual()
        self._sharpness, self._view = _Usual(), _Usual()
        self._elsewhere_s = 0.0

    @property
    def reason(self) -> TamperingReason | None:
        """What is wrong, if anything is; the first of several."""
        return next((reason for reason, p in self._debounced.items() if p.raised), None)

    def look(self, luma: Luma, sample: Luma, seconds: float) -> None:
        """Judge one picture.

        Args:
            luma: The picture made small, with noise averaged out; of about 320 pixels across.
            sample: Pixels of it as they came, noise and all.
            seconds: When it was taken.
        """
        passed = min(max(seconds - self._seconds, 0.0), LONGEST_STEP_S)
        signs = self._signs(luma, sample, seconds, passed)
        self._seconds = seconds
        for reason, debounce in self._debounced.items():
            debounce.note(so=reason in signs, passed=passed)

    def _signs(self, luma: Luma, sample: Luma, now: float, passed: float) -> set[TamperingReason]:
        signs = {TamperingReason.IMAGE_FROZEN} if self._same(sample) else set()
        bright = float(np.percentile(luma, 95))
        if bright < DARK:
            self._dark_since = min(self._dark_since, now)
            sudden = self._dark_since - self._lit_at <= SUDDEN_S
            return signs | {
                TamperingReason.LENS_COVERED if sudden else TamperingReason.IMAGE_TOO_DARK
            }
        self._dark_since = math.inf
        self._brightness.learn(np.array([bright], np.float32), passed, MEMORY_S)
        if bright > LIT * self._brightness.value[0]:
            self._lit_at = now
        spread = float(luma.std())
        if spread < FLAT:
            return signs | {TamperingReason.LENS_COVERED}
        return signs | self._odd_views(luma, spread, passed)

    def _same(self, sample: Luma) -> bool:
        """Whether nothing has changed since the picture last did."""
        if sample.shape == self._still.shape:
            differs = cv2.absdiff(sample, self._still) > CHANGED
            if np.count_nonzero(differs) <= MAX_CHANGED_SHARE * sample.size:
                return True
        self._still = sample
        return False

    def _odd_views(self, luma: Luma, spread: float, passed: float) -> set[TamperingReason]:
        """Signs of a blurred or a turned lens: the picture is not as it usually is."""
        sharp = np.log([max(cv2.Laplacian(luma, cv2.CV_32F).var() / spread**2, 1e-6)])
        edges = _edges(luma)
        if edges.shape != self._view.value.shape:  # another picture size, or the first one
            self._sharpness, self._view, self._glance = _Usual(), _Usual(), _Usual()
        self._glance.learn(edges, passed, GLANCE_S)
        settled = min(self._sharpness.known_s, self._view.known_s) >= SETTLING_S
        blurred = settled and float(sharp[0] - self._sharpness.value[0]) < math.log(BLURRED)
        shifted = settled and _likeness(self._glance.value, self._view.value) < SHIFTED
        if not blurred:
            self._sharpness.learn(sharp.astype(np.float32), passed, MEMORY_S)
        if not blurred and not shifted:
            self._view.learn(edges, passed, MEMORY_S)
        self._elsewhere_s = self._elsewhere_s + passed if shifted or blurred else 0.0
        if self._elsewhere_s > ADOPTED_S:
            self._sharpness, self._view, self._elsewhere_s = _Usual(), _Usual(), 0.0
        if blurred:
            return {TamperingReason.IMAGE_TOO_BLURRY}
        return {TamperingReason.GLOBAL_SCENE_CHANGE} if shifted else set()


def _edges(luma: Luma) -> _Averages:
    """Where the picture has more edges than round about, whatever the light: (H / 4, W / 4)."""
    small = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    across = cv2.Sobel(small, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(small, cv2.CV_32F, 0, 1)
    strength = cv2.GaussianBlur(np.sqrt(cv2.magnitude(across, down)), (0, 0), 1.5)
    coarse = cv2.resize(strength, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cast("_Averages", coarse - cv2.GaussianBlur(coarse, (0, 0), 4))


def _likeness(one: _Averages, other: _Averages) -> float:
    """The correlation of two pictures of edges, -1 to 1; 1 where either has none."""
    if one.shape != other.shape:
        return 0.0
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / norm if norm > 0 else 1.0
