"""What a camera's reader and the analyst tell each other while both work."""

import threading
from dataclasses import dataclass

from monitor.config.tampering import Tampering as TamperingSettings
from monitor.domain import TamperingReason

SETTLED_S = 5.0  # without motion and without anybody, before key frames are enough


@dataclass(frozen=True, slots=True)
class Demand:
    """What the analyst wants of a camera just now."""

    fps: float  # frames per second to be looked at
    everything: bool  # false while key frames are enough, as far as the analyst knows


class CameraDemand:
    """How closely one camera is watched at the moment. Thread-safe.

    Args:
        fps: Frames per second that are looked at unless the machine is overloaded.
        key_frames_only: Whether key frames are enough while nobody is in view.
        tampering_settings: When the camera counts as tampered with; None never.
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
        self._occupied = True  # until the analyst has seen that it is not
        self._tampering: TamperingReason | None = None
        self._left_out = 0

    @property
    def current(self) -> Demand:
        """What the reader should give out."""
        with self._lock:
            return Demand(self._fps, self._occupied or not self._key_frames_only)

    def occupied(self, *, somebody: bool) -> None:
        """Whether somebody is in view, or was a moment ago; the analyst says so."""
        with self._lock:
            self._occupied = somebody

    def shed(self, fps: float) -> None:
        """Look at so many frames per second from now on, at most the full rate."""
        with self._lock:
            self._fps = min(fps, self.full_fps)

    @property
    def left_out(self) -> int:
        """Pictures that were not decoded because there was no time to, since the start."""
        with self._lock:
            return self._left_out

    def leave_out(self, pictures: int) -> None:
        """Count pictures that there was no time to decode; the reader says so."""
        with self._lock:
            self._left_out += pictures

    @property
    def tampering(self) -> TamperingReason | None:
        """Why its pictures show nothing of use, if they do not."""
        with self._lock:
            return self._tampering

    def set_tampering(self, reason: TamperingReason | None) -> None:
        """Why the camera counts as tampered with, if it does; the reader says so."""
        with self._lock:
            self._tampering = reason
