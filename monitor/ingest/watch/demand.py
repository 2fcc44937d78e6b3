"""What the analyst needs of a camera's reader, and what the reader reports back."""

import threading
from dataclasses import dataclass

from monitor.config.schema import Tampering as TamperingSettings
from monitor.domain import TamperingReason

SETTLED_S = 5.0  # without motion and people, before key frames are enough


@dataclass(frozen=True, slots=True)
class Demand:
    """What the analyst needs of a camera now."""

    fps: float  # frames per second to analyse
    everything: bool  # false while key frames are enough


class CameraDemand:
    """How closely one camera is watched. Thread-safe.

    Args:
        fps: Frames per second that are analysed unless the machine is overloaded.
        key_frames_only: Whether key frames are enough while the view is empty.
        tampering_settings: When the camera counts as tampered with; None is never.
    """

    def __init__(
        self,
        fps: float,
        *,
        key_frames_only: bool = False,
        tampering_settings: TamperingSettings | None = None,
    ) -> None:
        self.full_fps = fps
        self.tampering_settings = tampering_settings
        self._key_frames_only = key_frames_only
        self._lock = threading.Lock()
        self._fps = fps
        self._occupied = True  # until the analyst says otherwise
        self._tampering: TamperingReason | None = None
        self._dropped = 0

    @property
    def current(self) -> Demand:
        """What the reader should deliver."""
        with self._lock:
            return Demand(self._fps, self._occupied or not self._key_frames_only)

    def set_occupied(self, *, occupied: bool) -> None:
        """Set whether a person is, or was a moment ago, in view. Called by the analyst."""
        with self._lock:
            self._occupied = occupied

    def limit_fps(self, fps: float) -> None:
        """Analyse this many frames per second from now on, at most the full rate."""
        with self._lock:
            self._fps = min(fps, self.full_fps)

    @property
    def dropped(self) -> int:
        """Pictures that were not decoded for lack of time, since the start."""
        with self._lock:
            return self._dropped

    def count_dropped(self, pictures: int) -> None:
        """Count pictures that were not decoded for lack of time. Called by the reader."""
        with self._lock:
            self._dropped += pictures

    @property
    def tampering(self) -> TamperingReason | None:
        """Why the camera counts as tampered with; None if it does not."""
        with self._lock:
            return self._tampering

    def set_tampering(self, reason: TamperingReason | None) -> None:
        """Set why the camera counts as tampered with. Called by the reader."""
        with self._lock:
            self._tampering = reason
