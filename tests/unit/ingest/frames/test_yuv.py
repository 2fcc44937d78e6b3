"""What turns a decoder's pictures into colours is no two threads' at once."""

import threading

from av.video.reformatter import VideoReformatter

from monitor.ingest.frames.yuv import Converters


def test_each_thread_has_converters_of_its_own_and_keeps_them() -> None:
    """FFmpeg's converter is not thread-safe: a shared one ended the process with SIGSEGV."""
    converters = Converters()
    mine = converters.get(("yuv420p", 640, 360, 416, 234))
    others: list[VideoReformatter] = []

    def use() -> None:
        others.extend(converters.get(("yuv420p", 640, 360, 416, 234)) for _ in range(2))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert others[0] is others[1]
    assert others[0] is not mine
    assert converters.get(("yuv420p", 640, 360, 416, 234)) is mine
