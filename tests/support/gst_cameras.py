"""Several real RTSP cameras in one process, run by the system's Python, which has GStreamer.

Usage: python3 -m tests.support.gst_cameras NAME=CLIP.mp4 ... -- PORT ...

Each port is a camera, at rtsp://127.0.0.1:PORT/cam, that plays the first clip over and over;
clips whose name ends in 265 hold H.265, all others H.264. A line "INDEX NAME" on standard
input makes a camera play another clip: at once to everybody who watches, if its codec is the
same, else to those who come later, as a camera that is set to another codec does. Writes
"ready" when it listens, and after each line.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtspServer  # noqa: E402

from tests.support.gst_rtsp_server import access_units  # noqa: E402


@dataclass
class Clip:
    """One clip's coded pictures."""

    codec: str  # h264 or h265
    units: list[tuple[bytes, int, int]]  # bytes, when to show it, for how long: nanoseconds


@dataclass
class Camera:
    """One camera and what it plays now."""

    clip: Clip
    server: GstRtspServer.RTSPServer

    def pictures(self, codec: str) -> Iterator[Gst.Buffer]:
        """What one watcher gets, from the beginning of the clip, for ever."""
        clip, base = self.clip, 0
        while True:
            end, first = base, clip.units[0][1]
            for data, shown_at, duration in clip.units:
                if self.clip is not clip and self.clip.codec == codec:
                    break
                buffer = Gst.Buffer.new_wrapped(data)
                buffer.pts = buffer.dts = base + shown_at - first
                buffer.duration = duration
                end = buffer.pts + duration
                yield buffer
            base = end
            clip = self.clip if self.clip.codec == codec else clip

    def play(self, clip: Clip) -> None:
        """Play a clip from now on."""
        self.clip = clip
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(
            "( appsrc name=clip is-live=true format=time block=true max-bytes=200000"
            f" caps=video/x-{clip.codec},stream-format=byte-stream,alignment=au"
            f" ! {clip.codec}parse config-interval=-1 ! rtp{clip.codec}pay name=pay0 pt=96 )"
        )
        factory.connect("media-configure", self._configure, clip.codec)
        self.server.get_mount_points().add_factory("/cam", factory)

    def _configure(
        self, _: GstRtspServer.RTSPMediaFactory, media: GstRtspServer.RTSPMedia, codec: str
    ) -> None:
        pictures = self.pictures(codec)

        def need_data(source: GstApp.AppSrc, _length: int) -> None:
            source.emit("push-buffer", next(pictures))

        media.get_element().get_by_name("clip").connect("need-data", need_data)


def camera(port: str, clip: Clip) -> Camera:
    """A camera that listens."""
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    made = Camera(clip, server)
    made.play(clip)
    if not server.attach(None):
        sys.exit(f"port {port} cannot be listened on")
    return made


def main() -> None:
    """Serve until killed, or until standard input ends."""
    Gst.init(None)
    split = sys.argv.index("--")
    clips = {}
    for argument in sys.argv[1:split]:
        name, _, path = argument.partition("=")
        codec = "h265" if name.endswith("265") else "h264"
        clips[name] = Clip(codec, access_units(path, codec))
    cameras = [camera(port, next(iter(clips.values()))) for port in sys.argv[split + 1 :]]
    loop = GLib.MainLoop()

    def heard(channel: GLib.IOChannel, _: GLib.IOCondition) -> bool:
        line = channel.readline()
        if not line:
            loop.quit()
            return False
        index, _, name = line.strip().partition(" ")
        cameras[int(index)].play(clips[name])
        say_ready()
        return True

    GLib.io_add_watch(GLib.IOChannel.unix_new(0), GLib.IO_IN | GLib.IO_HUP, heard)
    say_ready()
    loop.run()


def say_ready() -> None:
    """Tell the process that started this one."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
