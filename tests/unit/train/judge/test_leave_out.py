"""Leaving one source out of the judge's training: nothing of it may come in by a side door."""

from pathlib import Path

import numpy as np
import pytest

from monitor.errors import ConfigError
from monitor.train.judge.config import TrainJudgeConfig
from monitor.train.judge.data import Pool
from monitor.train.judge.faces import SIDE, HeadSample, Landmarks
from monitor.train.judge.leave_out import check_left_out, find_family, list_left_out
from monitor.train.judge.pool import Amount, draw_shards, read_shard, write_shard
from monitor.train.synthesis.innocent import Overlays

GREYS = {"utkface+": 40, "jolignier+": 120, "scenes": 200}
"""Each source's faces have a grey of their own, by which they are known again."""


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Two clear faces of each source, and backgrounds."""

    def flat(grey: int, key: str, source: str) -> HeadSample:
        pixels = np.full((SIDE, SIDE, 3), grey, np.uint8)
        return HeadSample(pixels, (SIDE / 2, SIDE / 2), SIDE / 1.5, key, source)

    real = [flat(grey, "none", name) for name, grey in GREYS.items() if name != "scenes"]
    write_shard(tmp_path / "real", real * 2)
    write_shard(tmp_path / "scenes", [flat(GREYS["scenes"], "none", "scenes")] * 2)
    write_shard(tmp_path / "background", [flat(0, "away", "background")])
    return tmp_path


def drawn(pool: Path) -> None:
    draw_shards(pool, Landmarks(None), Overlays([], [], []), Amount(1, 12, 3))


def test_a_source_takes_those_with_it_that_hold_its_pictures() -> None:
    assert list_left_out("") == frozenset()
    assert list_left_out("utkface") == {"utkface"}
    assert list_left_out("jolignier") == {"jolignier", "scenes", "natural"}


def test_what_is_left_out_is_never_drawn(pool: Path) -> None:
    drawn(pool)
    rng = np.random.default_rng(0)
    everything, without = Pool(pool), Pool(pool, "jolignier")
    sources = [
        {name for name, _ in seen._groups}  # noqa: SLF001  (what may be drawn)
        for seen in (everything, without)
    ]
    assert sources[0] == {"utkface", "jolignier", "scenes", "background", "synthetic"}
    assert sources[1] == {"utkface", "background", "synthetic"}
    assert without.draw_sample(32, rng)[0].shape == (32, 32, 3)


def test_coverings_are_drawn_on_the_faces_of_the_others_only(pool: Path) -> None:
    drawn(pool)
    table = np.load(pool / "synthetic-000.npz")
    faces = set(table["sources"])
    assert {"synthetic/jolignier+", "synthetic/utkface+"} <= faces
    assert faces <= {f"synthetic/{name}" for name in GREYS}
    rows = Pool(pool, "jolignier")._groups["synthetic", "*"]  # noqa: SLF001  (what may be drawn)
    shown = {str(table["sources"][place.row]) for place in rows}
    assert shown == {"synthetic/utkface+"}
    assert len(rows) == sum(table["sources"] == "synthetic/utkface+")


def test_a_sample_is_counted_under_its_source_and_left_out_with_its_face() -> None:
    unseen = list_left_out("lfw")
    assert find_family("synthetic", frozenset()) == "synthetic"
    assert find_family("synthetic/utkface+", unseen) == "synthetic"
    assert find_family("synthetic/lfw+", unseen) is None
    assert find_family("lfw+", unseen) is None
    assert find_family("weapons+", unseen) == "weapons"
    assert find_family("site/lfw", unseen) == "site/lfw"
    assert find_family("site/a+", list_left_out("site/a")) is None
    assert find_family("c+cam", unseen) == "c+cam"


def test_an_older_pool_that_does_not_say_whose_faces_it_shows_is_refused(pool: Path) -> None:
    drawn(pool)
    table = dict(np.load(pool / "synthetic-000.npz"))
    np.savez(pool / "synthetic-000.npz", **table | {"sources": np.full(12, "synthetic")})
    assert Pool(pool).draw_sample(32, np.random.default_rng(0))[0].shape == (32, 32, 3)
    with pytest.raises(ConfigError, match="do not say on whose faces they were drawn; remove them"):
        Pool(pool, "utkface")


def test_a_shard_that_is_mapped_may_be_written_again(pool: Path) -> None:
    mapped = read_shard(pool / "real.npz")
    before = np.array(mapped.pixels)
    blank = np.zeros((SIDE, SIDE, 3), np.uint8)
    write_shard(pool / "real", [HeadSample(blank, (80.0, 80.0), 100.0, "none", "lfw")])
    assert (np.array(mapped.pixels) == before).all()
    assert len(read_shard(pool / "real.npz").keys) == 1
    assert {path.suffix for path in pool.iterdir()} == {".npy", ".npz"}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"leave_out": "garden"}, "no source 'garden'; known are attic"),
        ({"leave_out": "attic", "start": Path("old")}, "weights of start may have seen it"),
        ({"leave_out": "attic", "voice": Path("old")}, "weights of voice may have seen it"),
        ({"leave_out": "attic", "teacher": Path("old")}, "weights of teacher may have seen it"),
    ],
)
def test_leaving_out_in_vain_is_refused(
    tmp_path: Path, setting: dict[str, object], said: str
) -> None:
    table = "file,split,label,source\na.png,train,none,attic\n"
    (tmp_path / "labels.csv").write_text(table, encoding="utf-8")
    given = {"heads": tmp_path, "scenes": tmp_path, "out": tmp_path} | setting
    with pytest.raises(ConfigError, match=said):
        check_left_out(TrainJudgeConfig.model_validate(given))
