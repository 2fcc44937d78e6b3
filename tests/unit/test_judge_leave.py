"""Leaving one source out of the judge's training: nothing of it may come in by a side door."""

from pathlib import Path

import numpy as np
import pytest

from monitor.errors import ConfigError
from monitor.train.judge_config import TrainJudgeConfig
from monitor.train.judge_data import Pool
from monitor.train.judge_faces import SIDE, Landmarks, Sample
from monitor.train.judge_leave import check_left_out, left_out
from monitor.train.judge_pool import Amount, draw, write_shard
from monitor.train.synthesis_innocent import Overlays

GREYS = {"utkface+": 40, "jolignier+": 120, "scenes": 200}
"""Each source's faces have a grey of their own, by which they are known again."""


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Two clear faces of each source, and backgrounds."""

    def flat(grey: int, key: str, source: str) -> Sample:
        pixels = np.full((SIDE, SIDE, 3), grey, np.uint8)
        return Sample(pixels, (SIDE / 2, SIDE / 2), SIDE / 1.5, key, source)

    real = [flat(grey, "none", name) for name, grey in GREYS.items() if name != "scenes"]
    write_shard(tmp_path / "real", real * 2)
    write_shard(tmp_path / "scenes", [flat(GREYS["scenes"], "none", "scenes")] * 2)
    write_shard(tmp_path / "background", [flat(0, "away", "background")])
    return tmp_path


def drawn(pool: Path, leave_out: str) -> Path:
    amount = Amount(1, 6, 3, leave_out)
    draw(pool, Landmarks(None), Overlays([], [], []), amount)
    return pool / f"without-{leave_out}" if leave_out else pool


def test_a_source_takes_those_with_it_that_hold_its_pictures() -> None:
    assert left_out("") == frozenset()
    assert left_out("utkface") == {"utkface"}
    assert left_out("jolignier") == {"jolignier", "scenes", "natural"}


def test_what_is_left_out_is_never_drawn(pool: Path) -> None:
    drawn(pool, "")
    drawn(pool, "jolignier")
    rng = np.random.default_rng(0)
    everything, without = Pool(pool), Pool(pool, "jolignier")
    sources = [
        {name for name, _ in seen._groups}  # noqa: SLF001  (what may be drawn)
        for seen in (everything, without)
    ]
    assert sources[0] == {"utkface", "jolignier", "scenes", "background", "synthetic"}
    assert sources[1] == {"utkface", "background", "synthetic"}
    assert without.draw(32, rng)[0].shape == (32, 32, 3)


def test_coverings_are_drawn_on_the_faces_of_the_others_only(pool: Path) -> None:
    folder = drawn(pool, "jolignier")
    pixels = np.load(folder / "synthetic-000.npy")
    assert len(pixels) == 6
    assert not (pool / "synthetic-000.npz").exists()
    shares = [(pixels == GREYS[name]).all(axis=3).mean() for name in ("utkface+", "scenes")]
    assert shares[0] > 10 * shares[1]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"leave_out": "garden"}, "no source 'garden'; known are attic"),
        ({"leave_out": "attic", "start": Path("old")}, "weights of start may have seen it"),
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
