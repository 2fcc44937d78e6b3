"""A real RTSP server (GStreamer's) that tests start, kill and start again.

It runs under the system's Python, which needs Debian's packages gir1.2-gst-rtsp-server-1.0,
gstreamer1.0-plugins-base, gstreamer1.0-plugins-good, gstreamer1.0-plugins-bad and python3-gi.
"""

import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.ports import free_port

SYSTEM_PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("gst_rtsp_server.py")


class RtspServer:
    """Serves one clip in a loop at ``url``, from the block's start to its end.

    Args:
        clip: An MP4 with H.264 without B-frames.
        access: User, password and, if it is not "basic", "digest"; nothing lets everyone in.
    """

    def __init__(self, clip: Path, *access: str) -> None:
        self.port = free_port()
        self.url = f"rtsp://127.0.0.1:{self.port}/cam"
        self._command = [SYSTEM_PYTHON, str(SCRIPT), str(self.port), str(clip), *access]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.kill()

    def start(self) -> None:
        """Start it, and return once it listens."""
        process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the RTSP server did not start"
        self._process = process

    def kill(self) -> None:
        """End it without any goodbye, as a power cut does to a camera."""
        process = self._running()
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        self._process = None

    def freeze(self) -> None:
        """Keep its connections, but make it send nothing any more."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the server is not running"
        return self._process
