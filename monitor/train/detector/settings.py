"""Settings of a training run of the embedded detector."""

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt

from monitor.config.section import Fraction, Section
from monitor.train.detector.augment import Augment


class Phase(Section):
    """One stretch of the training, at one picture size."""

    until: Fraction
    """Of the whole training; the last phase ends at 1."""
    input_px: PositiveInt
    crops: Fraction = 0.05
    """Head crops, instead of scenes; needs ``heads`` below."""
    pasted: Fraction = 0.15
    """Small head crops laid on the picture; needs ``heads`` below."""
    mosaic: Fraction = 0.4
    """Four pictures in one."""
    close: Fraction = 0.1
    """One head fills much of the picture, of those that are no mosaic."""
    lens: Fraction = 0.12
    """Tilted, or seen through a wide lens."""
    infrared: Fraction = 0.08
    rain: Fraction = 0.03
    degraded: Fraction = 0.45

    def augment(self) -> Augment:
        """These shares, as samples are drawn by them."""
        return Augment(**self.model_dump(exclude={"until", "input_px"}))


class PictureSource(Section):
    """A folder of pictures and the table of their boxes."""

    folder: Path
    boxes: Path | None = None
    """The table; ``boxes.csv`` in the folder by default. ``monitor train labels`` writes one."""
    share: PositiveFloat = 1.0
    """How much is drawn from it, beside the others."""
    never_train: tuple[str, ...] = ()
    """Beginnings of picture names that are left out."""


class TrainDetectorConfig(Section):
    """Settings of one training run. Paths are relative to where the command runs."""

    sources: tuple[PictureSource, ...] = Field(min_length=1)
    heads: tuple[Path, ...] = ()
    """Folders with ``labels.csv`` and head crops."""
    head_sources: tuple[str, ...] = ()
    """Only crops of these sources are used."""
    head_count: PositiveInt = 3000
    """How many crops of each folder."""
    landmarks: Path | None = None
    """YuNet's weights, which find the faces that coverings are drawn on."""
    overlays: Path | None = None
    """A folder with ``masks``, sunglasses and hats as PNG, laid over faces."""
    out: Path
    """A folder for the weights and the state that a second run resumes from."""
    start: str | None = None
    """A checkpoint to begin from, such as an earlier run's, or ``package:NAME/FILE``, one inside
    an installed package. Unset begins with random weights and takes longer."""
    frozen: int = Field(0, ge=0)
    """So many of the first layers stay as ``start`` has them; without ``start`` all learn."""
    phases: tuple[Phase, ...] = Field(min_length=1)
    pictures: PositiveInt = 150_000
    """How many samples are drawn in all."""
    time_limit_s: PositiveFloat = 3600
    """The schedule is shortened to end by then, time before a resume included."""
    batch: PositiveInt = 16
    learning_rate: PositiveFloat = 0.001
    weight_decay: float = Field(0.03, ge=0)
    seed: int = 0
    threads: PositiveInt = 1
    drawer: bool = False
    """Whether samples are drawn in a second process, beside the training."""
    bfloat16: bool = True
    """Convolutions in bfloat16: on processors that have it, float32 takes half as long again."""
    int8: bool = True
    """Whether the export computes in int8, which needs nncf; else in float32."""
    version: str = "1"
    """Of the weights, for people."""
