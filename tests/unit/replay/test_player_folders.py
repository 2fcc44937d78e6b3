"""Where `monitor replay` puts the results of several files."""

from pathlib import Path

import pytest

from monitor.cli.replay import name_folders


@pytest.mark.parametrize(
    ("videos", "names"),
    [
        (["a.mp4", "b.mp4"], ["a", "b"]),
        (["a.mp4", "b/a.mp4", "a.mkv"], ["a", "a-2", "a-3"]),
        (["a.mp4", "a-2.mp4", "b/a.mp4"], ["a", "a-2", "a-3"]),
        (["a.mp4", "b/a.mp4", "a-2.mp4"], ["a", "a-2", "a-2-2"]),
    ],
)
def test_every_file_has_a_folder_of_its_own(videos: list[str], names: list[str]) -> None:
    assert name_folders([Path(video) for video in videos], Path("out")) == [
        Path("out") / name for name in names
    ]
