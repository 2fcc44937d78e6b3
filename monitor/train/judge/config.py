"""The settings of a judge's training."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from monitor.config.section import Section


class TrainJudgeConfig(Section):
    """How to train; every path is given by the caller, the rest may come from a file."""

    heads: Path  # labels.csv and the crops it names
    scenes: Path  # boxes.csv and whole pictures
    out: Path  # checkpoint.pt while training, model/ at the end
    overlays: Path | None = None
    landmarks: Path | None = None  # YuNet as ONNX; without it faces are assumed in the middle
    pool: Path | None = None  # prepared pictures; beside ``out`` when not given
    more: tuple[Path, ...] = ()  # further folders with labels.csv, such as a site's own
    teacher: Path | None = None  # an earlier judge, to name the faces of the scenes
    start: Path | None = None  # an earlier judge, whose weights are gone on from where they fit
    taught_s: float = Field(0, ge=0)  # seconds of training a convolutional teacher first; 0: none
    taught_weight: float = Field(0.6, ge=0, le=1)  # of what the teachers say, beside the labels
    taught_shift: float = Field(0.0, ge=0)  # taken off the logarithm of the teachers' "none"
    voice: Path | None = None  # an earlier judge that teaches, too; ``start`` when not given
    leave_out: str = ""  # a source that is not learned from, to be measured on
    seconds: float = Field(2900, gt=0)
    batch: int = Field(64, ge=1)
    rate: float = Field(2e-3, gt=0)  # AdamW's highest
    decay: float = Field(0.05, ge=0)
    crop_px: int = Field(96, ge=32)
    tower: Literal["residual", "efficient"] = "residual"  # efficient: the teacher's, and as taught
    widths: tuple[int, ...] = (32, 64, 128, 384)  # of a residual tower's stages
    text_width: int = Field(128, ge=8)
    small_px: int = Field(64, ge=32)  # crops at first: twice as many in the same time
    small_share: float = Field(0.45, ge=0, le=1)  # of the time
    warm_steps: int = Field(200, ge=1)
    averaging: float = Field(0.998, ge=0, lt=1)  # of the weights that are kept
    sentence_weight: float = Field(0.1, ge=0)
    hint_weight: float = Field(0.5, ge=0)  # of the answer read off the tower directly
    shards: int = Field(8, ge=1)  # files of synthetic pictures
    shard_size: int = Field(4000, ge=1)  # pictures in each
    measure_every_s: float = Field(300, gt=0)
    seed: int = 11
    version: str = "1"
