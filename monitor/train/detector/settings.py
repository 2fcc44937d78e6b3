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
    staged: Fraction = 0.3
    """Cut-out people on made-up stages, as a camera on a wall would see them."""
    heads: Fraction = 0.15
    """Head crops, of all other pictures; needs ``heads`` below."""
    mosaic: Fraction = 0.5
    """Four pictures in one, of all but stages."""
    close: Fraction = 0.25
    """One face fills much of the picture, of those that are no mosaic."""
    lens: Fraction = 0.3
    """Tilted, or seen through a wide lens."""
    infrared: Fraction = 0.12
    rain: Fraction = 0.06
    degraded: Fraction = 0.5

    def augment(self) -> Augment:
        """These shares, as samples are drawn by them."""
        return Augment(**self.model_dump(exclude={"until", "input_px"}))


class TrainDetectorConfig(Section):
    """Settings of one training run. Paths are relative to where the command runs."""

    scenes: Path
    """A folder with ``boxes.csv`` and the pictures it names."""
    masks: Path | None = None
    """A folder of mask pictures with transparency, laid over faces."""
    teachers: Path | None = None
    """A folder with ``yunet_n_dynamic.onnx`` and ``yolox_nano.onnx``, to better the boxes with."""
    heads: Path | None = None
    """A folder with ``labels.csv`` and head crops; needs ``teachers``."""
    head_sources: tuple[str, ...] = ()
    """Only crops from these are drawn from; leave out those cut from the held-out scenes."""
    head_count: PositiveInt = 3000
    overlays: Path | None = None
    """A folder with masks, sunglasses and hats, worn by the heads."""
    out: Path
    """A folder for the weights and the state to resume from."""
    start: Path | None = None
    """A checkpoint to go on from; unset begins with random weights."""
    frozen: int = Field(0, ge=0)
    """So many of the first layers stay as ``start`` has them; without it they learn."""
    held_out: Fraction = 0.15
    never_train: tuple[str, ...] = ()
    """Beginnings of picture names that are only ever measured with."""
    phases: tuple[Phase, ...] = Field(min_length=1)
    pictures: PositiveInt = 150_000
    """How many samples are drawn in all."""
    time_limit_s: PositiveFloat = 3600
    """The schedule is shortened to end by then, time before a resume included."""
    batch: PositiveInt = 16
    learning_rate: PositiveFloat = 0.002
    weight_decay: float = Field(0.03, ge=0)
    seed: int = 0
    threads: PositiveInt = 1
    drawer: bool = False
    """Whether samples are drawn in a process of their own, beside the training."""
    bfloat16: bool = True
    """Convolutions in bfloat16; half as long again in float32 on processors that have it."""
    version: str = "1"
