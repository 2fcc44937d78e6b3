"""Training without one source, to measure the judge on unseen data.

A source's pictures come by several ways: as labelled crops, as whole pictures from which
wider views are cut, and under the drawn coverings. All of them are left out. A pool's
``natural`` pictures stay, though an earlier judge named them, which may have seen the source;
a new pool has none, because no teacher is taken.
"""

from collections.abc import Mapping
from typing import Final

from monitor.errors import ConfigError
from monitor.train.judge.config import TrainJudgeConfig
from monitor.train.judge.faces import read_rows

DRAWN: Final = "synthetic"  # the source of the drawn coverings
_KIN: Final[Mapping[str, frozenset[str]]] = {
    "andrewmvd": frozenset({"scenes", "natural", "faceparts"}),
    "jolignier": frozenset({"scenes", "natural"}),
    "faceparts": frozenset({"andrewmvd", "scenes", "natural"}),
}
"""Sources that hold pictures of another one: scenes are cut from andrewmvd's and jolignier's
whole pictures, and faceparts took some of andrewmvd's photos."""


def list_left_out(source: str) -> frozenset[str]:
    """The sources that a training without ``source`` must not see; none when it is empty."""
    return frozenset({source}) | _KIN.get(source, frozenset()) if source else frozenset()


def name_drawn_source(source: str) -> str:
    """The source name of a picture whose covering was drawn on a face of ``source``."""
    return f"{DRAWN}/{source}"


def find_family(source: str, unseen: frozenset[str]) -> str | None:
    """The source that a sample counts for; None if it must not be used.

    Args:
        source: As in a shard: ``utkface``, ``utkface+`` or ``synthetic/utkface+``.
        unseen: From ``list_left_out``.

    Raises:
        ConfigError: Something is left out, and an older shard does not say whose face it shows.
    """
    name = source.removesuffix("+")
    if name == DRAWN and unseen:
        raise ConfigError(
            "leave_out: the pool's synthetic-* do not say on whose faces they were drawn; "
            "remove them, they will be drawn again"
        )
    face = name.removeprefix(f"{DRAWN}/")
    if face in unseen:
        return None
    return name if face == name else DRAWN


def check_left_out(config: TrainJudgeConfig) -> None:
    """Refuse to leave out an unknown source, or one that earlier weights have seen.

    Raises:
        ConfigError: labels.csv cannot be read or does not know the source, or earlier weights
            are gone on from, or asked.
    """
    source = config.leave_out
    if not source:
        return
    known = {row[2] for row in read_rows(config.heads, "train")}
    if source not in known:
        raise ConfigError(f"leave_out: no source {source!r}; known are {', '.join(sorted(known))}")
    for earlier in ("start", "voice", "teacher"):
        if getattr(config, earlier) is not None:
            raise ConfigError(
                f"leave_out: the weights of {earlier} may have seen it; remove {earlier}"
            )
