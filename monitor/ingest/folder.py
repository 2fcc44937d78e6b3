"""Pictures that something puts into a folder, each looked at once it is complete."""

import logging
import os
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from monitor.config.sources import FolderSource
from monitor.domain import CameraId, Frame, Moment
from monitor.errors import SourceRejectedError, SourceUnavailableError
from monitor.ingest import SourceTraits
from monitor.ingest.frames.picture import ArrayPicture, read_picture
from monitor.runtime.clock import Clock
from monitor.runtime.stop import Stop, StopSwitch

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
POLL_S = 0.2  # between two looks into the folder
SHARE = 10  # a large folder is looked into less often: at most a tenth of the time is spent so
TRIES = 5  # looks at a picture that cannot be decoded before it is given up: it may be growing


@dataclass(frozen=True, slots=True)
class _State:
    """What changes when a file is written to, or replaced by another of the same name."""

    changed_ns: int
    size: int


class FolderPictures:
    """A folder as a Source: live, for what comes comes by itself.

    What lies there when it is first opened is old and left alone. A file that is written
    anew under the same name is a new picture. Pictures come at most ``analysis_fps`` a
    second, so that none of a burst is lost; ``taken_at`` is the file's last change.
    """

    def __init__(
        self, camera: CameraId, source: FolderSource, *, analysis_fps: float, clock: Clock
    ) -> None:
        self._camera = camera
        self._source = source
        self._pause_s = 1 / analysis_fps
        self._clock = clock
        self.traits = SourceTraits(camera, live=True, stall_timeout_s=source.silence_limit_s)
        self.decoded = 0
        self._known: dict[Path, _State] | None = None  # None before the first look
        self._tries: dict[Path, int] = {}

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        """See Source."""
        if self._known is None:
            self._known, _ = self._look()
        with closing(self._frames(abandoned or StopSwitch())) as frames:
            yield frames

    def _frames(self, abandoned: Stop) -> Generator[Frame, None, None]:
        """The pictures as they appear. Ends only when nobody wants them any more."""
        sequence = 0
        growing: dict[Path, _State] = {}
        while True:
            found, spent_s = self._look()
            known = self._known or {}
            new = {path: state for path, state in found.items() if known.get(path) != state}
            self._known = {path: state for path, state in known.items() if path in found}
            for path, state in sorted(new.items()):
                if growing.get(path) != state:
                    continue  # it may still be written to
                started = self._clock.seconds()
                picture = self._read(path, state)
                if picture is None:
                    continue
                decode_ms = 1000 * (self._clock.seconds() - started)
                taken_at = datetime.fromtimestamp(state.changed_ns / 1e9, UTC)
                moment = Moment(self._clock.seconds(), taken_at)
                yield Frame(self._camera, sequence, moment, picture, decode_ms)
                sequence += 1
                if abandoned.wait(self._pause_s):
                    return
            growing = new
            if abandoned.wait(max(POLL_S, SHARE * spent_s)):
                return

    def _look(self) -> tuple[dict[Path, _State], float]:
        """Every picture file there is now, and the seconds that looking took.

        Raises:
            SourceRejectedError: The folder may not be read.
            SourceUnavailableError: There is no such folder now.
        """
        started = self._clock.seconds()
        folder = self._source.path
        try:
            with os.scandir(folder):
                pass
        except PermissionError:
            raise SourceRejectedError(f"{folder}: may not be read; check its rights") from None
        except OSError as error:
            raise SourceUnavailableError(
                f"{folder}: {(error.strerror or 'cannot be read').lower()}; "
                "create the folder or mend path"
            ) from None
        found = {}
        for place, _, names in os.walk(folder):
            for name in names:
                path = Path(place, name)
                if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                    state = _state(path)
                    if state is not None:
                        found[path] = state
        return found, self._clock.seconds() - started

    def _read(self, path: Path, state: _State) -> ArrayPicture | None:
        """The picture; None if it cannot be decoded, now or ever."""
        try:
            picture = read_picture(path)
        except SourceRejectedError as error:
            self._tries[path] = self._tries.get(path, 0) + 1
            if self._tries[path] >= TRIES:
                log.warning("%s: %s", self._camera, error)
                self._settle(path, state)
            return None
        self.decoded += 1
        self._settle(path, state)
        if self._source.remove:
            try:
                path.unlink()
            except OSError as error:
                log.warning("%s: %s cannot be removed: %s", self._camera, path, error.strerror)
        return picture

    def _settle(self, path: Path, state: _State) -> None:
        """This picture is done with."""
        self._tries.pop(path, None)
        if self._known is not None:
            self._known[path] = state


def _state(path: Path) -> _State | None:
    """None for what has gone, and for what is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return _State(found.st_mtime_ns, found.st_size) if path.is_file() else None
