"""Several real RTSP cameras (GStreamer's), which a test lets play one clip or another."""

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np

from monitor.domain import Pixels
from tests.support.clips import panning, write_clip
from tests.support.ports import free_port
from tests.support.rtsp_server import SYSTEM_PYTHON

SECONDS = 3  # of each clip
KEY_FRAMES_S = 1


class CameraPark:
    """Cameras from the block's start to its end.

    Args:
        count: How many.
        clips: MP4 files by name, the first is played at first; see tests/support/gst_cameras.py.
    """

    def __init__(self, count: int, clips: Mapping[str, Path]) -> None:
        self.ports = [free_port() for _ in range(count)]
        self._command = [
            *(SYSTEM_PYTHON, "-m", "tests.support.gst_cameras"),
            *(f"{name}={path}" for name, path in clips.items()),
            "--",
            *map(str, self.ports),
        ]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603  (our own arguments)
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        self._wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def url(self, index: int) -> str:
        """The address of one camera."""
        return f"rtsp://127.0.0.1:{self.ports[index]}/cam"

    def play(self, index: int, name: str) -> None:
        """Make a camera play another clip."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{index} {name}\n")
        self._process.stdin.flush()
        self._wait()

    def _wait(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the cameras did not start"


def park_clips(folder: Path, fps: int = 15, *, width: int = 640) -> dict[str, Path]:
    """What cameras show: moving, frozen, black, twice as large, and in H.265.

    Args:
        folder: Where the files go.
        fps: Pictures a second.
        width: Pixels across, in 16:9; the large one has twice as many.
    """
    height, count = width * 9 // 16, SECONDS * fps
    moving = list(panning(count, width=width, height=height))
    large = panning(count, width=2 * width, height=2 * height)
    black = np.zeros_like(moving[0])
    return {
        "moving": write_clip(folder / "moving.mp4", moving, fps),
        "still": write_clip(folder / "still.mp4", [moving[0]] * count, fps),
        "black": write_clip(folder / "black.mp4", [black] * count, fps),
        "large": write_clip(folder / "large.mp4", large, fps),
        "moving265": write_h265(folder / "moving265.mp4", moving, fps),
    }


def write_h265(path: Path, pictures: Iterable[Pixels], fps: int) -> Path:
    """Encode pictures of one size as H.265 without B-frames, a key frame a second."""
    keyint = fps * KEY_FRAMES_S
    params = f"log-level=none:bframes=0:keyint={keyint}:min-keyint={keyint}:pools=1"
    options = {"preset": "ultrafast", "x265-params": params}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=fps, options=options)
        stream.pix_fmt = "yuv420p"
        for n, picture in enumerate(pictures):
            if n == 0:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path
