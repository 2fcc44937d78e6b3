"""Training without one source, so that the judge can be measured on what it never saw.

A source's pictures come by several ways: as labelled crops, as whole pictures from which
wider views are cut, and under the drawn coverings. All of them are left out.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from monitor.errors import ConfigError
from monitor.train.judge_config import TrainJudgeConfig
from monitor.train.judge_faces import read_rows

_KIN: Final[Mapping[str, frozenset[str]]] = {
    "andrewmvd": frozenset({"scenes", "natural", "faceparts"}),
    "jolignier": frozenset({"scenes", "natural"}),
    "faceparts": frozenset({"andrewmvd", "scenes", "natural"}),
}
"""Sources that hold pictures of another one: scenes are cut from andrewmvd's and jolignier's
whole pictures, and faceparts took some of andrewmvd's photos."""


def left_out(source: str) -> frozenset[str]:
    """The sources that a training without ``source`` must not see; none when it is empty."""
    return frozenset({source}) | _KIN.get(source, frozenset()) if source else frozenset()


def check_left_out(config: TrainJudgeConfig) -> None:
    """Refuse to leave out what is not there, or what earlier weights have seen.

    Raises:
        ConfigError: labels.csv cannot be read or does not know the source, or the training
            goes on from earlier weights.
    """
    source = config.leave_out
    if not source:
        return
    known = {row[2] for row in read_rows(config.heads, "train")}
    if source not in known:
        raise ConfigError(f"leave_out: no source {source!r}; known are {', '.join(sorted(known))}")
    if config.start is not None:
        raise ConfigError("leave_out: the weights of start may have seen it; remove start")


def pool_folder(pool: Path, source: str) -> Path:
    """Where the pictures drawn on the faces of all other sources are kept."""
    return pool / f"without-{source}" if source else pool


def shards(pool: Path, source: str) -> list[Path]:
    """The tables of a pool's shards; those drawn on other faces where a source is left out."""
    if not source:
        return sorted(pool.glob("*.npz"))
    given = [path for path in pool.glob("*.npz") if not path.name.startswith("synthetic-")]
    return sorted([*given, *pool_folder(pool, source).glob("*.npz")])
