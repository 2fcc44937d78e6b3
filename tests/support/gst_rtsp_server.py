"""A real RTSP server for tests, run by the system's Python, which has GStreamer.

Usage: gst_rtsp_server.py PORT CLIP.mp4 [USER PASSWORD [basic|digest]]

Serves the H.264 of the clip over and over, at its own speed, at rtsp://127.0.0.1:PORT/cam,
and writes "ready" when it listens.
"""

import itertools
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtsp, GstRtspServer  # noqa: E402

LAUNCH = (
    "( appsrc name=clip is-live=true format=time block=true max-bytes=200000"
    " caps=video/x-h264,stream-format=byte-stream,alignment=au"
    " ! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 )"
)
ROLE = "viewer"


def access_units(clip: str, codec: str = "h264") -> list[tuple[bytes, int, int]]:
    """The clip's coded pictures: (bytes, when to show it, for how long), in nanoseconds."""
    pipeline = Gst.parse_launch(
        f'filesrc location="{clip}" ! qtdemux ! {codec}parse'
        f" ! video/x-{codec},stream-format=byte-stream,alignment=au ! appsink name=out sync=false"
    )
    sink: GstApp.AppSink = pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    units = []
    while (sample := sink.pull_sample()) is not None:
        buffer = sample.get_buffer()
        units.append((buffer.extract_dup(0, buffer.get_size()), buffer.pts, buffer.duration))
    pipeline.set_state(Gst.State.NULL)
    return units


def looping(units: list[tuple[bytes, int, int]]) -> GstRtspServer.RTSPMediaFactory:
    """What gives every client the clip from its beginning, and then again and again."""
    first = units[0][1]
    length = units[-1][1] + units[-1][2] - first

    def configure(_: GstRtspServer.RTSPMediaFactory, media: GstRtspServer.RTSPMedia) -> None:
        numbers = itertools.count()

        def need_data(source: GstApp.AppSrc, _length: int) -> None:
            rounds, index = divmod(next(numbers), len(units))
            data, shown_at, duration = units[index]
            buffer = Gst.Buffer.new_wrapped(data)
            buffer.pts = buffer.dts = shown_at - first + rounds * length
            buffer.duration = duration
            source.emit("push-buffer", buffer)

        media.get_element().get_by_name("clip").connect("need-data", need_data)

    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH)
    factory.connect("media-configure", configure)
    return factory


def with_password(
    server: GstRtspServer.RTSPServer,
    factory: GstRtspServer.RTSPMediaFactory,
    user: str,
    password: str,
    how: str,
) -> None:
    """Let only this user in."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    if how == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for what in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role(ROLE, what, True)  # noqa: FBT003  (GStreamer's order)
    factory.set_permissions(permissions)


def main() -> None:
    """Serve until killed."""
    port, clip, *access = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = looping(access_units(clip))
    if access:
        user, password, *how = access
        with_password(server, factory, user, password, (how or ["basic"])[0])
    server.get_mount_points().add_factory("/cam", factory)
    if not server.attach(None):
        sys.exit(f"port {port} cannot be listened on")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
