"""Pictures that are written into a folder; each is read once it is complete."""

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
POLL_S = 0.2  # between two scans of the folder
SCAN_PAUSE_FACTOR = 10  # times the duration of a scan: large folders are scanned less often
MAX_ATTEMPTS = 5  # at decoding a picture, which may still be growing


@dataclass(frozen=True, slots=True)
class _FileState:
    """Changes when a file is written to or replaced."""

    changed_ns: int
    size: int


class FolderPictures:
    """A folder as a live Source.

    Files that are there when it is first opened are ignored. A file that is written again
    under the same name is a new picture. At most ``analysis_fps`` pictures are delivered per
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
        self._known: dict[Path, _FileState] | None = None  # None before the first scan
        self._attempts: dict[Path, int] = {}

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        """See Source."""
        if self._known is None:
            self._known, _ = self._scan()
        with closing(self._read_frames(abandoned or StopSwitch())) as frames:
            yield frames

    def _read_frames(self, abandoned: Stop) -> Generator[Frame, None, None]:
        """Yield the pictures as they appear, until the connection is abandoned."""
        sequence = 0
        growing: dict[Path, _FileState] = {}
        while True:
            files, scan_s = self._scan()
            known = self._known or {}
            new = {path: state for path, state in files.items() if known.get(path) != state}
            self._known = {path: state for path, state in known.items() if path in files}
            for path, state in sorted(new.items()):
                if growing.get(path) != state:
                    continue  # it may still be written to
                started = self._clock.seconds()
                picture = self._read_picture(path, state)
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
            if abandoned.wait(max(POLL_S, SCAN_PAUSE_FACTOR * scan_s)):
                return

    def _scan(self) -> tuple[dict[Path, _FileState], float]:
        """Return all picture files and the seconds that the scan took.

        Raises:
            SourceRejectedError: There is no permission to read the folder.
            SourceUnavailableError: The folder is missing.
        """
        started = self._clock.seconds()
        folder = self._source.path
        try:
            with os.scandir(folder):
                pass
        except PermissionError:
            raise SourceRejectedError(f"{folder}: not permitted; check its rights") from None
        except OSError as error:
            raise SourceUnavailableError(
                f"{folder}: {(error.strerror or 'cannot be read').lower()}; "
                "create the folder or correct path"
            ) from None
        files = {}
        for parent, _, names in os.walk(folder):
            for name in names:
                path = Path(parent, name)
                if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                    state = _read_state(path)
                    if state is not None:
                        files[path] = state
        return files, self._clock.seconds() - started

    def _read_picture(self, path: Path, state: _FileState) -> ArrayPicture | None:
        """Decode a picture; None if that fails, now or for good."""
        try:
            picture = read_picture(path)
        except SourceRejectedError as error:
            self._attempts[path] = self._attempts.get(path, 0) + 1
            if self._attempts[path] >= MAX_ATTEMPTS:
                log.warning("%s: %s", self._camera, error)
                self._mark_done(path, state)
            return None
        self.decoded += 1
        self._mark_done(path, state)
        if self._source.remove:
            try:
                path.unlink()
            except OSError as error:
                log.warning("%s: %s cannot be removed: %s", self._camera, path, error.strerror)
        return picture

    def _mark_done(self, path: Path, state: _FileState) -> None:
        """Do not read this picture again."""
        self._attempts.pop(path, None)
        if self._known is not None:
            self._known[path] = state


def _read_state(path: Path) -> _FileState | None:
    """Return a file's state; None if it is gone or not a regular file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return _FileState(status.st_mtime_ns, status.st_size) if path.is_file() else None
